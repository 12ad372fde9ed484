//! Files of keys and values, edited in place: what their modules have in common.

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
    /// Parameters of all modules that edit a file of keys and values, which may have to be made.
    pub struct KeyedArgs {
        /// Whether a missing file is made.
        create: bool [default("false")],
    }
    including [in_place: InPlaceArgs]
}

crate::arguments! {
    /// Parameters of all modules that edit a file of keys and values.
    pub struct InPlaceArgs {
        /// The file.
        path: NodePath [required, aliases("dest")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
    }
    including [file: FileArgs]
}

impl KeyedArgs {
    /// Returns the file's path, links followed, and what it holds: nothing if it shall be made.
    ///
    /// # Errors
    /// If it is missing and shall not be made, is a directory, or cannot be read.
    pub fn read(&self, view: &SystemView) -> Result<(PathBuf, Vec<u8>), Failure> {
        match self.in_place.find(view)? {
            (path, Some(bytes)) => Ok((path, bytes)),
            (path, None) if self.create => Ok((path, Vec::new())),
            (path, None) => {
                Err(Failure::new(format!("{} does not exist; `create: true` makes it", path.display())))
            }
        }
    }

    /// Answers that the file was only read, with what stands at `at` in it; what is secret there is marked so.
    pub fn answer<P>(path: &Path, at: &KeyPath, data: Value) -> Checked<P> {
        let data = secret::marked(at, data);
        Checked::Same(map! { "path" => path.to_string_lossy().as_ref(), "data" => data })
    }

    /// Answers with what is to be written: see [`InPlaceArgs::finish`].
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
    /// Returns the file's path, links followed, and what it holds, if it is there.
    fn find(&self, view: &SystemView) -> Result<(PathBuf, Option<Vec<u8>>), Failure> {
        self.file.refuse_foreign(view)?;
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

    /// Returns the file's path, links followed, and what it holds.
    ///
    /// # Errors
    /// If it is missing, is a directory, or cannot be read.
    pub fn read(&self, view: &SystemView) -> Result<(PathBuf, Vec<u8>), Failure> {
        let (path, bytes) = self.find(view)?;
        let missing = || Failure::new(format!("{} does not exist", path.display()));
        let bytes = bytes.ok_or_else(missing)?;
        Ok((path, bytes))
    }

    /// Answers with what is to be written, and with the keys that differ.
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

/// Returns a difference that names the keys, each in a line, those that are secret without their values.
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
    // The lines must differ, or nothing is seen.
    let other =
        |change: &KeyChange| format!("{HIDDEN}{}", if change.before.is_some() { " (another)" } else { "" });
    Diff::Text {
        before: side(|change| change.before.as_ref(), |_| HIDDEN.to_owned()),
        after: side(|change| change.after.as_ref(), other),
    }
}

/// Returns the keys and values of a map as pairs of text, as arguments have them.
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
