//! Magic variables: what a playbook can ask about the run itself.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use super::TaskScope;
use super::precedence::{Sources, layers};
use super::store::Store;
use crate::paths::{absolute, find_program};
use crate::playbook::ast::{Play, Role, Task};
use crate::template::{Scope, omit_token};

/// The version of Ansible's language that `ansible_version` names.
const LANGUAGE: [i64; 3] = [2, 18, 0];

/// What holds for the whole run.
#[derive(Debug, Default)]
pub struct RunFacts {
    /// `groups`.
    pub groups: Map,
    /// For each host the names of its groups, sorted.
    pub group_names: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The hosts of the inventory, in its order.
    pub hosts: Vec<Arc<str>>,
    /// Whether maps that several sources of variables have are put together.
    pub merge: bool,
    /// The sources of the inventory, absolute.
    pub inventory_sources: Vec<String>,
    /// `-C`.
    pub check: bool,
    /// `-D`.
    pub diff: bool,
    /// `-f`.
    pub forks: usize,
    /// How many `-v`.
    pub verbosity: u8,
    /// `-t`.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `-l`.
    pub limit: Option<String>,
}

/// What holds for one batch of a play.
#[derive(Debug, Default, Clone)]
pub struct PlayFacts {
    /// The play.
    pub play: Option<Arc<Play>>,
    /// All hosts of the play.
    pub all: Vec<Arc<str>>,
    /// Those that have not failed.
    pub active: Vec<Arc<str>>,
    /// Those of the batch that have not failed.
    pub batch: Vec<Arc<str>>,
    /// Roles whose variables the whole play sees.
    pub public: Vec<Arc<Role>>,
    /// For each host what the play's `vars_files` hold.
    pub vars_files: HashMap<Arc<str>, Arc<Map>>,
}

/// The magic variables of one task on one host.
#[derive(Clone, Default)]
pub struct Magic {
    /// The host.
    pub host: Arc<str>,
    /// What holds for the run.
    pub run: Arc<RunFacts>,
    /// What holds for the play.
    pub play: Arc<PlayFacts>,
    /// The task.
    pub task: Option<Arc<Task>>,
    /// The variables of all hosts, for `hostvars`.
    pub store: Arc<Store>,
}

impl fmt::Debug for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Magic").field("host", &self.host).finish_non_exhaustive()
    }
}

const NAMES: &[&str] = &[
    "inventory_hostname",
    "inventory_hostname_short",
    "group_names",
    "groups",
    "inventory_dir",
    "inventory_file",
    "playbook_dir",
    "omit",
    "ansible_facts",
    "ansible_play_hosts_all",
    "ansible_play_hosts",
    "ansible_play_batch",
    "play_hosts",
    "ansible_play_name",
    "role_name",
    "ansible_role_name",
    "role_path",
    "ansible_parent_role_names",
    "ansible_parent_role_paths",
    "ansible_play_role_names",
    "role_names",
    "ansible_dependent_role_names",
    "ansible_role_names",
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_forks",
    "ansible_verbosity",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_limit",
    "ansible_inventory_sources",
    "ansible_version",
    "ansible_playbook_python",
    "ansible_search_path",
];

impl Magic {
    /// Returns the names that have a value.
    pub fn names(&self) -> Vec<Arc<str>> {
        NAMES.iter().filter(|name| self.get(name).is_some()).map(|name| Arc::from(*name)).collect()
    }

    /// Returns a magic variable.
    pub fn get(&self, name: &str) -> Option<Value> {
        // Most names are none of these.
        if !NAMES.contains(&name) {
            return None;
        }
        self.of_host(name)
            .or_else(|| self.of_play(name))
            .or_else(|| self.of_role(name))
            .or_else(|| self.of_run(name))
    }

    fn of_host(&self, name: &str) -> Option<Value> {
        Some(match name {
            "inventory_hostname" => self.host.clone().into(),
            "inventory_hostname_short" => self.host.split('.').next().unwrap_or_default().into(),
            "group_names" => texts(self.run.group_names.get(&self.host)?),
            "ansible_facts" => Value::from(convoy_protocol::Kind::Map(self.store.host(&self.host).facts)),
            "omit" => omit_token().into(),
            _ => return None,
        })
    }

    fn of_play(&self, name: &str) -> Option<Value> {
        let play = self.play.play.as_ref()?;
        Some(match name {
            "playbook_dir" => path(&play.dir),
            "ansible_play_hosts_all" => texts(&self.play.all),
            "ansible_play_hosts" => texts(&self.play.active),
            "ansible_play_batch" | "play_hosts" => texts(&self.play.batch),
            "ansible_play_name" => play.name.clone().unwrap_or_else(|| play.hosts.clone()),
            "ansible_play_role_names" | "role_names" => names(direct(&play.roles)),
            "ansible_dependent_role_names" => names(&once(dependencies(&play.roles))),
            "ansible_role_names" => {
                let mut all: Vec<_> = direct(&play.roles).cloned().collect();
                all.extend(dependencies(&play.roles));
                names(&once(all))
            }
            _ => return None,
        })
    }

