//! Looks up users and groups in /etc/passwd and /etc/group, then with `getent`.
//!
//! libc is never used for that: in a static program its lookup functions load the node's NSS libraries and may crash.

use std::fs;
use std::sync::Arc;

use super::SystemView;
use super::accounts::{Group, Key, Shadow, User};
use super::process::Process;

impl SystemView {
    /// Drops cached lookups.
    pub(super) fn forget_users(&self) {
        self.users.take();
    }

    fn database(&self, file: &'static str) -> Arc<str> {
        let read = || String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).as_ref().into();
        self.users.borrow_mut().files.entry(file).or_insert_with(read).clone()
    }

    fn entry(&self, database: &'static str, file: &'static str, key: Key<'_>) -> Option<String> {
        let text = self.database(file);
        if let Some(line) = text.lines().find(|line| key.is_of(line)) {
            return Some(line.to_owned());
        }
        let word = match key {
            // `getent` would take digits for an ID, but a name never consists of digits here.
            Key::Name(name) if name.is_empty() || name.starts_with('-') || name.parse::<u64>().is_ok() => {
                return None;
            }
            Key::Name(name) => name.to_owned(),
            Key::Id(id) => id.to_string(),
        };
        let cached = self.users.borrow().answers.get(&(database, word.clone())).cloned();
        if let Some(answer) = cached {
            return answer;
        }
        let output = self.query(&Process::new(["getent", database, word.as_str()]).env("LC_ALL", "C")).ok();
        let line = output.filter(|output| output.rc == 0).and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().find(|line| key.is_of(line)).map(str::to_owned)
        });
        self.users.borrow_mut().answers.insert((database, word), line.clone());
        line
    }

    /// Returns the user with this name.
    pub fn user(&self, name: &str) -> Option<User> {
        self.entry("passwd", "/etc/passwd", Key::Name(name)).as_deref().and_then(User::parse)
    }

    /// Returns the user with this ID.
    pub fn user_by_id(&self, uid: u32) -> Option<User> {
        self.entry("passwd", "/etc/passwd", Key::Id(uid)).as_deref().and_then(User::parse)
    }

    /// Returns the user with this name in /etc/passwd itself, ignoring directory services.
    pub fn local_user(&self, name: &str) -> Option<User> {
        self.database("/etc/passwd").lines().find(|line| Key::Name(name).is_of(line)).and_then(User::parse)
    }

    /// Returns the group with this name.
    pub fn group(&self, name: &str) -> Option<Group> {
        self.entry("group", "/etc/group", Key::Name(name)).as_deref().and_then(Group::parse)
    }

    /// Returns the group with this ID.
    pub fn group_by_id(&self, gid: u32) -> Option<Group> {
        self.entry("group", "/etc/group", Key::Id(gid)).as_deref().and_then(Group::parse)
    }

    /// Returns the groups in /etc/group itself.
    pub fn local_groups(&self) -> Vec<Group> {
        self.database("/etc/group").lines().filter_map(Group::parse).collect()
    }

    /// Returns the ID of the group with this name.
    pub fn group_id(&self, name: &str) -> Option<u32> {
        self.group(name).map(|group| group.gid)
    }

    /// Returns the name of the group with this ID.
    pub fn group_name(&self, gid: u32) -> Option<String> {
        self.group_by_id(gid).map(|group| group.name)
    }

    /// Returns a user's shadow entry; `None` if it does not exist or is not accessible.
    pub fn shadow(&self, name: &str) -> Option<Shadow> {
        let line = self.entry("shadow", "/etc/shadow", Key::Name(name));
        if let Some(line) = line {
            return Some(Shadow::parse(&line));
        }
        // Without a shadow file, the hash is in the user database.
        let line = self.entry("passwd", "/etc/passwd", Key::Name(name))?;
        let password = line.split(':').nth(1).unwrap_or_default();
        (password.len() > 1).then(|| Shadow { password: password.to_owned(), ..Shadow::default() })
    }
}
