//! The variables of a host, layer by layer, and the files they come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, map};

use super::model::{Group, Inventory};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::paths::absolute;
use crate::vars::merged;
use crate::yaml;

/// Where the variables of a layer come from. The order is Ansible's, lowest precedence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LayerKind {
    /// The inventory's own variables of `all`.
    InventoryAll,
    /// The inventory's own variables of all other groups.
    InventoryGroups,
    /// `group_vars/all` beside the inventory.
    GroupVarsAll,
    /// `group_vars/all` beside the playbook.
    PlaybookGroupVarsAll,
    /// `group_vars` of all other groups beside the inventory.
    GroupVars,
    /// `group_vars` of all other groups beside the playbook.
    PlaybookGroupVars,
    /// The inventory's own variables of the host.
    InventoryHost,
    /// `host_vars` beside the inventory.
    HostVars,
    /// `host_vars` beside the playbook.
    PlaybookHostVars,
}

impl Inventory {
    /// Returns the layers of variables of `host`, lowest precedence first, those without a variable left out.
    ///
    /// # Errors
    ///
    /// If a file of variables cannot be read, or is not a map.
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
            self.files_of(folders, kind, names).unwrap_or_else(|mut found| {
                // The folders of inventory and playbook may be one.
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

    /// Returns the layers that come from the sources themselves, not from `group_vars` and `host_vars`.
    pub(super) fn own_layers(&self, host: &str) -> Vec<(LayerKind, Map)> {
        let own = if self.is_implicit(host) {
            map! { "ansible_connection" => "local" }
        } else {
            self.host(host).map(|host| host.vars.clone()).unwrap_or_default()
        };
        vec![
            (LayerKind::InventoryAll, self.group("all").map(|group| group.vars.clone()).unwrap_or_default()),
            (LayerKind::InventoryGroups, self.combined(&self.ranked_groups(host))),
            (LayerKind::InventoryHost, own),
        ]
    }

    /// Returns the variables of the group itself: the inventory's, then those of its files.
    ///
    /// # Errors
    ///
    /// As [`Self::layers`].
    pub fn group_vars(&self, group: &Group, playbook_dir: Option<&Path>) -> Result<Map, Diagnostics> {
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).chain(playbook_dir).collect();
        let mut vars = group.vars.clone();
        self.extend(&mut vars, &self.files_of(&folders, "group_vars", &[&group.name])?);
        if group.priority != 1 {
            vars.insert("ansible_group_priority".into(), group.priority.into());
        }
        Ok(vars)
    }

    /// Returns the variables of the host itself: the inventory's, then those of its files.
    ///
    /// # Errors
    ///
    /// As [`Self::layers`].
    pub fn host_vars(&self, host: &str, playbook_dir: Option<&Path>) -> Result<Map, Diagnostics> {
        let mut layers = self.layers(host, playbook_dir)?;
        layers.retain(|(kind, _)| *kind >= LayerKind::InventoryHost);
        Ok(self.flat(&layers))
    }

    /// Returns what layers come to, the later ones above the earlier.
    pub fn flat(&self, layers: &[(LayerKind, Map)]) -> Map {
        let mut vars = Map::new();
        layers.iter().for_each(|(_, layer)| self.extend(&mut vars, layer));
        vars
    }

    fn combined(&self, groups: &[&Group]) -> Map {
        let mut vars = Map::new();
        groups.iter().for_each(|group| self.extend(&mut vars, &group.vars));
        vars
    }

    /// Puts variables above those that are there.
    fn extend(&self, vars: &mut Map, more: &Map) {
        for (key, value) in more {
            let value = match vars.get(key).filter(|_| self.options.merge) {
                Some(weak) => merged(weak, value),
                None => value.clone(),
            };
            vars.insert(key.clone(), value);
        }
    }

    fn files_of(&self, folders: &[&Path], kind: &str, names: &[&str]) -> Result<Map, Diagnostics> {
        let mut vars = Map::new();
        let mut errors = Diagnostics::new();
        for folder in folders {
            // A host may be called as the folder of a chroot is.
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

    /// Returns the variables of a file, which is read once.
    fn file(&self, path: &Path) -> Result<Arc<Map>, Diagnostic> {
        let mut files = self.files.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(map) = files.get(path) {
            return Ok(map.clone());
        }
        let map = match yaml::read_file(path, &self.options.vault)? {
            None => Map::new(),
            Some(node) if node.is_null() => Map::new(),
            Some(node) => {
                let what = format!("a file of variables is a map, not {}", node.kind_name());
                let value = node.to_value()?;
                value.as_map().cloned().ok_or_else(|| Diagnostic::user(what).at(node.at.clone()))?
            }
        };
        let map = Arc::new(map);
        files.insert(path.to_owned(), map.clone());
        Ok(map)
    }
}

/// Returns the first there is of `name`, `name.yml`, `name.yaml` and `name.json`; for a folder, the files in it.
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
        in_folder(&path, &mut files);
    } else {
        files.push(path);
    }
    files.into_iter().map(|path| absolute(&path)).collect()
}

fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            None if path.is_dir() => in_folder(&path, files),
            None | Some("yml" | "yaml" | "json") if path.is_file() => files.push(path),
            _ => {}
        }
    }
}
