//! Errors of preparing a task: what kind they are, and how they are worded for the task's result.

use convoy_protocol::Origin;

use super::view::View;
use crate::template::{Error, Kind as ErrorKind};

/// Returns whether an error only says that a task cannot be prepared ahead of its turn.
pub(super) fn is_of_lookahead(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotYet | ErrorKind::Impure)
}

/// Returns whether an error does not depend on what nodes answered: it is in the text itself, or a name that nothing
/// sets.
pub(super) fn is_certain(error: &Error) -> bool {
    match error.kind {
        ErrorKind::Syntax | ErrorKind::Cycle => true,
        ErrorKind::Undefined => error.name.is_some(),
        _ => false,
    }
}

/// Ansible adds where the task stands to the message of an undefined variable; so do we, in one line, and the place in
/// the template file where there is one.
pub(super) fn message(view: View<'_>, error: &Error) -> String {
    if error.kind != ErrorKind::Undefined {
        return placed(error.to_string(), error, None);
    }
    let at = error.origin.as_deref().unwrap_or(&view.task.at);
    placed(format!("The task includes an option with an undefined variable.. {error}"), error, Some(at))
}

/// Adds where it went wrong: in the template file, if it was one, else at `at`.
pub(super) fn placed(message: String, error: &Error, at: Option<&Origin>) -> String {
    let in_file = error.position.as_ref().map(|place| match place.column {
        0 => format!("{}:{}", place.file, place.line),
        column => format!("{}:{}:{column}", place.file, place.line),
    });
    match in_file.or_else(|| at.map(ToString::to_string)) {
        Some(place) => format!("{message}\n\nThe error appears to be in {place}"),
        None => message,
    }
}

/// Ansible names the class of what went wrong in a template file.
pub(super) fn template_message(error: &Error) -> String {
    let class = match error.kind {
        ErrorKind::Undefined => "AnsibleUndefinedVariable",
        ErrorKind::Syntax if error.message.starts_with("Could not load") => "TemplateSyntaxError",
        _ => "AnsibleError",
    };
    format!("{class}: {error}")
}
