//! Carries out the plan of an undo.

use std::path::Path;

use super::plan::Plan;
use super::step::{Action, Step, kept_is_whole};
use crate::changes::line::RecordLine;
use crate::changes::record::Writer;
use crate::changes::{ContentState, PathKind};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::{Attributes, Bytes, SetTime, System};

/// Undoes everything in the plan, the last change first. The undo is recorded like other changes, so that it can be undone
/// as well.
///
/// # Errors
/// If there are problems, or something cannot be undone; earlier steps are done then, and the next undo does the rest.
pub(crate) fn perform(plan: &Plan, node: &mut System) -> Result<(), Failure> {
    if let Some(first) = plan.problems.first() {
        return Err(Failure::new(first.text.clone()));
    }
    let open = Writer::open(&plan.record).map_err(|error| cannot("write", &plan.record, &error));
    let (mut writer, _) = open?;
    let by = node.recorder().run().unwrap_or_default();
    let mut note = |ids: &[&String], durably: bool| {
        let lines: Vec<RecordLine> =
            ids.iter().map(|id| RecordLine::Undone { id: (*id).clone(), by: by.clone() }).collect();
        writer.append(&lines, durably).map_err(|error| cannot("write", &plan.record, &error))
    };
    for step in &plan.steps {
        node.recorder().set_secret(step.secret);
        let done = step.perform(node);
        node.recorder().set_secret(false);
        done?;
        // The old file may have been moved back, and would be missed if the undo were repeated.
        note(&[&step.id], false)?;
    }
    note(&plan.ids.iter().collect::<Vec<_>>(), true)
}

impl Step {
    fn perform(&self, node: &mut System) -> Result<(), Failure> {
        match self.action {
            Action::Remove => node.remove(&self.path),
            Action::RemoveDirectory => node.remove_empty_directory(&self.path),
            Action::Attributes => self.attribute(node, &self.path),
            Action::Restore => self.restore(node),
        }
    }

    fn attributes(&self) -> Attributes {
        let ownership = self.was.ownership;
        Attributes {
            mode: ownership.map(|ownership| ownership.mode),
            uid: ownership.map(|ownership| ownership.uid),
            gid: ownership.map(|ownership| ownership.gid),
        }
    }

    /// Restores the attributes of a path.
    fn attribute(&self, node: &mut System, path: &Path) -> Result<(), Failure> {
        let Some(meta) = node.lstat(path)? else { return Ok(()) };
        let wanted = self.attributes();
        if (wanted.uid, wanted.gid) != (Some(meta.uid), Some(meta.gid)) {
            node.lchown(path, wanted.uid, wanted.gid)?;
        }
        if !meta.is_link()
            && let Some(mode) = wanted.mode
        {
            node.chmod(path, mode)?;
        }
        match self.was.mtime.filter(|time| *time != meta.mtime) {
            Some(time) if meta.is_link() => node.set_time_of_link(path, time),
            Some(time) if meta.is_file() => node.set_times(path, SetTime::Keep, SetTime::To(time)),
            _ => Ok(()),
        }
    }

    fn restore(&self, node: &mut System) -> Result<(), Failure> {
        let path = &self.path;
        let now = node.lstat(path)?;
        // Verified again, since time has passed.
        if !kept_is_whole(&self.was, node)? {
            return Err(Failure::new(format!(
                "the backup of {} has changed in the meantime",
                path.display()
            )));
        }
        match (&self.was.kind, &self.was.kept) {
            (PathKind::File, Some(kept)) => {
                let now = match now {
                    Some(meta) if meta.is_dir() => {
                        node.remove_empty_directory(path)?;
                        None
                    }
                    other => other,
                };
                let mut temporary = node.prepare(path, Bytes::File(kept), self.attributes())?;
                let found = node.sha256(temporary.path())?;
                if self.was.content != ContentState::Digest(found) {
                    return Err(Failure::new(format!(
                        "the backup of {} has changed in the meantime",
                        path.display()
                    )));
                }
                temporary.set_digest(found);
                node.set_xattrs_and_mtime(&temporary, &self.was.xattrs, self.was.mtime)?;
                node.place(temporary, now.as_ref())
            }
            (PathKind::Link(target), _) => {
                node.symlink(target, path, now.as_ref())?;
                self.attribute(node, path)
            }
            (PathKind::Directory, _) => {
                if now.is_some() {
                    node.remove(path)?;
                }
                node.make_dir(path)?;
                self.attribute(node, path)
            }
            (PathKind::Tree, Some(kept)) => {
                if now.is_some() {
                    node.remove(path)?;
                }
                node.restore_tree(kept, path)
            }
            _ => Err(Failure::new(format!("there is no backup of {}", path.display()))),
        }
    }
}
