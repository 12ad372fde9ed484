//! Hosts and groups that a run adds (`add_host`, `group_by`), and reading the sources once more.

use convoy_protocol::{Map, map};

use super::model::{Addition, Inventory, LOCALHOST};
use crate::diagnostic::Diagnostic;

impl Inventory {
    /// Adds to the inventory. Returns whether that changed anything. [`Self::refresh`] keeps it.
    ///
    /// # Errors
    ///
    /// If a name is empty, or a group would be above itself.
    pub fn add(&mut self, addition: Addition) -> Result<bool, Diagnostic> {
        let changed = self.carry_out(&addition)?;
        if !self.additions.contains(&addition) {
            self.additions.push(addition);
        }
        Ok(changed)
    }

    fn carry_out(&mut self, addition: &Addition) -> Result<bool, Diagnostic> {
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
            changed |= self.put(&host, &group)?;
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
        // A workstation that no source names is a host like others once it is in a group.
        if self.host(host).is_none() && LOCALHOST.contains(&host) {
            let host = self.add_host(host, None, None)?;
            for (key, value) in map! { "ansible_connection" => "local" } {
                self.set_host_var(&host, key, value);
            }
        }
        Ok(self.put(host, &group)? || changed)
    }
}
