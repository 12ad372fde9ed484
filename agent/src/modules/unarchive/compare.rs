//! What is there, compared with what shall be there.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use convoy_archive::{Entry, ModificationTime};
use convoy_protocol::Digest;

use super::job::Job;
use super::options::Options;
use super::select::{Goal, Selected, Target};
use crate::dates::civil_from_days;
use crate::digest_cache::DigestCache;
use crate::failure::Failure;
use crate::files::attributes::{self, FileArgs};
use crate::files::mode::Base;
use crate::stat::{Meta, Time};
use crate::system::{Attributes, SystemView};

/// A file that is to be written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) digest: Digest,
    pub(super) attributes: Attributes,
    pub(super) mtime: i64,
    pub(super) expected: Option<Meta>,
}

/// A link that is to be made.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) path: PathBuf,
    pub(super) target: PathBuf,
    pub(super) attributes: Attributes,
    pub(super) expected: Option<Meta>,
}

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Directories to be made, each after the one it is in.
    pub(super) directories: Vec<(PathBuf, Attributes)>,
    /// Files to be written, by the number of the member whose bytes they have.
    pub(super) files: HashMap<usize, Vec<Write>>,
    /// Symbolic links.
    pub(super) links: Vec<Link>,
    /// Other names of files.
    pub(super) names: Vec<Link>,
    /// What has another mode or owner alone.
    pub(super) attributes: Vec<(PathBuf, Attributes)>,
    /// A line for each, as rsync writes them.
    pub(super) itemized: Vec<String>,
}

/// What a directory below the destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Directory {
    There(Box<Meta>),
    Planned,
}

struct Comparing<'a> {
    args: &'a FileArgs,
    options: &'a Options,
    job: Job<'a>,
    view: &'a SystemView,
    /// The destination without symbolic links.
    real: PathBuf,
    directories: HashMap<String, Directory>,
    digests: DigestCache,
    found: Comparison,
    /// The paths of files that are to be written.
    written: HashSet<PathBuf>,
    /// Users and groups that were looked up.
    ids: HashMap<(bool, &'a str), Option<u32>>,
}

/// Compares what is there with what shall be there.
pub(super) fn compare(
    args: &FileArgs,
    options: &Options,
    selected: &Selected<'_>,
    job: Job<'_>,
    view: &SystemView,
) -> Result<Comparison, Failure> {
    let mut comparing = Comparing {
        args,
        options,
        job,
        view,
        real: view.real_path(job.dest),
        directories: HashMap::new(),
        digests: DigestCache::load(view, &format!("{} {}", job.dest.display(), job.src)),
        found: Comparison::default(),
        written: HashSet::new(),
        ids: HashMap::new(),
    };
    for target in &selected.targets {
        comparing.target(target)?;
    }
    comparing.digests.save(view);
    Ok(comparing.found)
}

impl<'a> Comparing<'a> {
    fn target(&mut self, target: &Target<'a>) -> Result<(), Failure> {
        let path =
            if target.path.is_empty() { self.job.dest.to_owned() } else { self.job.dest.join(&target.path) };
        let directory = target.path.rsplit_once('/').map(|(directory, _)| directory);
        // What shall be in a directory that is not there yet is not there either.
        let planned =
            directory.is_some_and(|directory| self.directories.get(directory) == Some(&Directory::Planned));
        let old = if planned { None } else { self.view.lstat(&path)? };
        match &target.kind {
            Goal::Dir => self.directory(target, path, old),
            Goal::File { member, size, digest } => self.file(target, path, old, (*member, *size, *digest)),
            Goal::Link(to) => self.link(target, path, old, Path::new(to)),
            Goal::Hard(to) => self.name(target, path, old, to),
        }
    }

    fn blocked(&self, path: &Path, what: &str) -> Failure {
        self.job.failed(format_args!("{} is {what}", path.display()))
    }

    fn note(&mut self, marks: &str, target: &Target<'_>) {
        if self.view.wants_diff() {
            let name = target.entry.map_or(target.path.as_str(), |entry| &entry.name);
            self.found.itemized.push(format!("{marks} {name}\n"));
        }
    }

