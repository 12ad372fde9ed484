//! What the file system says about a path.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// A point in time as the file system keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: i64,
}

impl Time {
    /// Returns the seconds since 1970 with their fraction, as Python does.
    pub fn as_f64(self) -> f64 {
        self.seconds as f64 + 1e-9 * self.nanos as f64
    }
}

/// What the file system says about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits, with set-user-id and its like: at most 0o7777.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was changed.
    pub mtime: Time,
    /// When it was read.
    pub atime: Time,
    /// When anything of it was changed.
    pub ctime: Time,
    /// The device it is on.
    pub dev: u64,
    /// Its number on that device.
    pub ino: u64,
    /// How many names it has.
    pub nlink: u64,
    /// For a device, which.
    pub rdev: u64,
    /// The blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// The size of a block that is good for reading it.
    pub block_size: u64,
}

impl Meta {
    /// Returns whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Returns whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }

    /// Returns whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileKind::Link
    }

    /// Returns whether `other` is the same file with the same content and attributes, as far as the file system
    /// can tell without reading it.
    pub fn is_unchanged(&self, other: &Self) -> bool {
        (self.dev, self.ino, self.size, self.mtime, self.ctime)
            == (other.dev, other.ino, other.size, other.mtime, other.ctime)
    }
}

impl From<&Metadata> for Meta {
    fn from(meta: &Metadata) -> Self {
        let kind = match meta.file_type() {
            kind if kind.is_dir() => FileKind::Dir,
            kind if kind.is_symlink() => FileKind::Link,
            kind if kind.is_char_device() => FileKind::CharDevice,
            kind if kind.is_block_device() => FileKind::BlockDevice,
            kind if kind.is_fifo() => FileKind::Fifo,
            kind if kind.is_socket() => FileKind::Socket,
            _ => FileKind::File,
        };
        Self {
            kind,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.size(),
            mtime: Time { seconds: meta.mtime(), nanos: meta.mtime_nsec() },
            atime: Time { seconds: meta.atime(), nanos: meta.atime_nsec() },
            ctime: Time { seconds: meta.ctime(), nanos: meta.ctime_nsec() },
            dev: meta.dev(),
            ino: meta.ino(),
            nlink: meta.nlink(),
            rdev: meta.rdev(),
            blocks: meta.blocks(),
            block_size: meta.blksize(),
        }
    }
}
