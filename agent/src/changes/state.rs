//! What is, or was, at a path.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use crate::stat::{Meta, Time};

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Nothing,
    File,
    Directory,
    /// A symbolic link with what it says.
    Link(PathBuf),
    /// A directory with all it holds, or what is neither file, directory nor link: as one.
    Tree,
}

/// Owner, group and permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
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
pub(crate) struct State {
    pub(crate) thing: Thing,
    /// `None`: they do not matter.
    pub(crate) owned: Option<Owned>,
    /// `None`: it does not matter.
    pub(crate) mtime: Option<Time>,
    pub(crate) content: Content,
    /// Where it is kept.
    pub(crate) kept: Option<PathBuf>,
    /// Extended attributes.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl From<&Meta> for Owned {
    fn from(meta: &Meta) -> Self {
        Self { mode: meta.mode, uid: meta.uid, gid: meta.gid }
    }
}

impl State {
    pub(crate) fn of(thing: Thing) -> Self {
        Self { thing, owned: None, mtime: None, content: Content::Any, kept: None, xattrs: Vec::new() }
    }

    pub(crate) fn nothing() -> Self {
        Self::of(Thing::Nothing)
    }

    /// Returns what is at `path`, of which `meta` tells; the content is not looked at.
    pub(crate) fn seen(path: &Path, meta: Option<&Meta>) -> io::Result<Self> {
        let Some(meta) = meta else { return Ok(Self::nothing()) };
        let thing = match meta {
            meta if meta.is_file() => Thing::File,
            meta if meta.is_dir() => Thing::Directory,
            meta if meta.is_link() => Thing::Link(fs::read_link(path)?),
            _ => Thing::Tree,
        };
        Ok(Self { owned: Some(meta.into()), mtime: Some(meta.mtime), ..Self::of(thing) })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.thing == Thing::Nothing
    }

    /// Returns this state after a change to `next`, which says nothing of what did not change.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let mut merged = next.clone();
        // A directory that came back with all it holds stays one, whatever its attributes.
        if self.thing == Thing::Tree && next.thing == Thing::Directory {
            return Self { thing: Thing::Tree, content: Content::Any, ..merged };
        }
        if self.thing == next.thing {
            merged.owned = next.owned.or(self.owned);
            if next.content == Content::Any {
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
