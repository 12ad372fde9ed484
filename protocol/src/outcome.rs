//! What became of one call of a module.

use serde::{Deserialize, Serialize};

use crate::{Digest, Map};

/// What became of one call of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// In one word.
    pub status: Status,
    /// The module's return values, under Ansible's names. Of a failure: `msg` and what else is known.
    pub values: Map,
    /// What was, or would be, different; only if it was asked for.
    pub diff: Vec<Diff>,
    /// Content that the controller may ask for, part by part.
    pub offer: Option<Offer>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// Content that a node has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// The outcome in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Everything was as asked; nothing was done.
    Same,
    /// It was run, and says that it changed nothing (a command that only asks, a wait).
    Ran,
    /// It was changed.
    Changed,
    /// Check mode: it would be changed.
    WouldChange,
    /// Check mode: what would happen cannot be known without doing it.
    Unknown,
    /// It failed.
    Failed,
    /// It was begun when it was asked for before, and broken off; how far it came is not known, and cannot be found out by
    /// looking. Nothing was done now.
    Interrupted,
}

/// One difference, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Diff {
    /// Texts to be compared line by line.
    Text {
        /// What was there.
        before: DiffSide,
        /// What is or would be there.
        after: DiffSide,
    },
    /// A difference that is already prepared for reading.
    Prepared(String),
}

/// One side of a [`Diff::Text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffSide {
    /// What it is called, such as a path.
    pub header: String,
    /// Its text.
    pub text: String,
}
