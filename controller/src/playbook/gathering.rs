//! The gathering of facts with which a play begins: a task that nobody writes.

use convoy_protocol::{Map, map};

use super::ast::{Action, Keywords, Play, Task};
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};

/// The module by which Ansible gathers facts.
const MODULE: &str = "setup";

/// Returns the task that gathers facts at the start of a play.
///
/// # Errors
/// If the agent has no module for it.
pub fn task(play: &Play) -> Result<Task, Diagnostics> {
    let Some(setup) = convoy_agent::modules::find(MODULE) else {
        return Err(Diagnostic::user(format!("the agent has no module `{MODULE}`"))
            .kind(Kind::Internal)
            .into());
    };
    let mut args = map! {};
    if let Some(subset) = &play.gather_subset {
        args.insert("gather_subset".into(), subset.clone());
    }
    Ok(Task {
        at: play.at.clone(),
        name: Some("Gathering Facts".into()),
        action_name: MODULE.into(),
        action: Action::Module(setup),
        args: args.into(),
        keywords: Keywords {
            tags: vec!["always".into()],
            when: play.import_when.clone(),
            ..play.keywords.clone()
        },
        vars: Map::new(),
        repeat: None,
        register: None,
        until: None,
        retries: None,
        delay: None,
        failed_when: None,
        changed_when: None,
        async_limit: None,
        poll: None,
        notify: Vec::new(),
        listen: Vec::new(),
        role: None,
        inherited: None,
        dir: play.dir.clone(),
    })
}
