//! Attributes and times of what is there, also of all that a directory holds.

use std::collections::HashSet;
use std::path::Path;

use super::plan::{Action, Plan};
use super::states::Task;
use crate::failure::Failure;
use crate::files::difference;
use crate::stat::Meta;

impl Task<'_> {
    /// Adds what the attributes and times of one path need.
    pub(super) fn attributes(
        &self,
        plan: &mut Plan,
        path: &Path,
        meta: &Meta,
        shown: bool,
    ) -> Result<(), Failure> {
        if let Some(missing) = self.wanted().missing(self.view, path, meta)? {
            if shown {
                difference::of_attributes(meta, missing, &mut plan.before, &mut plan.after);
            }
            plan.actions.push(Action::Set(path.to_owned(), missing));
        }
        // Times are those of what a link leads to.
        if !self.times.is_preserve()
            && let Some(meta) = self.view.stat(path)?
            && let Some((atime, mtime)) = self.times.missing(&meta)
        {
            if shown {
                self.times.show(self.view, &meta, &mut plan.before, &mut plan.after);
            }
            plan.actions.push(Action::Times(path.to_owned(), atime, mtime));
        }
        Ok(())
    }

    /// Adds what all that the directory `path` holds needs.
    pub(super) fn recurse(
        &self,
        plan: &mut Plan,
        path: &Path,
        seen: &mut HashSet<(u64, u64)>,
    ) -> Result<(), Failure> {
        for entry in self.view.list(path)? {
            let Some(meta) = self.view.lstat(&entry)? else { continue };
            self.attributes(plan, &entry, &meta, false)?;
            if meta.is_dir() {
                self.enter(plan, &entry, &meta, seen)?;
            } else if meta.is_link() && self.args.follow {
                let target = path.join(self.view.read_link(&entry)?);
                if let Some(meta) = self.view.stat(&target)? {
                    if meta.is_dir() {
                        self.enter(plan, &target, &meta, seen)?;
                    }
                    let real = self.view.real_path(&target);
                    self.attributes(plan, &real, &meta, false)?;
                }
            }
        }
        Ok(())
    }

    /// Goes into a directory once, whatever links lead to it.
    fn enter(
        &self,
        plan: &mut Plan,
        path: &Path,
        meta: &Meta,
        seen: &mut HashSet<(u64, u64)>,
    ) -> Result<(), Failure> {
        if seen.insert((meta.dev, meta.ino)) { self.recurse(plan, path, seen) } else { Ok(()) }
    }
}
