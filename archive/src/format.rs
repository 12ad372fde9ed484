//! The kinds of archives.

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
    /// Returns the usual file name extension, without the leading dot.
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

    /// Returns the name of Ansible's handler for this format.
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
