//! The form of every message to the user: what is wrong, where, why, and what to do.
//!
//! Whoever finds the problem makes a [`Diagnostic`]; `crate::cli` prints it and exits with its code.

use std::fmt;
use std::sync::Arc;

use convoy_protocol::Origin;

use crate::vaulted::is_vaulted;

/// Who has to act on a message. Determines the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The user has to correct what they wrote or typed. Exit code 1.
    User,
    /// The user has to provide the password of something encrypted. Exit code 1.
    Locked,
    /// Convoy refuses to act, to protect something. Exit code 3.
    Refused,
    /// The developers: it is a bug in convoy. Exit code 255.
    Internal,
}

impl Kind {
    /// Returns the documented exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::User | Self::Locked => 1,
            Self::Refused => 3,
            Self::Internal => 255,
        }
    }
}

/// Returns the exit code of several messages: the highest.
pub fn code(diagnostics: &[Diagnostic]) -> u8 {
    diagnostics.iter().map(|diagnostic| diagnostic.kind.code()).max().unwrap_or(1)
}

/// One message to the user.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Who has to act.
    pub kind: Kind,
    /// What is wrong: a lowercase fragment without a period.
    pub message: String,
    /// Where, if it is about something the user wrote.
    pub origin: Option<Arc<Origin>>,
    /// Why, and what else is known; one line each.
    pub notes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Returns a message about something that the user wrote or typed.
    pub fn user(message: impl Into<String>) -> Self {
        Self { kind: Kind::User, message: message.into(), origin: None, notes: Vec::new(), hint: None }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, origin: impl Into<Option<Arc<Origin>>>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Sets the place, unless it is set.
    #[must_use]
    pub fn or_at(self, origin: impl Into<Option<Arc<Origin>>>) -> Self {
        if self.origin.is_some() { self } else { self.at(origin) }
    }

    /// Adds a line of explanation.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn hint(mut self, text: impl Into<Option<String>>) -> Self {
        self.hint = text.into();
        self
    }

    /// Sets who has to act.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

impl Diagnostic {
    /// Returns the message as one line of a warning.
    pub fn warning(&self) -> String {
        let at = self.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
        let hint = self.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{at}{hint}", self.message)
    }
}

/// Several messages: problems are collected and reported together.
pub type Diagnostics = Vec<Diagnostic>;

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        vec![diagnostic]
    }
}

/// Writes the message, its place with the user's own line and a caret under the column, the notes and the hint:
///
/// ```text
/// error: unknown module `copi`
///   --> site.yml:4:7
///    |
///  4 |     - copi: {dest: /etc/motd}
///    |       ^
///   = note: …
/// hint: did you mean `copy`?
/// ```
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(origin) = &self.origin {
            write!(f, "\n  --> {origin}")?;
            if let Some(line) = source_line(origin) {
                let number = origin.line.to_string();
                let gutter = " ".repeat(number.len());
                let indent: String =
                    line.chars().take(origin.column.saturating_sub(1) as usize).map(blank).collect();
                write!(f, "\n {gutter} |\n {number} | {line}\n {gutter} | {indent}^")?;
            }
        }
        for note in &self.notes {
            write!(f, "\n  = note: {note}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// Returns what stands for a character in the line of the caret: a tab stays a tab, so that the caret is under its
/// column.
fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

fn source_line(origin: &Origin) -> Option<String> {
    // In an encrypted file, the line would be one of the decrypted text, which must not be shown.
    let text = std::fs::read_to_string(&*origin.file).ok().filter(|text| !is_vaulted(text.as_bytes()))?;
    text.lines().nth(origin.line.checked_sub(1)? as usize).map(|line| line.trim_end().to_owned())
}

/// Returns "did you mean `x`?" for the word `x` in `known` that is closest to `word`, if one is close enough.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let shorter = candidate.len().min(word.len());
            // A word of one letter is not similar to any other.
            *distance < shorter && *distance <= 1 + shorter / 4
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_the_line_with_a_caret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.yml");
        std::fs::write(&path, "- hosts: all\n\ttasks: x\n").unwrap();
        let file: Arc<str> = path.to_str().unwrap().into();
        let diagnostic = Diagnostic::user("unknown keyword `tasks`")
            .at(Arc::new(Origin { file: file.clone(), line: 2, column: 2 }))
            .note("this is a play")
            .hint(did_you_mean("taks", ["tasks", "hosts"]));
        assert_eq!(
            diagnostic.to_string().replace(&*file, "site.yml"),
            "error: unknown keyword `tasks`\n  --> site.yml:2:2\n   |\n 2 | \ttasks: x\n   | \t^\n  = note: this is a play\nhint: did you mean `tasks`?"
        );
    }

    #[test]
    fn only_similar_words_are_suggested() {
        assert_eq!(did_you_mean("copi", ["copy", "command"]).as_deref(), Some("did you mean `copy`?"));
        assert_eq!(did_you_mean("xyz", ["copy", "command"]), None);
        assert_eq!(did_you_mean("x", ["y"]), None);
    }
}
