//! The options of a run: what the command line, the settings and the environment ask for.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::Map;

use crate::playbook::ast::Task;
use crate::secrets::Vault;
use crate::services::become_defaults::BecomeDefaults;
use crate::settings::Settings;
use crate::ssh::HostKeyChecking;
use crate::template;
use crate::text::python::shell_quoted;

/// How a run was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `-C`.
    pub check: bool,
    /// `-D`.
    pub diff: bool,
    /// `-f`: how many hosts are worked with at once.
    pub forks: usize,
    /// How many `-v`.
    pub verbosity: u8,
    /// `-t` and `--skip-tags`.
    pub tags: Tags,
    /// `-l`.
    pub limit: Option<String>,
    /// `-e`.
    pub extra_vars: Map,
    /// `--force-handlers`.
    pub force_handlers: bool,
    /// `--step`.
    pub step: bool,
    /// `--start-at-task`.
    pub start_at_task: Option<String>,
    /// `--flush-cache`.
    pub flush_cache: bool,
    /// `-b` and its like.
    pub r#become: BecomeDefaults,
    /// `-u`.
    pub remote_user: Option<String>,
    /// `--private-key`.
    pub private_key: Option<PathBuf>,
    /// `-c`.
    pub connection: Option<String>,
    /// `-T`: seconds to connect.
    pub timeout_seconds: Option<u64>,
    /// `--host-key-checking`; without it the user's ssh configuration says, and else strict.
    pub host_key_checking: Option<HostKeyChecking>,
    /// `-k`.
    pub connection_password: Option<String>,
    /// `--ssh-common-args`.
    pub ssh_common_args: Option<String>,
    /// `--ssh-extra-args`.
    pub ssh_extra_args: Option<String>,
    /// The folder of the first playbook.
    pub playbook_dir: Option<PathBuf>,
    /// The sources of the inventory, absolute.
    pub inventory_sources: Vec<String>,
    /// What `ansible.cfg` and the environment say.
    pub settings: Settings,
    /// The passwords of what is encrypted.
    pub vault: Arc<Vault>,
    /// What is to be told before all else.
    pub warnings: Vec<String>,
    /// How templates are rendered.
    pub template: template::Options,
    /// Whether tasks are looked at ahead; off only to compare.
    pub look_ahead: bool,
    /// The run's name, for the nodes' records; one without a name locks no node.
    pub run: String,
    /// Who began the run, and on which machine.
    pub by: String,
    /// Whether the nodes record what the run changes, so that it can be undone.
    pub records: bool,
    /// Whether the run can be resumed, if it has a journal.
    pub resumable: bool,
    /// The command line as it was given, for the command that goes on.
    pub command_line: Vec<String>,
}

impl Options {
    /// Returns the command line as a shell takes it.
    pub fn command(&self) -> Option<String> {
        (!self.command_line.is_empty())
            .then(|| self.command_line.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" "))
    }
}

/// Which tasks the tags of the command line select.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    /// `-t`; empty means all.
    pub run: Vec<String>,
    /// `--skip-tags`.
    pub skip: Vec<String>,
}

impl Tags {
    /// Returns whether a task is run. The special tags are Ansible's: `all`, `tagged`, `untagged`, `always`, `never`.
    pub fn select(&self, task: &Task) -> bool {
        self.matches(&task.keywords.tags)
    }

    /// Returns whether a task with these tags is run.
    pub fn matches(&self, tags: &[Arc<str>]) -> bool {
        let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
        let has = |tag: &str| tags.contains(&tag);
        let listed = |list: &[String], tag: &str| list.iter().any(|word| word == tag);
        let named = |list: &[String]| tags.iter().any(|tag| listed(list, tag));
        let untagged = tags.is_empty();
        let tagged = tags.iter().any(|tag| *tag != "never");
        let wanted = if self.run.is_empty() || listed(&self.run, "all") {
            !has("never") || named(&self.run)
        } else {
            has("always")
                || named(&self.run)
                || (listed(&self.run, "tagged") && !untagged && !has("never"))
                || (listed(&self.run, "untagged") && untagged)
        };
        let skipped = if listed(&self.skip, "all") {
            !has("always") || listed(&self.skip, "always")
        } else {
            named(&self.skip)
                || (listed(&self.skip, "tagged") && tagged)
                || (listed(&self.skip, "untagged") && untagged)
        };
        wanted && !skipped
    }
}
