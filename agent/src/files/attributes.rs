//! Owner, group and mode: the requested and the current ones.

use std::path::Path;

use convoy_protocol::Map;

use super::mode::{self, Base};
use crate::args::Mode;
use crate::failure::Failure;
use crate::stat::{FileKind, Meta};
use crate::system::{Attributes, System, SystemView};

/// The attributes that a task requests for a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestedAttributes<'a> {
    /// `mode`
    pub mode: Option<&'a Mode>,
    /// `owner`
    pub owner: Option<&'a str>,
    /// `group`
    pub group: Option<&'a str>,
}

crate::arguments! {
    /// Parameters of modules that write files: Ansible's common file arguments.
    pub struct FileArgs {
        /// The permission bits: octal digits in quotes, or symbolic such as `u+rwX,g=r`. When a file of the workstation is
        /// copied, `preserve` keeps the bits that it has there.
        mode: Option<Mode>,
        /// The owner, by name or ID.
        owner: Option<String>,
        /// The group, by name or ID.
        group: Option<String>,
        /// The user of an SELinux context. Ignored if SELinux is disabled, refused if it is enabled.
        seuser: Option<String>,
        /// The role of an SELinux context. Ignored if SELinux is disabled, refused if it is enabled.
        serole: Option<String>,
        /// The type of an SELinux context. Ignored if SELinux is disabled, refused if it is enabled.
        setype: Option<String>,
        /// The level of an SELinux context. Ignored if SELinux is disabled, refused if it is enabled.
        selevel: Option<String>,
        /// Flags for `chattr`. Not supported: run `chattr` with the `command` module.
        attributes: Option<String> [aliases("attr")],
        /// Not supported: files are always replaced atomically.
        unsafe_writes: bool [default("false")],
    }
}

impl FileArgs {
    /// Returns the requested attributes.
    pub fn wanted(&self) -> RequestedAttributes<'_> {
        RequestedAttributes {
            mode: self.mode.as_ref(),
            owner: self.owner.as_deref(),
            group: self.group.as_deref(),
        }
    }

    /// Returns whether the mode of the source is to be kept.
    pub fn keeps_mode(&self) -> bool {
        self.mode.as_ref().is_some_and(|mode| mode.0 == "preserve")
    }

    /// Refuses parameters that convoy does not support.
    ///
    /// # Errors
    /// Names the parameter and the reason.
    pub fn refuse_unsupported(&self, view: &SystemView) -> Result<(), Failure> {
        if self.unsafe_writes {
            return Err(Failure::new(
                "unsafe_writes is not supported by convoy: an interruption would leave a partial file",
            ));
        }
        if self.attributes.as_ref().is_some_and(|text| !text.is_empty()) {
            return Err(Failure::new(
                "attributes is not supported by convoy: set them by running chattr with the command module",
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
                "{name} is not supported by convoy on a node with SELinux: run chcon or restorecon with the command module"
            )));
        }
        Ok(())
    }
}

impl RequestedAttributes<'_> {
    /// Returns whether no attribute is requested.
    pub fn is_empty(&self) -> bool {
        self.mode.is_none() && self.owner.is_none() && self.group.is_none()
    }

    /// Resolves names and symbolic modes for something at `path`, which is `base` or would be created as `base`.
    ///
    /// # Errors
    /// If a user or group is unknown, or the mode is invalid.
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

    /// Returns the requested attributes that differ from the current ones; `None` if there are none.
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

/// Returns the part of `wanted` that differs from `meta`; `None` if nothing does. A symbolic link has no mode of its own.
pub fn differing(wanted: Attributes, meta: &Meta) -> Option<Attributes> {
    let left = Attributes {
        mode: wanted.mode.filter(|mode| *mode != meta.mode && !meta.is_link()),
        uid: wanted.uid.filter(|uid| *uid != meta.uid),
        gid: wanted.gid.filter(|gid| *gid != meta.gid),
    };
    (left != Attributes::default()).then_some(left)
}

/// Sets attributes of `path` itself; a symbolic link is not followed.
///
/// # Errors
/// If one cannot be set.
pub fn set(node: &mut System, path: &Path, attributes: Attributes) -> Result<(), Failure> {
    if attributes.uid.is_some() || attributes.gid.is_some() {
        node.lchown(path, attributes.uid, attributes.gid)?;
    }
    // After the owner, since a change of owner clears the set-user-ID bit.
    attributes.mode.map_or(Ok(()), |mode| node.chmod(path, mode))
}

/// Returns Ansible's word for the type of a file.
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

/// Adds the return values that describe a path in Ansible's results.
///
/// # Errors
/// If the metadata cannot be read.
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
