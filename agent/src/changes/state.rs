//! States of a path, as recorded for undo.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use crate::stat::{Meta, Time};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathKind {
    Absent,
    File,
    Directory,
    /// A symbolic link, with its target.
    Link(PathBuf),
    /// A directory tree as a unit, or a special file.
    Tree,
}

/// Owner, group and permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What is known about a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContentState {
    /// Nothing, since the content does not change.
    Any,
    /// Its digest; for a tree, the digest of all metadata.
    Digest(Digest),
    /// It is a secret. The content is the same as long as device, inode and `ctime` are.
    Stamp(u64, u64, Time),
    /// It is a secret, and was not kept.
    Secret,
    /// It could not be read, and was not kept.
    Unreadable,
}

/// The state of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathState {
    pub(crate) kind: PathKind,
    /// `None` if irrelevant.
    pub(crate) ownership: Option<Ownership>,
    /// `None` if irrelevant.
    pub(crate) mtime: Option<Time>,
    pub(crate) content: ContentState,
    /// Where the old content is kept.
    pub(crate) kept: Option<PathBuf>,
    /// The extended attributes.
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

    /// Returns the state of `path` with the metadata `meta`, without its content.
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

    /// Returns this state after a change to `next`, which omits what the change leaves alone.
    pub(super) fn followed_by(&self, next: &Self) -> Self {
        let mut merged = next.clone();
        // A restored directory tree remains a tree when only its attributes change.
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

/// Returns the extended attributes of `path` itself, as far as they can be read.
pub(super) fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
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
