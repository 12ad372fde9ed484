//! Hosts and groups, and what can be asked about them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use convoy_protocol::{Key, Map, Value};
use indexmap::IndexMap;

use super::options::Options;
use crate::diagnostic::Diagnostic;

/// The names that mean the workstation itself.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A host of the inventory.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name in the inventory.
    pub name: Arc<str>,
    /// The variables that the inventory itself gives it, not those of `host_vars`.
    pub vars: Map,
    /// The groups that name it directly.
    pub(super) groups: Vec<Arc<str>>,
}

/// A group of the inventory.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// The variables that the inventory itself gives it, not those of `group_vars`.
    pub vars: Map,
    /// The hosts that it names directly.
    pub hosts: Vec<Arc<str>>,
    /// The groups that it names directly.
    pub children: Vec<Arc<str>>,
    /// Among groups of the same depth, the higher one wins: `ansible_group_priority`.
    pub priority: i64,
    pub(super) parents: Vec<Arc<str>>,
    /// The longest way down from `all`.
    pub(super) depth: usize,
}

/// Hosts and groups, in the order in which the sources name them.
#[derive(Debug)]
pub struct Inventory {
    pub(super) hosts: IndexMap<Arc<str>, Host>,
    pub(super) groups: IndexMap<Arc<str>, Group>,
    /// The host that `localhost` and its like stand for, if the inventory has one.
    pub(super) localhost: Option<Arc<str>>,
    /// The folders beside which `group_vars` and `host_vars` are looked for.
    pub(super) folders: Vec<PathBuf>,
    /// The source that is being read: what new hosts get as `inventory_file` and `inventory_dir`.
    pub(super) current: Option<(String, String)>,
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) options: Options,
    /// What it was read from.
    pub(super) sources: Vec<String>,
    /// What was added since.
    pub(super) additions: Vec<Addition>,
    pub(super) files: Mutex<HashMap<PathBuf, Arc<Map>>>,
}

/// What a run adds.
#[derive(Debug, Clone, PartialEq)]
pub enum Addition {
    /// A host, or variables and groups of one that is there.
    Host {
        /// Its name.
        name: String,
        /// The groups it is put into.
        groups: Vec<String>,
        /// Its variables.
        vars: Map,
    },
    /// A group, with a host in it.
    Group {
        /// Its name.
        name: String,
        /// The groups above it.
        parents: Vec<String>,
        /// The host.
        host: Arc<str>,
    },
}

impl Group {
    pub(super) fn new(name: &Arc<str>) -> Self {
        Self {
            name: name.clone(),
            vars: Map::new(),
            hosts: Vec::new(),
            children: Vec::new(),
            priority: 1,
            parents: Vec::new(),
            depth: 0,
        }
    }
}

impl Inventory {
    /// Returns an inventory of `all` and `ungrouped`, without hosts.
    pub(super) fn empty(options: Options) -> Self {
        let mut inventory = Self {
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
            localhost: None,
            folders: Vec::new(),
            current: None,
            warnings: Vec::new(),
            options,
            sources: Vec::new(),
            additions: Vec::new(),
            files: Mutex::default(),
        };
        let all: Arc<str> = "all".into();
        let ungrouped: Arc<str> = "ungrouped".into();
        let mut top = Group::new(&all);
        top.children.push(ungrouped.clone());
        let mut rest = Group::new(&ungrouped);
        rest.parents.push(all.clone());
        rest.depth = 1;
        inventory.groups.insert(all, top);
        inventory.groups.insert(ungrouped, rest);
        inventory
    }

    /// Returns all hosts, without an implicit localhost.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// Returns the host called `name`, if the inventory names it.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// Returns all groups.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Returns the group called `name`.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Returns whether `name` is the workstation, which a play may target without the inventory naming it.
    pub fn is_implicit(&self, name: &str) -> bool {
        LOCALHOST.contains(&name) && !self.hosts.contains_key(name)
    }

    /// Returns the names of the groups that hold `host`, directly or not, sorted, without `all`.
    pub fn group_names(&self, host: &str) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.groups_of(host).into_iter().filter(|name| &**name != "all").collect();
        names.sort();
        names
    }

    /// Returns the hosts of `group` and of all below it.
    pub fn hosts_of(&self, group: &str) -> Vec<Arc<str>> {
        let names = self.descendants(group);
        let hosts = names.iter().filter_map(|name| self.groups.get(name)).flat_map(|group| &group.hosts);
        hosts.cloned().collect::<indexmap::IndexSet<_>>().into_iter().collect()
    }

    /// Returns the magic variable `groups`: the names of the hosts of each group.
    pub fn group_map(&self) -> Map {
        let names = |group: &Arc<str>| self.hosts_of(group).into_iter().map(Value::from).collect::<Value>();
        self.groups.keys().map(|group| (Key::Text(group.clone()), names(group))).collect()
    }

    /// Returns the warnings since the last call, such as those of [`Self::add_group`].
    pub fn take_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn warn(&mut self, warning: Diagnostic) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
