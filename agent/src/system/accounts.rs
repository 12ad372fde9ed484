//! Entries of the user, group and shadow databases.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// An entry of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The user ID.
    pub uid: u32,
    /// The ID of the primary group.
    pub gid: u32,
    /// The full name.
    pub gecos: String,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

impl User {
    pub(super) fn parse(line: &str) -> Option<Self> {
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

/// An entry of the group database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// The group ID.
    pub gid: u32,
    /// The users that have it as a supplementary group.
    pub members: Vec<String>,
}

impl Group {
    pub(super) fn parse(line: &str) -> Option<Self> {
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

/// An entry of the shadow database. Days are counted from 1970-01-01; empty fields are `None`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shadow {
    /// The password hash, prefixed with `!` if the account is locked. A secret.
    pub password: String,
    /// The minimum age of the password in days.
    pub min: Option<i64>,
    /// The maximum age of the password in days.
    pub max: Option<i64>,
    /// The number of days before its expiry at which warnings begin.
    pub warn: Option<i64>,
    /// The number of days after its expiry at which the account is disabled.
    pub inactive: Option<i64>,
    /// The day on which the account expires.
    pub expires: Option<i64>,
}

impl Shadow {
    pub(super) fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split(':').collect();
        // Some tools write -1 for an unset field.
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

/// Lookups cached for the running order.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) files: HashMap<&'static str, Arc<str>>,
    /// `getent`'s answers by database and key.
    pub(super) answers: HashMap<(&'static str, String), Option<String>>,
}

#[derive(Clone, Copy)]
pub(super) enum Key<'k> {
    Name(&'k str),
    Id(u32),
}

impl Key<'_> {
    pub(super) fn is_of(self, line: &str) -> bool {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        match self {
            Self::Name(wanted) => name == wanted,
            Self::Id(id) => fields.nth(1).and_then(|field| field.parse().ok()) == Some(id),
        }
    }
}
