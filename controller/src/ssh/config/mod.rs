//! The user's ssh configuration, as it applies to a host.
//!
//! If no file says anything that matters to convoy, which is the common case, the files are read once and that is all.
//! Otherwise `ssh -G` answers for each host, because nothing reads the files more exactly ([`openssh`]). If ssh is not
//! installed, convoy's own reader answers ([`files`]).

mod arguments;
mod files;
mod lines;
mod openssh;
mod options;
mod query;
mod tokens;

pub use arguments::Arguments;
pub(super) use options::{HostConfig, Proxy};
pub use query::Query;
pub(super) use tokens::Tokens;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::{OnceCell, Semaphore};

use files::Files;

use super::error::Reason;
use crate::sync::lock;

/// How many `ssh -G` processes run at once: they do nothing but compute.
const MAX_PROCESSES: usize = 8;

/// The configuration files of a query, read once.
type CachedFiles = Arc<OnceCell<Arc<Files>>>;

/// The answer to a query, computed once.
type CachedAnswer = Arc<OnceCell<Result<Arc<HostConfig>, Reason>>>;

/// The ssh configuration. Its files are read once per run, and each query is answered once.
#[derive(Default)]
pub(super) struct Configuration {
    files: Mutex<HashMap<Option<PathBuf>, CachedFiles>>,
    answers: Mutex<HashMap<Query, CachedAnswer>>,
    defaults: OnceCell<Result<Arc<HostConfig>, Reason>>,
    ssh: OnceCell<Option<PathBuf>>,
    processes: Processes,
}

/// Limits the number of `ssh -G` processes.
struct Processes(Semaphore);

impl Default for Processes {
    fn default() -> Self {
        Self(Semaphore::new(MAX_PROCESSES))
    }
}

impl Configuration {
    /// Returns one that never runs ssh.
    #[cfg(test)]
    pub(super) fn without_ssh() -> Self {
        Self { ssh: OnceCell::new_with(Some(None)), ..Self::default() }
    }

    /// Returns the configuration of a host.
    ///
    /// # Errors
    /// [`Reason::Configuration`] if the files or the options are not valid.
    pub(super) async fn of(&self, query: &Query) -> Result<Arc<HostConfig>, Reason> {
        let answer = lock(&self.answers).entry(query.clone()).or_default().clone();
        answer.get_or_init(|| self.answer(query)).await.clone()
    }

    async fn answer(&self, query: &Query) -> Result<Arc<HostConfig>, Reason> {
        let cell = lock(&self.files).entry(query.file.clone()).or_default().clone();
        let file = query.file.clone();
        let read = || async move {
            let read = tokio::task::spawn_blocking(move || Files::read(file.as_deref())).await;
            Arc::new(read.unwrap_or_default())
        };
        let files = cell.get_or_init(read).await;
        if files.are_irrelevant() {
            return files.answer(query).map(Arc::new);
        }
        let Some(ssh) = self.ssh.get_or_init(|| async { openssh::program() }).await else {
            return files.answer(query).map(Arc::new);
        };
        // The answer of ssh contains its defaults. Without them it is what the user has configured.
        let defaults = self.defaults.get_or_init(|| async { openssh::defaults(ssh).await.map(Arc::new) });
        let permit = self.processes.0.acquire().await;
        let answer = openssh::ask(ssh, query, files.canonicalize());
        let (defaults, answer) = tokio::join!(defaults, answer);
        drop(permit);
        let mut answer = answer?.without_defaults(&*defaults.clone()?);
        if files.canonicalize() {
            answer.unsupported.push(("CanonicalizeHostname".to_owned(), "yes".to_owned()));
        }
        Ok(Arc::new(answer))
    }
}

#[cfg(test)]
mod tests;
