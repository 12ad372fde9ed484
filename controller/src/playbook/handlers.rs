//! Whether the handlers that tasks notify exist.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::Value;

use super::ast::{Action, Play, Task};
use super::reader::Reader;
use super::template::is_template;
use super::walk;
use crate::diagnostic::{Diagnostic, did_you_mean};

impl Reader<'_> {
    /// Notes literal names that no handler has, unless handlers may yet come from an include or have names that are
    /// templates.
    pub(super) fn check_notified(&mut self, play: &Play) {
        let notified = std::mem::take(&mut self.notified);
        if self.files.options.handlers_may_be_missing {
            return;
        }
        let mut known: Vec<String> = Vec::new();
        for handler in walk::entries(&play.handlers) {
            if !names(handler, &mut known) {
                return;
            }
        }
        let dynamic =
            |task: &Arc<Task>| matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_));
        if walk::tasks(play).any(|(_, task)| dynamic(task)) || walk::entries(&play.handlers).any(dynamic) {
            return;
        }
        for name in notified {
            let Ok(text) = String::convert(&name) else { continue };
            if !known.contains(&text) {
                let problem =
                    Diagnostic::user(format!("no handler is named `{text}`, and none listens to it"))
                        .at(name.origin.clone())
                        .hint(did_you_mean(&text, known.iter().map(String::as_str)));
                self.problems.push(problem);
            }
        }
    }
}

/// Adds the names of a handler; returns whether all of them are known.
fn names(handler: &Task, known: &mut Vec<String>) -> bool {
    let all: Vec<&Value> = handler.name.iter().chain(&handler.listen).collect();
    for name in &all {
        if is_template(name) {
            return false;
        }
        if let Ok(text) = String::convert(name) {
            known.push(text);
        }
    }
    if let Some((role, Ok(name))) = handler.role.as_ref().zip(handler.name.as_ref().map(String::convert)) {
        known.push(format!("{} : {name}", role.name));
    }
    true
}
