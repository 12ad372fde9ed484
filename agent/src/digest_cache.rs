//! Caches digests of files on the node, so that a file that has not changed need not be read again.

use std::collections::HashMap;
use std::path::Path;

use convoy_protocol::Digest;

use crate::failure::Failure;
use crate::stat::{Meta, Time};
use crate::system::SystemView;

/// A file that was modified this many seconds or less before it was read may be modified again without a change of its
/// times. Its digest is not cached.
const RACY_SECONDS: i64 = 2;

/// The size of a cache entry in bytes.
const ENTRY_SIZE: usize = 7 * 8 + 32;

/// Identifies a version of a file. No program can set `ctime` at will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    mtime: Time,
    ctime: Time,
}

impl From<&Meta> for Stamp {
    fn from(meta: &Meta) -> Self {
        Self { size: meta.size, mtime: meta.mtime, ctime: meta.ctime }
    }
}

/// The digests of the files that one task needs.
#[derive(Debug)]
pub struct DigestCache {
    name: String,
    /// By device and inode number.
    old: HashMap<(u64, u64), (Stamp, Digest)>,
    new: HashMap<(u64, u64), (Stamp, Digest)>,
}

impl DigestCache {
    /// Loads the digests that were saved under this name.
    pub fn load(view: &SystemView, name: &str) -> Self {
        let name = format!("digests {name}");
        let records = view.load_note(&name).unwrap_or_default();
        let old = records.chunks_exact(ENTRY_SIZE).filter_map(decode).collect();
        Self { name, old, new: HashMap::new() }
    }

    /// Returns the digest of the file at `path`, which has the metadata `meta`.
    ///
    /// # Errors
    /// If the file must be read and cannot be.
    pub fn digest(&mut self, view: &SystemView, path: &Path, meta: &Meta) -> Result<Digest, Failure> {
        let (key, stamp) = ((meta.dev, meta.ino), Stamp::from(meta));
        let known = self.old.get(&key).filter(|(known, _)| *known == stamp).map(|(_, digest)| *digest);
        let digest = known.map_or_else(|| view.sha256(path), Ok)?;
        if known.is_some() || is_reliable(view, path, meta) {
            self.new.insert(key, (stamp, digest));
        }
        Ok(digest)
    }

    /// Saves the digests that were requested since [`load`](Self::load), and drops all others.
    pub fn save(self, view: &SystemView) {
        if self.new != self.old {
            let bytes: Vec<u8> =
                self.new.iter().flat_map(|(key, (stamp, digest))| encode(*key, stamp, digest)).collect();
            view.store_note(&self.name, &bytes);
        }
    }
}

/// Returns whether the file at `path` still has the metadata `meta`, which were taken before it was read, and whether any
/// later change will show in them.
pub fn is_reliable(view: &SystemView, path: &Path, meta: &Meta) -> bool {
    let now = i64::try_from(view.now().as_secs()).unwrap_or_default();
    // A file that was modified while it was being read has other times now.
    let still =
        || view.stat(path).ok().flatten().is_some_and(|after| Stamp::from(&after) == Stamp::from(meta));
    meta.ctime.seconds + RACY_SECONDS < now && still()
}

fn encode(key: (u64, u64), stamp: &Stamp, digest: &Digest) -> Vec<u8> {
    let Stamp { size, mtime, ctime } = stamp;
    let times = [mtime.seconds, mtime.nanos, ctime.seconds, ctime.nanos].map(i64::cast_unsigned);
    let numbers = [key.0, key.1, *size].into_iter().chain(times);
    numbers.flat_map(u64::to_le_bytes).chain(*digest.bytes()).collect()
}

fn decode(record: &[u8]) -> Option<((u64, u64), (Stamp, Digest))> {
    let (numbers, digest) = record.split_at(ENTRY_SIZE - 32);
    let mut numbers = numbers.chunks_exact(8).map(|bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
    let mut next = || numbers.next();
    let key = (next()?, next()?);
    let size = next()?;
    let mut time = || Some(Time { seconds: next()?.cast_signed(), nanos: next()?.cast_signed() });
    let stamp = Stamp { size, mtime: time()?, ctime: time()? };
    Some((key, (stamp, Digest::from(<[u8; 32]>::try_from(digest).ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_decoded_as_they_were_encoded() {
        let time = |seconds, nanos| Time { seconds, nanos };
        let stamp = Stamp { size: 3, mtime: time(-1, 5), ctime: time(7, 999_999_999) };
        let record = encode((1, u64::MAX), &stamp, &Digest::of(b"abc"));
        assert_eq!(record.len(), ENTRY_SIZE);
        assert_eq!(decode(&record), Some(((1, u64::MAX), (stamp, Digest::of(b"abc")))));
    }
}
