//! Why something cannot be decrypted. The sentences are Ansible's where it has one, since people search for them.

use std::sync::Arc;

use convoy_protocol::Origin;

use crate::diagnostic::{Diagnostic, Kind};

/// Why a vault's text cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not what a vault writes.
    #[error("{0}")]
    Damaged(Damage),
    /// There is no password at all.
    #[error("Attempting to decrypt but no vault secrets found")]
    NoPassword {
        /// The vault id in the text.
        id: Option<Arc<str>>,
    },
    /// None of the passwords fits.
    #[error("Decryption failed (no vault secrets were found that could decrypt)")]
    NoneFits {
        /// The vault id in the text.
        id: Option<Arc<str>>,
        /// The passwords that were tried: their ids, and where they come from.
        tried: Vec<(Arc<str>, Arc<str>)>,
        /// The ids that were not tried, since only that of the text may be (`ANSIBLE_VAULT_ID_MATCH`).
        passed_over: Vec<Arc<str>>,
    },
}

/// Where, and in what way, a text is not what a vault writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Damage {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub what: String,
}

impl Fault {
    /// Returns the message for `what`, which is written at `at`; a damaged line is counted from there.
    pub fn diagnostic(&self, what: &str, at: &Arc<Origin>) -> Diagnostic {
        let message = format!("cannot decrypt {what}: {self}");
        let kind = if matches!(self, Self::Damaged(_)) { Kind::User } else { Kind::Locked };
        let mut diagnostic = Diagnostic::user(message).kind(kind).at(Arc::new(self.place(at)));
        for note in self.notes() {
            diagnostic = diagnostic.note(note);
        }
        diagnostic.hint(Some(self.hint()))
    }

    /// Returns the place where it goes wrong in what is written at `at`.
    fn place(&self, at: &Origin) -> Origin {
        let down = if let Self::Damaged(damage) = self { damage.line - 1 } else { 0 };
        Origin { line: at.line.saturating_add(down), ..at.clone() }
    }

    /// Returns the message in one line, for the result of a task.
    pub fn line(&self, what: &str, at: Option<&Origin>) -> String {
        let place = at.map(|at| format!(" ({})", self.place(at))).unwrap_or_default();
        let notes: Vec<String> = self.notes().collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        format!("cannot decrypt {what}{place}: {self}{notes}; {}", self.hint())
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let meant =
            |id: &Option<Arc<str>>| id.as_ref().map(|id| format!("it is meant for the vault id `{id}`"));
        let (id, tried, passed_over) = match self {
            Self::Damaged(_) => (None, None, None),
            Self::NoPassword { id } => (meant(id), None, None),
            Self::NoneFits { id, tried, passed_over } => {
                let shown = |(id, source): &(Arc<str>, Arc<str>)| format!("`{id}` from {source}");
                let shown: Vec<String> = tried.iter().map(shown).collect();
                let tried = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
                let ids: Vec<String> = passed_over.iter().map(|id| format!("`{id}`")).collect();
                let passed_over = (!ids.is_empty())
                    .then(|| format!("not tried, because of ANSIBLE_VAULT_ID_MATCH: {}", ids.join(", ")));
                (meant(id), Some(format!("tried {tried}")), passed_over)
            }
        };
        id.into_iter().chain(tried).chain(passed_over)
    }

    fn hint(&self) -> String {
        match self {
            Self::Damaged(_) => "take it from a backup, or encrypt it anew".to_owned(),
            Self::NoPassword { id: None } => {
                "give the password with --vault-password-file, --ask-vault-pass or ANSIBLE_VAULT_PASSWORD_FILE".to_owned()
            }
            Self::NoPassword { id: Some(id) } => format!(
                "give the password with --vault-id {id}@FILE, --vault-id {id}@prompt or ANSIBLE_VAULT_PASSWORD_FILE"
            ),
            Self::NoneFits { .. } => "the password is another one, or the text was changed or cut".to_owned(),
        }
    }
}
