//! `vars_files:` of a play. Which files these are can depend on the host, and on its facts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use super::Scheduler;
use super::batch::Batch;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::playbook::ast::Play;
use crate::secrets::Vault;
use crate::services::context;
use crate::source_file::read_yaml;
use crate::template::Kind;
use crate::template::unknown::known;

impl Scheduler {
    /// Reads the play's `vars_files` for hosts of a batch, as far as their names can be made.
    pub(super) fn read_vars_files(&mut self, batch: &mut Batch, group: &[usize]) -> Result<(), Diagnostics> {
        for &index in group {
            if !batch.hosts[index].vars_files {
                let host = batch.host(index);
                batch.hosts[index].vars_files = self.read_play_files(&batch.play, &host)?;
            }
        }
        Ok(())
    }

    /// Reads the play's files of variables for `host`. Returns whether all could be named: an undefined variable in a name
    /// may be a fact that is not gathered yet.
    ///
    /// # Errors
    /// If no file of an entry exists, or one is no map.
    pub(super) fn read_play_files(&mut self, play: &Arc<Play>, host: &Arc<str>) -> Result<bool, Diagnostics> {
        let mut complete = true;
        let mut vars = Map::new();
        for entry in &play.vars_files {
            match self.vars_file(play, host, entry)? {
                Some(more) => vars.extend(more),
                None => complete = false,
            }
            let files = &mut self.world.play_facts().vars_files;
            files.insert(host.clone(), Arc::new(vars.clone()));
        }
        Ok(complete)
    }

    /// Reads the first file of an entry that exists; `None` if its name cannot be made yet.
    fn vars_file(
        &self,
        play: &Arc<Play>,
        host: &Arc<str>,
        entry: &Value,
    ) -> Result<Option<Map>, Diagnostics> {
        let scope = self.world.vars.scope(host, None);
        let context = context(vec![play.dir.clone()], true);
        let names = entry.as_list().map_or_else(|| vec![entry.clone()], <[Value]>::to_vec);
        let mut searched = Vec::new();
        for name in names {
            let name = match self.services.templar.render(&name, &scope, &context).and_then(known) {
                Ok(name) => crate::text::python::str(&name),
                // The name may need a fact; once there are facts it is a mistake.
                Err(error)
                    if error.kind == Kind::Undefined && self.world.vars.store.host(host).facts.is_empty() =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error.diagnostic().at(at(entry, play)).into()),
            };
            for path in places(&play.dir, &name) {
                if path.is_file() {
                    return map(&self.services.options.vault, &path).map(Some);
                }
                searched.push(path);
            }
        }
        let mut missing = Diagnostic::user("none of the files of variables exists").at(at(entry, play));
        for path in searched {
            missing = missing.note(format!("searched {}", path.display()));
        }
        Err(missing.into())
    }
}

fn at(entry: &Value, play: &Arc<Play>) -> Arc<convoy_protocol::Origin> {
    entry.origin.clone().unwrap_or_else(|| play.at.clone())
}

fn places(dir: &Path, name: &str) -> Vec<PathBuf> {
    let name = crate::paths::expand_user(name);
    if name.is_absolute() { vec![name] } else { vec![dir.join("vars").join(&name), dir.join(&name)] }
}

fn map(vault: &Vault, path: &Path) -> Result<Map, Diagnostics> {
    let Some(node) = read_yaml(path, vault)? else { return Ok(Map::new()) };
    let value = node.to_value()?;
    // As in Ansible, a list of maps is as good.
    if let Some(maps) = value.as_list().filter(|list| list.iter().all(|item| item.as_map().is_some())) {
        return Ok(maps.iter().filter_map(Value::as_map).flat_map(Map::clone).collect());
    }
    value.as_map().cloned().ok_or_else(|| {
        Diagnostic::user(format!("a file of variables must be a map, not {}", value.kind_name()))
            .at(node.at)
            .into()
    })
}
