//! The result of one call of a module.

use serde::{Deserialize, Serialize};

use crate::{Digest, Map};

/// The result of one call of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The result in one word.
    pub status: Status,
    /// The module's return values, under Ansible's names. A failure has `msg` and possibly more.
    pub values: Map,
    /// What changed or would change; only if differences were requested.
    pub diff: Vec<Diff>,
    /// Content that the controller may request, in parts.
    pub offer: Option<Offer>,
    /// The duration in milliseconds.
    pub millis: u64,
}

/// Content that a node offers to its controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// The result of an order in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Everything is in the requested state already; nothing was done.
    Same,
    /// It ran without changing anything, such as a query or a wait.
    Ran,
    /// It changed something.
    Changed,
    /// Check mode: it would change something.
    WouldChange,
    /// Check mode: the effect cannot be known without running it.
    Unknown,
    /// It failed.
    Failed,
    /// An earlier attempt was interrupted. How far it came is unknown, and checking cannot tell. Nothing was done this time.
    Interrupted,
}

/// A difference between two states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Diff {
    /// Two texts to be compared line by line.
    Text {
        /// The current state.
        before: DiffSide,
        /// The new state.
        after: DiffSide,
    },
    /// A difference that is already formatted.
    Prepared(String),
}

/// One side of a [`Diff::Text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffSide {
    /// Its title, such as a path.
    pub header: String,
    /// Its text.
    pub text: String,
}
