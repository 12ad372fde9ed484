//! The variables of hosts and groups in layers by precedence, including those of `group_vars` and `host_vars`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, map};

use super::model::{Group, Inventory};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::merge::merge_hash;
use crate::paths::absolute;
use crate::source_file::read_yaml;
use crate::sync::lock;

/// The origin of a layer of variables, in Ansible's order: lowest precedence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// Variables of `all` in the inventory itself.
    InventoryAll,
    /// Variables of other groups in the inventory itself.
    InventoryGroups,
    /// `group_vars/all` next to the inventory.
    GroupVarsAll,
    /// `group_vars/all` next to the playbook.
    PlaybookGroupVarsAll,
    /// `group_vars` of other groups next to the inventory.
    GroupVars,
    /// `group_vars` of other groups next to the playbook.
    PlaybookGroupVars,
    /// Variables of the host in the inventory itself.
    InventoryHost,
    /// `host_vars` next to the inventory.
    HostVars,
    /// `host_vars` next to the playbook.
    PlaybookHostVars,
}

impl Inventory {
    /// Returns the layers of variables of `host`, lowest precedence first, without empty ones.
    ///
    /// # Errors
    ///
    /// If a variable file cannot be read or is not a map.
    pub fn layers(
        &self,
        host: &str,
        playbook_dir: Option<&Path>,
    ) -> Result<Vec<(LayerKind, Map)>, Diagnostics> {
        let groups = self.ranked_groups(host);
        let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
        let own = self.own_layers(host);
        let inventory: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        let playbook: Vec<&Path> = playbook_dir.into_iter().collect();
        let mut errors = Diagnostics::new();
        let mut files = |folders: &[&Path], kind: &str, names: &[&str]| {
            self.read_files(folders, kind, names).unwrap_or_else(|mut found| {
                // Inventory and playbook may be in the same directory.
                found.retain(|error| !errors.contains(error));
                errors.append(&mut found);
                Map::new()
            })
        };
        let mut layers = vec![
            (LayerKind::GroupVarsAll, files(&inventory, "group_vars", &["all"])),
            (LayerKind::PlaybookGroupVarsAll, files(&playbook, "group_vars", &["all"])),
            (LayerKind::GroupVars, files(&inventory, "group_vars", &names)),
            (LayerKind::PlaybookGroupVars, files(&playbook, "group_vars", &names)),
            (LayerKind::HostVars, files(&inventory, "host_vars", &[host])),
            (LayerKind::PlaybookHostVars, files(&playbook, "host_vars", &[host])),
        ];
        if !errors.is_empty() {
            return Err(errors);
        }
        layers.extend(own);
        layers.sort_by_key(|(kind, _)| *kind);
        layers.retain(|(_, map)| !map.is_empty());
        Ok(layers)
    }

    /// Returns the layers of the sources themselves, without `group_vars` and `host_vars`.
    pub(super) fn own_layers(&self, host: &str) -> Vec<(LayerKind, Map)> {
        let own = if self.is_implicit(host) {
            map! { "ansible_connection" => "local" }
        } else {
            self.host(host).map(|host| host.vars.clone()).unwrap_or_default()
        };
        vec![
            (LayerKind::InventoryAll, self.group("all").map(|group| group.vars.clone()).unwrap_or_default()),
            (LayerKind::InventoryGroups, self.merge_groups(&self.ranked_groups(host))),
            (LayerKind::InventoryHost, own),
        ]
    }

    /// Returns the variables of the group itself: those of the inventory, then those of `group_vars`.
    ///
    /// # Errors
    ///
    /// As [`Self::layers`].
    pub fn group_vars(&self, group: &Group, playbook_dir: Option<&Path>) -> Result<Map, Diagnostics> {
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).chain(playbook_dir).collect();
        let mut vars = group.vars.clone();
        self.extend(&mut vars, &self.read_files(&folders, "group_vars", &[&group.name])?);
        if group.priority != 1 {
            vars.insert("ansible_group_priority".into(), group.priority.into());
        }
        Ok(vars)
    }

    /// Returns the variables of the host itself: those of the inventory, then those of `host_vars`.
    ///
    /// # Errors
    ///
    /// As [`Self::layers`].
    pub fn host_vars(&self, host: &str, playbook_dir: Option<&Path>) -> Result<Map, Diagnostics> {
        let mut layers = self.layers(host, playbook_dir)?;
        layers.retain(|(kind, _)| *kind >= LayerKind::InventoryHost);
        Ok(self.merge_layers(&layers))
    }

    /// Merges layers; later ones take precedence.
    pub fn merge_layers(&self, layers: &[(LayerKind, Map)]) -> Map {
        let mut vars = Map::new();
        layers.iter().for_each(|(_, layer)| self.extend(&mut vars, layer));
        vars
    }

    /// Merges the variables of groups; later ones take precedence.
    fn merge_groups(&self, groups: &[&Group]) -> Map {
        let mut vars = Map::new();
        groups.iter().for_each(|group| self.extend(&mut vars, &group.vars));
        vars
    }

    /// Adds variables that take precedence over the existing ones.
    fn extend(&self, vars: &mut Map, more: &Map) {
        for (key, value) in more {
            let value = match vars.get(key).filter(|_| self.options.merge) {
                Some(weak) => merge_hash(weak, value),
                None => value.clone(),
            };
            vars.insert(key.clone(), value);
        }
    }

    /// Reads the files of these names in `group_vars` or `host_vars` (`kind`) of the directories.
    fn read_files(&self, folders: &[&Path], kind: &str, names: &[&str]) -> Result<Map, Diagnostics> {
        let mut vars = Map::new();
        let mut errors = Diagnostics::new();
        for folder in folders {
            // The name of a host may be an absolute path, such as that of a chroot.
            for name in names.iter().filter(|name| !name.starts_with('/')) {
                for file in files_named(&folder.join(kind).join(name)) {
                    match self.file(&file) {
                        Ok(found) => self.extend(&mut vars, &found),
                        Err(error) => errors.push(error),
                    }
                }
            }
        }
        if errors.is_empty() { Ok(vars) } else { Err(errors) }
    }

    /// Returns the variables of a file; each file is read once.
    fn file(&self, path: &Path) -> Result<Arc<Map>, Diagnostic> {
        let mut files = lock(&self.files);
        if let Some(map) = files.get(path) {
            return Ok(map.clone());
        }
        let map = match read_yaml(path, &self.options.vault)? {
            None => Map::new(),
            Some(node) if node.is_null() => Map::new(),
            Some(node) => {
                let what = format!("a variable file must be a map, got {}", node.kind_name());
                let value = node.to_value()?;
                value.as_map().cloned().ok_or_else(|| Diagnostic::user(what).at(node.at.clone()))?
            }
        };
        let map = Arc::new(map);
        files.insert(path.to_owned(), map.clone());
        Ok(map)
    }
}

/// Returns the first existing one of `name`, `name.yml`, `name.yaml` and `name.json`; if it is a directory, its files.
fn files_named(name: &Path) -> Vec<PathBuf> {
    let named = |ending: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    let Some(path) = ["", ".yml", ".yaml", ".json"].map(named).into_iter().find(|path| path.exists()) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    if path.is_dir() {
        collect_files(&path, &mut files);
    } else {
        files.push(path);
    }
    files.into_iter().map(|path| absolute(&path)).collect()
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            None if path.is_dir() => collect_files(&path, files),
            None | Some("yml" | "yaml" | "json") if path.is_file() => files.push(path),
            _ => {}
        }
    }
}
