//! Adds hosts and groups to the inventory during a run (`add_host`, `group_by`).

use convoy_protocol::{Map, map};

use super::model::{Addition, Inventory, LOCALHOST};
use crate::diagnostic::Diagnostic;

impl Inventory {
    /// Adds a host or group. Returns whether that changed the inventory. [`Self::refresh`] keeps additions.
    ///
    /// # Errors
    ///
    /// If a name is empty, or a group would be its own descendant.
    pub fn add(&mut self, addition: Addition) -> Result<bool, Diagnostic> {
        let changed = self.apply(&addition)?;
        if !self.additions.contains(&addition) {
            self.additions.push(addition);
        }
        Ok(changed)
    }

    fn apply(&mut self, addition: &Addition) -> Result<bool, Diagnostic> {
        let changed = match addition {
            Addition::Host { name, groups, vars } => self.extend_host(name, groups, vars)?,
            Addition::Group { name, parents, host } => self.extend_group(name, parents, host)?,
        };
        if changed {
            self.reconcile()?;
        }
        Ok(changed)
    }

    fn extend_host(&mut self, name: &str, groups: &[String], vars: &Map) -> Result<bool, Diagnostic> {
        let mut changed = self.host(name).is_none();
        let host = self.add_host(name, changed.then_some("all"), None)?;
        for (key, value) in vars {
            changed |= self.host(&host).and_then(|host| host.vars.get(key)) != Some(value);
            self.set_host_var(&host, key.clone(), value.clone());
        }
        for group in groups {
            changed |= self.group(group).is_none();
            let group = self.add_group(group)?;
            changed |= self.add_to_group(&host, &group)?;
        }
        Ok(changed)
    }

    fn extend_group(&mut self, name: &str, parents: &[String], host: &str) -> Result<bool, Diagnostic> {
        let group = self.add_group(name)?;
        let mut changed = false;
        for parent in parents {
            changed |= self.group(parent).is_none();
            let parent = self.add_group(parent)?;
            changed |= self.add_child(&parent, &group)?;
        }
        // The implicit localhost becomes an ordinary host once it is in a group.
        if self.host(host).is_none() && LOCALHOST.contains(&host) {
            let host = self.add_host(host, None, None)?;
            for (key, value) in map! { "ansible_connection" => "local" } {
                self.set_host_var(&host, key, value);
            }
        }
        Ok(self.add_to_group(host, &group)? || changed)
    }
}
