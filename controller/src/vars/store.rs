//! The variables of each host that do not come from the playbook: from the inventory, facts, `set_fact`, `register` and
//! `include_vars`.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::{Key, Map, Taint, Value};

/// The variables of one host. Each group is shared, and copied when it changes.
#[derive(Debug, Clone, Default)]
pub struct HostVars {
    /// The layers of the inventory, lowest first.
    pub inventory: Arc<Vec<Map>>,
    /// Facts without the prefix `ansible_`, as in `ansible_facts`.
    pub facts: Arc<Map>,
    /// Facts as top-level variables.
    pub injected: Arc<Map>,
    /// The variables that `include_vars` loaded.
    pub included: Arc<Map>,
    /// The variables that `set_fact` and `register` stored.
    pub set: Arc<Map>,
    /// In check mode: why other names, too, may have a value in a real run.
    pub unknown_rest: Option<Arc<str>>,
}

/// The variables of all hosts, and the extra variables of the command line.
#[derive(Debug, Clone, Default)]
pub struct Store {
    hosts: HashMap<Arc<str>, HostVars>,
    /// `-e`: takes precedence over all others.
    pub extra: Arc<Map>,
    /// Whether facts are also top-level variables (`inject_facts_as_vars`).
    inject: bool,
}

impl Store {
    /// Returns a store that holds only the extra variables.
    pub fn new(extra: Map, inject: bool) -> Self {
        Self { hosts: HashMap::new(), extra: Arc::new(extra), inject }
    }

    /// Replaces a host's layers of the inventory; lowest first.
    pub fn set_inventory(&mut self, host: &Arc<str>, layers: Vec<Map>) {
        self.hosts.entry(host.clone()).or_default().inventory = Arc::new(layers);
    }

    /// Removes the layers of the inventory from all hosts.
    pub fn forget_inventory(&mut self) {
        self.hosts.values_mut().for_each(|vars| vars.inventory = Arc::default());
    }

    /// Returns the variables of a host; none if the host is not known.
    pub fn host(&self, host: &str) -> HostVars {
        self.hosts.get(host).cloned().unwrap_or_default()
    }

    /// Stores a variable as `set_fact` and `register` do.
    pub fn set(&mut self, host: &Arc<str>, name: &str, value: Value) {
        Arc::make_mut(&mut self.hosts.entry(host.clone()).or_default().set).insert(name.into(), value);
    }

    /// Replaces everything that `set_fact` and `register` stored for a host.
    pub fn replace_set(&mut self, host: &Arc<str>, variables: Map) {
        self.hosts.entry(host.clone()).or_default().set = Arc::new(variables);
    }

    /// Records that other variables may be set in a real run. The first reason is kept.
    pub fn set_unknown_rest(&mut self, host: &Arc<str>, why: &Arc<str>) {
        let vars = self.hosts.entry(host.clone()).or_default();
        vars.unknown_rest.get_or_insert_with(|| why.clone());
    }

    /// Stores variables as `include_vars` does.
    pub fn include(&mut self, host: &Arc<str>, variables: &Map) {
        let vars = self.hosts.entry(host.clone()).or_default();
        Arc::make_mut(&mut vars.included)
            .extend(variables.iter().map(|(key, value)| (key.clone(), value.clone())));
    }

    /// Stores facts that a node reported. They are data and never rendered as templates.
    pub fn add_facts(&mut self, host: &Arc<str>, facts: &Map) {
        let vars = self.hosts.entry(host.clone()).or_default();
        for (key, value) in facts {
            let value = value.clone().tainted(Taint::UNSAFE);
            let bare = key.as_str().and_then(|name| name.strip_prefix("ansible_")).map(Key::from);
            // `ansible_local` is a top-level variable even where other facts are not.
            Arc::make_mut(&mut vars.facts).insert(bare.unwrap_or_else(|| key.clone()), value.clone());
            if self.inject || key.as_str() == Some("ansible_local") {
                Arc::make_mut(&mut vars.injected).insert(key.clone(), value);
            }
        }
    }

    /// Removes the facts of a host.
    pub fn clear_facts(&mut self, host: &str) {
        if let Some(vars) = self.hosts.get_mut(host) {
            vars.facts = Arc::default();
            vars.injected = Arc::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn facts_are_stored_as_data_with_and_without_prefix() {
        let mut store = Store::new(Map::new(), true);
        let host: Arc<str> = "h".into();
        store.add_facts(&host, &map! { "ansible_system" => "Linux", "mine" => "{{ x }}" });
        let vars = store.host("h");
        assert_eq!(vars.facts.get("system").unwrap().as_str(), Some("Linux"));
        assert_eq!(vars.injected.get("ansible_system").unwrap().as_str(), Some("Linux"));
        assert!(vars.facts.get("mine").unwrap().taint.is_unsafe());
        let mut store = Store::new(Map::new(), false);
        store.add_facts(&host, &map! { "ansible_system" => "Linux", "ansible_local" => map! {} });
        assert_eq!(*store.host("h").injected, map! { "ansible_local" => map! {} });
    }
}
