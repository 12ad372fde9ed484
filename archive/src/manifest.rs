//! The list of an archive's members, as data.

use std::io::Read;

use convoy_protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::Format;

/// The list of an archive's members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its format.
    pub format: Format,
    /// The members, in the order in which [`walk`](crate::walk) visits them.
    pub entries: Vec<Entry<Digest>>,
}

/// One member. `D` is the type of a file's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<D> {
    /// Its name as given in the archive.
    pub name: String,
    /// Its type.
    pub kind: Kind<D>,
    /// Its permission bits, if the archive records them.
    pub mode: Option<u32>,
    /// Its owner, if the archive records it.
    pub owner: Option<Owner>,
    /// When it was last modified.
    pub mtime: ModificationTime,
}

/// The type of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind<D> {
    /// A file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The digest of its content.
        digest: D,
    },
    /// A directory.
    Dir,
    /// A symbolic link, with its target.
    Link(String),
    /// A hard link, with the name of an earlier file.
    Hard(String),
}

/// The owner of a member on the machine where the archive was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
    /// The user's name; empty if unknown.
    pub user: String,
    /// The group's name; empty if unknown.
    pub group: String,
}

/// When a member was last modified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModificationTime {
    /// Seconds since 1970.
    Utc(i64),
    /// Local time in an unknown time zone, which is all that zip records: in seconds since 1970-01-01 00:00 local time.
    WallClock(i64),
}

impl Entry<()> {
    /// Adds the digest of the content, which `digest` computes for a file of the given size.
    pub(crate) fn digested(
        self,
        digest: impl FnOnce(u64) -> Result<Digest, Error>,
    ) -> Result<Entry<Digest>, Error> {
        let kind = match self.kind {
            Kind::File { size, .. } => Kind::File { size, digest: digest(size)? },
            Kind::Dir => Kind::Dir,
            Kind::Link(target) => Kind::Link(target),
            Kind::Hard(target) => Kind::Hard(target),
        };
        Ok(Entry { name: self.name, kind, mode: self.mode, owner: self.owner, mtime: self.mtime })
    }
}

impl Manifest {
    /// Encodes the manifest.
    pub fn encode(&self) -> Vec<u8> {
        // Encoding to memory fails only for types that cannot be encoded; this one has none.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Decodes the result of [`encode`](Self::encode).
    ///
    /// # Errors
    /// If the bytes are not a manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        postcard::from_bytes(bytes).map_err(|error| Error::Damaged(format!("its manifest: {error}")))
    }
}

/// Receives each member: its header, without a digest, and its content. It need not read the content; if it does, wrong
/// checksums and sizes are reported when the content ends.
pub type Visitor<'e, E> = &'e mut dyn FnMut(Entry<()>, &mut dyn Read) -> Result<(), E>;
