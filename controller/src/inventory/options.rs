//! Options for reading an inventory.

use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::Map;

use crate::secrets::Vault;
use crate::settings::{GroupNames, HashBehaviour, Settings};
use crate::template;

/// Options for reading an inventory.
#[derive(Debug, Clone)]
pub struct Options {
    /// `-e`: variables of highest precedence for `constructed` with `use_extra_vars`.
    pub extra_vars: Map,
    /// The passwords for encrypted files and values.
    pub vault: Arc<Vault>,
    /// The options of templates in `constructed`.
    pub template: template::Options,
    /// What happens to group names that are not valid variable names.
    pub group_names: GroupNames,
    /// Whether to warn if no source could be read.
    pub unparsed_warning: bool,
    /// Whether it is an error if no source could be read.
    pub unparsed_is_failed: bool,
    /// Whether it is an error if a source does not exist.
    pub any_unparsed_is_failed: bool,
    /// The default of `use_extra_vars` of `constructed`.
    pub use_extra_vars: bool,
    /// Whether lists of hosts may contain ranges.
    pub ranges_in_lists: bool,
    /// Whether maps from several sources are merged.
    pub merge: bool,
    /// The timeout of a script, for all of its calls together.
    pub script_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

impl Options {
    /// Returns the options from the settings, without extra variables and passwords.
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
            // Long enough for a cloud with many pages of hosts; ends a script that waits for input.
            script_timeout: Duration::from_secs(600),
        }
    }
}
