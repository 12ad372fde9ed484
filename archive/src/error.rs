//! Why an archive is not unpacked.

use std::io;

/// Why an archive is not unpacked. The texts go on a sentence that names the archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither zip nor tar.
    #[error("it is neither a zip archive nor a tar archive, plain or packed by gzip, bzip2, xz or zstd")]
    Unknown,
    /// It ends too early.
    #[error("it is cut off: it ends before its end")]
    Truncated,
    /// It contradicts itself.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is of a kind that is not supported.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// More members than anyone means.
    #[error("it has more than {} members", crate::limits::MEMBERS)]
    TooMany,
    /// A bomb.
    #[error("it unpacks to more than {0} bytes, too much for its own size to be honest")]
    Bomb(u64),
    /// One member is at fault.
    #[error("'{}' {fault}", name.escape_debug())]
    Member {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It cannot be read.
    #[error("{0}")]
    Io(io::Error),
}

/// What is wrong with a member. The texts go on a sentence that begins with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// `..` in its name.
    #[error("leads out of the directory that it would be unpacked into")]
    Outside,
    /// A slash first.
    #[error("has an absolute name")]
    Absolute,
    /// A line end, a NUL or something like it.
    #[error("has a control character in its name")]
    Control,
    /// Bytes that are no text.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// Nothing at all.
    #[error("has no name")]
    Nameless,
    /// Longer than a file system takes.
    #[error("has a name that is too long")]
    TooLong,
    /// A device, a pipe, a socket.
    #[error("is {0}, which is not unpacked")]
    Special(&'static str),
    /// A kind that tar does not tell.
    #[error("is of the kind '{}', which is not known", .0.escape_debug())]
    UnknownKind(char),
    /// Needs a password.
    #[error("is encrypted")]
    Encrypted,
    /// Packed in a way that is not read.
    #[error("is packed by {0}, which is not supported")]
    Method(String),
    /// Its bytes are others.
    #[error("does not have the checksum that the archive says")]
    Checksum,
    /// Its length is another.
    #[error("does not have the length that the archive says")]
    Size,
    /// Two of that name.
    #[error("is in it twice")]
    Twice,
    /// Two that some file systems take for one.
    #[error("differs from '{0}' in upper and lower case alone")]
    Case(String),
    /// A link on the way.
    #[error("lies beyond the symbolic link '{0}' of the same archive")]
    BeyondLink(String),
    /// A file on the way.
    #[error("lies in '{0}', which is a file in the same archive")]
    BelowFile(String),
    /// A hard link to something else.
    #[error("is a hard link to '{}', which is no file that comes before it in the archive", .0.escape_debug())]
    HardLink(String),
    /// Its central and its local header disagree.
    #[error("has another name where it is packed than in the list of members")]
    TwoNames,
    /// Shares its bytes with another member.
    #[error("overlaps another member")]
    Overlap,
}

impl Fault {
    /// Returns the error of the member `name`.
    pub fn of(self, name: &str) -> Error {
        Error::Member { name: name.to_owned(), fault: self }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}

impl Error {
    /// Returns the sentence that names the archive; for one that is none, it begins as Ansible's.
    pub fn of_archive(&self, shown: &str) -> String {
        match self {
            Self::Unknown => format!("Failed to find handler for \"{shown}\": {self}"),
            _ => format!("cannot unpack {shown}: {self}"),
        }
    }

    /// Returns the error behind one that came through a reader.
    pub(crate) fn of_reading(error: io::Error) -> Self {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>) {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<Self>().ok());
            return inner.map_or_else(|| Self::Damaged("it cannot be read".into()), |inner| *inner);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            // Decoders make these of bytes that they cannot make sense of.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }

    /// Returns the error behind one that came up while the bytes of the member `name` were read.
    pub fn in_member(error: io::Error, name: &str) -> Self {
        match Self::of_reading(error) {
            Self::Damaged(why) => Self::Damaged(format!("'{}': {why}", name.escape_debug())),
            other => other,
        }
    }
}
