//! Which variable wins, in one place.

use std::sync::Arc;

use convoy_protocol::Map;

use super::store::HostVars;
use crate::playbook::ast::{Play, Role, Task};

/// A source of variables, shared with whatever owns it.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A map of its own.
    Map(Arc<Map>),
    /// One of a host's layers of the inventory.
    Inventory(Arc<Vec<Map>>, usize),
    /// `vars:` of a play.
    Play(Arc<Play>),
    /// `vars:` of a task and its blocks.
    Task(Arc<Task>),
    /// A role's defaults.
    Defaults(Arc<Role>),
    /// A role's `vars/`.
    Role(Arc<Role>),
    /// A role's parameters.
    Params(Arc<Role>),
}

impl Layer {
    /// Returns its variables.
    pub fn map(&self) -> &Map {
        match self {
            Self::Map(map) => map,
            Self::Inventory(layers, index) => &layers[*index],
            Self::Play(play) => &play.vars,
            Self::Task(task) => &task.vars,
            Self::Defaults(role) => &role.defaults,
            Self::Role(role) => &role.vars,
            Self::Params(role) => &role.params,
        }
    }
}

/// What [`layers`] looks at.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The play.
    pub play: Option<&'a Arc<Play>>,
    /// Roles whose variables the whole play sees: those of the play, and public includes.
    pub public: &'a [Arc<Role>],
    /// What the `vars_files` of the play hold for this host.
    pub vars_files: &'a Arc<Map>,
    /// The host.
    pub host: &'a HostVars,
    /// The task.
    pub task: Option<&'a Arc<Task>>,
    /// Parameters of the dynamic includes around the task.
    pub params: &'a Arc<Map>,
    /// `-e`.
    pub extra: &'a Arc<Map>,
}

/// Returns the layers of variables, highest first. This order is Ansible's ("Understanding variable precedence");
/// above all of these stand only the loop's own variables and the magic ones.
pub fn layers(sources: &Sources<'_>) -> Vec<Layer> {
    let mut layers = vec![Layer::Map(sources.extra.clone()), Layer::Map(sources.params.clone())];
    let role = sources.task.and_then(|task| task.role.as_ref());
    let family = role.map(family).unwrap_or_default();
    layers.extend(family.iter().cloned().map(Layer::Params));
    layers.push(Layer::Map(sources.host.set.clone()));
    layers.push(Layer::Map(sources.host.included.clone()));
    layers.extend(sources.task.cloned().map(Layer::Task));
    layers.extend(family.iter().cloned().map(Layer::Role));
    layers.extend(sources.public.iter().rev().cloned().map(Layer::Role));
    layers.push(Layer::Map(sources.vars_files.clone()));
    layers.extend(sources.play.cloned().map(Layer::Play));
    layers.push(Layer::Map(sources.host.injected.clone()));
    let inventory = &sources.host.inventory;
    layers.extend((0..inventory.len()).rev().map(|index| Layer::Inventory(inventory.clone(), index)));
    layers.extend(family.iter().cloned().map(Layer::Defaults));
    layers.extend(sources.public.iter().rev().cloned().map(Layer::Defaults));
    layers.retain(|layer| !layer.map().is_empty());
    layers
}

/// Returns a role and those it depends on, nearest first: a role sees what its dependencies define.
fn family(role: &Arc<Role>) -> Vec<Arc<Role>> {
    let mut family = vec![role.clone()];
    for dependency in role.dependencies.iter().rev() {
        family.extend(self::family(dependency));
    }
    family
}
