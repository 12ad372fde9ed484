//! What a task takes over from the blocks, imports, roles and the play around it.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use super::ast::{Action, Keywords, Role, Task};

/// Whether tasks undo a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Undoes {
    /// They do not.
    #[default]
    No,
    /// They do, and stand where that can be seen when the playbook is read.
    Here,
    /// They do, and were included by such tasks.
    Included,
}

/// What a task takes over from what surrounds it.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// Keywords, merged.
    pub keywords: Keywords,
    /// `vars:` of blocks and imports, inner over outer.
    pub vars: Map,
    /// `notify:` of blocks, outer first.
    pub notify: Vec<Value>,
    /// The role that the tasks belong to.
    pub role: Option<Arc<Role>>,
    /// The folder of the file that is read.
    pub dir: PathBuf,
    /// The folder of the playbook.
    pub playbook_dir: PathBuf,
    /// Variables of the play that the names of imported files may use.
    pub play_vars: Map,
    /// Whether a failure is met by a `rescue`.
    pub rescued: bool,
    /// Whether the tasks undo a block.
    pub undoes: Undoes,
    /// The files that are being imported, outermost first.
    pub trail: Vec<PathBuf>,
}

impl Inherited {
    /// Returns what the tasks inherit that the include `task` brings in: what surrounds it, then its `apply:`, and its
    /// own `vars:`. `None` if it is no include.
    pub fn of_include(task: &Task) -> Option<Self> {
        let (apply, apply_vars, apply_notify) = match &task.action {
            Action::IncludeTasks { apply, apply_vars, apply_notify, .. } => {
                (apply.as_ref(), apply_vars, apply_notify)
            }
            Action::IncludeRole(include) => (&include.apply, &include.apply_vars, &include.apply_notify),
            _ => return None,
        };
        let mut inherited = task.around.as_deref()?.clone();
        inherited.keywords = apply.clone().within(&inherited.keywords);
        inherited.vars.clone_from(&task.vars);
        extend(&mut inherited.vars, apply_vars);
        inherited.notify.extend(apply_notify.iter().cloned());
        inherited.trail.clear();
        if inherited.undoes != Undoes::No {
            inherited.undoes = Undoes::Included;
        }
        Some(inherited)
    }

    /// Returns the variables that the name of an imported file or role may use.
    pub(super) fn names(&self) -> Map {
        let mut names = Map::new();
        if let Some(role) = &self.role {
            extend(&mut names, &role.defaults);
        }
        extend(&mut names, &self.play_vars);
        if let Some(role) = &self.role {
            extend(&mut names, &role.vars);
            extend(&mut names, &role.params);
        }
        extend(&mut names, &self.vars);
        names
    }
}

/// Puts the entries of `over` into `map`, in place of those with the same name.
pub(super) fn extend(map: &mut Map, over: &Map) {
    map.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
}
