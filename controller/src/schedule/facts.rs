//! Facts of hosts: those of earlier runs, and keeping them for later ones.

use std::sync::Arc;

use super::Scheduler;
use crate::actions::VariableLevel;
use crate::execute::effects::Effects;
use crate::inventory::LOCALHOST;
use crate::state::fact_cache::FactCache;

impl Scheduler {
    /// Reads the facts that earlier runs kept of the hosts, or forgets them, as the command line says.
    pub(super) fn read_cache(&mut self) {
        let services = self.services.clone();
        if let Some(text) = FactCache::warning(&services.options.settings) {
            self.warn(text);
        }
        let Some(mut cache) = self.world.fact_cache.take() else { return };
        let mut hosts = self.world.vars.run.hosts.clone();
        let implicit = LOCALHOST.into_iter().filter(|name| self.world.inventory.is_implicit(name));
        hosts.extend(implicit.map(Arc::from));
        for host in &hosts {
            if services.options.flush_cache {
                self.warn_of(cache.forget(host));
                continue;
            }
            match cache.read(host) {
                Ok(Some(facts)) => self.world.store().add_facts(host, &facts),
                Ok(None) => {}
                Err(why) => self.warn(why),
            }
        }
        self.world.fact_cache = Some(cache);
    }

    /// Keeps what a call of these hosts leaves behind for the end of the run, and for later runs.
    pub(super) fn keep(&mut self, effects: &Effects, hosts: &[Arc<str>]) {
        if let Some(stats) = &effects.stats {
            self.world.recap.custom.add(stats, hosts);
        }
        let Some(mut cache) = self.world.fact_cache.take() else { return };
        let set = effects.variables.as_ref().filter(|(_, level)| *level == VariableLevel::CacheableFact);
        for facts in set.map(|(facts, _)| facts).into_iter().chain(&effects.facts) {
            for host in effects.facts_host.as_ref().map_or(hosts, std::slice::from_ref) {
                self.warn_of(cache.add(host, facts));
            }
        }
        self.world.fact_cache = Some(cache);
    }

    /// Forgets the facts of a host.
    pub(super) fn clear_facts(&mut self, host: &Arc<str>) {
        self.world.store().clear_facts(host);
        if let Some(done) = self.world.fact_cache.as_mut().map(|cache| cache.forget(host)) {
            self.warn_of(done);
        }
    }

    fn warn_of(&mut self, done: Result<(), String>) {
        if let Err(why) = done {
            self.warn(why);
        }
    }
}
