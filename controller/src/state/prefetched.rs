//! Look-ahead, as data: tasks to be checked along with an earlier one, and what their nodes answered.

use std::sync::Arc;

use convoy_protocol::Outcome;
use convoy_protocol::message::Step;

use super::section::TaskRef;
use crate::services::endpoint::Endpoint;

/// A task to be checked ahead of its turn.
#[derive(Debug, Clone)]
pub struct Lookahead {
    /// The task.
    pub task: TaskRef,
    /// What is asked.
    pub step: Step,
    /// Of which node.
    pub endpoint: Arc<Endpoint>,
}

/// A task that was checked ahead of its turn, and found to be in the requested state.
#[derive(Debug)]
pub struct Prefetched {
    /// The task.
    pub task: TaskRef,
    /// What was asked.
    pub step: Step,
    /// Of which node.
    pub endpoint: Arc<Endpoint>,
    /// What was answered: all *same*.
    pub outcomes: Vec<Outcome>,
}
