//! Handlers that were notified and have not run. They are due in the next run of the same playbooks.

use std::sync::Arc;

use super::id::RunId;
use super::reader::Reader;
use super::runs::Runs;
use crate::events::Note;

/// A handler that is due on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueHandler {
    /// The host.
    pub host: Arc<str>,
    /// The handler's name as it is shown, with its role before it.
    pub handler: Arc<str>,
}

/// Returns the handlers that were notified and have not run, in the order in which they were notified. With `carried`,
/// only those that an earlier run had notified.
pub fn due_handlers<'n>(notes: impl IntoIterator<Item = &'n Note>, carried: bool) -> Vec<DueHandler> {
    let mut due: Vec<DueHandler> = Vec::new();
    for note in notes {
        match note {
            Note::Notified { host, handler, from } if from.is_some() || !carried => {
                let new = DueHandler { host: host.clone(), handler: handler.clone() };
                if !due.contains(&new) {
                    due.push(new);
                }
            }
            Note::Handled { host, handler } => {
                due.retain(|known| known.host != *host || known.handler != *handler);
            }
            _ => {}
        }
    }
    due
}

impl Runs {
    /// Returns the last run of these playbooks in this directory with the handlers that it left due, if it left any. A
    /// run that is still in progress leaves none, nor does one whose journal cannot be read.
    pub fn due_from_last_run(&self, folder: &str, playbooks: &[String]) -> Option<(RunId, Vec<DueHandler>)> {
        for id in self.names().ok()?.into_iter().rev() {
            let Ok((header, reader)) = Reader::open(&self.folder_of(&id)) else { continue };
            if header.check || header.folder != folder || header.playbooks != playbooks {
                continue;
            }
            let notes: Vec<Note> = reader.notes().collect();
            let due = due_handlers(&notes, false);
            return (!due.is_empty() && !self.is_running(&id)).then_some((id, due));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_due_if_it_was_notified_after_it_last_ran() {
        let notified = |host: &str, handler: &str, from: Option<&str>| Note::Notified {
            host: host.into(),
            handler: handler.into(),
            from: from.map(Arc::from),
        };
        let handled =
            |host: &str, handler: &str| Note::Handled { host: host.into(), handler: handler.into() };
        let notes = [
            notified("a", "restart", Some("before")),
            notified("a", "reload", Some("before")),
            notified("a", "restart", None),
            notified("b", "restart", None),
            handled("a", "reload"),
            handled("b", "restart"),
            notified("b", "restart", None),
        ];
        let due = |carried| -> Vec<String> {
            let due = due_handlers(&notes, carried);
            due.iter().map(|due| format!("{} {}", due.host, due.handler)).collect()
        };
        assert_eq!(due(false), ["a restart", "b restart"]);
        assert_eq!(due(true), ["a restart"]);
    }
}
