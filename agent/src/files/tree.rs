//! Copying whole directories.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use convoy_protocol::Diff;

use super::attributes::{self, RequestedAttributes};
use super::mode::Base;
use super::put::{self, Inspection, Put, Source};
use crate::failure::Failure;
use crate::stat::Meta;
use crate::system::{Attributes, System, SystemView};

/// One requested item of a tree.
#[derive(Debug)]
pub enum Item<'a> {
    /// A directory.
    Dir {
        /// Its path.
        path: PathBuf,
        /// The requested attributes.
        wanted: RequestedAttributes<'a>,
        /// The mode if it has to be created and none is requested.
        new: Option<u32>,
    },
    /// A file.
    File(Put<'a>),
    /// A symbolic link.
    Link {
        /// Its path.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
        /// The requested owner and group; a link has no mode.
        wanted: RequestedAttributes<'a>,
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
    /// Sets the owner of a link itself.
    Owner(PathBuf, Attributes),
}

/// What to do, in order.
#[derive(Debug, Default)]
pub struct Plan {
    steps: Vec<Step>,
    /// What would change.
    pub diff: Vec<Diff>,
    made: HashSet<PathBuf>,
}

impl Plan {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds the steps for one item.
    ///
    /// # Errors
    /// If the current state cannot be read, or something is in the way.
    pub fn add(&mut self, item: Item<'_>, view: &SystemView) -> Result<(), Failure> {
        match item {
            Item::Dir { path, wanted, new } => self.add_dir(path, wanted, new, view),
            Item::File(mut put) => {
                put.directory_is_planned = put.dest.parent().is_some_and(|parent| self.made.contains(parent));
                if let Inspection::Differs(plan, diff) = put::inspect(put, view)? {
                    self.steps.push(Step::Put(plan));
                    self.diff.extend(diff);
                }
                Ok(())
            }
            Item::Link { path, target, wanted } => {
                let expected = view.lstat(&path)?;
                let wanted = RequestedAttributes { mode: None, ..wanted };
                match &expected {
                    Some(meta) if meta.is_link() && view.read_link(&path)? == target => {
                        if let Some(missing) = wanted.missing(view, &path, meta)? {
                            self.steps.push(Step::Owner(path, missing));
                        }
                        return Ok(());
                    }
                    Some(meta) if meta.is_dir() => {
                        return Err(Failure::new(format!(
                            "cannot create the link {}: a directory is in the way",
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
        wanted: RequestedAttributes<'_>,
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
                    "cannot create the directory {}: a file is in the way",
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

    /// Carries out the plan.
    ///
    /// # Errors
    /// If a step fails; earlier steps are done then.
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

/// Returns those of `path` and the directories above it that do not exist, the topmost first.
///
/// # Errors
/// If one cannot be accessed.
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

/// Returns the items to copy the directory `source` of the node to `dest`.
///
/// # Errors
/// If the directory cannot be read.
pub fn items_of_node<'a>(
    view: &SystemView,
    source: &Path,
    dest: &Path,
    wanted: RequestedAttributes<'a>,
    follow_links: bool,
) -> Result<Vec<Item<'a>>, Failure> {
    let meta = |path: &Path| {
        let meta = if follow_links { view.stat(path)? } else { view.lstat(path)? };
        meta.ok_or_else(|| Failure::new(format!("{} no longer exists", path.display())))
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
                "cannot copy {}: it is not a file, directory or link",
                path.display()
            )));
        }
    }
    Ok(items)
}
