//! Facts of hosts: those of earlier runs, and keeping them for later ones.

use std::sync::Arc;

use crate::actions::VariableLevel;
use crate::execute::effects::CallEffects;
use crate::inventory::LOCALHOST;
use crate::schedule::engine::Engine;
use crate::services::fact_cache::FactCache;

impl Engine {
    /// Reads the facts that earlier runs kept of the hosts, or forgets them, as the command line says.
    pub(crate) fn read_cache(&self) {
        if let Some(text) = FactCache::warning(&self.options.settings) {
            self.warn(text);
        }
        let Some(cache) = &self.cache else { return };
        let mut hosts = self.facts.borrow().hosts.clone();
        hosts.extend(
            LOCALHOST.map(Arc::from).into_iter().filter(|name| self.inventory.borrow().is_implicit(name)),
        );
        for host in &hosts {
            if self.options.flush_cache {
                self.tell_fault(cache.forget(host));
                continue;
            }
            match cache.read(host) {
                Ok(Some(facts)) => Arc::make_mut(&mut self.store.borrow_mut()).add_facts(host, &facts),
                Ok(None) => {}
                Err(why) => self.warn(why),
            }
        }
    }

    /// Keeps what a call of these hosts leaves behind for the end of the run, and for later runs.
    pub(crate) fn keep(&self, effects: &CallEffects, hosts: &[Arc<str>]) {
        if let Some(stats) = &effects.stats {
            self.custom_stats.borrow_mut().add(stats, hosts);
        }
        let Some(cache) = &self.cache else { return };
        let set = effects
            .variables
            .as_ref()
            .filter(|(_, kept)| *kept == VariableLevel::CacheableFact)
            .map(|(facts, _)| facts);
        for facts in set.into_iter().chain(&effects.facts) {
            for host in effects.facts_host.as_ref().map_or(hosts, std::slice::from_ref) {
                self.tell_fault(cache.add(host, facts));
            }
        }
    }

    /// Forgets the facts of a host.
    pub(crate) fn clear_facts(&self, host: &Arc<str>) {
        Arc::make_mut(&mut self.store.borrow_mut()).clear_facts(host);
        if let Some(cache) = &self.cache {
            self.tell_fault(cache.forget(host));
        }
    }

    fn tell_fault(&self, done: Result<(), String>) {
        if let Err(why) = done {
            self.warn(why);
        }
    }
}
