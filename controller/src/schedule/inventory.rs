//! The inventory while a run is in progress: what tasks add to it, and what variables show of it.

use std::sync::Arc;

use convoy_agent::failure::Failure;

use super::Scheduler;
use crate::diagnostic::{Diagnostics, Kind};
use crate::inventory::{Addition, LOCALHOST};
use crate::settings::HashBehaviour;
use crate::vars::magic::RunFacts;

impl Scheduler {
    /// Adds to the inventory; variables show it once the task is done on all hosts. Returns whether that changed it.
    ///
    /// # Errors
    /// If it cannot be added.
    pub(super) fn add_to_inventory(&mut self, addition: Addition) -> Result<bool, Failure> {
        let name = match &addition {
            Addition::Host { name, .. } => Some(Arc::from(name.as_str())),
            Addition::Group { .. } => None,
        };
        let changed = self.world.inventory.add(addition).map_err(|error| Failure::new(error.message))?;
        self.world.inventory_extended = true;
        if let Some(name) = name.filter(|_| changed) {
            self.join_play(name);
        }
        for warning in self.world.inventory.take_warnings() {
            self.warn(warning.warning());
        }
        Ok(changed)
    }

    /// Counts a host among those of the play, as Ansible does: it takes no part in it.
    fn join_play(&mut self, host: Arc<str>) {
        if !self.world.vars.play.all.contains(&host) {
            let play = self.world.play_facts();
            play.all.push(host.clone());
            play.active.push(host);
        }
    }

    /// Lets variables show what was added to the inventory.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub(super) fn read_additions(&mut self) -> Result<(), Diagnostics> {
        if std::mem::take(&mut self.world.inventory_extended) { self.read_inventory() } else { Ok(()) }
    }

    /// Reads the sources of the inventory again, with what was added since.
    ///
    /// # Errors
    /// What is wrong in them.
    pub(super) fn refresh_inventory(&mut self) -> Result<(), Diagnostics> {
        let (fresh, warnings) = self.world.inventory.refresh()?;
        self.world.inventory = fresh;
        warnings.iter().for_each(|warning| self.warn(warning.warning()));
        self.world.store().forget_inventory();
        self.read_inventory()
    }

    /// Reads what variables show of the inventory; again after a host or group was added.
    ///
    /// # Errors
    /// If variables of the inventory cannot be read.
    pub(super) fn read_inventory(&mut self) -> Result<(), Diagnostics> {
        let options = &self.services.options;
        let hosts: Vec<Arc<str>> = self.world.inventory.hosts().map(|host| host.name.clone()).collect();
        let implicit = LOCALHOST.into_iter().filter(|name| self.world.inventory.is_implicit(name));
        let implicit: Vec<Arc<str>> = implicit.map(Arc::from).collect();
        for host in hosts.iter().cloned().chain(implicit) {
            let layers = match self.world.inventory.layers(&host, options.playbook_dir.as_deref()) {
                Err(problems) if problems.iter().all(|problem| problem.kind == Kind::Locked) => {
                    Arc::make_mut(&mut self.world.vars.locked).insert(host, problems);
                    continue;
                }
                layers => layers?,
            };
            let layers = layers.into_iter().map(|(_, map)| map).collect();
            Arc::make_mut(&mut self.world.vars.store).set_inventory(&host, layers);
        }
        let inventory = &self.world.inventory;
        self.world.vars.run = Arc::new(RunFacts {
            groups: inventory.group_map(),
            group_names: hosts.iter().map(|host| (host.clone(), inventory.group_names(host))).collect(),
            merge: options.settings.hash_behaviour == HashBehaviour::Merge,
            hosts,
            inventory_sources: options.inventory_sources.clone(),
            check: options.check,
            diff: options.diff,
            forks: options.forks,
            verbosity: options.verbosity,
            tags: match &options.tags.run[..] {
                [] => vec!["all".to_owned()],
                tags => tags.to_vec(),
            },
            skip_tags: options.tags.skip.clone(),
            limit: options.limit.clone(),
        });
        Ok(())
    }
}