    fn directory(&mut self, target: &Target<'a>, path: PathBuf, old: Option<Meta>) -> Result<(), Failure> {
        let (path, meta) = match old {
            Some(meta) if meta.is_link() => self.through(&path)?,
            Some(meta) if meta.is_dir() => (path, meta),
            Some(_) => return Err(self.blocked(&path, "a file, where the archive has a directory")),
            None => {
                let attributes = self.wanted(target, &path, true)?;
                self.found.directories.push((path, attributes));
                self.directories.insert(target.path.clone(), Directory::Planned);
                self.note(">d++++++.??", target);
                return Ok(());
            }
        };
        let mut wanted = self.wanted(target, &path, true)?;
        // Of a directory that was there before, only what the task or a member says is changed; the destination and those
        // that are on the way to a member are no members.
        if target.entry.is_none() || target.path.is_empty() || self.options.keep_directories {
            wanted = Attributes {
                mode: wanted.mode.filter(|_| self.args.mode.is_some()),
                uid: wanted.uid.filter(|_| self.args.owner.is_some()),
                gid: wanted.gid.filter(|_| self.args.group.is_some()),
            };
        }
        self.adjust(target, path, &meta, wanted, 'd');
        self.directories.insert(target.path.clone(), Directory::There(Box::new(meta)));
        Ok(())
    }

    /// Looks at the directory behind a symbolic link of the node.
    fn through(&self, path: &Path) -> Result<(PathBuf, Meta), Failure> {
        let real = self.view.real_path(path);
        match self.view.stat(path)? {
            Some(meta) if meta.is_dir() && real.starts_with(&self.real) => Ok((real, meta)),
            Some(meta) if meta.is_dir() => {
                Err(self
                    .blocked(path, &format!("a symbolic link that leads out of it, to {}", real.display())))
            }
            _ => {
                Err(self.blocked(path, "a symbolic link to no directory, where the archive has a directory"))
            }
        }
    }

    fn file(
        &mut self,
        target: &Target<'a>,
        path: PathBuf,
        old: Option<Meta>,
        (member, size, digest): (usize, u64, Digest),
    ) -> Result<(), Failure> {
        let attributes = self.wanted(target, &path, false)?;
        let marks = match &old {
            None => ">f++++++.??",
            Some(meta) if meta.is_file() => {
                if self.options.keep_newer && self.is_newer(meta, target) {
                    return Ok(());
                }
                let same_size = meta.size == size;
                // What cannot be read is not known to be the same.
                if same_size
                    && self.view.can_read(&path)
                    && self.digests.digest(self.view, &path, meta)? == digest
                {
                    self.adjust(target, path, meta, attributes, 'f');
                    return Ok(());
                }
                if same_size { ".fc......??" } else { ".fcs.....??" }
            }
            Some(meta) if meta.is_link() => "cf++++++.??",
            Some(meta) if meta.is_dir() => {
                return Err(self.blocked(&path, "a directory, where the archive has a file"));
            }
            Some(_) => return Err(self.blocked(&path, "neither file nor link, where the archive has a file")),
        };
        self.note(marks, target);
        self.written.insert(path.clone());
        let mtime = self.mtime(target.entry);
        let write = Write { path, size, digest, attributes, mtime, expected: old };
        self.found.files.entry(member).or_default().push(write);
        Ok(())
    }

    fn link(
        &mut self,
        target: &Target<'a>,
        path: PathBuf,
        old: Option<Meta>,
        to: &Path,
    ) -> Result<(), Failure> {
        let attributes = Attributes { mode: None, ..self.wanted(target, &path, false)? };
        let marks = match &old {
            None => ">L++++++.??",
            Some(meta) if meta.is_link() && self.view.read_link(&path)? == to => {
                self.adjust(target, path, meta, attributes, 'L');
                return Ok(());
            }
            Some(meta) if meta.is_dir() => {
                return Err(self.blocked(&path, "a directory, where the archive has a symbolic link"));
            }
            Some(_) => "cL++++++.??",
        };
        self.note(marks, target);
        self.found.links.push(Link { path, target: to.to_owned(), attributes, expected: old });
        Ok(())
    }

    fn name(
        &mut self,
        target: &Target<'a>,
        path: PathBuf,
        old: Option<Meta>,
        to: &str,
    ) -> Result<(), Failure> {
        let to = self.job.dest.join(to);
        let marks = match &old {
            None => ">h++++++.??",
            Some(meta) if meta.is_dir() => {
                return Err(self.blocked(&path, "a directory, where the archive has a file"));
            }
            Some(meta) => {
                let same = |other: Meta| (meta.dev, meta.ino) == (other.dev, other.ino);
                if !self.written.contains(&to) && self.view.lstat(&to)?.is_some_and(same) {
                    return Ok(());
                }
                "ch++++++.??"
            }
        };
        self.note(marks, target);
        let link = Link { path, target: to, attributes: Attributes::default(), expected: old };
        self.found.names.push(link);
        Ok(())
    }

