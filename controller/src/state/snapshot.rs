//! The variables of a run as they are at one moment: what preparing and executing a task looks at.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::LOCALHOST;
use crate::playbook::ast::{Play, Task};
use crate::services::context;
use crate::template::Templar;
use crate::template::unknown::known;
use crate::vars::magic::{Magic, PlayFacts, RunFacts};
use crate::vars::{Store, TaskScope};

/// A task, and the parameters of the includes that brought it.
pub type Placed<'a> = (&'a Arc<Task>, &'a Arc<Map>);

/// The variables of a run. Cheap to clone: everything is shared, and a clone does not change with the original.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The variables of all hosts.
    pub store: Arc<Store>,
    /// What magic variables say of the run.
    pub run: Arc<RunFacts>,
    /// What magic variables say of the play in progress.
    pub play: Arc<PlayFacts>,
    /// Hosts with variables that no password opens: only a run that needs them fails.
    pub locked: Arc<HashMap<Arc<str>, Diagnostics>>,
}

impl Snapshot {
    /// Returns whether the inventory has a host.
    pub fn knows(&self, host: &str) -> bool {
        self.run.group_names.contains_key(host)
    }

    /// Returns whether a name is that of the workstation, which the inventory does not have.
    pub fn is_implicit(&self, host: &str) -> bool {
        LOCALHOST.contains(&host) && !self.knows(host)
    }

    /// Returns what a task, or a play, sees on a host.
    pub fn scope(&self, host: &Arc<str>, task: Option<Placed<'_>>) -> TaskScope {
        let magic = Magic {
            host: host.clone(),
            run: self.run.clone(),
            task: task.map(|(task, _)| task.clone()),
            play: self.play.clone(),
            store: self.store.clone(),
        };
        let nothing = Arc::default();
        TaskScope::of(magic, task.map_or(&nothing, |(_, params)| params))
    }

    /// Renders a value of a play for the whole play, without a host.
    ///
    /// # Errors
    /// If it cannot be rendered.
    pub fn render_for_play(
        &self,
        templar: &Templar,
        play: &Arc<Play>,
        value: &Value,
    ) -> Result<Value, Diagnostic> {
        let facts = Arc::new(PlayFacts { play: Some(play.clone()), ..PlayFacts::default() });
        let of_play = Self { play: facts, ..self.clone() };
        let scope = of_play.scope(&"".into(), None);
        let rendered = templar.render(value, &scope, &context(vec![play.dir.clone()], true));
        rendered
            .and_then(known)
            .map_err(|error| error.diagnostic().at(value.origin.clone().unwrap_or_else(|| play.at.clone())))
    }

    /// Returns a name as it is shown for a task on a host: templates rendered as far as they can be.
    pub fn display_name(
        &self,
        templar: &Templar,
        name: &Value,
        host: &Arc<str>,
        placed: Placed<'_>,
    ) -> String {
        let scope = self.scope(host, Some(placed));
        let rendered = templar.render(name, &scope, &context(Vec::new(), false)).and_then(known);
        crate::text::python::label(Some(&rendered.unwrap_or_else(|_| name.clone())))
    }

    /// Fails if variables of one of `hosts` cannot be decrypted.
    ///
    /// # Errors
    /// Which, each once.
    pub fn expect_decrypted<'h>(
        &self,
        hosts: impl IntoIterator<Item = &'h Arc<str>>,
    ) -> Result<(), Diagnostics> {
        let mut problems = Diagnostics::new();
        for problem in hosts.into_iter().filter_map(|host| self.locked.get(host)).flatten() {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
