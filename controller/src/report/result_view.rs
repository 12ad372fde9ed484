//! Selects what is shown of a result: leaves out internal and uninteresting keys, as Ansible does.

use convoy_protocol::{Map, Value};

use crate::events::TaskResult;
use crate::events::object::without_internal;
use crate::text::json;

/// A result as it is shown.
#[derive(Debug)]
pub(super) struct ResultView {
    values: Map,
    /// Whether it contains a result for each item of a loop.
    has_items: bool,
    /// Whether it is shown even without `-v`, on several lines.
    pub(super) always: bool,
    /// Whether it is not shown, however many `-v` are given.
    pub(super) never: bool,
}

impl ResultView {
    /// Returns the view of a result.
    pub(super) fn new(result: &TaskResult) -> Self {
        let mut values = (*result.values).clone();
        let has_items = values.contains_key("results");
        let debug = is_action(&result.action, "debug");
        let never = is_action(&result.action, "setup") || is_action(&result.action, "gather_facts");
        for key in ["failed", "skipped"] {
            values.shift_remove(key);
        }
        if debug && !result.verdict.is_lost() {
            keep_debug_output(&mut values);
        }
        Self { values, has_items, always: result.show, never }
    }

    /// Returns the view of an attempt that is followed by another.
    pub(super) fn of_attempt(values: &Map) -> Self {
        let mut attempt = Self::of_values(values);
        attempt.values.shift_remove("failed");
        attempt
    }

    /// Returns the view of values that are not the result of a task.
    pub(super) fn of_values(values: &Map) -> Self {
        Self { values: values.clone(), has_items: false, always: false, never: false }
    }

    /// Returns whether the result contains a result for each item of its loop.
    pub(super) fn has_items(&self) -> bool {
        self.has_items
    }

    /// Removes the results of the items, each of which was shown on its own.
    pub(super) fn without_items(mut self) -> Self {
        self.values.shift_remove("results");
        self
    }

    /// Removes the warnings and returns them.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        match self.values.get("warnings").and_then(Value::as_list) {
            Some(list) if !list.is_empty() => {
                let warnings = list.iter().map(|warning| crate::text::python::label(Some(warning))).collect();
                self.values.shift_remove("warnings");
                warnings
            }
            _ => Vec::new(),
        }
    }

    /// Returns the message, on one line.
    pub(super) fn message(&self) -> String {
        crate::text::python::label(self.values.get("msg")).replace('\n', " ")
    }

    /// Returns the traceback of a Python module.
    pub(super) fn exception(&self) -> Option<String> {
        self.values.get("exception").map(|text| crate::text::python::label(Some(text)))
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

/// Returns whether `action` is one of the names of the built-in action `name`.
fn is_action(action: &str, name: &str) -> bool {
    let short = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| action.strip_prefix(prefix));
    short.unwrap_or(action) == name
}

/// Keeps what a `debug` task shows: only its message, or its variable.
fn keep_debug_output(values: &mut Map) {
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
