//! Errors of decryption. Messages have Ansible's wording where there is one, because people search for it.

use std::sync::Arc;

use convoy_protocol::Origin;

use crate::diagnostic::{Diagnostic, Kind};

/// The reason why text cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The text form is damaged.
    #[error("{0}")]
    Damaged(Damage),
    /// There is no password.
    #[error("Attempting to decrypt but no vault secrets found")]
    NoPassword {
        /// The vault id in the text.
        id: Option<Arc<str>>,
    },
    /// No password fits.
    #[error("Decryption failed (no vault secrets were found that could decrypt)")]
    WrongPasswords {
        /// The vault id in the text.
        id: Option<Arc<str>>,
        /// The ids and sources of the passwords that were tried.
        tried: Vec<(Arc<str>, Arc<str>)>,
        /// The ids of passwords that were not tried, because they differ from that of the text (`ANSIBLE_VAULT_ID_MATCH`).
        not_tried: Vec<Arc<str>>,
    },
}

/// The location and kind of damage in the text form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Damage {
    /// The line, from 1.
    pub line: u32,
    /// The error in that line.
    pub what: String,
}

impl DecryptError {
    /// Returns the message that `what` at the location `at` cannot be decrypted. The line of damage is relative to `at`.
    pub fn diagnostic(&self, what: &str, at: &Arc<Origin>) -> Diagnostic {
        let message = format!("cannot decrypt {what}: {self}");
        let kind = if matches!(self, Self::Damaged(_)) { Kind::User } else { Kind::Locked };
        let mut diagnostic = Diagnostic::user(message).kind(kind).at(Arc::new(self.location(at)));
        for note in self.notes() {
            diagnostic = diagnostic.note(note);
        }
        diagnostic.hint(Some(self.hint()))
    }

    /// Returns the location of the error in text at `at`.
    fn location(&self, at: &Origin) -> Origin {
        let lines = if let Self::Damaged(damage) = self { damage.line - 1 } else { 0 };
        Origin { line: at.line.saturating_add(lines), ..at.clone() }
    }

    /// Returns the message in a single line, for the result of a task.
    pub fn line(&self, what: &str, at: Option<&Origin>) -> String {
        let place = at.map(|at| format!(" ({})", self.location(at))).unwrap_or_default();
        let notes: Vec<String> = self.notes().collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        format!("cannot decrypt {what}{place}: {self}{notes}; {}", self.hint())
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let vault_id = |id: &Option<Arc<str>>| id.as_ref().map(|id| format!("its vault id is `{id}`"));
        let (id, tried, not_tried) = match self {
            Self::Damaged(_) => (None, None, None),
            Self::NoPassword { id } => (vault_id(id), None, None),
            Self::WrongPasswords { id, tried, not_tried } => {
                let shown = |(id, source): &(Arc<str>, Arc<str>)| format!("`{id}` from {source}");
                let shown: Vec<String> = tried.iter().map(shown).collect();
                let tried = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
                let ids: Vec<String> = not_tried.iter().map(|id| format!("`{id}`")).collect();
                let not_tried = (!ids.is_empty())
                    .then(|| format!("not tried, because of ANSIBLE_VAULT_ID_MATCH: {}", ids.join(", ")));
                (vault_id(id), Some(format!("tried {tried}")), not_tried)
            }
        };
        id.into_iter().chain(tried).chain(not_tried)
    }

    fn hint(&self) -> String {
        match self {
            Self::Damaged(_) => "restore it from a backup, or encrypt it again".to_owned(),
            Self::NoPassword { id: None } => {
                "give the password with --vault-password-file, --ask-vault-pass or ANSIBLE_VAULT_PASSWORD_FILE".to_owned()
            }
            Self::NoPassword { id: Some(id) } => format!(
                "give the password with --vault-id {id}@FILE, --vault-id {id}@prompt or ANSIBLE_VAULT_PASSWORD_FILE"
            ),
            Self::WrongPasswords { .. } => "the password is wrong, or the text was changed or truncated".to_owned(),
        }
    }
}
