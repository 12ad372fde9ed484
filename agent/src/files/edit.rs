//! A text file whose content and attributes are changed in place: the end of `blockinfile`, `lineinfile` and `replace`.

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, DiffSide, Map};

use super::attributes::{self, Wanted};
use super::mode::Base;
use super::{backup, difference, dirname, tree, validate};
use crate::failure::Failure;
use crate::module::Done;
use crate::stat::Meta;
use crate::system::{Attributes, Bytes, System, SystemView};

/// What is asked for.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// Its content; `None` if it does not exist.
    pub old: Option<Vec<u8>>,
    /// What it shall hold, and what is said of that; `None` if it holds that.
    pub new: Option<(Vec<u8>, String)>,
    /// Its attributes.
    pub wanted: Wanted<'a>,
}

/// How to get there.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    target: PathBuf,
    expected: Option<Meta>,
    content: Option<Vec<u8>>,
    attributes: Attributes,
    directories: Vec<PathBuf>,
}

/// What [`inspect`] found.
#[derive(Debug)]
pub struct Inspected {
    /// What is done, in Ansible's words; empty if nothing.
    pub msg: String,
    /// How, if anything is to be done.
    pub plan: Option<Plan>,
    /// The difference of the content, then that of the attributes, as far as there is one and it is wanted.
    pub diff: Vec<Diff>,
}

impl Edit<'_> {
    /// Compares the file with what is asked for. A symbolic link is followed.
    ///
    /// # Errors
    /// If that cannot be seen, or an attribute has no meaning.
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

/// Carries out a plan; the old file is copied to a name that the answer holds as `keep_as`, if that is given.
///
/// # Errors
/// If the file cannot be written or `validate` does not accept it; the old file is untouched then.
pub fn apply(
    plan: Plan,
    validate: Option<&str>,
    keep_as: Option<&str>,
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
    if let Some(name) = keep_as
        && let Some(kept) = backup::make(node, &plan.path)?
    {
        values.insert(name.into(), kept.to_string_lossy().as_ref().into());
    }
    node.place(temporary, plan.expected.as_ref())?;
    Ok(Done { changed: true, values })
}

/// Refuses a path that is a directory, in Ansible's words.
///
/// # Errors
/// If it is one, or cannot be looked at.
pub fn refuse_directory(view: &SystemView, path: &Path) -> Result<(), Failure> {
    if view.stat(path)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!("Path {} is a directory !", path.display())).with("rc", 256));
    }
    Ok(())
}
