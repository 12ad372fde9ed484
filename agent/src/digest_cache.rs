//! Digests of files that were read before, so that what has not changed since is not read again.

use std::collections::HashMap;
use std::path::Path;

use convoy_protocol::Digest;

use crate::failure::Failure;
use crate::stat::{Meta, Time};
use crate::system::SystemView;

/// A file that was changed less than so many seconds before it was read may be changed again without its times
/// telling. Its digest is not kept.
const RACY_SECONDS: i64 = 2;

/// The length of a kept digest with what it belongs to, in bytes.
const RECORD: usize = 7 * 8 + 32;

/// What shows that a file is the one that was read. Of the times, nobody can set the last one as they like.
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

/// Digests of the files that one task asks for.
#[derive(Debug)]
pub struct DigestCache {
    name: String,
    /// By device and inode.
    old: HashMap<(u64, u64), (Stamp, Digest)>,
    new: HashMap<(u64, u64), (Stamp, Digest)>,
}

impl DigestCache {
    /// Takes up what was kept under this name.
    pub fn load(view: &SystemView, name: &str) -> Self {
        let name = format!("digests {name}");
        let records = view.load_note(&name).unwrap_or_default();
        let old = records.chunks_exact(RECORD).filter_map(decode).collect();
        Self { name, old, new: HashMap::new() }
    }

    /// Returns the digest of the file at `path`, which is `meta`.
    ///
    /// # Errors
    /// If the file has to be read and cannot be.
    pub fn digest(&mut self, view: &SystemView, path: &Path, meta: &Meta) -> Result<Digest, Failure> {
        let (key, stamp) = ((meta.dev, meta.ino), Stamp::from(meta));
        let known = self.old.get(&key).filter(|(known, _)| *known == stamp).map(|(_, digest)| *digest);
        let digest = known.map_or_else(|| view.sha256(path), Ok)?;
        if known.is_some() || is_reliable(view, path, meta) {
            self.new.insert(key, (stamp, digest));
        }
        Ok(digest)
    }

    /// Keeps what was asked for, and forgets the rest.
    pub fn save(self, view: &SystemView) {
        if self.new != self.old {
            let bytes: Vec<u8> =
                self.new.iter().flat_map(|(key, (stamp, digest))| encode(*key, stamp, digest)).collect();
            view.store_note(&self.name, &bytes);
        }
    }
}

/// Returns whether what was read of the file at `path`, which was `meta` before, is what it holds as long as it has
/// these times.
pub fn is_reliable(view: &SystemView, path: &Path, meta: &Meta) -> bool {
    let now = i64::try_from(view.now().as_secs()).unwrap_or_default();
    // What was changed while it was read does not have the times that it had before.
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
    let (numbers, digest) = record.split_at(RECORD - 32);
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
    fn records_are_read_as_they_were_written() {
        let time = |seconds, nanos| Time { seconds, nanos };
        let stamp = Stamp { size: 3, mtime: time(-1, 5), ctime: time(7, 999_999_999) };
        let record = encode((1, u64::MAX), &stamp, &Digest::of(b"abc"));
        assert_eq!(record.len(), RECORD);
        assert_eq!(decode(&record), Some(((1, u64::MAX), (stamp, Digest::of(b"abc")))));
    }
}
