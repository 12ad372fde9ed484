//! The content cache: content from the controller, stored by digest in the directory that holds the agent itself.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use convoy_protocol::Digest;
use convoy_protocol::frame::FrameError;
use convoy_protocol::message::{Chunk, FromAgent};
use sha2::{Digest as _, Sha256};

use crate::content::{ContentStore, OfferedFile};
use crate::failure::Failure;
use crate::os_error::reason;
use crate::serve::frame_writer::FrameWriter;
use crate::serve::offers::Offers;
use crate::state::is_private;
use crate::sync::lock;
use crate::system::PROGRAM_DIRECTORY_PREFIX;

/// Content that was not used for this time is removed.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Content that was used within this time is never removed, because another agent of this user may be about to read it.
const IN_USE: Duration = Duration::from_secs(3600);

/// The maximum size of all content, in bytes. Beyond that, the least recently used is removed.
const ROOM: u64 = 1 << 30;

/// Why content is missing after the conversation has ended.
const ENDED: &str = "the connection to the controller has ended";

/// The content cache.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    /// Whether the directory is removed at the end.
    is_temporary: bool,
    writer: Arc<FrameWriter>,
    /// Content that goes from the node to the controller.
    pub(crate) offers: Offers,
    /// Held while content is fetched, so that only one fetch runs at a time.
    fetching: Mutex<()>,
    incoming: Mutex<Option<Incoming>>,
    arrived: Condvar,
    /// Secret content, which is kept in memory while the agent runs.
    secrets: Mutex<HashMap<Digest, File>>,
    /// Set when no more content can arrive.
    closed: AtomicBool,
    /// Set when content was requested after the cache was closed.
    starved: AtomicBool,
}

/// Content that is arriving.
#[derive(Debug)]
struct Incoming {
    digest: Digest,
    state: State,
}

#[derive(Debug)]
enum State {
    Awaited,
    Open(Place, File, Sha256),
    Whole(Place, File),
    Failed(String),
}

/// Where content is stored.
#[derive(Debug)]
enum Place {
    /// In a file of the cache. It has this name until it is complete.
    Disk(PathBuf),
    Memory,
}