    fn adjust(&mut self, target: &Target<'_>, path: PathBuf, meta: &Meta, wanted: Attributes, kind: char) {
        if let Some(missing) = attributes::differing(wanted, meta) {
            let mark = |is: bool, mark: char| if is { mark } else { '.' };
            let (mode, uid, gid) = (missing.mode.is_some(), missing.uid.is_some(), missing.gid.is_some());
            let marks = format!(".{kind}...{}{}{}.??", mark(mode, 'p'), mark(uid, 'o'), mark(gid, 'g'));
            self.note(&marks, target);
            self.found.attributes.push((path, missing));
        }
    }

    /// Returns what the task and the archive ask of a target, in numbers.
    fn wanted(&mut self, target: &Target<'a>, path: &Path, is_dir: bool) -> Result<Attributes, Failure> {
        let umask = self.view.umask();
        let archived = target.entry.and_then(|entry| entry.mode).map(|mode| {
            let kept = if self.options.same_permissions { 0o7777 } else { 0o777 };
            mode & kept & !self.options.umask
        });
        let mode = archived.unwrap_or((if is_dir { 0o777 } else { 0o666 }) & !umask);
        let mut attributes = self.args.wanted().resolve(self.view, path, Base { mode, is_dir, umask })?;
        attributes.mode = attributes.mode.or(archived);
        if let Some(owner) =
            target.entry.and_then(|entry| entry.owner.as_ref()).filter(|_| self.options.same_owner)
        {
            attributes.uid = attributes.uid.or_else(|| Some(self.id(true, &owner.user).unwrap_or(owner.uid)));
            attributes.gid =
                attributes.gid.or_else(|| Some(self.id(false, &owner.group).unwrap_or(owner.gid)));
        }
        Ok(attributes)
    }

    /// Returns the number of a user or group of the archive on this node.
    fn id(&mut self, user: bool, name: &'a str) -> Option<u32> {
        if name.is_empty() || self.options.numeric_owner {
            return None;
        }
        let view = self.view;
        let find = || if user { view.user(name).map(|user| user.uid) } else { view.group_id(name) };
        *self.ids.entry((user, name)).or_insert_with(find)
    }

    /// Returns whether the file of the node is newer than the archive's. Of the same second: tar keeps it, unzip does not
    /// unless it can tell.
    fn is_newer(&self, meta: &Meta, target: &Target<'_>) -> bool {
        let archived = Time { seconds: self.mtime(target.entry), nanos: 0 };
        let is_tar = target.entry.is_some_and(|entry| entry.owner.is_some());
        meta.mtime > archived || (is_tar && meta.mtime == archived)
    }

    fn mtime(&self, entry: Option<&Entry<Digest>>) -> i64 {
        match entry.map(|entry| entry.mtime) {
            Some(ModificationTime::Utc(seconds)) => seconds,
            Some(ModificationTime::WallClock(seconds)) => {
                let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
                self.view.from_local(year, month, day, seconds.rem_euclid(86_400))
            }
            None => 0,
        }
    }
}

impl Comparison {
    /// Returns whether nothing differs.
    pub(super) fn is_empty(&self) -> bool {
        self.directories.is_empty()
            && self.files.is_empty()
            && self.links.is_empty()
            && self.names.is_empty()
            && self.attributes.is_empty()
    }

    /// Checks that there is room for what is to be written.
    pub(super) fn fits(&self, job: Job<'_>, view: &SystemView) -> Result<(), Failure> {
        let space = view.space(job.dest)?;
        let (mut needed, mut freed, mut largest) = (0u64, 0u64, 0u64);
        for write in self.files.values().flatten() {
            let size = write.size.next_multiple_of(space.block);
            needed = needed.saturating_add(size);
            largest = largest.max(size);
            // A file with other names keeps its room.
            freed += write.expected.as_ref().filter(|old| old.nlink == 1).map_or(0, |old| old.blocks * 512);
        }
        needed += (self.directories.len() + self.links.len()) as u64 * space.block;
        // Old and new files are there at once until those that wait for each other take their places.
        let needed = needed.saturating_sub(freed).max(needed.min(largest + crate::system::BATCH_BYTES));
        if needed > space.bytes {
            return Err(job.failed(format_args!(
                "it takes {needed} bytes, {} are free on that file system",
                space.bytes
            )));
        }
        let files = self.files.values().flatten().filter(|write| write.expected.is_none()).count();
        let files = (files + self.directories.len() + self.links.len()) as u64;
        match space.files {
            Some(free) if files > free => {
                Err(job
                    .failed(format_args!("it has {files} files, that file system has room for {free} more")))
            }
            _ => Ok(()),
        }
    }
}
