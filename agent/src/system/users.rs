//! Names and numbers of users and groups: from /etc/passwd and /etc/group, then from `getent`.
//!
//! Never from libc: in a static program its name functions load the node's own libraries and may crash.

use std::collections::HashMap;
use std::fmt;
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

/// One line of the group database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// The users that have it besides their first group.
    pub members: Vec<String>,
}

impl Group {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
        Some(Self {
            name: name.into(),
            gid: gid.parse().ok()?,
            members: members.map(str::to_owned).collect(),
        })
    }
}

/// One line of the database of passwords. Days count from 1970; `None` where the field is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shadow {
    /// The hash, with `!` before it if the account is locked. A secret.
    pub password: String,
    /// The days before a password may be changed.
    pub min: Option<i64>,
    /// The days after which it must be changed.
    pub max: Option<i64>,
    /// The days of warning before.
    pub warn: Option<i64>,
    /// The days after that until the account is closed.
    pub inactive: Option<i64>,
    /// The day on which the account ends.
    pub expires: Option<i64>,
}

impl Shadow {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(':').collect();
        // Some tools write -1 for what is not set.
        let number = |index: usize| fields.get(index)?.trim().parse().ok().filter(|days| *days >= 0);
        Self {
            password: fields.get(1).copied().unwrap_or_default().to_owned(),
            min: number(3),
            max: number(4),
            warn: number(5),
            inactive: number(6),
            expires: number(7),
        }
    }
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow").field("expires", &self.expires).finish_non_exhaustive()
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

    /// Returns the user of that name in the node's own file, whatever a directory says.
    pub fn local_user(&self, name: &str) -> Option<User> {
        self.database("/etc/passwd").lines().find(|line| Key::Name(name).is_of(line)).and_then(User::parse)
    }

    /// Returns the group of that name, if there is one.
    pub fn group(&self, name: &str) -> Option<Group> {
        self.entry("group", "/etc/group", Key::Name(name)).as_deref().and_then(Group::parse)
    }

    /// Returns the group of that number, if there is one.
    pub fn group_by_id(&self, gid: u32) -> Option<Group> {
        self.entry("group", "/etc/group", Key::Id(gid)).as_deref().and_then(Group::parse)
    }

    /// Returns the groups in the node's own file.
    pub fn local_groups(&self) -> Vec<Group> {
        self.database("/etc/group").lines().filter_map(Group::parse).collect()
    }

    /// Returns the number of the group of that name, if there is one.
    pub fn group_id(&self, name: &str) -> Option<u32> {
        self.group(name).map(|group| group.gid)
    }

    /// Returns the name of the group of that number, if there is one.
    pub fn group_name(&self, gid: u32) -> Option<String> {
        self.group_by_id(gid).map(|group| group.name)
    }

    /// Returns what is stored of a user's password; `None` if it cannot be seen, or there is nothing.
    pub fn shadow(&self, name: &str) -> Option<Shadow> {
        let line = self.entry("shadow", "/etc/shadow", Key::Name(name));
        if let Some(line) = line {
            return Some(Shadow::parse(&line));
        }
        // Where there is no shadow file, the hash is beside the name.
        let line = self.entry("passwd", "/etc/passwd", Key::Name(name))?;
        let password = line.split(':').nth(1).unwrap_or_default();
        (password.len() > 1).then(|| Shadow { password: password.to_owned(), ..Shadow::default() })
    }
}
