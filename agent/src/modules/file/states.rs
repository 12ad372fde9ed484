//! What each state needs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use convoy_protocol::{Value, map};

use super::args::Args;
use super::plan::{Action, Plan, refuse};
use super::times::Times;
use crate::failure::Failure;
use crate::files::attributes::{RequestedAttributes, differing, state};
use crate::files::mode::Base;
use crate::stat::Meta;
use crate::system::{Attributes, SystemView};

/// One task while it is checked.
pub(super) struct Task<'a> {
    pub(super) args: &'a Args,
    pub(super) view: &'a SystemView,
    pub(super) times: Times,
}

fn text(path: &Path) -> Value {
    path.to_string_lossy().as_ref().into()
}

impl Task<'_> {
    pub(super) fn wanted(&self) -> RequestedAttributes<'_> {
        self.args.file.wanted()
    }

    fn resolve_new(&self, path: &Path, is_dir: bool) -> Result<Attributes, Failure> {
        let umask = self.view.umask();
        let mode = if is_dir { 0o777 } else { 0o666 } & !umask;
        self.wanted().resolve(self.view, path, Base { mode, is_dir, umask })
    }

    pub(super) fn absent(&self, path: &Path, there: Option<Meta>) -> Result<Plan, Failure> {
        let mut plan = Plan::new(path, map! { "path" => text(path), "state" => "absent" });
        if let Some(meta) = there {
            plan.both("state", state(Some(&meta)), "absent");
            if meta.is_dir() && self.view.wants_diff() {
                let (mut directories, mut files) = (Vec::new(), Vec::new());
                self.walk(path, &mut directories, &mut files)?;
                let held = map! { "directories" => directories, "files" => files };
                plan.before.insert("path_content".into(), held.into());
            }
            plan.actions.push(Action::Remove(path.to_owned()));
        }
        Ok(plan)
    }

    fn walk(&self, path: &Path, directories: &mut Vec<Value>, files: &mut Vec<Value>) -> Result<(), Failure> {
        for entry in self.view.list(path)? {
            if self.view.lstat(&entry)?.is_some_and(|meta| meta.is_dir()) {
                directories.push(text(&entry));
                self.walk(&entry, directories, files)?;
            } else {
                files.push(text(&entry));
            }
        }
        Ok(())
    }

    /// Returns where a link leads, if links are followed.
    fn followed(&self, path: PathBuf, there: Option<Meta>) -> Result<(PathBuf, Option<Meta>), Failure> {
        if self.args.follow && there.as_ref().is_some_and(Meta::is_link) {
            let path = self.view.real_path(&path);
            let there = self.view.lstat(&path)?;
            return Ok((path, there));
        }
        Ok((path, there))
    }

    pub(super) fn file(&self, path: PathBuf, there: Option<Meta>) -> Result<Plan, Failure> {
        let (path, there) = self.followed(path, there)?;
        let found = state(there.as_ref());
        let Some(meta) = there.filter(|_| matches!(found, "file" | "hard")) else {
            return Err(refuse(format!("file ({}) is {found}, cannot continue", path.display()), &path)
                .with("state", found));
        };
        let mut plan = Plan::new(&path, map! { "path" => text(&path) });
        self.attributes(&mut plan, &path, &meta, true)?;
        Ok(plan)
    }

    pub(super) fn touch(&self, path: &Path, there: Option<Meta>) -> Result<Plan, Failure> {
        let mut plan = Plan::new(path, map! { "dest" => text(path) });
        plan.both("state", state(there.as_ref()), "touch");
        let Some(meta) = there else {
            plan.actions.push(Action::Create(path.to_owned(), self.resolve_new(path, false)?));
            let (atime, mtime) = self.times.for_new();
            plan.actions.push(Action::Times(path.to_owned(), atime, mtime));
            return Ok(plan);
        };
        let (target, meta) = match self.followed(path.to_owned(), Some(meta))? {
            (target, Some(meta)) => (target, meta),
            (target, None) => {
                let msg = format!("Error, could not touch target: {} leads to nothing", path.display());
                return Err(refuse(msg, &target));
            }
        };
        self.attributes(&mut plan, &target, &meta, true)?;
        Ok(plan)
    }

    pub(super) fn directory(&self, path: PathBuf, there: Option<Meta>) -> Result<Plan, Failure> {
        let (path, there) = self.followed(path, there)?;
        let mut plan = Plan::new(&path, map! { "path" => text(&path) });
        match there {
            Some(meta) if meta.is_dir() => {
                self.attributes(&mut plan, &path, &meta, true)?;
                if self.args.recurse {
                    let mut seen = HashSet::from([(meta.dev, meta.ino)]);
                    self.recurse(&mut plan, &path, &mut seen)?;
                }
            }
            Some(meta) => {
                let found = state(Some(&meta));
                return Err(refuse(format!("{} already exists as a {found}", path.display()), &path));
            }
            None => {
                plan.both("state", "absent", "directory");
                for directory in crate::files::tree::missing_directories(self.view, &path)? {
                    let attributes = self.resolve_new(&directory, true)?;
                    plan.actions.push(Action::MakeDir(directory, attributes));
                }
                if !self.times.is_preserve() {
                    let (atime, mtime) = self.times.for_new();
                    plan.actions.push(Action::Times(path, atime, mtime));
                }
            }
        }
        Ok(plan)
    }

    pub(super) fn link(
        &self,
        path: &Path,
        src: Option<PathBuf>,
        there: Option<Meta>,
    ) -> Result<Plan, Failure> {
        let (view, force) = (self.view, self.args.force);
        let src = match src {
            None if self.args.follow && there.as_ref().is_some_and(Meta::is_link) => {
                Some(view.read_link(path)?)
            }
            src => src,
        };
        let is_dir = there.as_ref().is_some_and(Meta::is_dir);
        let base = if is_dir { path.to_owned() } else { crate::files::dirname(path) };
        if let (Some(src), false) = (&src, force)
            && view.stat(&base.join(src))?.is_none()
        {
            let msg = format!(
                "src file does not exist, use \"force=yes\" if you really want to create the link: {}",
                base.join(src).display()
            );
            return Err(refuse(msg, path).with("src", text(src)));
        }
        let found = state(there.as_ref());
        if is_dir && force && !view.list(path)?.is_empty() {
            let msg = format!("the directory {} is not empty, refusing to convert it", path.display());
            return Err(refuse(msg, path));
        }
        if matches!(found, "directory" | "file" | "hard") && !force {
            let msg = format!("refusing to convert from {found} to symlink for {}", path.display());
            return Err(refuse(msg, path));
        }
        let shown = src.as_deref().map(text);
        let mut plan = Plan::new(path, map! { "dest" => text(path), "src" => shown });
        if found != "link" {
            plan.both("state", found, "link");
            let src = src.ok_or_else(|| Failure::new("src is required for creating new symlinks"))?;
            let (path, target) = (path.to_owned(), src.clone());
            plan.actions.push(Action::Symlink { path, target, expected: there });
            return self.attributes_of_new_link(plan, &base.join(src));
        }
        if let Some(src) = src {
            let old = view.read_link(path)?;
            if old != src {
                plan.both("src", &old.to_string_lossy(), &src.to_string_lossy());
                let (path, target) = (path.to_owned(), src.clone());
                plan.actions.push(Action::Symlink { path, target, expected: there });
                return self.attributes_of_new_link(plan, &base.join(src));
            }
        }
        self.attributes_of_link(plan, path, there)
    }

    fn attributes_of_link(&self, mut plan: Plan, path: &Path, there: Option<Meta>) -> Result<Plan, Failure> {
        let (target, meta) = self.followed(path.to_owned(), there)?;
        match meta {
            Some(meta) => self.attributes(&mut plan, &target, &meta, true)?,
            None if self.wanted().is_empty() => {}
            None => {
                let warning = "Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.";
                plan.values.insert("warnings".into(), vec![Value::from(warning)].into());
            }
        }
        Ok(plan)
    }

    /// Adds the attributes of a link that is made by the plan: its target's, or its own.
    fn attributes_of_new_link(&self, mut plan: Plan, target: &Path) -> Result<Plan, Failure> {
        if !self.args.follow {
            let own = Attributes { mode: None, ..self.resolve_new(&plan.shown, false)? };
            if own != Attributes::default() {
                plan.actions.push(Action::Set(plan.shown.clone(), own));
            }
            return Ok(plan);
        }
        let target = self.view.real_path(target);
        let there = self.view.lstat(&target)?;
        self.attributes_of_link(plan, &target, there)
    }

    pub(super) fn hard(
        &self,
        path: &Path,
        src: Option<PathBuf>,
        there: Option<Meta>,
    ) -> Result<Plan, Failure> {
        let found = state(there.as_ref());
        if src.is_none() && found != "hard" {
            return Err(Failure::new("src is required for creating new hardlinks"));
        }
        let mut plan = Plan::new(path, map! { "dest" => text(path), "src" => src.as_deref().map(text) });
        let Some(src) = src else {
            if let Some(meta) = there {
                self.attributes(&mut plan, path, &meta, true)?;
            }
            return Ok(plan);
        };
        let refusal = |msg: &str| Failure::new(msg).with("dest", text(path)).with("src", text(&src));
        let source = self.view.stat(&src)?.ok_or_else(|| refusal("src does not exist"))?;
        let is_same = there.as_ref().is_some_and(|meta| (meta.dev, meta.ino) == (source.dev, source.ino));
        if is_same {
            if let Some(meta) = there {
                self.attributes(&mut plan, path, &meta, true)?;
            }
            return Ok(plan);
        }
        match found {
            "hard" if !self.args.force => {
                return Err(refusal("Cannot link, different hard link exists at destination"));
            }
            "file" if !self.args.force => return Err(refusal("Cannot link, file exists at destination")),
            "directory" => return Err(refusal("Cannot link: different hard link exists at destination")),
            _ => plan.both("state", found, "hard"),
        }
        let target = if self.args.follow { self.view.real_path(&src) } else { src };
        plan.actions.push(Action::HardLink {
            path: path.to_owned(),
            target: target.clone(),
            expected: there,
        });
        // The link is the file: it has the attributes that its other name has now.
        let base = Base { mode: source.mode, is_dir: false, umask: self.view.umask() };
        if let Some(missing) = differing(self.wanted().resolve(self.view, path, base)?, &source) {
            plan.actions.push(Action::Set(path.to_owned(), missing));
        }
        Ok(plan)
    }
}
