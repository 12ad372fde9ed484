//! The precedence of variables. [`layers`] is the one place that orders the sources.

use std::sync::Arc;

use convoy_protocol::Map;

use super::store::HostVars;
use crate::playbook::ast::{Play, Role, Task};

/// One source of variables, shared with its owner.
#[derive(Debug, Clone)]
pub enum Layer {
    /// A map.
    Map(Arc<Map>),
    /// One of a host's layers of the inventory, by index.
    Inventory(Arc<Vec<Map>>, usize),
    /// `vars:` of a play.
    Play(Arc<Play>),
    /// `vars:` of a task and of the blocks around it.
    Task(Arc<Task>),
    /// The defaults of a role.
    Defaults(Arc<Role>),
    /// The `vars/` of a role.
    Role(Arc<Role>),
    /// The parameters of a role.
    Params(Arc<Role>),
}

impl Layer {
    /// Returns the variables of this source.
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

/// Everything that can define variables for one task on one host.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The play.
    pub play: Option<&'a Arc<Play>>,
    /// The roles whose variables are visible in the whole play: roles of the play, and public includes.
    pub public: &'a [Arc<Role>],
    /// The variables from the `vars_files` of the play, for this host.
    pub vars_files: &'a Arc<Map>,
    /// The host.
    pub host: &'a HostVars,
    /// The task.
    pub task: Option<&'a Arc<Task>>,
    /// The parameters of the dynamic includes around the task.
    pub params: &'a Arc<Map>,
    /// `-e`.
    pub extra: &'a Arc<Map>,
}

/// Returns the layers of variables, highest first, without empty ones. The order is that of Ansible's "Understanding
/// variable precedence". Only loop variables and magic variables take precedence over these.
pub fn layers(sources: &Sources<'_>) -> Vec<Layer> {
    let mut layers = vec![Layer::Map(sources.extra.clone()), Layer::Map(sources.params.clone())];
    let role = sources.task.and_then(|task| task.role.as_ref());
    let roles = role.map(with_dependencies).unwrap_or_default();
    layers.extend(roles.iter().cloned().map(Layer::Params));
    layers.push(Layer::Map(sources.host.set.clone()));
    layers.push(Layer::Map(sources.host.included.clone()));
    layers.extend(sources.task.cloned().map(Layer::Task));
    layers.extend(roles.iter().cloned().map(Layer::Role));
    layers.extend(sources.public.iter().rev().cloned().map(Layer::Role));
    layers.push(Layer::Map(sources.vars_files.clone()));
    layers.extend(sources.play.cloned().map(Layer::Play));
    layers.push(Layer::Map(sources.host.injected.clone()));
    let inventory = &sources.host.inventory;
    layers.extend((0..inventory.len()).rev().map(|index| Layer::Inventory(inventory.clone(), index)));
    layers.extend(roles.iter().cloned().map(Layer::Defaults));
    layers.extend(sources.public.iter().rev().cloned().map(Layer::Defaults));
    layers.retain(|layer| !layer.map().is_empty());
    layers
}

/// Returns a role and the roles it depends on, nearest first: a role sees the variables of its dependencies.
fn with_dependencies(role: &Arc<Role>) -> Vec<Arc<Role>> {
    let mut roles = vec![role.clone()];
    for dependency in role.dependencies.iter().rev() {
        roles.extend(with_dependencies(dependency));
    }
    roles
}
