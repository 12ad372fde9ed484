//! What goes wrong while rendering, and how it is told.

use std::fmt;
use std::sync::Arc;

use convoy_protocol::{Origin, Taint};

use crate::diagnostic::{Diagnostic, did_you_mean};

/// Why rendering did not give a value; decides what the caller may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name, an attribute or an element is not there.
    Undefined,
    /// The template itself cannot be read.
    Syntax,
    /// A variable needs itself.
    Cycle,
    /// Something with an effect or a changing answer was asked for while looking ahead.
    Impure,
    /// A value that an earlier task will give is not there yet.
    NotYet,
    /// A value that a dry run cannot know was needed; the sentence says why it is not known.
    Unknown,
    /// Everything else: wrong types, failed lookups, unreadable files.
    Other,
}

/// A place in a template file. Lines count from 1, columns too; a column of 0 is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The template file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, or 0.
    pub column: u32,
}

/// How the sentence is wrapped once the text that was being rendered is known, as Ansible does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Plain,
    Type,
    Template,
}

/// What is said instead of a sentence that may quote a secret.
const HIDDEN: &str = "it reads secrets and failed; why is not shown, since that may quote them";

/// Why a value could not be rendered. [`fmt::Display`] gives the sentence and the hint, and nothing that may be a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What sort of fault it is.
    pub kind: Kind,
    /// The sentence, worded as Ansible words it where playbooks rely on that.
    pub message: String,
    /// The variable that is not there.
    pub name: Option<Arc<str>>,
    /// What may have been meant by it.
    pub hint: Option<String>,
    /// Where the user wrote the value that was being rendered.
    pub origin: Option<Arc<Origin>>,
    /// Where in the template file it went wrong.
    pub position: Option<Position>,
    /// What was read before it went wrong: [`fmt::Display`] does not quote the message if a secret was.
    pub taint: Taint,
    /// Whether the text of the template is itself secret, and so what a syntax error quotes of it.
    pub(crate) source_secret: bool,
    pub(crate) wrap: Wrap,
}

impl Error {
    /// Makes an error of `kind`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            name: None,
            hint: None,
            origin: None,
            position: None,
            taint: Taint::NONE,
            source_secret: false,
            wrap: Wrap::Plain,
        }
    }

    /// Makes an error of no particular kind.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message)
    }

    /// Makes the error of a [`super::Scope`] that has to wait for an earlier task.
    pub fn not_yet(message: impl Into<String>) -> Self {
        Self::new(Kind::NotYet, message)
    }

    /// Makes the error of needing what a dry run cannot know.
    pub fn unknown(why: Arc<str>) -> Self {
        Self::new(Kind::Unknown, &*why)
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::new(Kind::Undefined, message)
    }

    /// Names the variable that is not there.
    pub(crate) fn with_name(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Adds what may have been meant by a variable that is not there: one of those that are.
    pub(crate) fn suggest_from(mut self, names: impl FnOnce() -> Vec<Arc<str>>) -> Self {
        if let (Some(name), None) = (&self.name, &self.hint) {
            self.hint = did_you_mean(name, names().iter().map(|name| &**name));
        }
        self
    }

    /// Returns it as a message of its own, without a place.
    pub fn diagnostic(self) -> Diagnostic {
        let hint = self.hint.clone();
        Diagnostic::user(Self { hint: None, ..self }.to_string()).hint(hint)
    }

    /// An operation on values of the wrong type: Python's `TypeError`.
    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self { wrap: Wrap::Type, ..Self::other(message) }
    }

    /// A fault in the template's text, found while it was read or run.
    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self { wrap: Wrap::Template, ..Self::new(Kind::Syntax, message) }
    }

    pub(crate) fn impure(what: &str) -> Self {
        Self::new(
            Kind::Impure,
            format!("{what} gives another answer each time and cannot be looked at ahead"),
        )
    }

    /// Puts the sentence into the frame that Ansible gives it, naming the text that was rendered.
    pub(crate) fn with_template(mut self, text: &str) -> Self {
        match std::mem::replace(&mut self.wrap, Wrap::Plain) {
            Wrap::Plain => {}
            Wrap::Type => {
                self.message =
                    format!("Unexpected templating type error occurred on ({text}): {0}. {0}", self.message);
            }
            Wrap::Template => {
                self.message =
                    format!("template error while templating string: {0}. String: {text}. {0}", self.message);
            }
        }
        self
    }

    /// Adds what must be remembered about what the sentence quotes.
    #[must_use]
    pub fn tainted(mut self, taint: Taint) -> Self {
        self.taint = self.taint | taint;
        self
    }

    /// Returns it with a sentence that can be shown as a part of another.
    pub(crate) fn redacted(self) -> Self {
        let taint = self.taint.without(Taint::SECRET);
        let hint = self.hint.clone();
        let told = Self { hint: None, ..self };
        Self { message: told.to_string(), hint, taint, source_secret: false, ..told }
    }

    /// Whether the sentence may quote a secret. Those of the other kinds are of names and types alone.
    fn is_secret(&self) -> bool {
        match self.kind {
            Kind::Other => self.taint.is_secret(),
            Kind::Syntax => self.source_secret,
            _ => false,
        }
    }

    pub(crate) fn at(mut self, origin: Option<&Arc<Origin>>) -> Self {
        if self.origin.is_none() {
            self.origin = origin.cloned();
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secret() {
            f.write_str(HIDDEN)?;
            return match (&self.position, &self.origin) {
                (Some(place), _) => write!(f, " ({}:{})", place.file, place.line),
                (None, Some(origin)) => write!(f, " ({origin})"),
                (None, None) => Ok(()),
            };
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for Error {}
