//! Editing files of keys and values in place: what these modules share.

use std::path::{Path, PathBuf};

use convoy_protocol::value::HIDDEN;
use convoy_protocol::{Diff, DiffSide, Map, Value, map};

use super::attributes::FileArgs;
use super::put::{self, Plan, Put, Source};
use super::secret;
use crate::args::NodePath;
use crate::failure::Failure;
use crate::formats::toml::KeyPath;
use crate::key_changes::KeyChange;
use crate::module::Checked;
use crate::system::SystemView;

crate::arguments! {
    /// Parameters of modules that edit a file of keys and values and can create it.
    pub struct KeyedArgs {
        /// Whether to create a missing file.
        create: bool [default("false")],
    }
    including [in_place: InPlaceArgs]
}

crate::arguments! {
    /// Parameters of modules that edit a file of keys and values.
    pub struct InPlaceArgs {
        /// The file.
        path: NodePath [required, aliases("dest")],
        /// Whether to copy the old file to a name with a timestamp.
        backup: bool [default("false")],
        /// A command that validates the new file before it is put in place. `%s` stands for the file's path.
        validate: Option<String>,
    }
    including [file: FileArgs]
}

impl KeyedArgs {
    /// Returns the file's path, with links resolved, and its content, which is empty if the file is to be created.
    ///
    /// # Errors
    /// If it is missing and not to be created, is a directory, or cannot be read.
    pub fn read(&self, view: &SystemView) -> Result<(PathBuf, Vec<u8>), Failure> {
        match self.in_place.find(view)? {
            (path, Some(bytes)) => Ok((path, bytes)),
            (path, None) if self.create => Ok((path, Vec::new())),
            (path, None) => Err(Failure::new(format!(
                "{} does not exist; set `create: true` to create it",
                path.display()
            ))),
        }
    }

    /// Returns the result of only reading the file: the data at `at`, with secrets marked.
    pub fn answer<P>(path: &Path, at: &KeyPath, data: Value) -> Checked<P> {
        let data = secret::marked(at, data);
        Checked::Same(map! { "path" => path.to_string_lossy().as_ref(), "data" => data })
    }

    /// Returns the result of an edit: see [`InPlaceArgs::finish`].
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn finish(
        &self,
        view: &SystemView,
        path: &Path,
        new: Vec<u8>,
        changed: &[KeyChange],
    ) -> Result<Checked<Plan>, Failure> {
        self.in_place.finish(view, path, new, changed)
    }
}

impl InPlaceArgs {
    /// Returns the file's path, with links resolved, and its content if it exists.
    fn find(&self, view: &SystemView) -> Result<(PathBuf, Option<Vec<u8>>), Failure> {
        self.file.refuse_unsupported(view)?;
        let path = view.real_path(&view.expand(&self.path));
        let bytes = match view.stat(&path)? {
            Some(meta) if meta.is_dir() => {
                return Err(Failure::new(format!("{} is a directory", path.display())));
            }
            Some(_) => Some(view.read(&path)?),
            None => None,
        };
        Ok((path, bytes))
    }

    /// Returns the file's path, with links resolved, and its content.
    ///
    /// # Errors
    /// If it is missing, is a directory, or cannot be read.
    pub fn read(&self, view: &SystemView) -> Result<(PathBuf, Vec<u8>), Failure> {
        let (path, bytes) = self.find(view)?;
        let missing = || Failure::new(format!("{} does not exist", path.display()));
        let bytes = bytes.ok_or_else(missing)?;
        Ok((path, bytes))
    }

    /// Returns the result of an edit, with the plan to write the new content and the names of the changed keys.
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn finish(
        &self,
        view: &SystemView,
        path: &Path,
        new: Vec<u8>,
        changed: &[KeyChange],
    ) -> Result<Checked<Plan>, Failure> {
        let keys: Vec<Value> = changed.iter().map(|change| change.key.as_str().into()).collect();
        let put = Put {
            backup: self.backup,
            validate: self.validate.as_deref(),
            ..Put::new(path.to_owned(), Source::Memory(new), self.file.wanted())
        };
        let values = map! { "path" => path.to_string_lossy().as_ref(), "keys" => keys };
        Ok(match put::check(put, view, values)? {
            Checked::Differs { plan, values, .. } if !changed.is_empty() && view.wants_diff() => {
                Checked::Differs { plan, diff: vec![difference(path, changed)], values }
            }
            checked => checked,
        })
    }
}

/// Returns a difference with one line per key; the values of secret keys are hidden.
fn difference(path: &Path, changed: &[KeyChange]) -> Diff {
    let side = |value: fn(&KeyChange) -> Option<&String>, hidden: fn(&KeyChange) -> String| DiffSide {
        header: path.display().to_string(),
        text: changed
            .iter()
            .filter_map(|change| {
                let value = value(change)?.clone();
                let value = if change.secret { hidden(change) } else { value };
                Some(format!("{} = {value}\n", change.key))
            })
            .collect(),
    };
    // The lines must differ, or the difference would be empty.
    let other =
        |change: &KeyChange| format!("{HIDDEN}{}", if change.before.is_some() { " (another)" } else { "" });
    Diff::Text {
        before: side(|change| change.before.as_ref(), |_| HIDDEN.to_owned()),
        after: side(|change| change.after.as_ref(), other),
    }
}

/// Returns the keys and values of an argument as pairs of text.
///
/// # Errors
/// If a value is a list or a map.
pub fn pairs(name: &str, map: Option<&Map>) -> Result<Vec<(String, String)>, Failure> {
    let pair = |(key, value): (&convoy_protocol::Key, &Value)| {
        let value = <String as crate::args::Arg>::convert(value)
            .map_err(|why| Failure::new(format!("{name}: {key}: {why}")))?;
        Ok((key.to_string(), value))
    };
    map.into_iter().flatten().map(pair).collect()
}
