//! Actions that live on the controller. A new one is a file here and a word in the list.

use std::sync::Arc;

use convoy_agent::args::Spec;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};
use futures::future::LocalBoxFuture;

use crate::inventory::Addition;
use crate::run::node::{Node, Trouble};
use crate::template::{Context, Error, Kind as ErrorKind, Templar, unknown};
use crate::vars::TaskScope;

/// An action of the controller.
#[derive(Debug)]
pub struct Action {
    /// Its name, as in a task.
    pub name: &'static str,
    /// Its documentation.
    pub doc: Doc,
    /// Its arguments.
    pub spec: Spec,
    /// Whether it takes any argument at all (`set_fact`).
    pub any_argument: bool,
    /// Whether the names of the variables that it sets are known only afterwards (`include_vars`).
    pub sets_unknown_names: bool,
    /// Whether it adds to the inventory: what follows may see other groups and variables.
    pub changes_inventory: bool,
    /// Whether it is done once for all hosts of the batch.
    pub once_for_all: bool,
    /// Arguments that the action renders itself.
    pub unrendered: &'static [&'static str],
    /// Does it for one host (and one item of a loop).
    pub run: Run,
}

impl Action {
    /// Returns whether the action hands on, or shows, what a dry run cannot know.
    pub fn takes_unknown(&self) -> bool {
        matches!(self.name, "debug" | "set_fact")
    }
}

/// How an action is done.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// Here, without any node.
    Here(fn(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure>),
    /// By talking with the node, which may be lost and found again. Nothing is looked at ahead of it.
    Talk {
        /// The conversation.
        talk: Conversation,
        /// Whether it does nothing to the node: it may be done again.
        harmless: bool,
    },
}

/// What an action says to its node, and hears.
pub type Conversation = for<'a> fn(args: &'a Map, node: &'a Node<'a>) -> Talk<'a>;

/// A conversation with a node, under way.
pub type Talk<'a> = LocalBoxFuture<'a, Result<Done, Trouble>>;

/// Where the variables of an action are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kept {
    /// With those of `set_fact`.
    #[default]
    Set,
    /// There, and as facts (`cacheable`).
    Facts,
    /// With those of `include_vars`, below them.
    Included,
}

/// What an action returns.
#[derive(Debug, Default)]
pub struct Done {
    /// The return values.
    pub values: Map,
    /// Variables to be stored for the host.
    pub variables: Map,
    /// Where they are stored.
    pub kept: Kept,
    /// What is added to the inventory.
    pub addition: Option<Addition>,
    /// Whether anything is different now.
    pub changed: bool,
    /// The reason, if there was nothing to be done.
    pub skipped: Option<String>,
    /// Whether it failed as it should (`assert`); the values say why.
    pub failed: bool,
    /// Whether the result is shown in full at any verbosity.
    pub show: bool,
    /// What the run is to wait for.
    pub pause: Option<pause::Pause>,
}

/// Where an action runs: the host's variables, and how to read them.
pub struct Scene<'a> {
    /// The host's variables.
    pub scope: &'a TaskScope,
    /// Renders.
    pub templar: &'a Arc<Templar>,
    /// Where files are looked for.
    pub context: &'a Context,
    /// How many `-v` were given.
    pub verbosity: u8,
}

impl Scene<'_> {
    /// Renders a value.
    ///
    /// # Errors
    /// As [`Templar::render`].
    pub fn render(&self, value: &Value) -> Result<Value, Error> {
        self.templar.render(value, self.scope, self.context)
    }

    /// Decides a condition.
    ///
    /// # Errors
    /// As [`Templar::condition`].
    pub fn condition(&self, condition: &Value) -> Result<bool, Error> {
        self.templar.condition(condition, self.scope, self.context)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(error.to_string());
        if error.kind == ErrorKind::Unknown {
            unknown::set_rest(&mut failure.values, &error.message.into());
        }
        failure
    }
}

/// Declares the actions and the table of them.
macro_rules! actions {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// All actions of the controller, in the order of their names.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls an action where nothing but `vars` is known.
    pub(super) fn scene<T>(vars: Map, call: impl FnOnce(&Scene<'_>) -> T) -> T {
        call(&Scene {
            scope: &TaskScope::of_map(Map::new()).with(vars),
            templar: &Arc::new(Templar::new(crate::template::Options::default(), Arc::default())),
            context: &Context::default(),
            verbosity: 0,
        })
    }
}
