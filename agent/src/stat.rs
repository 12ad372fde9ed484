//! File metadata.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// The type of a file.
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

/// A file timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: i64,
}

impl Time {
    /// Returns the seconds since 1970 as a floating point number, like Python.
    pub fn as_f64(self) -> f64 {
        self.seconds as f64 + 1e-9 * self.nanos as f64
    }
}

/// The metadata of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The type.
    pub kind: FileKind,
    /// The permission bits, including set-user-ID, set-group-ID and sticky: at most 0o7777.
    pub mode: u32,
    /// The owner's user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// When the content was last modified.
    pub mtime: Time,
    /// When it was last read.
    pub atime: Time,
    /// When the content or the metadata last changed.
    pub ctime: Time,
    /// The device that the file is on.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// The number of hard links.
    pub nlink: u64,
    /// The device number, for a device file.
    pub rdev: u64,
    /// The number of allocated 512-byte blocks.
    pub blocks: u64,
    /// The preferred block size for reading.
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

    /// Returns whether `other` is the same file with the same content and attributes, as far as metadata can tell.
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
