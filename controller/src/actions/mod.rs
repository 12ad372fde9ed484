//! Actions: tasks that the controller carries out itself.
//!
//! A new action is a file here and a word in the list below. The file declares an [`Action`]: name, documentation,
//! arguments, the function to run, and the properties that the engine needs to know. Actions import nothing of the
//! engine; those that need the node of a task use a [`NodeSession`].

mod action;
mod session;

#[cfg(test)]
mod tests;

pub use action::{Action, ActionContext, ActionFuture, ActionOutcome, NodeAction, Pause, Run, VariableLevel};
pub use session::{ActionError, NodeError, NodeSession, RetryError};

/// Declares the modules of the actions and the table of all actions.
macro_rules! actions {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// All actions, sorted by name.
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

/// Finds an action by its name, with or without the prefix `ansible.builtin.` or `ansible.legacy.`.
pub fn find(name: &str) -> Option<&'static Action> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    ALL.iter().find(|action| action.name == short)
}
