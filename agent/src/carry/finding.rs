//! What the comparison says of one key.

use convoy_protocol::Value;

use crate::formats::toml::KeyPath;

/// A key that the user changed, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The key in the old file.
    pub key: KeyPath,
    /// The key in the new file.
    pub to: KeyPath,
    /// The old default.
    pub old: Option<Value>,
    /// The user's value.
    pub yours: Option<Value>,
    /// The new default.
    pub new: Option<Value>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Whether it is a rule that leaves it out.
    pub(super) is_dropped_by_rule: bool,
}

/// What becomes of a key that the user changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The new file gets this value.
    Set(Value),
    /// The new file loses the key.
    Remove,
    /// The new file has it already.
    Same,
    /// It is left out, for this reason.
    Dropped(String),
    /// The user has to say.
    Undecided(String),
}
