//! Files that this node offers to the controller, which pulls them in parts.

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

/// The maximum number of offers. When there are more, all earlier ones are forgotten.
const MAX_OFFERS: usize = 100_000;

#[derive(Debug, Clone)]
enum Source {
    File(OfferedFile),
    /// The agent of another user offers it.
    Child(Arc<FrameWriter>),
}

/// The offered content, by digest.
#[derive(Debug, Default)]
pub(crate) struct Offers(Mutex<HashMap<Digest, Source>>);

impl Offers {
    /// Adds a file of this user.
    pub(crate) fn add(&self, digest: Digest, file: OfferedFile) {
        self.insert(digest, Source::File(file));
    }

    /// Adds content that another user's agent offers. `writer` leads to that agent.
    pub(crate) fn add_from_child(&self, digest: Digest, writer: Arc<FrameWriter>) {
        self.insert(digest, Source::Child(writer));
    }

    fn insert(&self, digest: Digest, source: Source) {
        let mut offers = lock(&self.0);
        if offers.len() >= MAX_OFFERS {
            offers.clear();
        }
        offers.insert(digest, source);
    }

    /// Sends the part at `offset` to the controller, or asks the other user's agent to send it.
    pub(crate) fn send_part(
        &self,
        digest: Digest,
        offset: u64,
        writer: &FrameWriter,
    ) -> Result<(), FrameError> {
        let source = lock(&self.0).get(&digest).cloned();
        let part = match source {
            None => Err("it is not offered".to_owned()),
            Some(Source::File(file)) => part(&file, offset),
            Some(Source::Child(child)) => match child.send(&ToAgent::Pull { digest, offset }) {
                Ok(()) => return Ok(()),
                Err(_) => Err("the agent that offered it has ended".to_owned()),
            },
        };
        writer.send(&match part {
            Ok((bytes, last)) => FromAgent::Chunk(Chunk::pack(digest, last, false, bytes)),
            Err(why) => FromAgent::NoContent { digest, why },
        })
    }
}

/// Reads the part at `offset`. Returns whether it is the last one, too.
fn part(held: &OfferedFile, offset: u64) -> Result<(Vec<u8>, bool), String> {
    let failed = |error: io::Error| format!("{}: {}", held.path.display(), reason(&error));
    let file = File::open(&held.path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if (meta.dev(), meta.ino()) != (held.dev, held.ino) {
        return Err(format!("{} was replaced in the meantime", held.path.display()));
    }
    let left = held.size.checked_sub(offset).ok_or("the requested part is beyond the end")?;
    let mut bytes = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
    match file.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(format!("{} was truncated in the meantime", held.path.display()))
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
    fn the_offered_size_of_a_file_is_sent_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, vec![7; CHUNK + 10]).unwrap();
        let file = held(&path, CHUNK as u64 + 10);
        File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap();
        assert_eq!(part(&file, 0), Ok((vec![7; CHUNK], false)));
        assert_eq!(part(&file, CHUNK as u64), Ok((vec![7; 10], true)));
        assert_eq!(part(&file, CHUNK as u64 + 10), Ok((Vec::new(), true)));
        assert_eq!(part(&file, CHUNK as u64 + 11), Err("the requested part is beyond the end".into()));
        File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        assert_eq!(part(&file, 0), Err(format!("{} was truncated in the meantime", path.display())));
        std::fs::rename(&path, dir.path().join("log.1")).unwrap();
        std::fs::write(&path, "new").unwrap();
        assert_eq!(part(&file, 0), Err(format!("{} was replaced in the meantime", path.display())));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(part(&file, 0), Err(format!("{}: No such file or directory", path.display())));
    }

    #[test]
    fn content_that_is_not_offered_is_refused() {
        let offers = Offers::default();
        let (mut reader, writer) = std::io::pipe().unwrap();
        offers.send_part(Digest::of(b"x"), 0, &FrameWriter::new(writer)).unwrap();
        let said = convoy_protocol::frame::read::<FromAgent>(&mut reader).unwrap();
        assert!(matches!(said, Some(FromAgent::NoContent { why, .. }) if why == "it is not offered"));
    }
}
