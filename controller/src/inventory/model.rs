//! The types of the inventory, and queries.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use convoy_protocol::{Key, Map, Value};
use indexmap::IndexMap;

use super::options::Options;
use crate::diagnostic::Diagnostic;

/// The names of the workstation itself.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// A host of the inventory.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name in the inventory.
    pub name: Arc<str>,
    /// Its variables in the inventory itself, without those of `host_vars`.
    pub vars: Map,
    /// The groups that list it directly.
    pub(super) groups: Vec<Arc<str>>,
}

/// A group of the inventory.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// Its variables in the inventory itself, without those of `group_vars`.
    pub vars: Map,
    /// The hosts that it lists directly.
    pub hosts: Vec<Arc<str>>,
    /// The groups that it lists directly.
    pub children: Vec<Arc<str>>,
    /// `ansible_group_priority`: among groups of the same depth, the variables of the highest one take precedence.
    pub priority: i64,
    pub(super) parents: Vec<Arc<str>>,
    /// The length of the longest path from `all`.
    pub(super) depth: usize,
}

/// The hosts and groups, in the order of the sources.
#[derive(Debug)]
pub struct Inventory {
    pub(super) hosts: IndexMap<Arc<str>, Host>,
    pub(super) groups: IndexMap<Arc<str>, Group>,
    /// The host of the inventory that is named `localhost` or the like.
    pub(super) localhost: Option<Arc<str>>,
    /// The directories that may contain `group_vars` and `host_vars`.
    pub(super) folders: Vec<PathBuf>,
    /// The source that is being read: `inventory_file` and `inventory_dir` of new hosts.
    pub(super) current: Option<(String, String)>,
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) options: Options,
    /// The sources that it was read from.
    pub(super) sources: Vec<String>,
    /// Hosts and groups that the run has added.
    pub(super) additions: Vec<Addition>,
    pub(super) files: Mutex<HashMap<PathBuf, Arc<Map>>>,
}

/// A host or group that a run adds.
#[derive(Debug, Clone, PartialEq)]
pub enum Addition {
    /// A new host, or variables and groups of an existing one.
    Host {
        /// Its name.
        name: String,
        /// The groups to add it to.
        groups: Vec<String>,
        /// Its variables.
        vars: Map,
    },
    /// A host in a new or existing group.
    Group {
        /// The name of the group.
        name: String,
        /// The parents of the group.
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
    /// Returns an inventory with the groups `all` and `ungrouped`, and without hosts.
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
        let mut root = Group::new(&all);
        root.children.push(ungrouped.clone());
        let mut child = Group::new(&ungrouped);
        child.parents.push(all.clone());
        child.depth = 1;
        inventory.groups.insert(all, root);
        inventory.groups.insert(ungrouped, child);
        inventory
    }

    /// Returns all hosts, without the implicit localhost.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// Returns the host called `name`, if it is in the inventory.
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

    /// Returns whether `name` is the implicit localhost: the workstation, if it is not in the inventory.
    pub fn is_implicit(&self, name: &str) -> bool {
        LOCALHOST.contains(&name) && !self.hosts.contains_key(name)
    }

    /// Returns the sorted names of all groups that contain `host`, except `all`.
    pub fn group_names(&self, host: &str) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.groups_of(host).into_iter().filter(|name| &**name != "all").collect();
        names.sort();
        names
    }

    /// Returns the hosts of `group` and of its descendants.
    pub fn hosts_of(&self, group: &str) -> Vec<Arc<str>> {
        let names = self.descendants(group);
        let hosts = names.iter().filter_map(|name| self.groups.get(name)).flat_map(|group| &group.hosts);
        hosts.cloned().collect::<indexmap::IndexSet<_>>().into_iter().collect()
    }

    /// Returns the value of the magic variable `groups`: the hosts of each group.
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