    fn of_role(&self, name: &str) -> Option<Value> {
        let task = self.task.as_ref()?;
        if name == "ansible_search_path" {
            return Some(search_path(task, self.play.play.as_deref()).iter().map(|p| path(p)).collect());
        }
        let role = task.role.as_ref()?;
        Some(match name {
            "role_name" => role.name.rsplit('.').next().unwrap_or_default().into(),
            "ansible_role_name" => role.name.clone().into(),
            "role_path" => path(&role.path),
            // Only where a role is included by another one.
            "ansible_parent_role_names" | "ansible_parent_role_paths" if role.parents.is_empty() => {
                return None;
            }
            "ansible_parent_role_names" => {
                role.parents.iter().map(|(name, _)| Value::from(name.clone())).collect()
            }
            "ansible_parent_role_paths" => role.parents.iter().map(|(_, folder)| path(folder)).collect(),
            _ => return None,
        })
    }

    fn of_run(&self, name: &str) -> Option<Value> {
        let run = &self.run;
        Some(match name {
            "groups" => run.groups.clone().into(),
            "inventory_file" => run.inventory_sources.first()?.as_str().into(),
            "inventory_dir" => {
                let source = Path::new(run.inventory_sources.first()?);
                path(if source.is_dir() { source } else { source.parent()? })
            }
            "ansible_check_mode" => run.check.into(),
            "ansible_diff_mode" => run.diff.into(),
            "ansible_forks" => i64::try_from(run.forks).ok()?.into(),
            "ansible_verbosity" => i64::from(run.verbosity).into(),
            "ansible_run_tags" => texts(&run.tags),
            "ansible_skip_tags" => texts(&run.skip_tags),
            "ansible_limit" => run.limit.as_deref()?.into(),
            "ansible_inventory_sources" => texts(&run.inventory_sources),
            "ansible_version" => version(),
            "ansible_playbook_python" => path(&find_program("python3")?),
            _ => return None,
        })
    }

    /// Returns what another host sees: for `hostvars`.
    pub fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        let known = self
            .run
            .hosts
            .iter()
            .find(|host| &***host == name)
            .or((&*self.host == name).then_some(&self.host));
        let magic = Self { host: known?.clone(), task: None, ..self.clone() };
        let vars = self.store.host(name);
        let nothing = Arc::default();
        let sources = Sources {
            play: self.play.play.as_ref(),
            public: &self.play.public,
            vars_files: self.play.vars_files.get(name).unwrap_or(&nothing),
            host: &vars,
            task: None,
            params: &nothing,
            extra: &self.store.extra,
        };
        Some(Arc::new(TaskScope::new(magic, layers(&sources))))
    }

    /// Returns the names of all hosts that `hostvars` has.
    pub fn all_hosts(&self) -> Vec<Arc<str>> {
        self.run.hosts.clone()
    }
}

/// Returns where a task's relative files are looked for: its role and the roles that asked for it, its own folder,
/// the playbook's. All of them are absolute: what is found there is handed on to modules and templates.
pub fn search_path(task: &Task, play: Option<&Play>) -> Vec<PathBuf> {
    let mut path: Vec<PathBuf> = task.role.iter().map(|role| role.path.clone()).collect();
    path.push(task.dir.clone());
    path.extend(play.map(|play| play.dir.clone()));
    path.iter_mut().for_each(|folder| *folder = absolute(&*folder));
    let mut seen = HashSet::new();
    path.retain(|folder| seen.insert(folder.clone()));
    path
}

fn texts(list: &[impl AsRef<str>]) -> Value {
    list.iter().map(|text| Value::from(text.as_ref())).collect()
}

fn names<'r>(roles: impl IntoIterator<Item = &'r Arc<Role>>) -> Value {
    roles.into_iter().map(|role| Value::from(role.name.clone())).collect()
}

fn path(path: &Path) -> Value {
    absolute(path).to_string_lossy().as_ref().into()
}

fn dependencies(roles: &[Arc<Role>]) -> Vec<Arc<Role>> {
    let mut all = Vec::new();
    for role in roles {
        all.extend(role.dependencies.iter().cloned());
        all.extend(dependencies(&role.dependencies));
    }
    all
}

/// Returns the roles that are asked for by the play itself, or by tasks, and not only as dependencies.
fn direct(roles: &[Arc<Role>]) -> impl Iterator<Item = &Arc<Role>> {
    let dependencies = dependencies(roles);
    roles.iter().filter(move |role| !dependencies.iter().any(|other| Arc::ptr_eq(role, other)))
}

/// Returns the roles without those whose name is there before.
fn once(mut roles: Vec<Arc<Role>>) -> Vec<Arc<Role>> {
    let mut seen = HashSet::new();
    roles.retain(|role| seen.insert(role.name.clone()));
    roles
}

fn version() -> Value {
    let [major, minor, revision] = LANGUAGE;
    let full = format!("{major}.{minor}.{revision}");
    map! { "full" => full.clone(), "string" => full, "major" => major, "minor" => minor, "revision" => revision }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_wherever_the_playbook_was_named_from() {
        let here = std::env::current_dir().unwrap();
        for (given, expected) in [("", here.clone()), (".", here.clone()), ("a/../b", here.join("b"))] {
            assert_eq!(path(Path::new(given)), Value::from(expected.to_string_lossy().as_ref()));
        }
        assert_eq!(absolute(Path::new("/x/./y")), Path::new("/x/y"));
    }
}
