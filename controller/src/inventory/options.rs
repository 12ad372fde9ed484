//! How an inventory is read.

use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::Map;

use crate::secrets::Vault;
use crate::settings::{GroupNames, HashBehaviour, Settings};
use crate::template;

/// How an inventory is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// `-e`: what `constructed` with `use_extra_vars` sees above all else.
    pub extra_vars: Map,
    /// The passwords of what is encrypted.
    pub vault: Arc<Vault>,
    /// How `constructed` renders.
    pub template: template::Options,
    /// What becomes of names that are not those of variables.
    pub group_names: GroupNames,
    /// Whether it is told that no source could be read.
    pub unparsed_warning: bool,
    /// Whether it is an error if no source could be read.
    pub unparsed_is_failed: bool,
    /// Whether it is an error if a source is not there.
    pub any_unparsed_is_failed: bool,
    /// Whether `constructed` sees extra variables unless its file says otherwise.
    pub use_extra_vars: bool,
    /// Whether lists of hosts may have ranges.
    pub ranges_in_lists: bool,
    /// Whether maps that several sources have are put together.
    pub merge: bool,
    /// How long a script may take, all of its calls together.
    pub script_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

impl Options {
    /// Returns what the settings say, without extra variables and passwords.
    pub fn of(settings: &Settings) -> Self {
        Self {
            extra_vars: Map::new(),
            vault: Arc::default(),
            template: template::Options::of(settings),
            group_names: settings.force_valid_group_names,
            unparsed_warning: settings.inventory_unparsed_warning,
            unparsed_is_failed: settings.inventory_unparsed_is_failed,
            any_unparsed_is_failed: settings.inventory_any_unparsed_is_failed,
            use_extra_vars: settings.inventory_use_extra_vars,
            ranges_in_lists: settings
                .inventory_plugins
                .iter()
                .any(|name| name.rsplit('.').next() == Some("advanced_host_list")),
            merge: settings.hash_behaviour == HashBehaviour::Merge,
            // A cloud with many pages of hosts takes its time; a prompt that nobody sees takes forever.
            script_limit: Duration::from_secs(600),
        }
    }
}
