//! Errors of rendering.
//!
//! The message of an error is worded as Ansible words it, since playbooks test it. It may quote values, so an error knows
//! what was read before it occurred: if a secret was, [`fmt::Display`] prints a placeholder instead of the message. Errors
//! that mention only names and types are always printed.

use std::fmt;
use std::sync::Arc;

use convoy_protocol::{Origin, Taint};

use crate::diagnostic::{Diagnostic, did_you_mean};

/// Why rendering failed. The kind decides what the caller may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name, an attribute or an item does not exist.
    Undefined,
    /// The template is not valid.
    Syntax,
    /// A variable needs itself.
    Cycle,
    /// Something that has an effect, or a different result each time, was needed while looking ahead.
    Impure,
    /// A value that an earlier task is going to set was needed while looking ahead.
    NotYet,
    /// A value that a dry run cannot know was needed. The message is the reason.
    Unknown,
    /// Anything else: wrong types, failed lookups, unreadable files.
    Other,
}

/// A position in a template file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The template file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if it is not known.
    pub column: u32,
}

/// How Ansible frames the message together with the text of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Plain,
    Type,
    Template,
}

/// Printed instead of a message that may quote a secret.
const HIDDEN: &str = "rendering failed; details are not shown because they may quote a secret";

/// Why a value could not be rendered. [`fmt::Display`] prints the message and the hint, but never a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// The kind of error.
    pub kind: Kind,
    /// The message, worded as in Ansible. It may quote a secret.
    pub message: String,
    /// The variable that is undefined.
    pub name: Option<Arc<str>>,
    /// The similar name that may have been meant.
    pub hint: Option<String>,
    /// Where the user wrote the value that was being rendered.
    pub origin: Option<Arc<Origin>>,
    /// The position in the template file.
    pub position: Option<Position>,
    /// The taint of what was read before the error occurred.
    pub taint: Taint,
    /// Whether the text of the template is itself secret, and so what a syntax error quotes of it.
    pub(crate) source_secret: bool,
    pub(crate) wrap: Wrap,
}

impl Error {
    /// Returns an error of `kind`.
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

    /// Returns an error of no particular kind.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message)
    }

    /// Returns the error for a value that an earlier task is going to set.
    pub fn not_yet(message: impl Into<String>) -> Self {
        Self::new(Kind::NotYet, message)
    }

    /// Returns the error for needing a value that a dry run cannot know.
    pub fn unknown(why: Arc<str>) -> Self {
        Self::new(Kind::Unknown, &*why)
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::new(Kind::Undefined, message)
    }

    /// Sets the name of the variable that is undefined.
    pub(crate) fn with_name(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Suggests one of `names` if an undefined variable looks like a misspelling of it.
    pub(crate) fn suggest_from(mut self, names: impl FnOnce() -> Vec<Arc<str>>) -> Self {
        if let (Some(name), None) = (&self.name, &self.hint) {
            self.hint = did_you_mean(name, names().iter().map(|name| &**name));
        }
        self
    }

    /// Returns the error as a diagnostic without a position.
    pub fn diagnostic(self) -> Diagnostic {
        let hint = self.hint.clone();
        Diagnostic::user(Self { hint: None, ..self }.to_string()).hint(hint)
    }

    /// Returns the error for an operation on values of the wrong type: Python's `TypeError`.
    pub(crate) fn type_error(message: impl Into<String>) -> Self {
        Self { wrap: Wrap::Type, ..Self::other(message) }
    }

    /// Returns the error for a mistake in the template itself.
    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self { wrap: Wrap::Template, ..Self::new(Kind::Syntax, message) }
    }

    /// Returns the error for using `what` while looking ahead.
    pub(crate) fn impure(what: &str) -> Self {
        Self::new(
            Kind::Impure,
            format!("{what} gives a different result each time, so it cannot be evaluated ahead of time"),
        )
    }

    /// Frames the message as Ansible does, with the text of the template.
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

    /// Adds the taint of what the message may quote.
    #[must_use]
    pub fn tainted(mut self, taint: Taint) -> Self {
        self.taint = self.taint | taint;
        self
    }

    /// Replaces a message that may quote a secret, so that the message can be part of another one.
    pub(crate) fn redacted(self) -> Self {
        let taint = self.taint.without(Taint::SECRET);
        let hint = self.hint.clone();
        let error = Self { hint: None, ..self };
        Self { message: error.to_string(), hint, taint, source_secret: false, ..error }
    }

    /// Returns whether the message may quote a secret. Messages of the other kinds mention only names and types.
    fn is_secret(&self) -> bool {
        match self.kind {
            Kind::Other => self.taint.is_secret(),
            Kind::Syntax => self.source_secret,
            _ => false,
        }
    }

    /// Sets the origin, unless there is one.
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
