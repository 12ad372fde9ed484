//! What of a result is shown: internal and uninteresting keys left out.

use convoy_protocol::{Map, Value};

use crate::events::TaskResult;
use crate::events::object::without_internal;
use crate::json;

/// A result as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    values: Map,
    /// Whether there is one for each item of a loop.
    items: bool,
    /// Shown without `-v` too, on several lines.
    pub(super) always: bool,
    /// Not shown, whatever the number of `-v`.
    pub(super) never: bool,
}

impl Shown {
    /// Takes what is to be shown of a result.
    pub(super) fn new(result: &TaskResult) -> Self {
        let mut values = (*result.values).clone();
        let items = values.contains_key("results");
        let debug = is_action(&result.action, "debug");
        let never = is_action(&result.action, "setup") || is_action(&result.action, "gather_facts");
        for key in ["failed", "skipped"] {
            values.shift_remove(key);
        }
        if debug && !result.verdict.is_lost() {
            keep_message(&mut values);
        }
        Self { values, items, always: result.show, never }
    }

    /// Takes the result of a try that is followed by another.
    pub(super) fn attempt(values: &Map) -> Self {
        let mut attempt = Self::statistics(values);
        attempt.values.shift_remove("failed");
        attempt
    }

    /// Takes values that are no result.
    pub(super) fn statistics(values: &Map) -> Self {
        Self { values: values.clone(), items: false, always: false, never: false }
    }

    /// Returns whether the result has one for each item of its loop.
    pub(super) fn has_items(&self) -> bool {
        self.items
    }

    /// Leaves out the results of the items, which were shown each on their own.
    pub(super) fn without_items(mut self) -> Self {
        self.values.shift_remove("results");
        self
    }

    /// Takes the warnings out.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        match self.values.get("warnings").and_then(Value::as_list) {
            Some(list) if !list.is_empty() => {
                let warnings = list.iter().map(|warning| crate::python::label(Some(warning))).collect();
                self.values.shift_remove("warnings");
                warnings
            }
            _ => Vec::new(),
        }
    }

    /// Returns the message, in one line.
    pub(super) fn message(&self) -> String {
        crate::python::label(self.values.get("msg")).replace('\n', " ")
    }

    /// Returns the traceback of a module in Python.
    pub(super) fn exception(&self) -> Option<String> {
        self.values.get("exception").map(|text| crate::python::label(Some(text)))
    }

    /// Returns the result as JSON.
    pub(super) fn json(&self, verbosity: u8) -> String {
        let indent = (self.always || verbosity > 2).then_some(4);
        self.json_indented(verbosity, indent)
    }

    /// Returns the result as JSON with this indent.
    pub(super) fn json_indented(&self, verbosity: u8, indent: Option<usize>) -> String {
        let mut values = without_internal(&self.values);
        if verbosity < 3 {
            values.shift_remove("invocation");
            values.shift_remove("diff");
        }
        values.shift_remove("exception");
        json::map_to_string(
            &values,
            json::Style { indent, sort_keys: true, ascii: false, hide_secrets: true },
        )
    }
}

/// Returns whether `action` is the built-in action `name`, under any of its names.
fn is_action(action: &str, name: &str) -> bool {
    let short = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| action.strip_prefix(prefix));
    short.unwrap_or(action) == name
}

/// A debug task shows its message alone, or its variable.
fn keep_message(values: &mut Map) {
    if values.contains_key("msg") {
        values.retain(|key, _| {
            key.as_str().is_some_and(|key| {
                key.starts_with('_') || ["msg", "exception", "warnings", "deprecations"].contains(&key)
            })
        });
    } else {
        for key in ["changed", "invocation", "skip_reason"] {
            values.shift_remove(key);
        }
    }
}
