//! The hosts of a batch, and how far each of them is in the play.

use std::collections::HashMap;
use std::sync::Arc;

use super::cursor::{Cursor, Selected};
use super::prefetched::Prefetched;
use super::section::Item;
use crate::playbook::ast::Role;

/// A host in a batch.
#[derive(Debug)]
pub struct HostProgress {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is in the play.
    pub cursor: Cursor,
    /// What was notified and has not been run.
    pub notified: Vec<Notification>,
    /// Whether it could not be reached, or the run may not work on it.
    pub unreachable: bool,
    /// What was checked ahead.
    pub prefetched: Vec<Prefetched>,
    /// Whether the play's `vars_files` are all read.
    pub vars_files: bool,
    /// The use of each role that ran here first: another use of the same role is passed over.
    pub roles: HashMap<usize, Arc<Role>>,
}

/// A handler that is notified.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its name, or a topic.
    pub name: Arc<str>,
    /// Check mode: why it is not known whether it is notified.
    pub uncertain: Option<Arc<str>>,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchEnd {
    /// The next one follows, if there is one.
    Batch {
        /// How many of its hosts were lost.
        lost: usize,
    },
    /// The play is to end (`meta: end_play`).
    Play,
    /// Too many hosts failed (`max_fail_percentage`): nothing that follows is run.
    Broken,
}

impl HostProgress {
    /// Returns a host at the beginning of a play. `vars_files`: whether the play has none to be read.
    pub fn new(name: Arc<str>, cursor: Cursor, vars_files: bool) -> Self {
        Self {
            name,
            cursor,
            notified: Vec::new(),
            unreachable: false,
            prefetched: Vec::new(),
            vars_files,
            roles: HashMap::new(),
        }
    }

    /// Returns whether the host takes part in what follows.
    pub fn is_active(&self) -> bool {
        !self.unreachable && !self.cursor.is_failed()
    }

    /// Passes over tasks of roles that ran here already.
    pub fn pass_duplicates(&mut self, selected: Selected<'_>) {
        while let Some(Item::Task(task)) = self.cursor.current()
            && let Some(role) = task.task.role.as_ref().filter(|role| !role.allow_duplicates)
            && self.roles.get(&role.identity).is_some_and(|first| !Arc::ptr_eq(first, role))
        {
            self.cursor.advance(selected);
        }
    }
}
