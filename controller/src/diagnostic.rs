//! What is wrong, where, and what to do: the one form of every message to the user.

use std::fmt;
use std::sync::Arc;

use convoy_protocol::Origin;

use crate::vaulted::is_vaulted;

/// Who has to act; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The user, on what they wrote or typed. Exit code 1.
    User,
    /// The user, by giving the password of what is encrypted. Exit code 1.
    Locked,
    /// A guard of ours refused. Exit code 3.
    Refused,
    /// We: a fault in convoy. Exit code 255.
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
    /// What is wrong: a lowercase fragment without a full stop.
    pub message: String,
    /// Where, if it is something the user wrote.
    pub origin: Option<Arc<Origin>>,
    /// Why, and what else is known: one line each.
    pub notes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A message about something that the user wrote.
    pub fn user(message: impl Into<String>) -> Self {
        Self { kind: Kind::User, message: message.into(), origin: None, notes: Vec::new(), hint: None }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, origin: impl Into<Option<Arc<Origin>>>) -> Self {
        self.origin = origin.into();
        self
    }

    /// Adds the place, unless one is known.
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

    /// Adds what to do about it.
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

/// Several messages: what is wrong is collected and told at once.
pub type Diagnostics = Vec<Diagnostic>;

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        vec![diagnostic]
    }
}

/// The message, its place with the user's own line and a caret under the column, the notes and the hint:
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

/// Keeps the caret under its column where the line has tabs.
fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

fn source_line(origin: &Origin) -> Option<String> {
    // Of an encrypted file the line is one of the text in clear, which is not to be shown.
    let text = std::fs::read_to_string(&*origin.file).ok().filter(|text| !is_vaulted(text.as_bytes()))?;
    text.lines().nth(origin.line.checked_sub(1)? as usize).map(|line| line.trim_end().to_owned())
}

/// Returns "did you mean `x`?" if one of `known` is close to `word`.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let shorter = candidate.len().min(word.len());
            // Of a name of one letter nothing would be left.
            *distance < shorter && *distance <= 1 + shorter / 4
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_and_a_caret() {
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
    fn suggests_only_what_is_close() {
        assert_eq!(did_you_mean("copi", ["copy", "command"]).as_deref(), Some("did you mean `copy`?"));
        assert_eq!(did_you_mean("xyz", ["copy", "command"]), None);
        assert_eq!(did_you_mean("x", ["y"]), None);
    }
}
