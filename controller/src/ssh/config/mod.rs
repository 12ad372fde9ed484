//! The user's ssh configuration: what it says of a host.
//!
//! Where it says nothing that matters, which is the common case, reading the files once is all. Else `ssh -G` answers
//! for each host, since nobody knows the file better; where ssh is not installed our own reader does.

mod arguments;
mod ask;
mod files;
mod lines;
mod options;
mod query;
mod tokens;

pub use arguments::Arguments;
pub(super) use options::{HostConfig, Proxy};
pub use query::Query;
pub(super) use tokens::Tokens;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use super::error::Reason;
use files::Files;

/// How many programs `ssh -G` run at once: they do nothing but compute.
const AT_ONCE: usize = 8;

/// The files of a query, read once.
type Source = Arc<OnceCell<Arc<Files>>>;

type Answer = Arc<OnceCell<Result<Arc<HostConfig>, Reason>>>;

/// The configuration, read once a run, and asked once for each host.
#[derive(Default)]
pub(super) struct Configuration {
    files: Mutex<HashMap<Option<PathBuf>, Source>>,
    answers: Mutex<HashMap<Query, Answer>>,
    defaults: OnceCell<Result<Arc<HostConfig>, Reason>>,
    ssh: OnceCell<Option<PathBuf>>,
    turns: Turns,
}

struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Configuration {
    /// Returns one that never asks ssh.
    #[cfg(test)]
    pub(super) fn without_ssh() -> Self {
        Self { ssh: OnceCell::new_with(Some(None)), ..Self::default() }
    }

    /// Returns what is said of a host.
    ///
    /// # Errors
    /// [`Reason::Configuration`] if the files, or options, are not what ssh understands.
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
        if files.say_nothing() {
            return files.answer(query).map(Arc::new);
        }
        let Some(ssh) = self.ssh.get_or_init(|| async { ask::program() }).await else {
            return files.answer(query).map(Arc::new);
        };
        // Its defaults are needed to tell them from what the user says.
        let defaults = self.defaults.get_or_init(|| async { ask::defaults(ssh).await.map(Arc::new) });
        let turn = self.turns.0.acquire().await;
        let answer = ask::ask(ssh, query, files.canonicalize());
        let (defaults, answer) = tokio::join!(defaults, answer);
        drop(turn);
        let mut answer = answer?.without(&*defaults.clone()?);
        answer.note_canonical_names(files.canonicalize());
        Ok(Arc::new(answer))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
