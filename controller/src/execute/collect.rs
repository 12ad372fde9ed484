//! What the items of a loop come to, and what is shown of a result.

use convoy_protocol::{Map, Taint, Value, map};

use super::call::{self, CallOutcome};
use super::effects::Effects;
use super::outcome::TaskOutcome;
use crate::events::{HostName, Verdict};
use crate::prepare::Call;

/// The results of a loop's items, while they come.
#[derive(Debug, Default)]
pub(super) struct Collected {
    items: Vec<Map>,
    effects: Vec<Effects>,
    invalidates: bool,
    before: bool,
    failed: Vec<u64>,
    no_log: bool,
    pub(super) host: HostName,
    ignored: Option<bool>,
    /// Returns the message if the run was not allowed to work on a host.
    refused: Option<Value>,
}

impl Collected {
    /// Starts without any.
    pub(super) fn of(host: HostName) -> Self {
        Self { host, ..Self::default() }
    }

    pub(super) fn add(&mut self, effects: Effects, call: &Call, result: CallOutcome) {
        self.invalidates |= result.invalidates;
        self.before |= result.is_of_before();
        self.failed.extend(result.recorded_ticket().filter(|_| result.verdict == Verdict::Failed));
        self.no_log |= call.keywords.no_log;
        let ignore = match result.verdict {
            Verdict::Failed => Some(call.keywords.ignore_errors),
            Verdict::Unreachable => Some(call.keywords.ignore_unreachable),
            Verdict::Refused => Some(false),
            _ => None,
        };
        if result.verdict == Verdict::Refused {
            self.refused = result.values.get("msg").cloned();
        }
        // Ignored only if every item that failed is.
        if let Some(ignore) = ignore {
            self.ignored = Some(self.ignored.unwrap_or(true) && ignore);
        }
        self.items.push(result.values);
        self.effects.push(effects);
    }

    pub(super) fn finish(self) -> TaskOutcome {
        let mut values = call::collect(self.items);
        let mut verdict = call::verdict(&values);
        if let Some(msg) = self.refused {
            values.extend(map! { "refused" => true, "msg" => msg });
            verdict = Verdict::Refused;
        }
        TaskOutcome {
            shown: if self.no_log { censored(&values) } else { values.clone() },
            values: if self.no_log { hidden(values) } else { values },
            diff: Vec::new(),
            verdict,
            looped: true,
            ignored: self.ignored.unwrap_or(false),
            host: self.host,
            invalidates: self.invalidates,
            effects: self.effects,
            prefetched: Vec::new(),
            // Each item has been shown.
            show: false,
            action: None,
            before: self.before,
            failed: self.failed,
        }
    }
}

/// What is shown of a result under `no_log`: that there is one.
pub(super) fn censored(values: &Map) -> Map {
    let text = "the output has been hidden due to the fact that 'no_log: true' was specified for this result";
    let mut shown = map! { "censored" => text };
    for name in ["changed", "attempts", "retries"] {
        if let Some(value) = values.get(name) {
            shown.insert(name.into(), value.clone());
        }
    }
    shown
}

/// Marks all values of a result as secret.
pub(super) fn hidden(values: Map) -> Map {
    values.into_iter().map(|(key, value)| (key, value.tainted(Taint::SECRET))).collect()
}
