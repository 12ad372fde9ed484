//! The content that may be sent to nodes: only what this run has registered, named by its digest.
//!
//! A file is hashed when it is registered and checked again while it is sent, so that a node gets the bytes that the
//! run has seen or none. `outgoing.rs` sends them.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use convoy_protocol::Digest;
use convoy_protocol::message::{CHUNK, Chunk, ToAgent};
use sha2::{Digest as _, Sha256};

use crate::sync::lock;

/// The registry of content that may be sent to nodes.
#[derive(Debug, Default)]
pub struct Contents {
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    sources: HashMap<Digest, Source>,
    files: HashMap<PathBuf, (Stamp, Digest)>,
}

#[derive(Debug, Clone)]
enum Source {
    File(PathBuf, Stamp),
    Bytes(Arc<[u8]>),
    /// Bytes that no node may store.
    Secret(Arc<[u8]>),
}

/// Identifies the state of a file: it has not changed as long as its stamp is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Contents {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    /// Registers a file; returns its digest and size in bytes. A file that has not changed since it was registered is
    /// not read again.
    ///
    /// # Errors
    /// If the file cannot be read, is not a regular file, or changes while it is read.
    pub fn add_file(&self, path: &Path) -> io::Result<(Digest, u64)> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let stamp = Stamp::of(&meta);
        if let Some((_, digest)) =
            self.registry().files.get(path).filter(|(registered, _)| *registered == stamp)
        {
            return Ok((*digest, stamp.size));
        }
        let (digest, size) = Digest::of_reader(&mut file)?;
        if Stamp::of(&file.metadata()?) != stamp {
            return Err(io::Error::other("it changed while it was read"));
        }
        let mut registry = self.registry();
        registry.files.insert(path.to_owned(), (stamp, digest));
        registry.sources.insert(digest, Source::File(path.to_owned(), stamp));
        Ok((digest, size))
    }

    /// Registers bytes; returns their digest.
    pub fn add_bytes(&self, bytes: impl Into<Arc<[u8]>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        // Content that was registered as secret stays secret.
        self.registry().sources.entry(digest).or_insert(Source::Bytes(bytes));
        digest
    }

    /// Registers secret bytes; returns their digest.
    pub fn add_secret(&self, bytes: impl Into<Arc<[u8]>>) -> Digest {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        self.registry().sources.insert(digest, Source::Secret(bytes));
        digest
    }

    /// Opens registered content for sending.
    pub(super) fn open(&self, digest: Digest) -> Reading {
        let source = self.registry().sources.get(&digest).cloned();
        let secret = matches!(source, Some(Source::Secret(_)));
        let opened = match source {
            None => Err("this run has not registered it".to_owned()),
            Some(Source::Bytes(bytes) | Source::Secret(bytes)) => {
                Ok((Box::new(io::Cursor::new(bytes)) as Box<dyn Read + Send>, None))
            }
            Some(Source::File(path, stamp)) => open_file(&path, stamp).map(|file| (file, Some(path))),
        };
        let (source, path, failed) = match opened {
            Ok((source, path)) => (source, path, None),
            Err(why) => (Box::new(io::empty()) as Box<dyn Read + Send>, None, Some(why)),
        };
        Reading { digest, secret, source, path, hasher: Sha256::new(), failed, ended: false }
    }
}

fn changed(path: &Path) -> String {
    format!("{} has changed since this run first read it", path.display())
}

fn open_file(path: &Path, stamp: Stamp) -> Result<Box<dyn Read + Send>, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    if Stamp::of(&file.metadata().map_err(failed)?) != stamp {
        return Err(changed(path));
    }
    Ok(Box::new(file))
}

/// Content that is being sent, read part by part.
pub(super) struct Reading {
    digest: Digest,
    secret: bool,
    source: Box<dyn Read + Send>,
    path: Option<PathBuf>,
    hasher: Sha256,
    failed: Option<String>,
    ended: bool,
}

impl Reading {
    /// Returns the next message for the agent. The last part is returned only if the whole has the promised digest.
    pub(super) fn next(&mut self) -> Option<ToAgent> {
        if self.ended {
            return None;
        }
        let mut bytes = Vec::with_capacity(CHUNK);
        let read = match self.failed.take() {
            Some(why) => Err(why),
            None => self.part(&mut bytes),
        };
        let digest = self.digest;
        Some(match read {
            Err(why) => {
                self.ended = true;
                ToAgent::NoContent { digest, why }
            }
            Ok(last) => {
                self.ended = last;
                ToAgent::Chunk(Chunk::pack(digest, last, self.secret, bytes))
            }
        })
    }

    /// Reads a part; returns whether it is the last.
    fn part(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String> {
        let limit = CHUNK as u64;
        (&mut self.source).take(limit).read_to_end(bytes).map_err(|error| match &self.path {
            Some(path) => format!("{}: {error}", path.display()),
            None => error.to_string(),
        })?;
        self.hasher.update(&bytes);
        let last = bytes.len() < CHUNK;
        if last && Digest::from(<[u8; 32]>::from(self.hasher.finalize_reset())) != self.digest {
            return Err(self.path.as_deref().map_or_else(|| "its bytes have changed".into(), changed));
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut reading: Reading) -> (usize, Option<String>) {
        let (mut parts, mut why) = (0, None);
        while let Some(message) = reading.next() {
            match message {
                ToAgent::Chunk(_) => parts += 1,
                ToAgent::NoContent { why: text, .. } => why = Some(text),
                other => panic!("{other:?}"),
            }
        }
        (parts, why)
    }

    #[test]
    fn only_what_is_registered_and_unchanged_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, vec![7; CHUNK]).unwrap();
        let contents = Contents::default();
        let (digest, size) = contents.add_file(&path).unwrap();
        assert_eq!((size, all(contents.open(digest))), (CHUNK as u64, (2, None)));
        assert_eq!(all(contents.open(contents.add_bytes(*b"abc"))), (1, None));
        assert_eq!(all(contents.open(contents.add_bytes(*b""))), (1, None));
        let unknown = "this run has not registered it".to_owned();
        assert_eq!(all(contents.open(Digest::of(b"secret"))), (0, Some(unknown)));

        let opened_before = contents.open(digest);
        let mut file = File::options().append(true).open(&path).unwrap();
        io::Write::write_all(&mut file, b"more").unwrap();
        let changed = format!("{} has changed since this run first read it", path.display());
        assert_eq!(all(opened_before), (1, Some(changed.clone())));
        assert_eq!(all(contents.open(digest)), (0, Some(changed)));
        assert_ne!(contents.add_file(&path).unwrap().0, digest);
        std::fs::remove_file(&path).unwrap();
        let removed = contents.registry().files[&path].1;
        let missing = format!("{}: No such file or directory (os error 2)", path.display());
        assert_eq!(all(contents.open(removed)), (0, Some(missing)));
        assert_eq!(contents.add_file(dir.path()).unwrap_err().to_string(), "not a regular file");
    }
}
