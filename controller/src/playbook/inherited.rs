//! How tasks inherit from the blocks, imports, roles and the play around them.

use convoy_protocol::Map;

use super::ast::{Action, Inherited, Task, UndoSection};

impl Inherited {
    /// Returns what tasks inherit that the include `task` brings in: from its surroundings, its `apply:`, and its own
    /// `vars:`. Returns `None` if `task` is not an include.
    pub fn of_include(task: &Task) -> Option<Self> {
        let (apply, apply_vars, apply_notify) = match &task.action {
            Action::IncludeTasks { apply, apply_vars, apply_notify, .. } => {
                (apply.as_ref(), apply_vars, apply_notify)
            }
            Action::IncludeRole(include) => (&include.apply, &include.apply_vars, &include.apply_notify),
            _ => return None,
        };
        let mut inherited = task.inherited.as_deref()?.clone();
        inherited.keywords = apply.clone().merged_into(&inherited.keywords);
        inherited.vars.clone_from(&task.vars);
        extend(&mut inherited.vars, apply_vars);
        inherited.notify.extend(apply_notify.iter().cloned());
        inherited.import_chain.clear();
        if inherited.undo_section != UndoSection::Outside {
            inherited.undo_section = UndoSection::Included;
        }
        Some(inherited)
    }

    /// Returns the variables that the names of imported files and roles can use.
    pub(super) fn static_vars(&self) -> Map {
        let mut vars = Map::new();
        if let Some(role) = &self.role {
            extend(&mut vars, &role.defaults);
        }
        extend(&mut vars, &self.play_vars);
        if let Some(role) = &self.role {
            extend(&mut vars, &role.vars);
            extend(&mut vars, &role.params);
        }
        extend(&mut vars, &self.vars);
        vars
    }
}

/// Inserts the entries of `over` into `map`, replacing those with the same name.
pub(super) fn extend(map: &mut Map, over: &Map) {
    map.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
}
