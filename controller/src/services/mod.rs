//! What all tasks of a run share: how the run was asked for, the connections, the content that nodes may ask for, caches, and
//! the user's interrupts.
//!
//! Services are handed out by shared reference to tasks that execute at the same time. What changes while a run is in progress
//! and decides what the run does next is not here but in [`state`](crate::state), and only the scheduler changes that.

pub mod become_defaults;
pub mod connections;
pub mod endpoint;
pub mod files;
pub mod host_error;
pub mod interrupts;
pub mod options;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::link::content::Contents;
use crate::playbook::Loader;
use crate::template::{Context, Templar};
use connections::Connections;
use files::FileCache;
use interrupts::Interrupts;
use options::Options;

/// What all tasks of a run share.
pub struct Services {
    /// How the run was asked for.
    pub options: Options,
    /// Reads included files.
    pub loader: Loader,
    /// Renders templates.
    pub templar: Arc<Templar>,
    /// The connections to the nodes.
    pub connections: Connections,
    /// Content that nodes may ask for.
    pub contents: Arc<Contents>,
    /// Digests and manifests of the workstation's files that were read before.
    pub files: FileCache,
    /// What the user has interrupted.
    pub interrupts: Interrupts,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Services {
    /// Returns the services of a run that has connected to no node yet.
    pub fn new(options: Options, loader: Loader) -> Self {
        let contents = Arc::new(Contents::default());
        Self {
            templar: Arc::new(Templar::new(options.template.clone(), options.vault.clone())),
            connections: Connections::new(&options, contents.clone()),
            files: FileCache::default(),
            interrupts: Interrupts::default(),
            options,
            loader,
            contents,
        }
    }
}

/// Returns a template context that searches these directories. `impure_allowed`: whether functions may be called that answer
/// differently each time, such as a lookup of `pipe`.
pub fn context(search: Vec<PathBuf>, impure_allowed: bool) -> Context {
    Context { search, impure_allowed, ..Context::default() }
}
