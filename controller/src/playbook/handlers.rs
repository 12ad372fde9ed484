//! Checks that the handlers that tasks notify exist.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::Value;

use super::ast::{Action, Play, Task};
use super::reader::Reader;
use super::template::is_template;
use super::walk;
use crate::diagnostic::{Diagnostic, did_you_mean};

impl Reader<'_> {
    /// Reports literal names in `notify:` that no handler has, unless includes may add handlers or the names of handlers are
    /// templates.
    pub(super) fn check_notified(&mut self, play: &Play) {
        let notified = std::mem::take(&mut self.notified);
        if self.files.options.allow_missing_handlers {
            return;
        }
        let mut known: Vec<String> = Vec::new();
        for handler in walk::entries(&play.handlers) {
            if !add_names(handler, &mut known) {
                return;
            }
        }
        let is_include =
            |task: &Arc<Task>| matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole(_));
        if walk::tasks(play).any(|(_, task)| is_include(task))
            || walk::entries(&play.handlers).any(is_include)
        {
            return;
        }
        for name in notified {
            let Ok(text) = String::convert(&name) else { continue };
            if !known.contains(&text) {
                let problem = Diagnostic::user(format!("no handler is named `{text}` or listens to it"))
                    .at(name.origin.clone())
                    .hint(did_you_mean(&text, known.iter().map(String::as_str)));
                self.problems.push(problem);
            }
        }
    }
}

/// Adds the names of a handler; returns whether all of them are literal.
fn add_names(handler: &Task, known: &mut Vec<String>) -> bool {
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
