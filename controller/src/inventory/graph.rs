//! Adds hosts and groups, and maintains the relations between them.

use std::collections::VecDeque;
use std::sync::Arc;

use convoy_protocol::{Key, Map, Value};
use indexmap::IndexSet;

use super::model::{Group, Host, Inventory, LOCALHOST};
use crate::diagnostic::Diagnostic;
use crate::settings::GroupNames;

/// Returns the name with characters replaced that a variable name cannot contain.
pub(super) fn safe_name(name: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let is_allowed = |index: usize, c: char| word(c) && !(index == 0 && c.is_numeric());
    name.chars().enumerate().map(|(index, c)| if is_allowed(index, c) { c } else { '_' }).collect()
}

impl Inventory {
    /// Adds a group, unless it exists. Returns its name.
    ///
    /// # Errors
    ///
    /// If the name is empty.
    pub fn add_group(&mut self, name: &str) -> Result<Arc<str>, Diagnostic> {
        if name.is_empty() {
            return Err(Diagnostic::user("a group has no name"));
        }
        if let Some((known, _)) = self.groups.get_key_value(name) {
            return Ok(known.clone());
        }
        let safe = safe_name(name);
        let replaced = matches!(self.options.group_names, GroupNames::Always | GroupNames::Silently);
        if safe != name {
            let what = match self.options.group_names {
                GroupNames::Never => "not replaced",
                GroupNames::Always => "automatically replaced",
                GroupNames::Silently | GroupNames::Ignore => "",
            };
            if !what.is_empty() {
                let ending = if replaced { "and" } else { "but" };
                let text = format!(
                    "Invalid characters were found in group names {ending} {what}, use -vvvv to see details"
                );
                self.warn(Diagnostic::user(text));
            }
        }
        let name = if replaced { &safe } else { name };
        if let Some((known, _)) = self.groups.get_key_value(name) {
            return Ok(known.clone());
        }
        let name: Arc<str> = name.into();
        self.groups.insert(name.clone(), Group::new(&name));
        Ok(name)
    }

    /// Adds a host, unless it exists, and adds it to `group`. Returns its name.
    ///
    /// # Errors
    ///
    /// If the name is empty or the group does not exist.
    pub fn add_host(
        &mut self,
        name: &str,
        group: Option<&str>,
        port: Option<u16>,
    ) -> Result<Arc<str>, Diagnostic> {
        if name.is_empty() {
            return Err(Diagnostic::user("a host has no name"));
        }
        let name: Arc<str> =
            self.hosts.get_key_value(name).map_or_else(|| name.into(), |(known, _)| known.clone());
        if !self.hosts.contains_key(&name) {
            let mut vars = Map::new();
            if let Some(port) = port {
                vars.insert("ansible_port".into(), i64::from(port).into());
            }
            let (file, dir) = self.current.clone().unzip();
            vars.insert("inventory_file".into(), file.into());
            vars.insert("inventory_dir".into(), dir.into());
            self.hosts.insert(name.clone(), Host { name: name.clone(), vars, groups: Vec::new() });
            self.remember_localhost(&name);
        }
        if let Some(group) = group {
            self.add_to_group(&name, group)?;
        }
        Ok(name)
    }

    /// Adds a host to a group. Returns whether it was not in the group before.
    ///
    /// # Errors
    ///
    /// If either does not exist.
    pub fn add_to_group(&mut self, host: &str, group: &str) -> Result<bool, Diagnostic> {
        let (Some(member), Some(target)) = (self.hosts.get_mut(host), self.groups.get_mut(group)) else {
            return Err(Diagnostic::user(format!("unknown host `{host}` or group `{group}`")));
        };
        let new = !member.groups.contains(&target.name);
        if new {
            target.hosts.push(member.name.clone());
            member.groups.push(target.name.clone());
        }
        Ok(new)
    }

    /// Adds the group `child` to `parent`. Returns whether it was not a child before.
    ///
    /// # Errors
    ///
    /// If either does not exist, or `parent` is a descendant of `child`.
    pub fn add_child(&mut self, parent: &str, child: &str) -> Result<bool, Diagnostic> {
        let (Some(above), Some(below)) = (self.groups.get(parent), self.groups.get(child)) else {
            return Err(Diagnostic::user(format!("unknown group `{parent}` or `{child}`")));
        };
        if above.children.contains(&below.name) {
            return Ok(false);
        }
        let (above, below, depth) = (above.name.clone(), below.name.clone(), above.depth + 1);
        if parent == child || self.ancestors(parent).contains(&below) {
            return Err(Diagnostic::user(format!(
                "group `{child}` cannot be a child of its descendant `{parent}`"
            )));
        }
        self.groups[&above].children.push(below.clone());
        self.groups[&below].parents.push(above);
        self.update_depth(below, depth);
        Ok(true)
    }

    /// Sets a variable of a group; `ansible_group_priority` sets its priority instead.
    pub(super) fn set_group_var(&mut self, group: &str, key: Key, value: Value) -> Result<(), Diagnostic> {
        let Some(group) = self.groups.get_mut(group) else {
            return Err(Diagnostic::user(format!("unknown group `{group}`")));
        };
        if key.as_str() != Some("ansible_group_priority") {
            group.vars.insert(key, value);
            return Ok(());
        }
        let number = value.as_int().or_else(|| value.as_str()?.trim().parse().ok());
        group.priority = number.ok_or_else(|| {
            Diagnostic::user("`ansible_group_priority` is not a whole number").at(value.origin)
        })?;
        Ok(())
    }