impl Cache {
    /// Opens the cache in the directory of the running program if the bootstrap created that, otherwise in a private directory
    /// that is removed at the end. Missing content is requested through `writer`.
    pub(crate) fn open(writer: Arc<FrameWriter>) -> io::Result<Self> {
        let beside = fs::read_link("/proc/self/exe")
            .ok()
            .filter(|exe| exe.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"agent-")));
        let home = beside.as_deref().and_then(Path::parent).filter(|directory| is_private(directory));
        match home {
            Some(directory) => Ok(Self::at(directory.to_owned(), false, writer)),
            None => Ok(Self::at(private_directory()?, true, writer)),
        }
    }

    pub(crate) fn at(directory: PathBuf, is_temporary: bool, writer: Arc<FrameWriter>) -> Self {
        let (offers, fetching, incoming, arrived, secrets, closed, starved) = Default::default();
        Self {
            directory,
            is_temporary,
            writer,
            offers,
            fetching,
            incoming,
            arrived,
            secrets,
            closed,
            starved,
        }
    }

    fn contents(&self) -> PathBuf {
        self.directory.join("content")
    }

    fn notes(&self) -> PathBuf {
        self.directory.join("notes")
    }

    /// Returns the cached file if its content has this digest. Removes it otherwise.
    fn cached_file(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.contents().join(digest.to_string());
        let mut file = File::options().read(true).custom_flags(nofollow()).open(&path).ok()?;
        let whole = Digest::of_reader(&mut file).is_ok_and(|(found, _)| found == *digest);
        if !whole {
            fs::remove_file(&path).ok();
            return None;
        }
        // Record that it was used. A read-only cache works without that.
        file.set_modified(SystemTime::now()).ok();
        Some(path)
    }

    /// Returns whether this content is here and secret.
    pub(crate) fn is_secret(&self, digest: &Digest) -> bool {
        lock(&self.secrets).contains_key(digest)
    }

    /// Returns whether other processes of this user find the content in the cache.
    pub(crate) fn is_kept(&self, digest: &Digest) -> bool {
        !self.is_temporary && !self.is_secret(digest)
    }

    /// Adds content that arrives in parts without having been requested.
    pub(crate) fn import(
        &self,
        digest: Digest,
        mut next: impl FnMut() -> Option<Chunk>,
    ) -> Result<(), Failure> {
        *lock(&self.incoming) = Some(Incoming { digest, state: State::Awaited });
        loop {
            match next() {
                Some(chunk) => self.receive_chunk(&chunk),
                None => self.refuse(Some(&digest), "it is incomplete"),
            }
            let mut incoming = lock(&self.incoming);
            match incoming.take() {
                Some(Incoming { state: State::Whole(_, file), .. }) => {
                    lock(&self.secrets).insert(digest, file);
                    return Ok(());
                }
                Some(Incoming { state: State::Failed(why), .. }) => {
                    return Err(Failure::new(format!("cannot import the content {digest}: {why}")));
                }
                open => *incoming = open,
            }
        }
    }

    /// Adds a part of the requested content. Other content is dropped.
    pub(crate) fn receive_chunk(&self, chunk: &Chunk) {
        let mut incoming = lock(&self.incoming);
        let Some(content) = incoming.as_mut().filter(|content| content.digest == chunk.digest) else {
            return;
        };
        content.receive_chunk(chunk, &self.contents());
        self.arrived.notify_all();
    }

    /// Forwards a message of another user's agent to the controller.
    pub(crate) fn forward(&self, message: &FromAgent) -> Result<(), FrameError> {
        self.writer.send(message)
    }

    /// Ends the wait for `digest`, or for any content if it is `None`.
    pub(crate) fn refuse(&self, digest: Option<&Digest>, why: &str) {
        let mut incoming = lock(&self.incoming);
        if let Some(content) = incoming.as_mut().filter(|c| digest.is_none_or(|d| c.digest == *d)) {
            content.fail(why);
            self.arrived.notify_all();
        }
    }

    /// Removes content that was not used for long, and the files of interrupted transfers.
    pub(crate) fn prune(&self) {
        let now = SystemTime::now();
        let age = |meta: &fs::Metadata| {
            meta.modified().ok().and_then(|time| now.duration_since(time).ok()).unwrap_or_default()
        };
        let mut kept: Vec<(Duration, u64, PathBuf)> = Vec::new();
        for (path, meta) in files(&self.contents()) {
            let age = age(&meta);
            if age > KEEP {
                fs::remove_file(path).ok();
            } else if age > IN_USE {
                kept.push((age, meta.size(), path));
            }
        }
        let mut total: u64 = kept.iter().map(|(_, size, _)| size).sum();
        kept.sort_by_key(|(age, ..)| std::cmp::Reverse(*age));
        for (_, size, path) in kept {
            if total <= ROOM {
                break;
            }
            fs::remove_file(path).ok();
            total -= size;
        }
        remove_stale_program_directories(&self.directory, now);
        for (path, meta) in files(&self.notes()) {
            if age(&meta) > KEEP {
                fs::remove_file(path).ok();
            }
        }
        let own = fs::read_link("/proc/self/exe").unwrap_or_default();
        if let Ok(file) = File::open(&own) {
            file.set_modified(now).ok();
        }
        for (path, meta) in files(&self.directory) {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let ours = name.starts_with(b"agent-") || name.starts_with(b".agent-");
            if ours && path != own && age(&meta) > KEEP {
                fs::remove_file(path).ok();
            }
        }
    }

    /// Ends the wait for content, because no more can arrive.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.refuse(None, ENDED);
    }

    /// Returns whether content was requested after the cache was closed.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::SeqCst)
    }

    /// Removes everything that must not outlive the agent.
    pub(crate) fn clean(&self) {
        if self.is_temporary {
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}

/// Removes the directories in which killed agents ran programs.
fn remove_stale_program_directories(directory: &Path, now: SystemTime) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PROGRAM_DIRECTORY_PREFIX).and_then(|rest| rest.split('-').next())
        else {
            continue;
        };
        let made = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = made.and_then(|made| now.duration_since(made).ok()).unwrap_or_default();
        if age > IN_USE && !Path::new("/proc").join(pid).exists() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

