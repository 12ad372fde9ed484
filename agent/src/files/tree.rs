//! Copies of whole directories.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use convoy_protocol::Diff;

use super::attributes::{self, Wanted};
use super::mode::Base;
use super::put::{self, Found, Put, Source};
use crate::failure::Failure;
use crate::stat::Meta;
use crate::system::{Attributes, System, SystemView};

/// One thing that shall be there.
#[derive(Debug)]
pub enum Item<'a> {
    /// A directory; `new` is for one that has to be made.
    Dir {
        /// Where.
        path: PathBuf,
        /// What is asked of it, also if it is there.
        wanted: Wanted<'a>,
        /// The mode of one that has to be made, if none is asked for.
        new: Option<u32>,
    },
    /// A file.
    File(Put<'a>),
    /// A symbolic link.
    Link {
        /// Where.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
        /// Who shall own it; a link has no mode.
        wanted: Wanted<'a>,
    },
}

/// One step of a plan.
#[derive(Debug)]
enum Step {
    MakeDir(PathBuf, Attributes),
    Attributes(PathBuf, Attributes),
    Put(Box<put::Plan>),
    Link {
        path: PathBuf,
        target: PathBuf,
        expected: Option<Meta>,
    },
    /// Of a link itself.
    Owner(PathBuf, Attributes),
}

/// What is to be done, in order.
#[derive(Debug, Default)]
pub struct Plan {
    steps: Vec<Step>,
    /// What would be different.
    pub diff: Vec<Diff>,
    made: HashSet<PathBuf>,
}

impl Plan {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds what `item` needs.
    ///
    /// # Errors
    /// If what is there cannot be seen or is in the way.
    pub fn add(&mut self, item: Item<'_>, view: &SystemView) -> Result<(), Failure> {
        match item {
            Item::Dir { path, wanted, new } => self.add_dir(path, wanted, new, view),
            Item::File(mut put) => {
                put.directory_is_planned = put.dest.parent().is_some_and(|parent| self.made.contains(parent));
                if let Found::Differs(plan, diff) = put::inspect(put, view)? {
                    self.steps.push(Step::Put(plan));
                    self.diff.extend(diff);
                }
                Ok(())
            }
            Item::Link { path, target, wanted } => {
                let expected = view.lstat(&path)?;
                let wanted = Wanted { mode: None, ..wanted };
                match &expected {
                    Some(meta) if meta.is_link() && view.read_link(&path)? == target => {
                        if let Some(missing) = wanted.missing(view, &path, meta)? {
                            self.steps.push(Step::Owner(path, missing));
                        }
                        return Ok(());
                    }
                    Some(meta) if meta.is_dir() => {
                        return Err(Failure::new(format!(
                            "cannot make the link {}: a directory is there",
                            path.display()
                        )));
                    }
                    _ => {}
                }
                let base = Base { mode: 0o777, is_dir: false, umask: view.umask() };
                let owner = wanted.resolve(view, &path, base)?;
                self.steps.push(Step::Link { path: path.clone(), target, expected });
                if owner != Attributes::default() {
                    self.steps.push(Step::Owner(path, owner));
                }
                Ok(())
            }
        }
    }

    fn add_dir(
        &mut self,
        path: PathBuf,
        wanted: Wanted<'_>,
        new: Option<u32>,
        view: &SystemView,
    ) -> Result<(), Failure> {
        if self.made.contains(&path) {
            return Ok(());
        }
        match view.stat(&path)? {
            Some(meta) if meta.is_dir() => {
                if let Some(missing) = wanted.missing(view, &path, &meta)? {
                    self.steps.push(Step::Attributes(path, missing));
                }
            }
            Some(_) => {
                return Err(Failure::new(format!(
                    "cannot make the directory {}: a file is there",
                    path.display()
                )));
            }
            None => {
                for parent in missing_directories(view, &path)? {
                    if self.made.insert(parent.clone()) {
                        let umask = view.umask();
                        let base = Base { mode: 0o777 & !umask, is_dir: true, umask };
                        let mut attributes = wanted.resolve(view, &parent, base)?;
                        attributes.mode = attributes.mode.or(new);
                        self.steps.push(Step::MakeDir(parent, attributes));
                    }
                }
            }
        }
        Ok(())
    }

    /// Does it.
    ///
    /// # Errors
    /// If a step fails; those before it are done.
    pub fn perform(self, node: &mut System) -> Result<(), Failure> {
        for step in self.steps {
            match step {
                Step::MakeDir(path, attributes) => {
                    node.make_dir(&path)?;
                    attributes::set(node, &path, attributes)?;
                }
                Step::Attributes(path, attributes) => attributes::set(node, &path, attributes)?,
                Step::Put(plan) => {
                    put::perform(&plan, node)?;
                }
                Step::Owner(path, owner) => node.lchown(&path, owner.uid, owner.gid)?,
                Step::Link { path, target, expected } => node.symlink(&target, &path, expected.as_ref())?,
            }
        }
        Ok(())
    }
}

/// Returns `path` and the directories above it that do not exist, the uppermost first.
///
/// # Errors
/// If one cannot be looked at.
pub fn missing_directories(view: &SystemView, path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut missing = Vec::new();
    for directory in path.ancestors().filter(|directory| !directory.as_os_str().is_empty()) {
        if view.stat(directory)?.is_some() {
            break;
        }
        missing.push(directory.to_owned());
    }
    missing.reverse();
    Ok(missing)
}

/// Returns what is needed to have the directory `source` of the node at `dest`.
///
/// # Errors
/// If the directory cannot be read.
pub fn items_of_node<'a>(
    view: &SystemView,
    source: &Path,
    dest: &Path,
    wanted: Wanted<'a>,
    follow_links: bool,
) -> Result<Vec<Item<'a>>, Failure> {
    let meta = |path: &Path| {
        let meta = if follow_links { view.stat(path)? } else { view.lstat(path)? };
        meta.ok_or_else(|| Failure::new(format!("{} has vanished", path.display())))
    };
    let mut items = vec![Item::Dir { path: dest.to_owned(), wanted, new: Some(meta(source)?.mode) }];
    for path in view.list(source)? {
        let target = dest.join(path.file_name().unwrap_or_default());
        let meta = meta(&path)?;
        if meta.is_dir() {
            items.extend(items_of_node(view, &path, &target, wanted, follow_links)?);
        } else if meta.is_link() {
            items.push(Item::Link { target: view.read_link(&path)?, path: target, wanted });
        } else if meta.is_file() {
            let mut put = Put::new(target, Source::Node(path), wanted);
            put.written.mode = Some(meta.mode);
            put.new_mode = Some(meta.mode);
            items.push(Item::File(put));
        } else {
            return Err(Failure::new(format!(
                "cannot copy {}: neither file, directory nor link",
                path.display()
            )));
        }
    }
    Ok(items)
}
