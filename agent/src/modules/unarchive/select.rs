//! Which members are meant, and where each shall be.

use std::collections::HashMap;

use convoy_archive::layout::{Tree, parents, path};
use convoy_archive::{Entry, Error, Fault, Kind, Manifest};
use convoy_protocol::Digest;

use super::job::Job;
use super::options::Options;
use crate::failure::Failure;
use crate::files::glob;

/// One thing that shall be there.
#[derive(Debug)]
pub(super) struct Target<'m> {
    /// Its path below the destination; empty for the destination itself.
    pub(super) path: String,
    /// The member that says so; `None` for a directory that is only on the way to one.
    pub(super) entry: Option<&'m Entry<Digest>>,
    /// What it shall be.
    pub(super) kind: Goal<'m>,
}

/// What shall be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal<'m> {
    /// A directory.
    Dir,
    /// A file with the bytes of the member of this number.
    File { member: usize, size: u64, digest: Digest },
    /// A symbolic link that says this.
    Link(&'m str),
    /// Another name of the file at this path.
    Hard(String),
}

/// What is meant.
#[derive(Debug)]
pub(super) struct Selected<'m> {
    /// The names of the members, as the archive has them.
    pub(super) names: Vec<&'m str>,
    /// What shall be there: directories before what is in them, files before their other names.
    pub(super) targets: Vec<Target<'m>>,
}

/// Takes `strip` directories away from a path; `None` if nothing is left.
fn stripped(path: &str, strip: usize) -> Option<String> {
    let rest: Vec<&str> = path.split('/').skip(strip).collect();
    (!rest.is_empty()).then(|| rest.join("/"))
}

/// Returns whether `pattern` names the member at `path` or a directory above it.
fn names(pattern: &str, path: &str) -> bool {
    let literal = !pattern.contains(['*', '?', '[']);
    parents(path).chain([path]).any(|at| if literal { at == pattern } else { glob::matches(pattern, at) })
}

fn is_meant(options: &Options, path: &str) -> bool {
    let anywhere =
        |pattern: &str| path.match_indices('/').any(|(slash, _)| names(pattern, &path[slash + 1..]));
    let excluded = |pattern: &String| names(pattern, path) || (options.anywhere && anywhere(pattern));
    let included = |pattern: &String| names(pattern, path);
    (options.include.is_empty() || options.include.iter().any(included))
        && !options.exclude.iter().any(excluded)
}

/// A file that came before: where its bytes are, and where it shall be, if it is meant.
struct Earlier {
    member: usize,
    size: u64,
    digest: Digest,
    place: Option<String>,
}

/// What was selected so far.
struct Selection<'m> {
    selected: Selected<'m>,
    tree: Tree,
    /// The directories, with the numbers of their targets.
    directories: HashMap<String, usize>,
    /// By their paths in the archive.
    files: HashMap<String, Earlier>,
}

/// Selects the members that are meant. What an archive must not have is refused here too, since names change when
/// directories are taken away from them.
pub(super) fn select<'m>(
    manifest: &'m Manifest,
    options: &Options,
    job: Job<'_>,
) -> Result<Selected<'m>, Failure> {
    let refused = |error: Error| super::source::unreadable(job.src, &error);
    let selected = Selected { names: Vec::new(), targets: Vec::new() };
    let mut selection =
        Selection { selected, tree: Tree::default(), directories: HashMap::new(), files: HashMap::new() };
    let mut missing = options.include.clone();
    for (member, entry) in manifest.entries.iter().enumerate() {
        let at = path(&entry.name).map_err(|fault| refused(fault.of(&entry.name)))?;
        missing.retain(|pattern| !names(pattern, &at));
        let place = if is_meant(options, &at) { stripped(&at, options.strip) } else { None };
        selection.add(member, entry, at, place).map_err(refused)?;
    }
    match missing.first() {
        Some(pattern) => Err(job.failed(format_args!("include: '{pattern}' matches nothing in the archive"))),
        None => Ok(selection.selected),
    }
}

impl<'m> Selection<'m> {
    fn add(
        &mut self,
        member: usize,
        entry: &'m Entry<Digest>,
        at: String,
        place: Option<String>,
    ) -> Result<(), Error> {
        let goal = self.goal(member, entry, at, place.clone())?;
        let Some(place) = place else { return Ok(()) };
        self.tree.add(&entry.name, &place, (&entry.kind).into())?;
        self.selected.names.push(&entry.name);
        for directory in parents(&place) {
            self.directory(directory, None);
        }
        if goal == Goal::Dir {
            self.directory(&place, Some(entry));
        } else {
            self.selected.targets.push(Target { path: place, entry: Some(entry), kind: goal });
        }
        Ok(())
    }

    fn directory(&mut self, path: &str, entry: Option<&'m Entry<Digest>>) {
        let targets = &mut self.selected.targets;
        match self.directories.get(path) {
            Some(known) if entry.is_some() => targets[*known].entry = entry,
            Some(_) => {}
            None => {
                self.directories.insert(path.to_owned(), targets.len());
                targets.push(Target { path: path.to_owned(), entry, kind: Goal::Dir });
            }
        }
    }

    fn goal(
        &mut self,
        member: usize,
        entry: &'m Entry<Digest>,
        at: String,
        place: Option<String>,
    ) -> Result<Goal<'m>, Error> {
        let (earlier, goal) = match &entry.kind {
            Kind::Dir => return Ok(Goal::Dir),
            Kind::Link(target) => return Ok(Goal::Link(target)),
            Kind::File { size, digest } => {
                let (size, digest) = (*size, *digest);
                (Earlier { member, size, digest, place }, Goal::File { member, size, digest })
            }
            Kind::Hard(target) => {
                let file = path(target).ok().and_then(|target| self.files.get(&target));
                let file = file.ok_or_else(|| Fault::HardLink(target.clone()).of(&entry.name))?;
                let (member, size, digest) = (file.member, file.size, file.digest);
                // A name of a file that is not meant itself becomes the file.
                let goal = file.place.clone().map_or(Goal::File { member, size, digest }, Goal::Hard);
                (Earlier { member, size, digest, place: file.place.clone().or(place) }, goal)
            }
        };
        self.files.insert(at, earlier);
        Ok(goal)
    }
}
