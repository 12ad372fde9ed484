//! The names that members may have, and the combinations that are refused.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::{Error, Fault};
use crate::manifest::Kind;

/// The longest path that Linux accepts, in bytes.
const PATH: usize = 4095;

/// The longest file name that its file systems accept, in bytes.
const NAME: usize = 255;

/// Returns the path that a member's name denotes below the destination, without `.` and redundant slashes; empty for the
/// destination itself.
///
/// # Errors
/// If no file in the destination may have that name.
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

/// Returns the directories above `path`, the topmost first.
pub fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// What a member puts at a path, as far as other members are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file, or a hard link to one.
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

/// The tree that the members form. Refuses members that cannot or must not coexist.
#[derive(Debug, Default)]
pub struct Tree {
    places: HashMap<String, Place>,
    /// Directories above members, each with the name of the first member in it.
    crossed: HashMap<String, String>,
    /// Each path in lower case, with its actual spelling.
    folded: HashMap<String, String>,
}

impl Tree {
    /// Adds the member `name` at the path `at`, as returned by [`path`].
    ///
    /// # Errors
    /// If it conflicts with an earlier member.
    pub fn add(&mut self, name: &str, at: &str, place: Place) -> Result<(), Error> {
        if at.is_empty() {
            // The destination itself can only be a directory.
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
            // A directory may occur any number of times.
            Some(before) if (before, place) != (Place::Dir, Place::Dir) => Err(Fault::Twice.of(name)),
            _ => Ok(()),
        }
    }

    /// Returns whether there is a file at this path.
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
