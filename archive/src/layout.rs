//! Which names members may have, and which may stand beside each other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::{Error, Fault};
use crate::manifest::Kind;

/// The longest path that Linux takes, in bytes.
const PATH: usize = 4095;

/// The longest name that its file systems take, in bytes.
const NAME: usize = 255;

/// Returns the path below the destination that a member's name means, without `.` and needless slashes; empty for the
/// destination itself.
///
/// # Errors
/// If the name is none that a file of that directory may have.
pub fn path(name: &str) -> Result<String, Fault> {
    if name.is_empty() {
        return Err(Fault::Nameless);
    }
    if name.starts_with('/') {
        return Err(Fault::Absolute);
    }
    if name.chars().any(char::is_control) {
        return Err(Fault::Control);
    }
    let mut path = String::with_capacity(name.len());
    for part in name.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return Err(Fault::Outside);
        }
        if part.len() > NAME {
            return Err(Fault::TooLong);
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    if path.len() > PATH { Err(Fault::TooLong) } else { Ok(path) }
}

/// The directories above `path`, the uppermost first.
pub fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// What is at a path, as far as it matters to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file, under its first or another name.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
}

impl<D> From<&Kind<D>> for Place {
    fn from(kind: &Kind<D>) -> Self {
        match kind {
            Kind::File { .. } | Kind::Hard(_) => Self::File,
            Kind::Dir => Self::Dir,
            Kind::Link(_) => Self::Link,
        }
    }
}

/// The tree that members make; refuses what cannot, or must not, stand beside each other.
#[derive(Debug, Default)]
pub struct Tree {
    places: HashMap<String, Place>,
    /// Directories on the way to a member, with the name of the first that lies in them.
    crossed: HashMap<String, String>,
    /// Each path in lower case, with how it is really written.
    folded: HashMap<String, String>,
}

impl Tree {
    /// Adds the member `name` at `at`, as [`path`] returns it.
    ///
    /// # Errors
    /// If it cannot be there beside those before it.
    pub fn add(&mut self, name: &str, at: &str, place: Place) -> Result<(), Error> {
        if at.is_empty() {
            // The destination itself is a directory and nothing else.
            return if place == Place::Dir { Ok(()) } else { Err(Fault::Nameless.of(name)) };
        }
        for parent in parents(at) {
            match self.places.get(parent) {
                Some(Place::File) => return Err(Fault::BelowFile(parent.to_owned()).of(name)),
                Some(Place::Link) => return Err(Fault::BeyondLink(parent.to_owned()).of(name)),
                _ if self.crossed.contains_key(parent) => {}
                _ => {
                    self.fold(name, parent)?;
                    self.crossed.insert(parent.to_owned(), name.to_owned());
                }
            }
        }
        if let Some(below) = self.crossed.get(at).filter(|_| place != Place::Dir) {
            let at = at.to_owned();
            let fault = if place == Place::Link { Fault::BeyondLink(at) } else { Fault::BelowFile(at) };
            return Err(fault.of(below));
        }
        self.fold(name, at)?;
        match self.places.insert(at.to_owned(), place) {
            // A directory may be named as often as one likes.
            Some(before) if (before, place) != (Place::Dir, Place::Dir) => Err(Fault::Twice.of(name)),
            _ => Ok(()),
        }
    }

    /// Returns whether a file is at this path.
    pub fn has_file(&self, at: &str) -> bool {
        self.places.get(at) == Some(&Place::File)
    }

    fn fold(&mut self, name: &str, at: &str) -> Result<(), Error> {
        match self.folded.entry(at.to_lowercase()) {
            Entry::Occupied(other) if other.get() != at => Err(Fault::Case(other.get().clone()).of(name)),
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(free) => {
                free.insert(at.to_owned());
                Ok(())
            }
        }
    }
}
