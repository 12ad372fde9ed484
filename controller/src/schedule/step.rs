//! `--step` and `--start-at-task`: which tasks the user wants of those that there are.

use std::sync::Arc;

use super::Scheduler;
use super::batch::Batch;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::playbook::ast::{Play, Task};
use crate::playbook::walk;
use crate::state::cursor::{Cursor, Selected};
use crate::state::section::{Item, Section, TaskRef};
use crate::terminal::{Echo, Terminal};

/// Returns whether a task is the one to start at: by its name as it is written, with or without its role before it, or
/// by a pattern of it.
fn is_named(task: &Task, wanted: &str) -> bool {
    names(task).iter().any(|name| name == wanted || matches(wanted, name))
}

/// The names that a task can be called by.
fn names(task: &Task) -> Vec<String> {
    let own = task.name.as_ref().map(crate::text::python::str);
    let shown = own.clone().unwrap_or_else(|| task.action_name.to_string());
    let full = task.role.as_ref().map(|role| format!("{} : {shown}", role.name));
    own.into_iter().chain([full.unwrap_or(shown)]).collect()
}

/// Returns whether a shell's pattern (`*`, `?`, `[…]`) fits the whole of a text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut regex = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => match class(&rest.clone().collect::<String>()) {
                Some((class, length)) => {
                    regex.push_str(&class);
                    rest.by_ref().take(length).for_each(drop);
                }
                None => regex.push_str("\\["),
            },
            c => regex.push_str(&fancy_regex::escape(&c.to_string())),
        }
    }
    regex.push('$');
    fancy_regex::Regex::new(&regex).is_ok_and(|regex| regex.is_match(text).unwrap_or(false))
}

/// Reads what follows a `[`; returns the class and the number of characters it took.
fn class(rest: &str) -> Option<(String, usize)> {
    let end = rest.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let inner = &rest[..end];
    let (not, inner) = inner.strip_prefix('!').map_or(("", inner), |inner| ("^", inner));
    let class = format!("[{not}{}]", inner.replace('\\', "\\\\").replace('[', "\\["));
    Some((class, rest[..=end].chars().count()))
}

/// Refuses a name that no task has; those that are included while the run goes on cannot be started at.
///
/// # Errors
/// If there is no such task.
pub fn check_start<'p>(wanted: &str, plays: impl Iterator<Item = &'p Arc<Play>>) -> Result<(), Diagnostics> {
    let tasks: Vec<Arc<Task>> =
        plays.flat_map(|play| walk::tasks(play).map(|(_, task)| task.clone()).collect::<Vec<_>>()).collect();
    if tasks.iter().any(|task| is_named(task, wanted)) {
        return Ok(());
    }
    let known: Vec<String> = tasks.iter().flat_map(|task| names(task)).collect();
    let message = format!("no matching task \"{wanted}\" found");
    Err(Diagnostic::user(message)
        .note("--start-at-task can only follow static includes")
        .hint(did_you_mean(wanted, known.iter().map(String::as_str)))
        .into())
}

/// Puts a cursor at the task to start at, with the gathering of facts before it; at the end of the play if it is not
/// there. Returns whether it is.
fn start_at(cursor: &mut Cursor, root: &Section, wanted: &str, selected: Selected<'_>) -> bool {
    loop {
        match cursor.current() {
            Some(Item::Task(task)) if is_named(&task.task, wanted) => break,
            Some(_) => cursor.advance(selected),
            None => return false,
        }
    }
    // Facts are gathered by a task that stands alone before all sections.
    let gather = root.body.first().filter(|item| matches!(item, Item::Task(_)));
    if let (Some(gather), Some(here)) = (gather, cursor.current().cloned()) {
        cursor.enter(vec![gather.clone(), here], selected);
    }
    true
}

impl Scheduler {
    /// Puts the hosts at the task to start at, if it was not found in an earlier play.
    pub(super) fn start_at(&mut self, batch: &mut Batch, root: &Section) {
        let Some(wanted) = &self.world.progress.start_at else { return };
        let selected = self.selected();
        let mut found = false;
        for host in &mut batch.hosts {
            found |= start_at(&mut host.cursor, root, wanted, &selected);
        }
        if found {
            self.world.progress.start_at = None;
        }
    }

    /// With `--step`: asks the user whether a task is to be run.
    ///
    /// # Errors
    /// If the terminal cannot be read.
    pub(super) fn may_step(
        &mut self,
        batch: &Batch,
        task: &TaskRef,
        index: Option<usize>,
    ) -> Result<bool, Diagnostics> {
        if !self.world.progress.stepping {
            return Ok(true);
        }
        let host = &batch.hosts[index.unwrap_or(0)].name;
        let title = self.title(task, host);
        let on = index.map(|_| format!("on {host} ")).unwrap_or_default();
        let question = format!("Perform task: TASK: {title} {on}(N)o/(y)es/(c)ontinue: ");
        let answer = Terminal::Standard
            .ask(&question, Echo::On)
            .map_err(|error| Diagnostic::user(format!("cannot ask whether to perform a task: {error}")))?;
        Ok(match answer.to_lowercase().as_str() {
            "y" | "yes" => true,
            "c" | "continue" => {
                self.world.progress.stepping = false;
                true
            }
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, text, expected) in [
            ("Install *", "Install the product", true),
            ("install*", "Install", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a[bc]d", "acd", true),
            ("a[!b]d", "abd", false),
            ("a[", "a[", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
