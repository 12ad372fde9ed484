//! Options that `apply` and `exec` share: `ansible-playbook`'s own, under the same letters.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgAction, Args, ValueEnum};
use jiff::Timestamp;

use super::become_options::BecomeOptions;
use super::vault_options::VaultOptions;
use super::{extra_vars, passwords};
use crate::diagnostic::Diagnostics;
use crate::inventory;
use crate::journal::{self, RunId};
use crate::report;
use crate::secrets::Purpose;
use crate::services::options::{Options, Tags};
use crate::settings::Settings;
use crate::ssh::HostKeyChecking;
use crate::template;

/// Options that `apply` and `exec` share.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Inventory: a file, a folder, or a list of hosts with a comma
    #[arg(short, long, value_name = "SOURCE", action = ArgAction::Append)]
    pub inventory: Vec<String>,
    /// Limit the run to these hosts
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Set variables: `key=value`, YAML, JSON, or `@FILE`
    #[arg(short, long = "extra-vars", value_name = "VARS", action = ArgAction::Append)]
    pub extra_vars: Vec<String>,
    /// Change nothing; report what would change
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show the differences
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Number of hosts to work on at once [default: 50]
    #[arg(short, long, value_name = "N")]
    pub forks: Option<usize>,
    /// Show more; up to -vvvv
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log in as this user
    #[arg(short, long = "user", value_name = "USER")]
    pub user: Option<String>,
    /// Log in with this key
    #[arg(long, alias = "key-file", value_name = "FILE")]
    pub private_key: Option<PathBuf>,
    /// Ask for the password to log in with
    #[arg(short = 'k', long)]
    pub ask_pass: bool,
    /// Read the password to log in with from this file, or from its output if it is a program
    #[arg(long, alias = "conn-pass-file", value_name = "FILE", conflicts_with = "ask_pass")]
    pub connection_password_file: Option<PathBuf>,
    /// What to do with an unknown host key
    #[arg(long, value_name = "MODE")]
    pub host_key_checking: Option<HostKeyChecking>,
    /// Options for ssh that hosts have no ansible_ssh_common_args against: -o, -F, -J and their like
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub ssh_common_args: Option<String>,
    /// Further options for ssh, after the common ones
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub ssh_extra_args: Option<String>,
    /// Reach hosts this way: ssh or local
    #[arg(short, long, value_name = "CONNECTION")]
    pub connection: Option<String>,
    /// Connect timeout in seconds [default: the ssh configuration, or 10]
    #[arg(short = 'T', long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Becoming another user.
    #[command(flatten)]
    pub r#become: BecomeOptions,
    /// Where the passwords of what is encrypted come from
    #[command(flatten)]
    pub vault: VaultOptions,
    /// Output format
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub output: Output,
    /// Forget the cached facts of all hosts first
    #[arg(long)]
    pub flush_cache: bool,
    /// Run each task on its own, without look-ahead
    #[arg(long)]
    pub no_look_ahead: bool,
}

/// In what form a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, as `ansible-playbook` prints it
    Text,
    /// For programs: one JSON object a line
    Json,
}

impl Output {
    /// Returns the form of a report.
    pub fn format(self) -> report::Format {
        match self {
            Self::Text => report::Format::Text,
            Self::Json => report::Format::Json,
        }
    }
}

impl RunOptions {
    /// Returns these options, and where one is not given that of a run before. What is about showing and check mode is
    /// as given.
    pub fn over(self, before: Self) -> Self {
        let list = |given: Vec<String>, before| if given.is_empty() { before } else { given };
        Self {
            inventory: list(self.inventory, before.inventory),
            limit: self.limit.or(before.limit),
            extra_vars: list(self.extra_vars, before.extra_vars),
            forks: self.forks.or(before.forks),
            user: self.user.or(before.user),
            private_key: self.private_key.or(before.private_key),
            ask_pass: self.ask_pass || before.ask_pass && self.connection_password_file.is_none(),
            connection_password_file: self
                .connection_password_file
                .or(before.connection_password_file.filter(|_| !self.ask_pass)),
            host_key_checking: self.host_key_checking.or(before.host_key_checking),
            ssh_common_args: self.ssh_common_args.or(before.ssh_common_args),
            ssh_extra_args: self.ssh_extra_args.or(before.ssh_extra_args),
            connection: self.connection.or(before.connection),
            timeout: self.timeout.or(before.timeout),
            r#become: self.r#become.over(before.r#become),
            vault: self.vault.over(before.vault),
            ..self
        }
    }

