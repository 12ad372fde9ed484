//! The implicit task that gathers facts at the start of a play.

use convoy_protocol::map;

use super::ast::{Action, Keywords, Play, Task};
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};

/// The module that gathers facts.
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
        name: Some("Gathering Facts".into()),
        args: args.into(),
        keywords: Keywords {
            tags: vec!["always".into()],
            when: play.import_when.clone(),
            ..play.keywords.clone()
        },
        ..Task::new(MODULE, Action::Module(setup), play.at.clone(), play.dir.clone())
    })
}
