//! The inventory: which hosts there are, in which groups, with which variables.

mod addition;
mod address;
mod constructed;
mod graph;
mod ini;
mod literal;
mod options;
mod pattern;
mod script;
mod source;
mod tree;
mod vars;
mod words;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use convoy_protocol::{Key, Map, Value};
use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Diagnostics};

pub use addition::Addition;
pub use address::split_port;
use graph::safe_name;
pub use options::{GroupNames, Options};
pub use pattern::Selection;
pub use vars::LayerKind;

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
    groups: Vec<Arc<str>>,
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
    parents: Vec<Arc<str>>,
    /// The longest way down from `all`.
    depth: usize,
}

/// Hosts and groups, in the order in which the sources name them.
#[derive(Debug)]
pub struct Inventory {
    hosts: IndexMap<Arc<str>, Host>,
    groups: IndexMap<Arc<str>, Group>,
    /// The host that `localhost` and its like stand for, if the inventory has one.
    localhost: Option<Arc<str>>,
    /// The folders beside which `group_vars` and `host_vars` are looked for.
    folders: Vec<PathBuf>,
    /// The source that is being read: what new hosts get as `inventory_file` and `inventory_dir`.
    current: Option<(String, String)>,
    warnings: Vec<Diagnostic>,
    options: Options,
    /// What it was read from.
    sources: Vec<String>,
    /// What was added since.
    additions: Vec<Addition>,
    files: Mutex<HashMap<PathBuf, Arc<Map>>>,
}

impl Inventory {
    /// Reads all of `sources`, in order: files, scripts, folders of them, or lists of hosts (`a,b,`). Returns warnings
    /// too.
    ///
    /// # Errors
    ///
    /// All that is wrong in the sources, each with its place.
    pub fn load(sources: &[String], options: &Options) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        let mut inventory = Self::empty(options.clone());
        inventory.sources = sources.to_vec();
        let mut errors = Diagnostics::new();
        let mut any = false;
        for text in sources.iter().filter(|text| !text.is_empty()) {
            match source::load(&mut inventory, text) {
                Ok(parsed) => any |= parsed,
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if any {
            inventory.reconcile()?;
        } else if options.unparsed_is_failed {
            let what = "No inventory was parsed, please check your configuration and options.";
            return Err(Diagnostic::user(what).into());
        } else if options.unparsed_warning {
            inventory.warn(Diagnostic::user("No inventory was parsed, only implicit localhost is available"));
        }
        let warnings = inventory.take_warnings();
        Ok((inventory, warnings))
    }

    /// Returns an inventory of `all` and `ungrouped`, without hosts.
    fn empty(options: Options) -> Self {
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

    fn warn(&mut self, warning: Diagnostic) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests;
