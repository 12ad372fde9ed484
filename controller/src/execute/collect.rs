//! What the items of a loop come to, and what is shown of a result.

use convoy_protocol::{Map, Taint, Value, map};

use crate::events::{HostName, Verdict};
use crate::execute::call::{self, CallResult};
use crate::execute::effects::CallEffects;
use crate::execute::outcome::HostResult;
use crate::prepare::task::Call;

/// The results of a loop's items, while they come.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    items: Vec<Map>,
    calls: Vec<CallEffects>,
    disturbed: bool,
    before: bool,
    failed: Vec<u64>,
    no_log: bool,
    pub(crate) host: HostName,
    ignored: Option<bool>,
    /// What is said if the run was not allowed to work on a host.
    refused: Option<Value>,
}

impl Collected {
    /// Starts without any.
    pub(crate) fn of(host: HostName) -> Self {
        Self { host, ..Self::default() }
    }

    pub(crate) fn add(&mut self, effects: CallEffects, call: &Call, result: CallResult) {
        self.disturbed |= result.disturbed;
        self.before |= result.is_of_before();
        self.failed.extend(result.noted().filter(|_| result.verdict == Verdict::Failed));
        self.no_log |= call.flags.no_log;
        let ignore = match result.verdict {
            Verdict::Failed => Some(call.flags.ignore_errors),
            Verdict::Unreachable => Some(call.flags.ignore_unreachable),
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
        self.calls.push(effects);
    }

    pub(crate) fn finish(self) -> HostResult {
        let mut values = call::collect(self.items);
        let mut verdict = call::verdict(&values);
        if let Some(msg) = self.refused {
            values.extend(map! { "refused" => true, "msg" => msg });
            verdict = Verdict::Refused;
        }
        HostResult {
            shown: if self.no_log { censored(&values) } else { values.clone() },
            values: if self.no_log { hidden(values) } else { values },
            diff: Vec::new(),
            verdict,
            looped: true,
            ignored: self.ignored.unwrap_or(false),
            host: self.host,
            disturbed: self.disturbed,
            calls: self.calls,
            seen: Vec::new(),
            // Each item has been shown.
            show: false,
            action: None,
            before: self.before,
            failed: self.failed,
        }
    }
}

/// What is shown of a result under `no_log`: that there is one.
pub(crate) fn censored(values: &Map) -> Map {
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
pub(crate) fn hidden(values: Map) -> Map {
    values.into_iter().map(|(key, value)| (key, value.tainted(Taint::SECRET))).collect()
}
