//! Actions: tasks that the controller carries out itself. A new one is a file here and a word in the list.

mod action;
mod session;

#[cfg(test)]
mod tests;

pub use action::{Action, ActionContext, ActionFuture, ActionOutcome, NodeAction, Pause, Run, VariableLevel};
pub use session::{ActionError, NodeError, NodeSession, RetryError};

/// Declares the actions and the table of them.
macro_rules! actions {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// All actions, in the order of their names.
        pub static ALL: &[Action] = &[$($name::ACTION),*];
    };
}

actions! {
    add_host,
    assert,
    debug,
    fail,
    group_by,
    include_vars,
    pause,
    reboot,
    set_fact,
    set_stats,
    validate_argument_spec,
    wait_for_connection,
}

/// Finds an action by its name, with or without `ansible.builtin.` or `ansible.legacy.` before it.
pub fn find(name: &str) -> Option<&'static Action> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    ALL.iter().find(|action| action.name == short)
}
