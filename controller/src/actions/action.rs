//! The declaration of an action, its input and its output.
//!
//! The engine reads what it needs to know about an action from the fields of [`Action`]; it never compares names.

use std::sync::Arc;

use convoy_agent::args::Spec;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Value};
use futures::future::LocalBoxFuture;

use super::session::{ActionError, NodeSession};
use crate::inventory::Addition;
use crate::template::{Context, Error, Kind as ErrorKind, Scope, Templar, unknown};

/// An action: a task that the controller carries out itself.
#[derive(Debug)]
pub struct Action {
    /// The name, as tasks write it.
    pub name: &'static str,
    /// The documentation.
    pub doc: Doc,
    /// The arguments.
    pub spec: Spec,
    /// How it runs.
    pub run: Run,
    /// Whether it takes arguments of any name, beside those of `spec` (`set_fact`).
    pub any_argument: bool,
    /// Whether the names of the variables that it sets are unknown until it has run (`include_vars`).
    pub sets_unknown_names: bool,
    /// Whether it adds hosts or groups, so that later tasks may see other groups and variables.
    pub changes_inventory: bool,
    /// Whether it runs once for all hosts of the batch.
    pub once_for_all: bool,
    /// Whether it pauses the run, for a time or for the user.
    pub pauses_run: bool,
    /// Whether its arguments may contain values that are unknown in check mode.
    pub accepts_unknown: bool,
    /// The arguments that the engine passes unrendered.
    pub unrendered: &'static [&'static str],
}

impl Action {
    /// Declares an action without special properties.
    pub const fn new(name: &'static str, doc: Doc, spec: Spec, run: Run) -> Self {
        Self {
            name,
            doc,
            spec,
            run,
            any_argument: false,
            sets_unknown_names: false,
            changes_inventory: false,
            once_for_all: false,
            pauses_run: false,
            accepts_unknown: false,
            unrendered: &[],
        }
    }
}

/// How an action runs.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// On the controller, without a node; once per host and loop item.
    OnController(fn(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure>),
    /// By running modules on the node, whose connection it may close and reopen. Look-ahead stops before it.
    OnNode {
        /// The function to run.
        run: NodeAction,
        /// Whether it changes nothing on the node, so that a resumed run may repeat it.
        repeatable: bool,
    },
}

/// An action that runs modules on its node.
pub type NodeAction = for<'a> fn(args: &'a Map, node: &'a dyn NodeSession) -> ActionFuture<'a>;

/// A [`NodeAction`] in progress.
pub type ActionFuture<'a> = LocalBoxFuture<'a, Result<ActionOutcome, ActionError>>;

/// The precedence level at which the variables of an action are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VariableLevel {
    /// That of `set_fact`.
    #[default]
    SetFact,
    /// That of `set_fact`, and also that of facts (`cacheable`).
    CacheableFact,
    /// That of `include_vars`, below `set_fact`.
    IncludeVars,
}

/// What an action returns.
#[derive(Debug, Default)]
pub struct ActionOutcome {
    /// The return values.
    pub values: Map,
    /// Variables to store for the host.
    pub variables: Map,
    /// The level at which they are stored.
    pub level: VariableLevel,
    /// What to add to the inventory.
    pub addition: Option<Addition>,
    /// Whether it changed anything.
    pub changed: bool,
    /// The reason, if there was nothing to do.
    pub skipped: Option<String>,
    /// Whether it failed as intended (`assert`); the values say why.
    pub failed: bool,
    /// Whether the result is shown in full at any verbosity.
    pub show: bool,
    /// A pause that the run is to make now.
    pub pause: Option<Pause>,
}

/// A pause of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// The question to the user.
    pub prompt: Option<String>,
    /// Whether the user's input is echoed.
    pub echo: bool,
    /// Its length; without it, the run waits for the user.
    pub seconds: Option<u64>,
    /// Whether the elapsed time is reported in minutes.
    pub minutes: bool,
}

/// What an action sees of the controller.
pub struct ActionContext<'a> {
    /// The host's variables.
    pub scope: &'a dyn Scope,
    /// Renders templates.
    pub templar: &'a Arc<Templar>,
    /// Where files are searched for.
    pub template_context: &'a Context,
    /// How many `-v` were given.
    pub verbosity: u8,
}

impl ActionContext<'_> {
    /// Returns a variable of the host, not rendered.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn variable(&self, name: &str) -> Result<Option<Value>, Error> {
        self.scope.get(name)
    }

    /// Renders a value.
    ///
    /// # Errors
    /// As [`Templar::render`].
    pub fn render(&self, value: &Value) -> Result<Value, Error> {
        self.templar.render(value, self.scope, self.template_context)
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// As [`Templar::condition`].
    pub fn condition(&self, condition: &Value) -> Result<bool, Error> {
        self.templar.condition(condition, self.scope, self.template_context)
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
