//! Magic variables: those that Ansible sets itself, about the run, the play, the host and the role.
//!
//! They are computed when they are read, from [`RunFacts`] (the same for the whole run), [`PlayFacts`] (a batch of a
//! play), the host and the task. `hostvars` is not here: it is a scope per host, which [`super::scope`] makes.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use super::store::Store;
use crate::paths::{absolute, find_program};
use crate::playbook::ast::{Play, Role, Task};
use crate::template::omit_token;

/// The version of Ansible that `ansible_version` reports: the one whose playbooks convoy runs.
const ANSIBLE_VERSION: [i64; 3] = [2, 18, 0];

/// What is the same for the whole run.
#[derive(Debug, Default)]
pub struct RunFacts {
    /// `groups`.
    pub groups: Map,
    /// The groups of each host, sorted.
    pub group_names: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The hosts of the inventory, in its order.
    pub hosts: Vec<Arc<str>>,
    /// Whether maps that several sources define are merged (`hash_behaviour`).
    pub merge: bool,
    /// The sources of the inventory, as absolute paths.
    pub inventory_sources: Vec<String>,
    /// `-C`.
    pub check: bool,
    /// `-D`.
    pub diff: bool,
    /// `-f`.
    pub forks: usize,
    /// The number of `-v`.
    pub verbosity: u8,
    /// `-t`.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `-l`.
    pub limit: Option<String>,
}

/// What is the same for one batch of a play.
#[derive(Debug, Default, Clone)]
pub struct PlayFacts {
    /// The play.
    pub play: Option<Arc<Play>>,
    /// All hosts of the play.
    pub all: Vec<Arc<str>>,
    /// The hosts of the play that have not failed.
    pub active: Vec<Arc<str>>,
    /// The hosts of the batch that have not failed.
    pub batch: Vec<Arc<str>>,
    /// The roles whose variables are visible in the whole play.
    pub public: Vec<Arc<Role>>,
    /// The variables from the play's `vars_files`, by host.
    pub vars_files: HashMap<Arc<str>, Arc<Map>>,
}

/// The magic variables of one task on one host.
#[derive(Clone, Default)]
pub struct Magic {
    /// The host.
    pub host: Arc<str>,
    /// The run.
    pub run: Arc<RunFacts>,
    /// The play and its batch.
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
    /// Returns the names of the magic variables that have a value.
    pub fn names(&self) -> Vec<Arc<str>> {
        NAMES.iter().filter(|name| self.get(name).is_some()).map(|name| Arc::from(*name)).collect()
    }

    /// Returns the value of a magic variable.
    pub fn get(&self, name: &str) -> Option<Value> {
        // Most names that are looked up are not magic variables.
        if !NAMES.contains(&name) {
            return None;
        }
        self.host_variable(name)
            .or_else(|| self.play_variable(name))
            .or_else(|| self.role_variable(name))
            .or_else(|| self.run_variable(name))
    }

    /// Returns the magic variables of another host of the inventory, outside of any task.
    pub fn of_host(&self, name: &str) -> Option<Self> {
        let host = self.run.hosts.iter().chain([&self.host]).find(|host| &***host == name)?.clone();
        Some(Self { host, task: None, ..self.clone() })
    }

    fn host_variable(&self, name: &str) -> Option<Value> {
        Some(match name {
            "inventory_hostname" => self.host.clone().into(),
            "inventory_hostname_short" => self.host.split('.').next().unwrap_or_default().into(),
            "group_names" => texts(self.run.group_names.get(&self.host)?),
            "ansible_facts" => Value::from(convoy_protocol::Kind::Map(self.store.host(&self.host).facts)),
            "omit" => omit_token().into(),
            _ => return None,
        })
    }

