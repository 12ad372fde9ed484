//! The upgrade playbook with its templates and the demo's inventory, embedded in the binary.

use std::fs;
use std::io;
use std::path::Path;

/// The embedded files of the repository: path and content.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/project.rs"));

/// The playbook that the demo runs.
pub(super) const PLAYBOOK: &str = "playbooks/wso2-apim/upgrade.yml";
/// The demo's inventory.
pub(super) const INVENTORY: &str = "inventory/demo";

/// Writes the files that are missing in `folder`. Files that the user has changed stay.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = folder.join(name);
        if path.exists() {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_stay_and_missing_ones_are_written() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let playbook = folder.path().join(PLAYBOOK);
        fs::write(&playbook, "changed").unwrap();
        let hosts = folder.path().join(INVENTORY).join("hosts.yml");
        fs::remove_file(&hosts).unwrap();
        write(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(playbook).unwrap(), "changed");
        assert!(hosts.exists());
    }
}
