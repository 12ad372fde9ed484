//! What the modules are asked that carry a user's changes.

use std::path::PathBuf;

use convoy_protocol::{Map, Taint};

use super::{Answers, Choices, Pattern, Rule};
use crate::args::{NodePath, Tainted};
use crate::failure::Failure;
use crate::formats::toml::TomlError;
use crate::system::SystemView;

crate::arguments! {
    /// Parameters of all modules that carry a user's changes.
    pub struct CarryArgs {
        /// The old version's file, in which the user has changed something.
        src: NodePath [required],
        /// The old version's default on the node. Without one it cannot be told what the user changed: only what
        /// rules and decisions say is carried, and the rest is listed as undecided.
        base: Option<NodePath>,
        /// The old version's default, as text.
        base_content: Option<Tainted<String>>,
        /// The new version's default on the node, if `path` may have been edited before. Without it the file as it
        /// stands is taken for the default.
        new_base: Option<NodePath>,
        /// The new version's default, as text.
        new_base_content: Option<Tainted<String>>,
        /// What is known of single keys; the first rule that fits counts. `key` names keys: `*` stands for one part,
        /// `[*]` for each table of a list, `**` at the end for all below. `do` is `carry`, whatever became of the
        /// default; `drop`; `ask`; `rename`, with the new name in `to`; or `replace`, with `value`. With `from`, a
        /// regular expression, only values that it matches are meant, and `value` takes the place of what it matches.
        /// `when` says what `old`, `yours` and `new` must be: a value, one of a list, or null for none. `reason` is
        /// told.
        rules: Vec<Map>,
        /// The operator's answers, by key or by the table that keys are in: `mine`, `new`, or a map with the key
        /// `value`. An answer goes before the rules.
        decisions: Option<Map>,
        /// Names of keys, written as in `rules`; others are not looked at.
        only: Vec<String>,
        /// Names of keys that are not looked at.
        except: Vec<String>,
    }
    mutually_exclusive ["base", "base_content"] ["new_base", "new_base_content"]
}

/// One of the files that are compared.
#[derive(Debug)]
pub struct Source {
    /// What it is called in messages.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The taint of all of it.
    pub taint: Taint,
}

impl CarryArgs {
    /// Returns the old version's file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn source(&self, view: &SystemView) -> Result<Source, Failure> {
        file("src", &self.src, view)
    }

    /// Returns the old version's default.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn base(&self, view: &SystemView) -> Result<Option<Source>, Failure> {
        given("base", self.base.as_ref(), self.base_content.as_ref(), view)
    }

    /// Returns the new version's default.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn new_base(&self, view: &SystemView) -> Result<Option<Source>, Failure> {
        given("new_base", self.new_base.as_ref(), self.new_base_content.as_ref(), view)
    }

    /// Returns what is said of keys.
    ///
    /// # Errors
    /// If any of it has no meaning.
    pub fn choices(&self) -> Result<Choices, Failure> {
        Ok(Choices {
            rules: self.rules.iter().map(Rule::read).collect::<Result<_, _>>()?,
            answers: Answers::read(self.decisions.as_ref())?,
            only: patterns("only", &self.only)?,
            except: patterns("except", &self.except)?,
        })
    }
}

/// Reads names of keys.
///
/// # Errors
/// If one is none.
pub fn patterns(name: &str, texts: &[String]) -> Result<Vec<Pattern>, Failure> {
    let wrong = |error: TomlError| Failure::new(format!("{name}: {error}"));
    texts.iter().map(|text| Pattern::parse(text).map_err(wrong)).collect()
}

fn given(
    name: &str,
    path: Option<&NodePath>,
    content: Option<&Tainted<String>>,
    view: &SystemView,
) -> Result<Option<Source>, Failure> {
    match (path, content) {
        (Some(path), _) => file(name, path, view).map(Some),
        (None, Some(Tainted { value: text, taint })) => {
            let bytes = text.clone().into_bytes();
            Ok(Some(Source { name: format!("{name}_content"), bytes, taint: *taint }))
        }
        (None, None) => Ok(None),
    }
}

fn file(name: &str, path: &NodePath, view: &SystemView) -> Result<Source, Failure> {
    let path: PathBuf = view.expand(path);
    match view.stat(&path)? {
        None => Err(Failure::new(format!("{name}: {} does not exist", path.display()))),
        Some(meta) if meta.is_dir() => {
            Err(Failure::new(format!("{name}: {} is a directory", path.display())))
        }
        Some(_) => {
            let bytes = view.read(&path)?;
            // A byte order mark says nothing; in a file of properties it would be a part of the first key.
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map_or(bytes.clone(), <[u8]>::to_vec);
            Ok(Source { name: path.display().to_string(), bytes, taint: Taint::NONE })
        }
    }
}