    fn play_variable(&self, name: &str) -> Option<Value> {
        let play = self.play.play.as_ref()?;
        Some(match name {
            "playbook_dir" => path(&play.dir),
            "ansible_play_hosts_all" => texts(&self.play.all),
            "ansible_play_hosts" => texts(&self.play.active),
            "ansible_play_batch" | "play_hosts" => texts(&self.play.batch),
            "ansible_play_name" => play.name.clone().unwrap_or_else(|| play.hosts.clone()),
            "ansible_play_role_names" | "role_names" => names(requested(&play.roles)),
            "ansible_dependent_role_names" => names(&distinct(dependencies(&play.roles))),
            "ansible_role_names" => {
                let mut all: Vec<_> = requested(&play.roles).cloned().collect();
                all.extend(dependencies(&play.roles));
                names(&distinct(all))
            }
            _ => return None,
        })
    }

    fn role_variable(&self, name: &str) -> Option<Value> {
        let task = self.task.as_ref()?;
        if name == "ansible_search_path" {
            return Some(search_path(task, self.play.play.as_deref()).iter().map(|p| path(p)).collect());
        }
        let role = task.role.as_ref()?;
        Some(match name {
            "role_name" => role.name.rsplit('.').next().unwrap_or_default().into(),
            "ansible_role_name" => role.name.clone().into(),
            "role_path" => path(&role.path),
            // Set only if another role includes this one.
            "ansible_parent_role_names" | "ansible_parent_role_paths" if role.parents.is_empty() => {
                return None;
            }
            "ansible_parent_role_names" => {
                role.parents.iter().map(|(name, _)| Value::from(name.clone())).collect()
            }
            "ansible_parent_role_paths" => role.parents.iter().map(|(_, parent)| path(parent)).collect(),
            _ => return None,
        })
    }

    fn run_variable(&self, name: &str) -> Option<Value> {
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
}

/// Returns the directories in which a task's relative files are searched: its role, the directory of the file that holds
/// it, the directory of the playbook. They are absolute, since paths found there are passed on to modules and templates.
pub fn search_path(task: &Task, play: Option<&Play>) -> Vec<PathBuf> {
    let mut path: Vec<PathBuf> = task.role.iter().map(|role| role.path.clone()).collect();
    path.push(task.dir.clone());
    path.extend(play.map(|play| play.dir.clone()));
    path.iter_mut().for_each(|directory| *directory = absolute(&*directory));
    let mut seen = HashSet::new();
    path.retain(|directory| seen.insert(directory.clone()));
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

/// Returns the roles that `roles` depend on, directly or not.
fn dependencies(roles: &[Arc<Role>]) -> Vec<Arc<Role>> {
    let mut all = Vec::new();
    for role in roles {
        all.extend(role.dependencies.iter().cloned());
        all.extend(dependencies(&role.dependencies));
    }
    all
}

/// Returns the roles that the play or a task names; not those that are there only as dependencies.
fn requested(roles: &[Arc<Role>]) -> impl Iterator<Item = &Arc<Role>> {
    let dependencies = dependencies(roles);
    roles.iter().filter(move |role| !dependencies.iter().any(|other| Arc::ptr_eq(role, other)))
}

/// Returns the roles without those whose name occurs before.
fn distinct(mut roles: Vec<Arc<Role>>) -> Vec<Arc<Role>> {
    let mut seen = HashSet::new();
    roles.retain(|role| seen.insert(role.name.clone()));
    roles
}

fn version() -> Value {
    let [major, minor, revision] = ANSIBLE_VERSION;
    let full = format!("{major}.{minor}.{revision}");
    map! { "full" => full.clone(), "string" => full, "major" => major, "minor" => minor, "revision" => revision }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_even_if_the_playbook_path_is_relative() {
        let here = std::env::current_dir().unwrap();
        for (given, expected) in [("", here.clone()), (".", here.clone()), ("a/../b", here.join("b"))] {
            assert_eq!(path(Path::new(given)), Value::from(expected.to_string_lossy().as_ref()));
        }
        assert_eq!(absolute(Path::new("/x/./y")), Path::new("/x/y"));
    }
}
