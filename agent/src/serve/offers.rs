//! Content that this node has to give: offered by outcomes, sent part by part as the controller asks.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex};

use convoy_protocol::Digest;
use convoy_protocol::frame::FrameError;
use convoy_protocol::message::{CHUNK, Chunk, FromAgent, ToAgent};

use crate::content::OfferedFile;
use crate::os_error::reason;
use crate::serve::frame_writer::FrameWriter;
use crate::sync::lock;

/// How many contents are on offer at most; then all that were offered before are forgotten.
const MAX_OFFERS: usize = 100_000;

#[derive(Debug, Clone)]
enum Source {
    File(OfferedFile),
    /// The agent of another user has it.
    Child(Arc<FrameWriter>),
}

/// What this node has to give, by digest.
#[derive(Debug, Default)]
pub(crate) struct Offers(Mutex<HashMap<Digest, Source>>);

impl Offers {
    /// Adds a file of this user's.
    pub(crate) fn add(&self, digest: Digest, file: OfferedFile) {
        self.insert(digest, Source::File(file));
    }

    /// Adds what the agent at the other end of `line` offers.
    pub(crate) fn add_from_child(&self, digest: Digest, writer: Arc<FrameWriter>) {
        self.insert(digest, Source::Child(writer));
    }

    fn insert(&self, digest: Digest, source: Source) {
        let mut known = lock(&self.0);
        if known.len() >= MAX_OFFERS {
            known.clear();
        }
        known.insert(digest, source);
    }

    /// Sends the part that begins at `offset` to the controller, or has it sent.
    pub(crate) fn send_part(
        &self,
        digest: Digest,
        offset: u64,
        writer: &FrameWriter,
    ) -> Result<(), FrameError> {
        let source = lock(&self.0).get(&digest).cloned();
        let part = match source {
            None => Err("it is not on offer".to_owned()),
            Some(Source::File(file)) => part(&file, offset),
            Some(Source::Child(child)) => match child.send(&ToAgent::Pull { digest, offset }) {
                Ok(()) => return Ok(()),
                Err(_) => Err("the agent that has it is gone".to_owned()),
            },
        };
        writer.send(&match part {
            Ok((bytes, last)) => FromAgent::Chunk(Chunk::pack(digest, last, false, bytes)),
            Err(why) => FromAgent::NoContent { digest, why },
        })
    }
}

/// Reads the part that begins at `offset`; tells whether it is the last.
fn part(held: &OfferedFile, offset: u64) -> Result<(Vec<u8>, bool), String> {
    let failed = |error: io::Error| format!("{}: {}", held.path.display(), reason(&error));
    let file = File::open(&held.path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if (meta.dev(), meta.ino()) != (held.dev, held.ino) {
        return Err(format!("{} has been replaced meanwhile", held.path.display()));
    }
    let left = held.size.checked_sub(offset).ok_or("a part behind the end was asked for")?;
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
    match file.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(format!("{} has become shorter meanwhile", held.path.display()))
        }
        Err(error) => Err(failed(error)),
        Ok(()) => {
            let last = bytes.len() as u64 == left;
            Ok((bytes, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn held(path: &std::path::Path, size: u64) -> OfferedFile {
        let meta = std::fs::metadata(path).unwrap();
        OfferedFile { path: path.to_owned(), dev: meta.dev(), ino: meta.ino(), size }
    }

    #[test]
    fn the_beginning_of_a_file_is_given_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, vec![7; CHUNK + 10]).unwrap();
        let file = held(&path, CHUNK as u64 + 10);
        File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        assert_eq!(part(&file, 0), Ok((vec![7; CHUNK], false)));
        assert_eq!(part(&file, CHUNK as u64), Ok((vec![7; 10], true)));
        assert_eq!(part(&file, CHUNK as u64 + 10), Ok((Vec::new(), true)));
        assert_eq!(part(&file, CHUNK as u64 + 11), Err("a part behind the end was asked for".into()));
        File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        assert_eq!(part(&file, 0), Err(format!("{} has become shorter meanwhile", path.display())));
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        std::fs::write(&path, "new").unwrap();
        assert_eq!(part(&file, 0), Err(format!("{} has been replaced meanwhile", path.display())));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(part(&file, 0), Err(format!("{}: No such file or directory", path.display())));
    }

    #[test]
    fn what_is_not_on_offer_is_not_given() {
        let offers = Offers::default();
        let (mut reader, writer) = std::io::pipe().unwrap();
        offers.send_part(Digest::of(b"x"), 0, &FrameWriter::new(writer)).unwrap();
        let said = convoy_protocol::frame::read::<FromAgent>(&mut reader).unwrap();
        assert!(matches!(said, Some(FromAgent::NoContent { why, .. }) if why == "it is not on offer"));
    }
}
