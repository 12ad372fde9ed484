//! Unpacking what differs, and nothing else.

use std::fs::File;
use std::io::{Read, Write as _};

use convoy_archive::{Entry, Error};
use convoy_protocol::Digest;
use sha2::{Digest as _, Sha256};

use super::compare::{Comparison, Write};
use super::job::Job;
use super::source::{Source, unreadable};
use crate::failure::Failure;
use crate::files::attributes;
use crate::os_error::cannot;
use crate::system::{Attributes, Batch, Bytes, OpenFileLimit, System};

/// Why unpacking ends early.
enum Stop {
    Archive(Error),
    Failure(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Stop {
    fn failure(self, job: Job<'_>) -> Failure {
        match self {
            Self::Archive(error) => unreadable(job.src, &error),
            Self::Failure(failure) => failure,
        }
    }
}

/// Does what the comparison says.
pub(super) fn extract(
    mut work: Comparison,
    source: &Source,
    job: Job<'_>,
    node: &mut System,
) -> Result<(), Failure> {
    // Before anything is made: the archive may not come.
    let archive = if work.files.is_empty() { None } else { Some(source.open(node)?) };
    for (path, wanted) in &work.directories {
        node.make_dir(path)?;
        // Until all is in it, its owner must be able to write to it.
        attributes::set(node, path, Attributes { mode: wanted.mode.map(|mode| mode | 0o700), ..*wanted })?;
    }
    if let Some(archive) = archive {
        files(archive, &mut work, job, node)?;
    }
    for link in &work.links {
        node.symlink(&link.target, &link.path, link.expected.as_ref())?;
        attributes::set(node, &link.path, link.attributes)?;
    }
    for link in &work.names {
        node.hard_link(&link.target, &link.path, link.expected.as_ref())?;
    }
    let made = work
        .directories
        .iter()
        .rev()
        .filter(|(_, wanted)| wanted.mode.is_some_and(|mode| mode & 0o700 != 0o700));
    for (path, wanted) in made.chain(&work.attributes) {
        attributes::set(node, path, *wanted)?;
    }
    node.sync(job.dest)
}

fn files(mut archive: File, work: &mut Comparison, job: Job<'_>, node: &mut System) -> Result<(), Failure> {
    let mut member = 0;
    let (mut batch, open) = (Batch::default(), OpenFileLimit::take());
    let mut each = |entry: Entry<()>, bytes: &mut dyn Read| -> Result<(), Stop> {
        let writes = work.files.remove(&member);
        member += 1;
        let Some(mut writes) = writes.map(Vec::into_iter) else { return Ok(()) };
        let Some(first) = writes.next() else { return Ok(()) };
        let fill = |file: &File| copy(bytes, file, &first, &entry.name).map_err(|stop| stop.failure(job));
        node.add(&mut batch, &first.path, first.expected.clone(), first.attributes, first.mtime, fill)?;
        if writes.len() > 0 {
            node.place_all(std::mem::take(&mut batch))?;
            for other in writes {
                let bytes = Bytes::File(&first.path);
                node.replace(&other.path, other.expected.as_ref(), bytes, other.attributes)?;
            }
        }
        if batch.is_full(&open) {
            node.place_all(std::mem::take(&mut batch))?;
        }
        Ok(())
    };
    convoy_archive::walk(&mut archive, &mut each).map_err(|stop| stop.failure(job))?;
    if work.files.is_empty() { node.place_all(batch) } else { Err(changed(job.src)) }
}

fn changed(src: &str) -> Failure {
    Failure::new(format!("{src} has changed since it was looked at"))
}

/// Writes the bytes of a member, which must be those of the manifest.
fn copy(bytes: &mut dyn Read, mut file: &File, write: &Write, name: &str) -> Result<(u64, Digest), Stop> {
    let (mut hasher, mut length) = (Sha256::new(), 0u64);
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let n = match bytes.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::in_member(error, name).into()),
        };
        length += n as u64;
        if length > write.size {
            break;
        }
        hasher.update(&buffer[..n]);
        file.write_all(&buffer[..n]).map_err(|error| cannot("write", &write.path, &error))?;
    }
    let found = Digest::from(<[u8; 32]>::from(hasher.finalize()));
    if (length, found) == (write.size, write.digest) {
        Ok((length, found))
    } else {
        Err(changed(name).into())
    }
}
