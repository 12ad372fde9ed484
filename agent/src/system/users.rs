//! Names and numbers of users and groups: from /etc/passwd and /etc/group, then from `getent`.
//!
//! Never from libc: in a static program its name functions load the node's own libraries and may crash.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use super::Look;
use super::process::Process;

/// One line of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name to log in with.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's first group.
    pub gid: u32,
    /// The full name.
    pub gecos: String,
    /// The home folder.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

impl User {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, gecos, home, shell] = fields[..] else { return None };
        Some(Self {
            name: name.into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            gecos: gecos.into(),
            home: home.into(),
            shell: shell.into(),
        })
    }
}

/// What was looked up for the running order.
#[derive(Debug, Default)]
pub(super) struct Cache {
    files: HashMap<&'static str, Arc<str>>,
    /// `getent`'s answers by database and key.
    answers: HashMap<(&'static str, String), Option<String>>,
}

#[derive(Clone, Copy)]
enum Key<'k> {
    Name(&'k str),
    Id(u32),
}

impl Key<'_> {
    fn is_of(self, line: &str) -> bool {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        match self {
            Self::Name(wanted) => name == wanted,
            Self::Id(id) => fields.nth(1).and_then(|field| field.parse().ok()) == Some(id),
        }
    }
}

impl Look {
    /// Forgets what was looked up.
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
            // `getent` reads digits as a number, which a name never is here.
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
        let output = self.ask(&Process::new(["getent", database, word.as_str()]).env("LC_ALL", "C")).ok();
        let line = output.filter(|output| output.rc == 0).and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().find(|line| key.is_of(line)).map(str::to_owned)
        });
        self.users.borrow_mut().answers.insert((database, word), line.clone());
        line
    }

    /// Returns the user of that name, if there is one.
    pub fn user(&self, name: &str) -> Option<User> {
        self.entry("passwd", "/etc/passwd", Key::Name(name)).as_deref().and_then(User::parse)
    }

    /// Returns the user of that number, if there is one.
    pub fn user_by_id(&self, uid: u32) -> Option<User> {
        self.entry("passwd", "/etc/passwd", Key::Id(uid)).as_deref().and_then(User::parse)
    }

    /// Returns the number of the group of that name, if there is one.
    pub fn group_id(&self, name: &str) -> Option<u32> {
        self.entry("group", "/etc/group", Key::Name(name))?.split(':').nth(2)?.parse().ok()
    }

    /// Returns the name of the group of that number, if there is one.
    pub fn group_name(&self, gid: u32) -> Option<String> {
        self.entry("group", "/etc/group", Key::Id(gid))?.split(':').next().map(str::to_owned)
    }
}
