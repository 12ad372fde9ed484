//! What is, or was, at a path.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use crate::stat::{Meta, Time};

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathKind {
    Absent,
    File,
    Directory,
    /// A symbolic link with what it says.
    Link(PathBuf),
    /// A directory with all it holds, or what is neither file, directory nor link: as one.
    Tree,
}

/// Owner, group and permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContentState {
    /// It does not matter, since it was not changed.
    Any,
    /// What has this digest. Of a tree: of all that the file system says about it.
    Digest(Digest),
    /// A secret. So long as device, inode and time of change are these, it is the same.
    Stamp(u64, u64, Time),
    /// A secret, not kept.
    Secret,
    /// What could not be read, and was not kept.
    Unreadable,
}

/// What is, or was, at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathState {
    pub(crate) kind: PathKind,
    /// `None`: they do not matter.
    pub(crate) ownership: Option<Ownership>,
    /// `None`: it does not matter.
    pub(crate) mtime: Option<Time>,
    pub(crate) content: ContentState,
    /// Where it is kept.
    pub(crate) kept: Option<PathBuf>,
    /// Extended attributes.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl From<&Meta> for Ownership {
    fn from(meta: &Meta) -> Self {
        Self { mode: meta.mode, uid: meta.uid, gid: meta.gid }
    }
}

impl PathState {
    pub(crate) fn new(kind: PathKind) -> Self {
        Self {
            kind,
            ownership: None,
            mtime: None,
            content: ContentState::Any,
            kept: None,
            xattrs: Vec::new(),
        }
    }

    pub(crate) fn absent() -> Self {
        Self::new(PathKind::Absent)
    }

    /// Returns what is at `path`, of which `meta` tells; the content is not looked at.
    pub(crate) fn observe(path: &Path, meta: Option<&Meta>) -> io::Result<Self> {
        let Some(meta) = meta else { return Ok(Self::absent()) };
        let kind = match meta {
            meta if meta.is_file() => PathKind::File,
            meta if meta.is_dir() => PathKind::Directory,
            meta if meta.is_link() => PathKind::Link(fs::read_link(path)?),
            _ => PathKind::Tree,
        };
        Ok(Self { ownership: Some(meta.into()), mtime: Some(meta.mtime), ..Self::new(kind) })
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.kind == PathKind::Absent
    }

    /// Returns this state after a change to `next`, which says nothing of what did not change.
    pub(crate) fn followed_by(&self, next: &Self) -> Self {
        let mut merged = next.clone();
        // A directory that came back with all it holds stays one, whatever its attributes.
        if self.kind == PathKind::Tree && next.kind == PathKind::Directory {
            return Self { kind: PathKind::Tree, content: ContentState::Any, ..merged };
        }
        if self.kind == next.kind {
            merged.ownership = next.ownership.or(self.ownership);
            if next.content == ContentState::Any {
                merged.content = self.content.clone();
            }
        }
        merged
    }
}

/// Returns the extended attributes of what is at `path` itself, as far as they can be read.
pub(crate) fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0; 16 * 1024];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else { return Vec::new() };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 64 * 1024];
        let length = rustix::fs::lgetxattr(path, std::ffi::OsStr::from_bytes(name), &mut value[..]).ok()?;
        value.truncate(length);
        Some((name.to_owned(), value))
    };
    names.filter_map(value).collect()
}
