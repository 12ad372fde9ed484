//! How an inventory is read.

use std::time::Duration;

use convoy_protocol::Map;

use crate::template;

/// What becomes of a group's name that is not one of a variable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroupNames {
    /// It stays, with a warning.
    #[default]
    Never,
    /// It stays.
    Ignore,
    /// What does not fit is replaced by `_`, with a warning.
    Always,
    /// What does not fit is replaced by `_`.
    Silently,
}

impl GroupNames {
    /// Returns whether names are changed.
    pub(super) fn are_replaced(self) -> bool {
        matches!(self, Self::Always | Self::Silently)
    }
}

/// How an inventory is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// `-e`: what `constructed` with `use_extra_vars` sees above all else.
    pub extra_vars: Map,
    /// How `constructed` renders.
    pub template: template::Options,
    /// What becomes of names that are not those of variables.
    pub group_names: GroupNames,
    /// How long a script may take, all of its calls together.
    pub script_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extra_vars: Map::new(),
            template: template::Options::default(),
            group_names: GroupNames::default(),
            // A cloud with many pages of hosts takes its time; a prompt that nobody sees takes forever.
            script_limit: Duration::from_secs(600),
        }
    }
}
