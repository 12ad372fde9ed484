//! What a job's process is told: its order, and the content that it cannot fetch. It is handed over in memory, never on
//! disk, since there may be secrets in it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use convoy_protocol::frame::{self, FrameError};
use convoy_protocol::message::{CHUNK, Chunk, Order};
use convoy_protocol::{Digest, Value};
use serde::{Deserialize, Serialize};

use crate::args::Staged;
use crate::content::ContentStore as _;
use crate::failure::Failure;
use crate::module::Module;
use crate::os_error::reason;
use crate::serve::cache::{Cache, anonymous_file};

/// What a job's process is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobInput {
    pub(super) id: String,
    pub(super) order: Order,
    pub(super) limit: u32,
    pub(super) silent: bool,
    /// The run whose lock it enters, and who runs that.
    pub(super) lock: Option<(String, String)>,
    /// The run in whose name its changes are recorded, if they are.
    pub(super) recorded: Option<String>,
    /// The content that follows.
    pub(super) contents: Vec<Digest>,
}

impl JobInput {
    /// Writes it down for the process: into a file without a name.
    pub(super) fn write(&self, cache: &std::sync::Arc<Cache>) -> Result<File, Failure> {
        let cannot = |error: FrameError| Failure::new(format!("cannot hand a job its order: {error}"));
        let mut file = anonymous_file(cache.directory()).map_err(|error| cannot(error.into()))?;
        frame::write(&mut file, self).map_err(cannot)?;
        for digest in &self.contents {
            let content = cache.fetch(digest)?;
            parts(*digest, &content, &mut file).map_err(cannot)?;
        }
        file.rewind().map_err(|error| cannot(error.into()))?;
        Ok(file)
    }

    /// Reads it, and puts the content into the cache.
    pub(super) fn read(mut source: impl io::Read, cache: &Cache) -> Result<Self, String> {
        let ended = || "its order is not whole".to_owned();
        let input: Self = frame::read(&mut source).map_err(|error| error.to_string())?.ok_or_else(ended)?;
        for digest in &input.contents {
            let next = || frame::read::<Chunk>(&mut source).ok().flatten();
            cache.import(*digest, next).map_err(|failure| failure.msg)?;
        }
        Ok(input)
    }
}

/// Writes content, part by part. It must not come to lie on a disk, whether it is secret or not.
fn parts(digest: Digest, path: &std::path::Path, sink: &mut File) -> Result<(), FrameError> {
    let mut content = File::open(path)?;
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        (&mut content).take(CHUNK as u64).read_to_end(&mut bytes)?;
        let last = bytes.len() < CHUNK;
        frame::write(sink, &Chunk { digest, last, deflated: false, secret: true, bytes })?;
        if last {
            return Ok(());
        }
    }
}

/// Fetches all content that an order names, as long as there is a controller to ask; returns what of it the job's process
/// will not find in the cache.
pub(super) fn collect_content(
    order: &Order,
    module: &Module,
    cache: &std::sync::Arc<Cache>,
) -> Result<Vec<Digest>, Failure> {
    let mut named = Vec::new();
    for param in module.spec.params {
        if !matches!(param.staged, Staged::No | Staged::Download)
            && let Some(value) = order.args.get(param.name)
        {
            digests(value, &mut named);
        }
    }
    named.sort_unstable();
    named.dedup();
    let mut handed = Vec::new();
    for digest in named {
        let path = cache.fetch(&digest)?;
        if !cache.is_kept(&digest) {
            // It is read when it is handed over.
            File::open(&path).map_err(|error| Failure::new(reason(&error)))?;
            handed.push(digest);
        }
    }
    Ok(handed)
}

fn digests(value: &Value, found: &mut Vec<Digest>) {
    if let Some(map) = value.as_map() {
        for name in ["digest", "manifest"] {
            found.extend(map.get(name).and_then(|digest| digest.as_str()?.parse::<Digest>().ok()));
        }
        map.get("tree").into_iter().for_each(|tree| digests(tree, found));
    }
    value.as_list().into_iter().flatten().for_each(|entry| digests(entry, found));
}
