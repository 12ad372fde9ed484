//! Owner, group and mode: what a task asks for, and what is there.

use std::path::Path;

use convoy_protocol::Map;

use super::mode::{self, Base};
use crate::args::Mode;
use crate::failure::Failure;
use crate::stat::{FileKind, Meta};
use crate::system::{Attributes, System, SystemView};

/// What a task says about a file besides its content.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// `mode`
    pub mode: Option<&'a Mode>,
    /// `owner`
    pub owner: Option<&'a str>,
    /// `group`
    pub group: Option<&'a str>,
}

crate::arguments! {
    /// What every module that writes files takes besides their content: in Ansible, the common file arguments.
    pub struct FileArgs {
        /// The permission bits: octal digits in quotes, or symbolic such as `u+rwX,g=r`. Where a file of the
        /// workstation is copied, `preserve` means those that it has.
        mode: Option<Mode>,
        /// The owner, by name or number.
        owner: Option<String>,
        /// The group, by name or number.
        group: Option<String>,
        /// A user of an SELinux context. Means nothing where SELinux is off, and is refused where it is on.
        seuser: Option<String>,
        /// A role of an SELinux context. Means nothing where SELinux is off, and is refused where it is on.
        serole: Option<String>,
        /// A type of an SELinux context. Means nothing where SELinux is off, and is refused where it is on.
        setype: Option<String>,
        /// A level of an SELinux context. Means nothing where SELinux is off, and is refused where it is on.
        selevel: Option<String>,
        /// Flags as `chattr` takes them. Not supported: run `chattr` by the `command` module.
        attributes: Option<String> [aliases("attr")],
        /// Not supported: files are replaced whole or not at all.
        unsafe_writes: bool [default("false")],
    }
}

impl FileArgs {
    /// Returns what is asked for, as far as convoy does it.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { mode: self.mode.as_ref(), owner: self.owner.as_deref(), group: self.group.as_deref() }
    }

    /// Returns whether the mode is that of the source.
    pub fn keeps_mode(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| mode.0 == "preserve")
    }

    /// Refuses what convoy cannot do. SELinux contexts are accepted where SELinux is off: they mean nothing there.
    ///
    /// # Errors
    /// With the name of the parameter and the reason.
    pub fn refuse_foreign(&self, view: &SystemView) -> Result<(), Failure> {
        if self.unsafe_writes {
            return Err(Failure::new(
                "unsafe_writes is not supported by convoy: it would leave half a file if it was interrupted",
            ));
        }
        if self.attributes.as_ref().is_some_and(|text| !text.is_empty()) {
            return Err(Failure::new(
                "attributes is not supported by convoy: run chattr by the command module to set them",
            ));
        }
        let selinux = [
            ("seuser", &self.seuser),
            ("serole", &self.serole),
            ("setype", &self.setype),
            ("selevel", &self.selevel),
        ];
        let given = selinux.iter().find(|(_, value)| value.is_some());
        if let Some((name, _)) = given
            && view.has_selinux()
        {
            return Err(Failure::new(format!(
                "{name} is not supported by convoy on a node with SELinux: run chcon or restorecon by the command module"
            )));
        }
        Ok(())
    }
}

impl Wanted<'_> {
    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.mode.is_none() && self.owner.is_none() && self.group.is_none()
    }

    /// Returns what is asked for in numbers, for something at `path` that is, or would be made as, `base`.
    ///
    /// # Errors
    /// If a user or group is unknown, or the mode is none.
    pub fn resolve(&self, view: &SystemView, path: &Path, base: Base) -> Result<Attributes, Failure> {
        let unknown = |verb: &str, what: &str, name: &str| {
            Failure::new(format!("{verb} failed: failed to look up {what} {name}"))
                .with("path", path.to_string_lossy().as_ref())
        };
        let uid = self.owner.map(|name| match name.parse() {
            Ok(uid) => Ok(uid),
            Err(_) => view.user(name).map(|user| user.uid).ok_or_else(|| unknown("chown", "user", name)),
        });
        let gid = self.group.map(|name| match name.parse() {
            Ok(gid) => Ok(gid),
            Err(_) => view.group_id(name).ok_or_else(|| unknown("chgrp", "group", name)),
        });
        let mode = self.mode.map(|mode| {
            mode::parse(&mode.0, base)
                .map_err(|failure| failure.with("path", path.to_string_lossy().as_ref()))
        });
        Ok(Attributes { mode: mode.transpose()?, uid: uid.transpose()?, gid: gid.transpose()? })
    }

    /// Returns what is asked for and is not so; `None` if all is.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn missing(
        &self,
        view: &SystemView,
        path: &Path,
        meta: &Meta,
    ) -> Result<Option<Attributes>, Failure> {
        if self.is_empty() {
            return Ok(None);
        }
        let base = Base { mode: meta.mode, is_dir: meta.is_dir(), umask: view.umask() };
        Ok(differing(self.resolve(view, path, base)?, meta))
    }
}

/// Returns the part of `wanted` that `meta` has not; `None` if it has all. A symbolic link has no mode of its own.
pub fn differing(wanted: Attributes, meta: &Meta) -> Option<Attributes> {
    let left = Attributes {
        mode: wanted.mode.filter(|mode| *mode != meta.mode && !meta.is_link()),
        uid: wanted.uid.filter(|uid| *uid != meta.uid),
        gid: wanted.gid.filter(|gid| *gid != meta.gid),
    };
    (left != Attributes::default()).then_some(left)
}

/// Sets attributes of what is at `path` itself.
///
/// # Errors
/// If one cannot be set.
pub fn set(node: &mut System, path: &Path, attributes: Attributes) -> Result<(), Failure> {
    if attributes.uid.is_some() || attributes.gid.is_some() {
        node.lchown(path, attributes.uid, attributes.gid)?;
    }
    // After the owner: a change of owner takes the set-user-id bit away.
    attributes.mode.map_or(Ok(()), |mode| node.chmod(path, mode))
}

/// Returns Ansible's word for what is at a path.
pub fn state(meta: Option<&Meta>) -> &'static str {
    match meta {
        None => "absent",
        Some(meta) => match meta.kind {
            FileKind::Link => "link",
            FileKind::Dir => "directory",
            _ if meta.nlink > 1 => "hard",
            _ => "file",
        },
    }
}

/// Adds what Ansible says about a path in each answer that names one.
///
/// # Errors
/// If the path cannot be looked at.
pub fn describe(view: &SystemView, path: &Path, values: &mut Map) -> Result<(), Failure> {
    if view.stat(path)?.is_none() {
        return Ok(());
    }
    let Some(meta) = view.lstat(path)? else { return Ok(()) };
    let owner = view.user_by_id(meta.uid).map_or_else(|| meta.uid.to_string(), |user| user.name);
    let group = view.group_name(meta.gid).unwrap_or_else(|| meta.gid.to_string());
    values.extend(convoy_protocol::map! {
        "uid" => meta.uid,
        "gid" => meta.gid,
        "owner" => owner,
        "group" => group,
        "mode" => format!("0{:03o}", meta.mode),
        "state" => state(Some(&meta)),
        "size" => i64::try_from(meta.size).unwrap_or(i64::MAX),
    });
    Ok(())
}
