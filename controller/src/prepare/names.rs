//! Which variables a task sets, as far as that is known before it is executed.

use crate::playbook::ast::{Action, Task};
use crate::template::Templar;

/// Returns whether the names of the variables that a task sets are known before it is executed.
pub fn names_are_known(task: &Task) -> bool {
    match &task.action {
        Action::Named(_) => false,
        Action::Controller(action) if action.sets_unknown_names => false,
        Action::Controller(action) if action.any_argument => task.args.as_map().is_some_and(|args| {
            args.keys().all(|key| {
                key.as_str().is_none_or(|name| name != "_variable_params" && !Templar::is_template(name))
            })
        }),
        _ => true,
    }
}
