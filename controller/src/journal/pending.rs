//! Handlers that were notified and have not run: they are due in the next run of the same playbooks.

use std::sync::Arc;

use super::{Reader, RunId, Runs};
use crate::events::Note;

/// A handler that is due on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The host.
    pub host: Arc<str>,
    /// The handler's name as it is shown, with its role before it.
    pub handler: Arc<str>,
}

/// Returns what was notified and not handled, in the order in which it was notified. With `carried`, only what was so before
/// the run began.
pub fn due<'n>(notes: impl IntoIterator<Item = &'n Note>, carried: bool) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    for note in notes {
        match note {
            Note::Notified { host, handler, from } if from.is_some() || !carried => {
                let new = Due { host: host.clone(), handler: handler.clone() };
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
    /// Returns what the last run of these playbooks, from this folder, has left to do, and its name. A run that goes on, or
    /// whose journal cannot be read, has left nothing that is known.
    pub fn left_due(&self, folder: &str, playbooks: &[String]) -> Option<(RunId, Vec<Due>)> {
        for id in self.names().ok()?.into_iter().rev() {
            let Ok((header, reader)) = Reader::open(&self.folder_of(&id)) else { continue };
            if header.check || header.folder != folder || header.playbooks != playbooks {
                continue;
            }
            let notes: Vec<Note> = reader.notes().collect();
            let due = due(&notes, false);
            return (!due.is_empty() && !self.goes_on(&id)).then_some((id, due));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_notified_and_not_handled_is_due() {
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
        let words = |carried| -> Vec<String> {
            due(&notes, carried).iter().map(|due| format!("{} {}", due.host, due.handler)).collect()
        };
        assert_eq!(words(false), ["a restart", "b restart"]);
        assert_eq!(words(true), ["a restart"]);
    }
}
