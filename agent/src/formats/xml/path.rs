//! The part of XPath that is read here: where to look from the root on, and what to look for.

use thiserror::Error;

/// A path, such as `//datasource[name='WSO2AM_DB']/definition/@type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// One element on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether it is any number of levels below.
    pub(super) deep: bool,
    pub(super) name: Name,
    pub(super) conditions: Vec<Condition>,
}

/// What is asked of what the steps lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The elements themselves.
    Elements,
    /// Their attributes of a name; if `deep`, those below them too.
    Attributes { deep: bool, name: Name },
    /// Their text, if they have some; if `deep`, that below them too.
    Text { deep: bool },
}

/// The name of an element or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// Says of which namespace; without it an element may be of any.
    pub(super) prefix: Option<String>,
    /// `None`: any name.
    pub(super) local: Option<String>,
}

/// What is in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Its place among those found below the same element, from 1.
    Place(usize),
    /// It is the last of them.
    Last,
    /// It has such an element in it, with that text.
    Child(Name, Option<String>),
    /// It has such an attribute, with that value.
    Attribute(Name, Option<String>),
    /// Its text.
    Text(String),
}

/// Why a path cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{path}` at character {at}: {what}")]
pub struct PathError {
    path: String,
    at: usize,
    what: String,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// If it is none, or has what is not read here.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut reader = Reader { rest: text };
        reader.path().map_err(|what| {
            let at = text[..text.len() - reader.rest.len()].chars().count() + 1;
            PathError { path: text.to_owned(), at, what }
        })
    }

    /// Returns the prefixes of all names.
    pub(super) fn prefixes(&self) -> Vec<&str> {
        let in_steps = self.steps.iter().flat_map(|step| {
            let conditions = step.conditions.iter().filter_map(|condition| match condition {
                Condition::Child(name, _) | Condition::Attribute(name, _) => Some(name),
                _ => None,
            });
            conditions.chain([&step.name])
        });
        let at_end = match &self.end {
            End::Attributes { name, .. } => Some(name),
            End::Elements | End::Text { .. } => None,
        };
        in_steps.chain(at_end).filter_map(|name| name.prefix.as_deref()).collect()
    }
}

/// Reads from the front of what is left; an error is about where that begins.
struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn path(&mut self) -> Result<Path, String> {
        let mut steps = Vec::new();
        self.blank();
        if !self.rest.starts_with('/') {
            return Err("a path begins with `/`, or with `//` for any depth".into());
        }
        while self.take("/") {
            let deep = self.take("/");
            let end = if self.take("@") {
                End::Attributes { deep, name: self.name()? }
            } else if self.take("text()") {
                End::Text { deep }
            } else {
                let name = self.name()?;
                steps.push(Step { deep, name, conditions: self.conditions()? });
                continue;
            };
            return self.done(Path { steps, end });
        }
        self.done(Path { steps, end: End::Elements })
    }

    fn done(&mut self, path: Path) -> Result<Path, String> {
        self.blank();
        match self.rest.chars().next() {
            None => Ok(path),
            Some('|') => Err("only one path is read; `values` takes several".into()),
            Some('/' | '[') if path.end != End::Elements => {
                Err("nothing can follow an attribute or `text()`".into())
            }
            Some(_) => Err("a path goes on with `/`, `//` or a condition in brackets".into()),
        }
    }

    fn word(&mut self) -> Option<String> {
        let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}');
        let end = self.rest.find(|c: char| !is_in_name(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() || word.starts_with(|c: char| c.is_numeric() || matches!(c, '-' | '.')) {
            return None;
        }
        self.rest = rest;
        Some(word.to_owned())
    }

    fn name(&mut self) -> Result<Name, String> {
        if self.take("*") {
            return Ok(Name { prefix: None, local: None });
        }
        let start = self.rest;
        let Some(first) = self.word() else {
            return Err("a name is missing, or `*` for any, `@name` for an attribute, or `text()`".into());
        };
        let unread = match self.rest {
            rest if rest.starts_with("::") => Some("axes"),
            rest if rest.starts_with('(') => Some("functions"),
            _ => None,
        };
        if let Some(what) = unread {
            self.rest = start;
            return Err(format!(
                "{what} are not read here, only names, `*`, `@name`, `text()`, and in brackets a place, `last()`, \
                 `name='x'`, `@name='x'` or `text()='x'`"
            ));
        }
        if !self.take(":") {
            return Ok(Name { prefix: None, local: Some(first) });
        }
        if self.take("*") {
            return Ok(Name { prefix: Some(first), local: None });
        }
        match self.word() {
            Some(local) => Ok(Name { prefix: Some(first), local: Some(local) }),
            None => Err("a name is missing behind its prefix".into()),
        }
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, String> {
        let mut conditions = Vec::new();
        while self.take("[") {
            self.blank();
            conditions.push(self.condition()?);
            self.blank();
            if !self.take("]") {
                return Err("a condition ends with `]`; a second one follows in brackets of its own".into());
            }
        }
        Ok(conditions)
    }

    fn condition(&mut self) -> Result<Condition, String> {
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let place = self.rest[..end].parse().ok().filter(|place| *place > 0);
            let place = place.ok_or("places are counted from 1")?;
            self.rest = &self.rest[end..];
            return Ok(Condition::Place(place));
        }
        if self.take("last()") {
            return Ok(Condition::Last);
        }
        if self.take("text()") || self.take(".") {
            let text = self.value()?.ok_or("`=` and a text in quotes must follow")?;
            return Ok(Condition::Text(text));
        }
        if self.take("@") {
            return Ok(Condition::Attribute(self.name()?, self.value()?));
        }
        Ok(Condition::Child(self.name()?, self.value()?))
    }

    /// Reads `='x'`, if that is what follows.
    fn value(&mut self) -> Result<Option<String>, String> {
        self.blank();
        if !self.take("=") {
            return Ok(None);
        }
        self.blank();
        let quote = self.rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let quote = quote.ok_or("a text in quotes must follow")?;
        let (value, rest) = self.rest[1..].split_once(quote).ok_or("the quote does not end")?;
        self.rest = rest;
        Ok(Some(value.to_owned()))
    }
}
