//! The files of a project, each read once, and the other state that all readers of a run share.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use convoy_protocol::Digest;

use super::role_use::RoleIdentity;
use crate::diagnostic::Diagnostic;
use crate::paths::absolute;
use crate::secrets::Vault;
use crate::settings::Settings;
use crate::source_file::SourceFile;
use crate::sync::lock;
use crate::yaml::Node;

/// Options of the loader.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Directories to search for roles, after `roles/` next to the playbook.
    pub roles_path: Vec<PathBuf>,
    /// Whether tasks may notify handlers that do not exist.
    pub allow_missing_handlers: bool,
}

impl Options {
    /// Returns the options from the settings. The default of `roles_path` is Ansible's: `~/.ansible/roles`,
    /// `/usr/share/ansible/roles`, `/etc/ansible/roles`.
    pub fn of(settings: &Settings, home: Option<OsString>) -> Self {
        let mut roles_path = settings.roles_path.clone();
        if roles_path.is_empty() {
            roles_path.extend(home.map(|home| PathBuf::from(home).join(".ansible/roles")));
            roles_path.extend(["/usr/share/ansible/roles", "/etc/ansible/roles"].map(PathBuf::from));
        }
        Self { roles_path, allow_missing_handlers: !settings.error_on_missing_handler }
    }
}

/// The files of a project.
#[derive(Debug)]
pub(super) struct ProjectFiles {
    pub(super) options: Options,
    vault: Arc<Vault>,
    /// The content of each file that was read; `None` if it is empty.
    nodes: Mutex<HashMap<PathBuf, Option<Arc<Node>>>>,
    /// The files read since [`Self::take_sources`] was called last.
    sources: Mutex<Vec<(PathBuf, Digest)>>,
    identities: Mutex<Vec<RoleIdentity>>,
}

impl ProjectFiles {
    /// Starts without any file.
    pub(super) fn new(options: Options, vault: Arc<Vault>) -> Self {
        let (nodes, sources, identities) = Default::default();
        Self { options, vault, nodes, sources, identities }
    }

    /// Uses `node` as the content of a file that does not exist, such as `<command line>`.
    pub(super) fn provide(&self, path: &Path, node: Option<Node>) {
        lock(&self.nodes).insert(path.to_owned(), node.map(Arc::new));
    }

    /// Returns the content of a file, which is read if it was not read before; `None` if it is empty.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Arc<Node>>, Diagnostic> {
        if let Some(known) = lock(&self.nodes).get(path) {
            return Ok(known.clone());
        }
        let source = SourceFile::read(path, &self.vault)?;
        lock(&self.sources).push((absolute(path), source.digest));
        let node = source.yaml_remembered(&self.vault)?.map(Arc::new);
        lock(&self.nodes).insert(path.to_owned(), node.clone());
        Ok(node)
    }

    /// Returns the files that were read since the last call, with absolute paths, and the digest of each.
    pub(super) fn take_sources(&self) -> Vec<(PathBuf, Digest)> {
        std::mem::take(&mut lock(&self.sources))
    }

    /// Returns whether the file of this name is encrypted.
    pub(super) fn is_secret(&self, file: &str) -> bool {
        let nodes = lock(&self.nodes);
        nodes.get(Path::new(file)).is_some_and(|node| node.as_ref().is_some_and(|node| node.secret))
    }

    /// Returns the number of a use of a role; uses that are equal have the same number.
    pub(super) fn identity_number(&self, identity: RoleIdentity) -> usize {
        let mut known = lock(&self.identities);
        known.iter().position(|other| *other == identity).unwrap_or_else(|| {
            known.push(identity);
            known.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_path_comes_from_the_settings_or_is_ansibles_default() {
        let mut settings = Settings::default();
        let folders = |settings: &Settings| Options::of(settings, Some("/home/me".into())).roles_path;
        let defaults = ["/home/me/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"];
        assert_eq!(folders(&settings), defaults.map(PathBuf::from));
        settings.roles_path = vec!["/srv/roles".into()];
        assert_eq!(folders(&settings), [PathBuf::from("/srv/roles")]);
    }
}
