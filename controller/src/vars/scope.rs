//! The variables that one task sees on one host.
//!
//! A name is looked up in this order; the first match is its value, unless `hash_behaviour` is `merge`:
//!
//! 1. loop variables and, while a task's result is judged, the result itself (`local`);
//! 2. magic variables;
//! 3. the layers that [`super::precedence`] has ordered.
//!
//! While convoy looks ahead, earlier tasks are still in progress. Names that they are going to set ([`Pending`]) have no
//! value yet, and looking one up is the error [`Error::not_yet`], so that the look-ahead stops there.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use convoy_protocol::{Key, Map, Value};

use super::magic::Magic;
use super::precedence::{Layer, Sources, layers};
use crate::merge::merge_hash;
use crate::template::{Error, Scope};

/// Names that tasks in progress are going to set. They cannot be read while looking ahead.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// Registered results and names set by `set_fact`.
    pub names: HashSet<Arc<str>>,
    /// Whether facts of the node are being gathered.
    pub facts: bool,
}

impl Pending {
    fn covers(&self, name: &str) -> bool {
        self.names.contains(name) || (self.facts && (name == "ansible_facts" || name == "ansible_local"))
    }
}

/// The variables that one task sees on one host. Cheap to clone: everything is shared.
#[derive(Clone)]
pub struct TaskScope {
    /// Loop variables and, while a result is judged, the result. They take precedence over everything.
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
    /// Returns a scope of magic variables over layers, which are ordered highest first.
    fn new(magic: Magic, layers: Vec<Layer>) -> Self {
        Self {
            local: Arc::default(),
            magic: Arc::new(magic),
            layers: Arc::new(layers),
            pending: Arc::default(),
        }
    }

    /// Returns what is seen on the host of `magic`, by its task if it has one. `params`: those of the dynamic includes around
    /// the task.
    pub fn of(magic: Magic, params: &Arc<Map>) -> Self {
        let host = magic.store.host(&magic.host);
        let nothing = Arc::default();
        let layers = layers(&Sources {
            play: magic.play.play.as_ref(),
            public: &magic.play.public,
            vars_files: magic.play.vars_files.get(&magic.host).unwrap_or(&nothing),
            host: &host,
            task: magic.task.as_ref(),
            params,
            extra: &magic.store.extra,
        });
        Self::new(magic, layers)
    }

    /// Returns a scope of these variables; no host, no play, no task.
    pub fn of_map(vars: Map) -> Self {
        Self::new(Magic::default(), vec![Layer::Map(Arc::new(vars))])
    }

    /// Returns the scope with `pending` names that cannot be read yet.
    #[must_use]
    pub fn with_pending(mut self, pending: Pending) -> Self {
        self.pending = Arc::new(pending);
        self
    }

    /// Returns the scope with more variables that take precedence over all others.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let mut scope = self.clone();
        Arc::make_mut(&mut scope.local).extend(more);
        scope
    }

    /// Returns the value of a name as it is stored; text in it may still be a template.
    pub fn raw(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.local.get(name) {
            return Some(value.clone());
        }
        let values = || self.layers.iter().filter_map(|layer| layer.map().get(name));
        self.magic.get(name).or_else(|| match self.magic.run.merge {
            true => values().rev().cloned().reduce(|low, high| merge_hash(&low, &high)),
            false => values().next().cloned(),
        })
    }
}

impl Scope for TaskScope {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        if !self.local.contains_key(name) && self.pending.covers(name) {
            return Err(Error::not_yet(format!("'{name}' is not known yet")));
        }
        let value = self.raw(name);
        // The names of facts are only known once they are gathered.
        if value.is_none() && self.pending.facts && name.starts_with("ansible_") {
            return Err(Error::not_yet(format!("'{name}' may be a fact not gathered yet")));
        }
        Ok(value)
    }

    fn names(&self) -> Vec<Arc<str>> {
        // From the lowest layer up, each in its own order, as Ansible's lookup `varnames` returns them.
        let layers = self.layers.iter().rev().map(Layer::map).chain([&*self.local]);
        let names = layers.flat_map(|layer| layer.keys().filter_map(|key| key.as_str().map(Arc::from)));
        let mut seen = HashSet::new();
        names.chain(self.magic.names()).filter(|name: &Arc<str>| seen.insert(name.clone())).collect()
    }

    fn unknown_rest(&self) -> Option<Arc<str>> {
        self.magic.store.host(&self.magic.host).unknown_rest
    }

    fn host(&self, name: &str) -> Option<Arc<dyn Scope>> {
        Some(Arc::new(Self::of(self.magic.of_host(name)?, &Arc::default())))
    }

    fn hosts(&self) -> Vec<Arc<str>> {
        self.magic.run.hosts.clone()
    }
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
