//! Which kind of archive it is, by its first bytes and never by its name, and what unpacks it.

use serde::{Deserialize, Serialize};

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// zip
    Zip,
    /// tar
    Tar,
    /// tar in gzip
    TarGz,
    /// tar in bzip2
    TarBz2,
    /// tar in xz
    TarXz,
    /// tar in zstd
    TarZst,
}

impl Format {
    /// Returns the end of the names of such files, without the dot.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
            Self::TarXz => "tar.xz",
            Self::TarZst => "tar.zst",
        }
    }

    /// Returns Ansible's name of what handles it.
    pub fn handler(self) -> &'static str {
        match self {
            Self::Zip => "ZipArchive",
            Self::Tar => "TarArchive",
            Self::TarGz => "TgzArchive",
            Self::TarBz2 => "TarBzipArchive",
            Self::TarXz => "TarXzArchive",
            Self::TarZst => "TarZstdArchive",
        }
    }
}
