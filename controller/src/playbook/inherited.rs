//! What a task takes over from the blocks, imports, roles and the play around it.

use convoy_protocol::Map;

use super::ast::{Action, Inherited, Task, UndoSection};

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
        if inherited.undo_section != UndoSection::Outside {
            inherited.undo_section = UndoSection::Included;
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
