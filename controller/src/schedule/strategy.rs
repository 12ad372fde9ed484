//! In which order the hosts of a play do its tasks.

/// In which order the hosts of a play do its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Each task on all hosts before the next.
    Linear,
    /// Each host as fast as it can.
    Free,
    /// As `Free`, but no more hosts at a time than `forks`, each to its end.
    HostPinned,
}

impl Strategy {
    /// Reads a strategy's name, with or without `ansible.builtin.` before it.
    pub fn named(name: &str) -> Option<Self> {
        let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."));
        Some(match short.unwrap_or(name) {
            "linear" => Self::Linear,
            "free" => Self::Free,
            "host_pinned" => Self::HostPinned,
            _ => return None,
        })
    }

    /// Returns whether results come in any order, so that each is shown under its task's heading.
    pub fn is_free(self) -> bool {
        self != Self::Linear
    }
}