    /// Sets a variable of a host.
    pub(super) fn set_host_var(&mut self, host: &str, key: Key, value: Value) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.vars.insert(key, value);
        }
    }

    /// Sets a variable of the group called `name`, or of the host if there is no such group.
    pub(super) fn set_var(&mut self, name: &str, key: Key, value: Value) -> Result<(), Diagnostic> {
        if self.groups.contains_key(name) {
            return self.set_group_var(name, key, value);
        }
        self.set_host_var(name, key, value);
        Ok(())
    }

    /// Adds the group called `name`, or the host if there is no such group, to `group`.
    pub(super) fn add_member(&mut self, group: &str, name: &str) -> Result<bool, Diagnostic> {
        if self.groups.contains_key(name) {
            self.add_child(group, name)
        } else {
            self.add_to_group(name, group)
        }
    }

    /// Establishes the rules: each group descends from `all`; each host is in a group, otherwise in `ungrouped`.
    ///
    /// # Errors
    ///
    /// None in practice: all names are from the inventory itself.
    pub fn reconcile(&mut self) -> Result<(), Diagnostic> {
        self.current = None;
        let orphans: Vec<_> = self
            .groups
            .values()
            .filter(|g| g.parents.is_empty() && &*g.name != "all")
            .map(|g| g.name.clone())
            .collect();
        for group in orphans {
            self.add_child("all", &group)?;
        }
        let names: Vec<Arc<str>> = self.hosts.keys().cloned().collect();
        for host in &names {
            let grouped = self.groups_of(host).iter().any(|name| !matches!(&**name, "all" | "ungrouped"));
            if !grouped {
                self.add_to_group(host, "ungrouped")?;
            } else if self.hosts[host].groups.iter().any(|name| &**name == "ungrouped") {
                self.groups["ungrouped"].hosts.retain(|name| name != host);
                self.hosts[host].groups.retain(|name| &**name != "ungrouped");
            }
        }
        for name in names.iter().filter(|name| self.groups.contains_key(*name)).cloned().collect::<Vec<_>>() {
            self.warn(Diagnostic::user(format!("Found both group and host with same name: {name}")));
        }
        Ok(())
    }

    /// Returns all groups that contain `host`; none if the host is in no group.
    pub(super) fn groups_of(&self, host: &str) -> IndexSet<Arc<str>> {
        let mut found = IndexSet::new();
        for group in self.hosts.get(host).map_or(&[][..], |host| &host.groups) {
            if found.insert(group.clone()) {
                found.extend(self.ancestors(group));
            }
        }
        found
    }

    /// Returns the groups of `host` except `all`, those with variables of higher precedence last.
    pub(super) fn ranked_groups(&self, host: &str) -> Vec<&Group> {
        let names = self.groups_of(host);
        let mut groups: Vec<_> =
            names.iter().filter(|name| &***name != "all").filter_map(|name| self.groups.get(name)).collect();
        groups.sort_by(|a, b| (a.depth, a.priority, &a.name).cmp(&(b.depth, b.priority, &b.name)));
        groups
    }

    fn ancestors(&self, group: &str) -> IndexSet<Arc<str>> {
        self.reachable(group, |group| &group.parents)
    }

    /// Returns `group` and its descendants, level by level.
    pub(super) fn descendants(&self, group: &str) -> IndexSet<Arc<str>> {
        let mut found: IndexSet<Arc<str>> =
            self.groups.get(group).map(|group| group.name.clone()).into_iter().collect();
        found.extend(self.reachable(group, |group| &group.children));
        found
    }

    /// Returns the groups that can be reached from `from` by `next`, nearest first.
    fn reachable<'s>(&'s self, from: &str, next: impl Fn(&'s Group) -> &'s [Arc<str>]) -> IndexSet<Arc<str>> {
        let mut found = IndexSet::new();
        let mut queue: VecDeque<&Group> = self.groups.get(from).into_iter().collect();
        while let Some(group) = queue.pop_front() {
            for name in next(group) {
                if found.insert(name.clone()) {
                    queue.extend(self.groups.get(name));
                }
            }
        }
        found
    }

    /// Sets the minimum depth of a group, and that of its descendants accordingly.
    fn update_depth(&mut self, group: Arc<str>, depth: usize) {
        let mut queue = VecDeque::from([(group, depth)]);
        while let Some((name, depth)) = queue.pop_front() {
            let group = &mut self.groups[&name];
            if group.depth < depth {
                group.depth = depth;
                queue.extend(group.children.iter().map(|child| (child.clone(), depth + 1)));
            }
        }
    }

    fn remember_localhost(&mut self, name: &Arc<str>) {
        if !LOCALHOST.contains(&&**name) {
            return;
        }
        match self.localhost.clone() {
            None => self.localhost = Some(name.clone()),
            Some(first) => self.warn(Diagnostic::user(format!(
                "A duplicate localhost-like entry was found ({name}). First found localhost was {first}"
            ))),
        }
    }
}
