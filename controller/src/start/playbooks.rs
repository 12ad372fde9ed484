//! Reads the playbooks of a run.

use std::path::PathBuf;

use convoy_protocol::{Map, Value};

use crate::diagnostic::Diagnostics;
use crate::playbook::{LoadedPlaybooks, Loader};
use crate::services::options::Options;
use crate::template::{Context, Templar};
use crate::vars::TaskScope;

/// Reads the playbooks; names of imported files may use the extra variables and those of the play.
///
/// # Errors
/// All that is wrong in them.
pub fn load_playbooks(
    loader: &Loader,
    paths: &[PathBuf],
    options: &Options,
) -> Result<LoadedPlaybooks, Diagnostics> {
    let templar = Templar::new(options.template.clone(), options.vault.clone());
    let render = |value: &Value, vars: &Map| {
        let mut all = vars.clone();
        all.extend(options.extra_vars.clone());
        let scope = TaskScope::of_map(all);
        let context =
            Context { search: options.playbook_dir.iter().cloned().collect(), ..Context::default() };
        templar.render(value, &scope, &context).map_err(|error| {
            let at = error.origin.clone().or_else(|| value.origin.clone());
            error.diagnostic().at(at)
        })
    };
    loader.playbooks(paths, &render)
}
