//! Digests and manifests of the workstation's files, so that a large file is read once for all hosts, and decrypted once.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use convoy_protocol::Digest;

use crate::link::content::Contents;
use crate::secrets::{self, DecryptError, Opened, Vault};
use crate::sync::lock;

/// By what a file is recognized: path, length, modification time, and whether it is decrypted.
type FileKey = (PathBuf, u64, SystemTime, bool);

/// What is known of files that were read before. Locked, since tasks of several hosts read the same files.
#[derive(Debug, Default)]
pub struct FileCache {
    digests: Mutex<HashMap<FileKey, FileDigest>>,
    /// The digest of the manifest of an archive, by the archive's own digest.
    manifests: Mutex<HashMap<Digest, Digest>>,
}

/// The content of a file: in clear, if the file is encrypted and is to be decrypted.
#[derive(Debug, Clone, Copy)]
pub struct FileDigest {
    /// The digest of the content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether the content is secret, because it was decrypted.
    pub secret: bool,
}

/// The password of an encrypted file is missing.
#[derive(Debug, thiserror::Error)]
#[error("A vault password or secret must be specified to decrypt {0}")]
pub struct NoPassword(String);

impl FileCache {
    /// Returns the digest of a file, and makes its content available to nodes.
    ///
    /// # Errors
    /// If the file cannot be read or decrypted.
    pub fn digest(
        &self,
        path: &Path,
        meta: &fs::Metadata,
        decrypting: Option<&Vault>,
        contents: &Contents,
    ) -> io::Result<FileDigest> {
        let key = (path.to_owned(), meta.len(), meta.modified()?, decrypting.is_some());
        if let Some(known) = lock(&self.digests).get(&key) {
            return Ok(*known);
        }
        let read = match decrypting.filter(|_| begins_vaulted(path)) {
            Some(vault) => {
                let opened = open(path, vault)?;
                let size = opened.plain.len() as u64;
                FileDigest { digest: contents.add_secret(&opened.plain[..]), size, secret: true }
            }
            None => {
                let (digest, size) = contents.add_file(path)?;
                FileDigest { digest, size, secret: false }
            }
        };
        lock(&self.digests).insert(key, read);
        Ok(read)
    }

    /// Returns the digest of an archive's manifest, and makes the manifest available to nodes. It is as secret as the archive.
    ///
    /// # Errors
    /// If the archive cannot be read.
    pub fn manifest(
        &self,
        archive: FileDigest,
        path: &Path,
        decrypting: Option<&Vault>,
        contents: &Contents,
    ) -> Result<Digest, convoy_archive::Error> {
        // Held while the archive is read: whoever wants the same one waits.
        let mut manifests = lock(&self.manifests);
        if let Some(manifest) = manifests.get(&archive.digest) {
            return Ok(*manifest);
        }
        let manifest = match decrypting.filter(|_| archive.secret) {
            Some(vault) => {
                let opened = open(path, vault).map_err(convoy_archive::Error::Io)?;
                contents.add_secret(convoy_archive::read(&mut io::Cursor::new(&opened.plain[..]))?.encode())
            }
            None => {
                let mut file = fs::File::open(path).map_err(convoy_archive::Error::Io)?;
                contents.add_bytes(convoy_archive::read(&mut file)?.encode())
            }
        };
        manifests.insert(archive.digest, manifest);
        Ok(manifest)
    }
}

fn begins_vaulted(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && secrets::is_vaulted(&start)
}

fn open<'v>(path: &Path, vault: &'v Vault) -> io::Result<Opened<'v>> {
    let opened = vault.open(&fs::read(path)?);
    opened.map_err(|fault| {
        let shown = path.display().to_string();
        match fault {
            DecryptError::NoPassword { .. } => io::Error::other(NoPassword(shown)),
            fault => io::Error::other(fault.line(&shown, None)),
        }
    })
}
