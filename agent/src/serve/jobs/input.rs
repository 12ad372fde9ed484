//! The input of a job's process: its order, and the content that it cannot fetch itself. The agent passes it in memory
//! and never on disk, because it may contain secrets.

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

/// The input of a job's process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JobInput {
    pub(super) id: String,
    pub(super) order: Order,
    pub(super) limit: u32,
    pub(super) silent: bool,
    /// The run whose lock it takes and who started that run, if the run holds one.
    pub(super) lock: Option<(String, String)>,
    /// The run under which its changes are recorded, if they are.
    pub(super) recorded: Option<String>,
    /// The digests of the content that follows.
    pub(super) contents: Vec<Digest>,
}

impl JobInput {
    /// Writes the input into a memory file.
    pub(super) fn write(&self, cache: &std::sync::Arc<Cache>) -> Result<File, Failure> {
        let cannot = |error: FrameError| Failure::new(format!("cannot pass the order to the job: {error}"));
        let mut file = anonymous_file(cache.directory()).map_err(|error| cannot(error.into()))?;
        frame::write(&mut file, self).map_err(cannot)?;
        for digest in &self.contents {
            let content = cache.fetch(digest)?;
            parts(*digest, &content, &mut file).map_err(cannot)?;
        }
        file.rewind().map_err(|error| cannot(error.into()))?;
        Ok(file)
    }

    /// Reads the input, and adds the content to the cache.
    pub(super) fn read(mut source: impl io::Read, cache: &Cache) -> Result<Self, String> {
        let ended = || "its order is incomplete".to_owned();
        let input: Self = frame::read(&mut source).map_err(|error| error.to_string())?.ok_or_else(ended)?;
        for digest in &input.contents {
            let next = || frame::read::<Chunk>(&mut source).ok().flatten();
            cache.import(*digest, next).map_err(|failure| failure.msg)?;
        }
        Ok(input)
    }
}

/// Writes content in parts. It must not reach a disk, whether it is secret or not.
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

/// Fetches all content that an order names, while there is a controller to ask. Returns the part that the job's process
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
            // The file is read when it is passed on.
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
