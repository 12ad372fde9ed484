//! What is in an archive, as data.

use std::io::Read;

use convoy_protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::Format;

/// What is in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its format.
    pub format: Format,
    /// Its members, in the order in which [`walk`](crate::walk) comes by them.
    pub entries: Vec<Entry<Digest>>,
}

/// One member; `D` is what is known of a file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<D> {
    /// Its name as the archive has it.
    pub name: String,
    /// What it is.
    pub kind: Kind<D>,
    /// Its permission bits, if the archive has any.
    pub mode: Option<u32>,
    /// Whose it was, if the archive says so.
    pub owner: Option<Owner>,
    /// When it was changed.
    pub mtime: ModificationTime,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind<D> {
    /// A file.
    File {
        /// Its length in bytes.
        size: u64,
        /// What is known of its content.
        digest: D,
    },
    /// A directory.
    Dir,
    /// A symbolic link with what it says.
    Link(String),
    /// Another name of a file that came before, with that file's name.
    Hard(String),
}

/// Whose a member was where the archive was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The user's name; empty if it is not known.
    pub user: String,
    /// The group's name; empty if it is not known.
    pub group: String,
}

/// When a member was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModificationTime {
    /// Seconds since 1970.
    Utc(i64),
    /// What the clock on the wall said, in seconds since it said 1970: zip archives do not know in which zone.
    WallClock(i64),
}

impl Entry<()> {
    /// Returns the entry with its content's digest, which `digest` makes of a file with its size.
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
    /// Returns the manifest as bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Encoding to memory fails only for types that say they cannot be encoded; there is none here.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// If it is something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        postcard::from_bytes(bytes).map_err(|error| Error::Damaged(format!("its manifest: {error}")))
    }
}

/// What is to be done with each member: its header, without a digest, and its bytes. Whoever does not read them all
/// skips them; whoever does is told of wrong checksums and sizes at their end.
pub type Visitor<'e, E> = &'e mut dyn FnMut(Entry<()>, &mut dyn Read) -> Result<(), E>;
