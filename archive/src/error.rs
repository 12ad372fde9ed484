//! Why an archive cannot be unpacked.

use std::io;

/// Why an archive cannot be unpacked. The messages complete a sentence that names the archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither zip nor tar.
    #[error(
        "it is neither a zip archive nor a tar archive, plain or compressed with gzip, bzip2, xz or zstd"
    )]
    Unknown,
    /// It ends too early.
    #[error("it is truncated")]
    Truncated,
    /// Its contents are inconsistent.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It uses a feature that is not supported.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// It has more members than any honest archive.
    #[error("it has more than {} members", crate::limits::MEMBERS)]
    TooMany,
    /// It is a decompression bomb.
    #[error("it unpacks to more than {0} bytes, implausibly many for its size")]
    Bomb(u64),
    /// One of its members is at fault.
    #[error("'{}' {fault}", name.escape_debug())]
    Member {
        /// The member's name.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// It cannot be read.
    #[error("{0}")]
    Io(io::Error),
}

/// What is wrong with a member. The messages follow the member's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its name contains `..`.
    #[error("leads out of the destination directory")]
    Outside,
    /// Its name begins with a slash.
    #[error("has an absolute name")]
    Absolute,
    /// Its name contains a line break, a NUL byte or another control character.
    #[error("has a control character in its name")]
    Control,
    /// Its name is not UTF-8.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// Its name is empty.
    #[error("has no name")]
    Nameless,
    /// Its name is longer than file systems allow.
    #[error("has a name that is too long")]
    TooLong,
    /// It is a device, a pipe or a socket.
    #[error("is {0}, which cannot be unpacked")]
    Special(&'static str),
    /// It has a type that tar does not define.
    #[error("has the unknown type '{}'", .0.escape_debug())]
    UnknownKind(char),
    /// It needs a password.
    #[error("is encrypted")]
    Encrypted,
    /// It uses a compression method that is not supported.
    #[error("is compressed with {0}, which is not supported")]
    Method(String),
    /// Its checksum is wrong.
    #[error("does not match its checksum")]
    Checksum,
    /// Its size is wrong.
    #[error("does not match its declared size")]
    Size,
    /// Another member has the same name.
    #[error("occurs twice")]
    Twice,
    /// Another member's name differs only in case, so that some file systems would take them for one.
    #[error("differs from '{0}' only in case")]
    Case(String),
    /// A symbolic link of the archive is part of its path.
    #[error("would be unpacked through the symbolic link '{0}' of the same archive")]
    BeyondLink(String),
    /// A file of the archive is part of its path.
    #[error("lies below '{0}', which is a file in the same archive")]
    BelowFile(String),
    /// It is a hard link to something that is not an earlier file.
    #[error("is a hard link to '{}', which is not an earlier file of the archive", .0.escape_debug())]
    HardLink(String),
    /// Its own header and the list of members give different names.
    #[error("has a different name in its own header")]
    TwoNames,
    /// It shares bytes with another member.
    #[error("overlaps another member")]
    Overlap,
}

impl Fault {
    /// Returns the error that blames the member `name`.
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
    /// Returns a message that names the archive. If it is not an archive, the message begins as Ansible's does.
    pub fn of_archive(&self, shown: &str) -> String {
        match self {
            Self::Unknown => format!("Failed to find handler for \"{shown}\": {self}"),
            _ => format!("cannot unpack {shown}: {self}"),
        }
    }

    /// Converts an I/O error to the error that caused it.
    pub(crate) fn of_reading(error: io::Error) -> Self {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>) {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<Self>().ok());
            return inner.map_or_else(|| Self::Damaged("it cannot be read".into()), |inner| *inner);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            // Decoders report undecodable bytes with these kinds.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }

    /// Converts an I/O error that occurred while reading the member `name`.
    pub fn in_member(error: io::Error, name: &str) -> Self {
        match Self::of_reading(error) {
            Self::Damaged(why) => Self::Damaged(format!("'{}': {why}", name.escape_debug())),
            other => other,
        }
    }
}
