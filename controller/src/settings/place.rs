//! Finds `ansible.cfg`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::entry::Environment;
use crate::diagnostic::Diagnostic;

/// The variable with the path of the file.
pub(super) const VARIABLE: &str = "ANSIBLE_CONFIG";

const NAME: &str = "ansible.cfg";

/// Returns the first existing file of these: that of `ANSIBLE_CONFIG`, the one in `here` unless that is world-writable,
/// `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.
pub(super) fn find(
    here: &Path,
    environment: Environment<'_>,
    warnings: &mut Vec<Diagnostic>,
) -> Option<PathBuf> {
    let home = environment("HOME").map(PathBuf::from);
    let named = environment(VARIABLE).filter(|path| !path.is_empty()).map(|path| {
        let path = match (path.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => here.join(path),
        };
        if path.is_dir() { path.join(NAME) } else { path }
    });
    let own = Some(here.join(NAME)).filter(|path| path.exists()).filter(|path| {
        let world_writable = std::fs::metadata(here).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
        let is_named = named.as_ref().is_some_and(|named| named == path);
        if world_writable && !is_named {
            let folder = crate::paths::absolute(here);
            warnings.push(Diagnostic::user(format!(
                "Ansible is being run in a world writable directory ({}), ignoring it as an ansible.cfg source.",
                folder.display()
            )));
        }
        !world_writable
    });
    let places =
        [named, own, home.map(|home| home.join(".ansible.cfg")), Some("/etc/ansible/ansible.cfg".into())];
    let file = places.into_iter().flatten().find(|path| path.exists() && !path.is_dir())?;
    Some(crate::paths::absolute(file))
}
