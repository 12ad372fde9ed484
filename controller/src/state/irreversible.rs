//! Check mode: the work that `convoy undo` could not take back, or only by the tasks of a block's `undo:`, for `-v`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Work that could not be taken back, each with the hosts on which it would be done.
#[derive(Debug, Default)]
pub struct Irreversible {
    work: BTreeMap<Work, BTreeSet<Arc<str>>>,
}

/// Work of a task.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work {
    /// The block whose `undo:` takes it back, if there is one.
    pub block: Option<Arc<str>>,
    /// The title of the task.
    pub task: Arc<str>,
    /// Why files alone do not take it back.
    pub why: &'static str,
}

impl Irreversible {
    /// Adds work that would be done on a host.
    pub fn add(&mut self, work: Work, host: Arc<str>) {
        self.work.entry(work).or_default().insert(host);
    }

    /// Returns a line for people on each work, and forgets all.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.work).into_iter().map(|(work, hosts)| line(&work, &hosts)).collect()
    }
}

fn line(Work { block, task, why }: &Work, hosts: &BTreeSet<Arc<str>>) -> String {
    let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let how = match block {
        None => "cannot be undone".to_owned(),
        Some(block) => format!("undone with block \"{block}\""),
    };
    format!("{how}: \"{task}\" on {hosts}: {why}")
}
