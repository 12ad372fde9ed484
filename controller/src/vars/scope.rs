//! What one task sees on one host.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use convoy_protocol::{Key, Map, Value};

use super::magic::Magic;
use super::precedence::Layer;
use crate::template::{Error, Kind as ErrorKind, Scope};

/// Names whose values the tasks now under way will set: while looking ahead they cannot be read.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// Registered results and facts set by name.
    pub names: HashSet<Arc<str>>,
    /// Whether facts of the node are being gathered.
    pub facts: bool,
}

impl Pending {
    fn covers(&self, name: &str) -> bool {
        self.names.contains(name) || (self.facts && (name == "ansible_facts" || name == "ansible_local"))
    }
}

/// What one task sees on one host. Cheap to clone: everything is shared.
#[derive(Clone)]
pub struct TaskScope {
    /// The loop's variables and, while a result is judged, the result itself: above everything.
    local: Arc<Map>,
    magic: Arc<Magic>,
    layers: Arc<Vec<Layer>>,
    pending: Arc<Pending>,
}

impl fmt::Debug for TaskScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope").field("magic", &self.magic).finish_non_exhaustive()
    }
}

impl TaskScope {
    /// Puts the layers under the magic variables.
    pub fn new(magic: Magic, layers: Vec<Layer>) -> Self {
        Self {
            local: Arc::default(),
            magic: Arc::new(magic),
            layers: Arc::new(layers),
            pending: Arc::default(),
        }
    }

    /// Returns a scope of some variables alone.
    pub fn of_map(vars: Map) -> Self {
        Self::new(Magic::default(), vec![Layer::Map(Arc::new(vars))])
    }

    /// Returns a scope in which `names` cannot be read yet.
    #[must_use]
    pub fn ahead(mut self, pending: Pending) -> Self {
        self.pending = Arc::new(pending);
        self
    }

    /// Returns a scope with further variables above all others.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let mut scope = self.clone();
        Arc::make_mut(&mut scope.local).extend(more);
        scope
    }

    /// Returns the raw value of a name.
    pub fn raw(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.local.get(name) {
            return Some(value.clone());
        }
        let found = || self.layers.iter().filter_map(|layer| layer.map().get(name));
        let merged = |weak: Value, strong: Value| merged(&weak, &strong);
        self.magic.get(name).or_else(|| match self.magic.run.merge {
            true => found().rev().cloned().reduce(merged),
            false => found().next().cloned(),
        })
    }
}

impl Scope for TaskScope {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        if !self.local.contains_key(name) && self.pending.covers(name) {
            return Err(Error::new(ErrorKind::NotYet, format!("'{name}' is not known yet")));
        }
        let found = self.raw(name);
        // Facts are named by what was gathered, which is not known before.
        if found.is_none() && self.pending.facts && name.starts_with("ansible_") {
            return Err(Error::new(ErrorKind::NotYet, format!("'{name}' may be a fact not gathered yet")));
        }
        Ok(found)
    }

    fn names(&self) -> Vec<Arc<str>> {
        // From the lowest layer up, each in its own order: so Ansible's lookup `varnames` has them.
        let layers = self.layers.iter().rev().map(Layer::map).chain([&*self.local]);
        let names = layers.flat_map(|layer| layer.keys().filter_map(|key| key.as_str().map(Arc::from)));
        let mut seen = HashSet::new();
        names.chain(self.magic.names()).filter(|name: &Arc<str>| seen.insert(name.clone())).collect()
    }

    fn unknown_rest(&self) -> Option<Arc<str>> {
        self.magic.store.host(&self.magic.host).unknown_rest
    }

    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        self.magic.host(name)
    }

    fn hosts(&self) -> Vec<Arc<str>> {
        self.magic.all_hosts()
    }
}

/// Puts two values together if both are maps, key by key and however deep; else the stronger one counts.
pub fn merged(weak: &Value, strong: &Value) -> Value {
    let (Some(below), Some(above)) = (weak.as_map(), strong.as_map()) else { return strong.clone() };
    let mut all = below.clone();
    for (key, value) in above {
        let value = all.get(key).map_or_else(|| value.clone(), |old| merged(old, value));
        all.insert(key.clone(), value);
    }
    Value::from(all).tainted(weak.taint | strong.taint)
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;

    #[test]
    fn names_come_from_the_lowest_layer_up() {
        let layer = |map: Map| Layer::Map(Arc::new(map));
        let scope = TaskScope::new(
            Magic::default(),
            vec![layer(map! { "z" => 1, "a" => 1 }), layer(map! { "y" => 1, "a" => 2 })],
        );
        let names = scope.with([(Key::from("item"), Value::from(1))]).names();
        assert_eq!(names.iter().take(4).map(|name| &**name).collect::<Vec<_>>(), ["y", "a", "z", "item"]);
    }
}