    /// Returns the engine's options; what is not on the command line is as the settings say.
    ///
    /// # Errors
    /// If extra variables or a password cannot be read.
    pub fn engine(
        &self,
        settings: &Settings,
        tags: Tags,
        playbook_dir: Option<PathBuf>,
        line: Vec<String>,
    ) -> Result<Options, Diagnostics> {
        let connection_password = self.connection_password(settings)?;
        let typed = connection_password.as_deref().filter(|_| self.asks_for_password(settings));
        let (vault, warnings) = self.vault.vault(settings, Purpose::Run)?;
        Ok(Options {
            check: self.check,
            diff: self.diff || settings.diff_always,
            forks: self.forks.unwrap_or(settings.forks),
            verbosity: self.verbosity(settings),
            tags,
            limit: self.limit.clone(),
            extra_vars: extra_vars::read(&self.extra_vars, &vault)?,
            vault: Arc::new(vault),
            warnings,
            force_handlers: settings.force_handlers,
            step: false,
            start_at_task: None,
            flush_cache: self.flush_cache,
            r#become: self.r#become.defaults(settings, typed)?,
            remote_user: self.user.clone().or_else(|| settings.remote_user.clone()),
            private_key: self.private_key.clone().or_else(|| settings.private_key_file.clone()),
            connection: self.connection.clone().or_else(|| settings.transport.clone()),
            timeout_seconds: self.timeout.or(settings.timeout),
            host_key_checking: self.host_key_checking(settings),
            connection_password,
            ssh_common_args: self.ssh_common_args.clone().or_else(|| settings.ssh_common_args.clone()),
            ssh_extra_args: self.ssh_extra_args.clone().or_else(|| settings.ssh_extra_args.clone()),
            playbook_dir,
            inventory_sources: self.sources(settings).iter().map(|source| absolute(source)).collect(),
            settings: settings.clone(),
            template: template::Options::of(settings),
            look_ahead: !self.no_look_ahead,
            run: RunId::new(None, Timestamp::now()).to_string(),
            by: journal::operator(),
            records: false,
            resumable: true,
            command_line: line,
        })
    }

    /// Returns whether nothing is to be changed.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// Returns the sources of the inventory; without any, none: only `localhost` is known then.
    pub fn sources(&self, settings: &Settings) -> Vec<String> {
        if self.inventory.is_empty() { settings.inventory.0.clone() } else { self.inventory.clone() }
    }

    fn verbosity(&self, settings: &Settings) -> u8 {
        if self.verbose == 0 { settings.verbosity } else { self.verbose }
    }

    /// Returns how the inventory is read.
    pub fn inventory_options(&self, options: &Options) -> inventory::Options {
        inventory::Options {
            extra_vars: options.extra_vars.clone(),
            vault: options.vault.clone(),
            ..inventory::Options::of(&options.settings)
        }
    }

    /// Returns how the run is shown.
    pub fn report(&self, settings: &Settings) -> report::Options {
        report::Options::detect(self.output.format(), self.verbosity(settings), settings)
    }

    /// Returns what to do about unknown host keys if someone said so; a setting can only say not to look.
    fn host_key_checking(&self, settings: &Settings) -> Option<HostKeyChecking> {
        self.host_key_checking.or((!settings.host_key_checking).then_some(HostKeyChecking::Off))
    }

    fn asks_for_password(&self, settings: &Settings) -> bool {
        self.ask_pass || settings.ask_pass && self.connection_password_file.is_none()
    }

    fn connection_password(&self, settings: &Settings) -> Result<Option<String>, Diagnostics> {
        if self.asks_for_password(settings) {
            return passwords::ask("SSH password: ", "--connection-password-file").map(Some);
        }
        let file = self.connection_password_file.as_deref().or(settings.connection_password_file.as_deref());
        file.map(passwords::read).transpose()
    }
}

fn absolute(source: &str) -> String {
    if source.contains(',') {
        return source.to_owned();
    }
    Path::new(source)
        .canonicalize()
        .map_or_else(|_| source.to_owned(), |path| path.to_string_lossy().into_owned())
}
