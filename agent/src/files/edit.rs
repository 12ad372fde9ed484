//! Editing a text file and its attributes in place: the common end of `blockinfile`, `lineinfile` and `replace`.

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, DiffSide, Map};

use super::attributes::{self, RequestedAttributes};
use super::mode::Base;
use super::{backup, difference, dirname, tree, validate};
use crate::failure::Failure;
use crate::module::Done;
use crate::stat::Meta;
use crate::system::{Attributes, Bytes, System, SystemView};

/// A requested edit.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// The current content; `None` if the file does not exist.
    pub old: Option<Vec<u8>>,
    /// The new content and a message about the change; `None` if the content need not change.
    pub new: Option<(Vec<u8>, String)>,
    /// The requested attributes.
    pub wanted: RequestedAttributes<'a>,
}

/// What to do.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    target: PathBuf,
    expected: Option<Meta>,
    content: Option<Vec<u8>>,
    attributes: Attributes,
    directories: Vec<PathBuf>,
}

/// The result of [`Edit::inspect`].
#[derive(Debug)]
pub struct Inspected {
    /// What changes, in Ansible's wording; empty if nothing does.
    pub msg: String,
    /// What to do; `None` if nothing.
    pub plan: Option<Plan>,
    /// The differences of content and attributes, if they are requested.
    pub diff: Vec<Diff>,
}

impl Edit<'_> {
    /// Compares the file with the request. A symbolic link is followed.
    ///
    /// # Errors
    /// If the file cannot be read, or an attribute is invalid.
    pub fn inspect(self, view: &SystemView) -> Result<Inspected, Failure> {
        let target = view.real_path(&self.path);
        let expected = view.lstat(&target)?;
        let umask = view.umask();
        let mode = expected.as_ref().map_or(0o666 & !umask, |meta| meta.mode);
        let all = self.wanted.resolve(view, &self.path, Base { mode, is_dir: false, umask })?;
        let missing = expected.as_ref().and_then(|meta| attributes::differing(all, meta));
        let mut msg = self.new.as_ref().map(|(_, msg)| msg.clone()).unwrap_or_default();
        let is_made = self.old.is_none() && self.new.is_some();
        if missing.is_some() || (is_made && all != Attributes::default()) {
            let and = if self.new.is_some() { " and " } else { "" };
            msg = format!("{msg}{and}ownership, perms or SE linux context changed");
        }
        if self.new.is_none() && missing.is_none() {
            return Ok(Inspected { msg, plan: None, diff: Vec::new() });
        }
        let diff = if view.wants_diff() { self.differences(missing, expected.as_ref()) } else { Vec::new() };
        let directories = if self.old.is_some() {
            Vec::new()
        } else {
            tree::missing_directories(view, &dirname(&self.path))?
        };
        let content = self.new.map(|(content, _)| content);
        let attributes = if content.is_some() { all } else { missing.unwrap_or_default() };
        let plan = Plan { path: self.path, target, expected, content, attributes, directories };
        Ok(Inspected { msg, plan: Some(plan), diff })
    }

    fn differences(&self, missing: Option<Attributes>, meta: Option<&Meta>) -> Vec<Diff> {
        let header = |kind: &str| format!("{} ({kind})", self.path.display());
        let side = |kind: &str, text: String| DiffSide { header: header(kind), text };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut all = Vec::new();
        if let Some((new, _)) = &self.new {
            let old = self.old.as_deref().unwrap_or_default();
            all.push(Diff::Text { before: side("content", text(old)), after: side("content", text(new)) });
        }
        if let (Some(missing), Some(meta)) = (missing, meta) {
            let (mut before, mut after) = (Map::new(), Map::new());
            difference::of_attributes(meta, missing, &mut before, &mut after);
            if let Diff::Text { before, after } = difference::of_maps(&before, &after) {
                let kind = "file attributes";
                all.push(Diff::Text { before: side(kind, before.text), after: side(kind, after.text) });
            }
        }
        all
    }
}

/// Carries out a plan. If `backup_value` is given, the old file is backed up and the return value of that name is its path.
///
/// # Errors
/// If the file cannot be written or `validate` rejects it; the old file is unchanged then.
pub fn apply(
    plan: Plan,
    validate: Option<&str>,
    backup_value: Option<&str>,
    node: &mut System,
) -> Result<Done, Failure> {
    let mut values = Map::new();
    let Some(content) = &plan.content else {
        node.expect_unchanged(&plan.target, plan.expected.as_ref())?;
        attributes::set(node, &plan.target, plan.attributes)?;
        return Ok(Done { changed: true, values });
    };
    for directory in &plan.directories {
        node.make_dir(directory)
            .map_err(|e| Failure::new(format!("Error creating {} ({})", directory.display(), e.msg)))?;
    }
    let temporary = node.prepare(&plan.target, Bytes::Memory(content), plan.attributes)?;
    if let Some(command) = validate {
        let output = validate::run(node, command, temporary.path())?;
        if output.rc != 0 {
            return Err(validate::refused(&output));
        }
    }
    if let Some(name) = backup_value
        && let Some(kept) = backup::make(node, &plan.path)?
    {
        values.insert(name.into(), kept.to_string_lossy().as_ref().into());
    }
    node.place(temporary, plan.expected.as_ref())?;
    Ok(Done { changed: true, values })
}

/// Refuses a directory, in Ansible's wording.
///
/// # Errors
/// If `path` is a directory or cannot be accessed.
pub fn refuse_directory(view: &SystemView, path: &Path) -> Result<(), Failure> {
    if view.stat(path)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!("Path {} is a directory !", path.display())).with("rc", 256));
    }
    Ok(())
}
