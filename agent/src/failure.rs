//! The failure of a module, or of an action of the controller.

use convoy_protocol::{Map, Outcome, Status, Value};

/// A message with return values: what the user sees of a failed task.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What is wrong and why, and possibly a hint.
    pub msg: String,
    /// Further return values, such as `rc` and `stderr`.
    pub values: Map,
}

impl Failure {
    /// Makes a failure without return values.
    pub fn new(msg: impl Into<String>) -> Self {
        Self { msg: msg.into(), values: Map::new() }
    }

    /// Adds a return value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }
}

impl From<Failure> for Outcome {
    /// Returns the outcome of an order that failed this way.
    fn from(failure: Failure) -> Self {
        let mut values = failure.values;
        values.insert("msg".into(), failure.msg.into());
        Self { status: Status::Failed, values, diff: Vec::new(), offer: None, millis: 0 }
    }
}