impl ContentStore for Arc<Cache> {
    fn offer(&self, digest: Digest, file: OfferedFile) {
        self.offers.add(digest, file);
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn fetch(&self, digest: &Digest) -> Result<PathBuf, Failure> {
        let _fetching = lock(&self.fetching);
        if let Some(path) = lock(&self.secrets).get(digest).map(fd_path).or_else(|| self.cached_file(digest))
        {
            return Ok(path);
        }
        let cannot =
            |why: String| Failure::new(format!("cannot get the content {digest} from the controller: {why}"));
        *lock(&self.incoming) = Some(Incoming { digest: *digest, state: State::Awaited });
        if let Err(error) = self.writer.send(&FromAgent::Need(*digest)) {
            self.refuse(None, &error.to_string());
        }
        if self.closed.load(Ordering::SeqCst) {
            self.refuse(None, ENDED);
        }
        let mut incoming = lock(&self.incoming);
        loop {
            match incoming.take() {
                Some(Incoming { state: State::Whole(Place::Disk(path), _), .. }) => return Ok(path),
                Some(Incoming { state: State::Whole(Place::Memory, file), .. }) => {
                    let path = fd_path(&file);
                    lock(&self.secrets).insert(*digest, file);
                    return Ok(path);
                }
                Some(Incoming { state: State::Failed(why), .. }) => {
                    self.starved.fetch_or(self.closed.load(Ordering::SeqCst), Ordering::SeqCst);
                    return Err(cannot(why));
                }
                open => *incoming = open,
            }
            incoming = self.arrived.wait(incoming).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn load_note(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.notes().join(Digest::of(name.as_bytes()).to_string());
        let mut file = File::options().read(true).custom_flags(nofollow()).open(path).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn store_note(&self, name: &str, bytes: &[u8]) {
        if !self.is_temporary {
            // A lost note costs time only.
            write_note(&self.notes(), &Digest::of(name.as_bytes()).to_string(), bytes).ok();
        }
    }
}

/// Writes a note. It is complete as soon as it can be seen.
fn write_note(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).recursive(true).create(directory)?;
    let path = directory.join(format!(".{name}-{}", std::process::id()));
    fs::remove_file(&path).ok();
    File::options().write(true).create_new(true).mode(0o600).open(&path)?.write_all(bytes)?;
    fs::rename(&path, directory.join(name))
}

impl Incoming {
    fn receive_chunk(&mut self, chunk: &Chunk, directory: &Path) {
        if matches!(self.state, State::Awaited) {
            match begin(&self.digest, chunk.secret, directory) {
                Ok((place, file)) => self.state = State::Open(place, file, Sha256::new()),
                Err(error) => return self.fail(&reason(&error)),
            }
        }
        let State::Open(_, file, hasher) = &mut self.state else { return };
        let written = chunk.unpack().and_then(|bytes| {
            hasher.update(&bytes);
            file.write_all(&bytes)
        });
        if let Err(error) = written {
            return self.fail(&reason(&error));
        }
        if !chunk.last {
            return;
        }
        let found = Digest::from(<[u8; 32]>::from(hasher.finalize_reset()));
        if found != self.digest {
            return self.fail(&format!("it arrived damaged, with the digest {found}"));
        }
        match std::mem::replace(&mut self.state, State::Awaited) {
            State::Open(Place::Disk(begun), file, _) => {
                let path = directory.join(found.to_string());
                let renamed = fs::rename(&begun, &path);
                self.state = State::Whole(Place::Disk(if renamed.is_ok() { path } else { begun }), file);
                if let Err(error) = renamed {
                    self.fail(&reason(&error));
                }
            }
            State::Open(place, file, _) => self.state = State::Whole(place, file),
            other => self.state = other,
        }
    }

    fn fail(&mut self, why: &str) {
        if let State::Open(Place::Disk(path), ..) | State::Whole(Place::Disk(path), _) = &self.state {
            fs::remove_file(path).ok();
        }
        if !matches!(self.state, State::Failed(_)) {
            self.state = State::Failed(why.to_owned());
        }
    }
}

/// Creates the file that content is written to.
fn begin(digest: &Digest, secret: bool, directory: &Path) -> io::Result<(Place, File)> {
    if secret {
        return Ok((Place::Memory, anonymous_file(directory)?));
    }
    fs::DirBuilder::new().mode(0o700).recursive(true).create(directory)?;
    let path = directory.join(format!(".{digest}-{}", std::process::id()));
    fs::remove_file(&path).ok();
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((Place::Disk(path), file))
}

/// Creates a file without a name in memory. On kernels without such files (before 3.17, or forbidden), creates one on disk
/// that vanishes with the agent.
pub(crate) fn anonymous_file(directory: &Path) -> io::Result<File> {
    use rustix::fs::MemfdFlags;
    match rustix::fs::memfd_create("secret", MemfdFlags::CLOEXEC) {
        Ok(file) => Ok(file.into()),
        Err(_) => {
            fs::DirBuilder::new().mode(0o700).recursive(true).create(directory)?;
            let path = directory.join(format!(".secret-{}", std::process::id()));
            fs::remove_file(&path).ok();
            let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        }
    }
}

/// Returns a path under which this process can open a file without a name.
fn fd_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

fn files(directory: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok().filter(fs::Metadata::is_file)?)))
        .collect()
}

fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}

/// Creates a directory that only this user can enter.
fn private_directory() -> io::Result<PathBuf> {
    let base = std::env::var_os("TMPDIR").map_or_else(|| "/tmp".into(), PathBuf::from);
    for attempt in 0..100 {
        let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = base.join(format!("convoy-{}-{stamp:x}-{attempt}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| path),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

#[cfg(test)]
mod tests;
