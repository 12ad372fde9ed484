//! Options that `apply` and `exec` share: `ansible-playbook`'s own, under the same letters.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use super::extra_vars;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory;
use crate::report;
use crate::run::options::{Options, Tags};
use crate::template;

/// How many hosts are worked with at once if nobody says otherwise. More than Ansible's 5: a host costs the
/// workstation a connection, not a process.
const FORKS: usize = 50;

/// Options that `apply` and `exec` share.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// Inventory: a file, a folder, or a list of hosts with a comma
    #[arg(short, long, value_name = "SOURCE", action = ArgAction::Append)]
    pub inventory: Vec<String>,
    /// Take only these hosts of those that a play is for
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Set variables: `key=value`, YAML, JSON, or `@FILE`
    #[arg(short, long = "extra-vars", value_name = "VARS", action = ArgAction::Append)]
    pub extra_vars: Vec<String>,
    /// Change nothing; say what would be changed
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show what is or would be different
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Work with so many hosts at once
    #[arg(short, long, value_name = "N", default_value_t = FORKS)]
    pub forks: usize,
    /// Show more; up to -vvvv
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log in as this user
    #[arg(short, long = "user", value_name = "USER")]
    pub user: Option<String>,
    /// Log in with this key
    #[arg(long, alias = "key-file", value_name = "FILE")]
    pub private_key: Option<PathBuf>,
    /// Reach hosts this way: ssh or local
    #[arg(short, long, value_name = "CONNECTION")]
    pub connection: Option<String>,
    /// Give up connecting after so many seconds
    #[arg(short = 'T', long, value_name = "SECONDS", default_value_t = 10)]
    pub timeout: u64,
    /// Become another user on the host
    #[arg(short, long)]
    pub r#become: bool,
    /// The user to become
    #[arg(long, value_name = "USER", default_value = "root")]
    pub become_user: String,
    /// How to become it
    #[arg(long, value_name = "METHOD", default_value = "sudo")]
    pub become_method: String,
    /// Ask for the password to become another user
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// Read the password to become another user from this file
    #[arg(long, value_name = "FILE", conflicts_with = "ask_become_pass")]
    pub become_password_file: Option<PathBuf>,
    /// In what form the run is shown
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub output: Output,
    /// Do each task on its own, without looking ahead
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

impl RunOptions {
    /// Returns the engine's options.
    ///
    /// # Errors
    /// If extra variables or a password cannot be read.
    pub fn engine(
        &self,
        tags: Tags,
        playbook_dir: Option<PathBuf>,
        line: Vec<String>,
    ) -> Result<Options, Diagnostics> {
        let native = std::env::var("ANSIBLE_JINJA2_NATIVE").is_ok_and(|value| is_true(&value));
        let checking = std::env::var("ANSIBLE_HOST_KEY_CHECKING").is_ok_and(|value| !is_true(&value));
        Ok(Options {
            check: self.check,
            diff: self.diff,
            forks: self.forks,
            verbosity: self.verbose,
            tags,
            limit: self.limit.clone(),
            extra_vars: extra_vars::read(&self.extra_vars)?,
            force_handlers: false,
            r#become: self.r#become,
            become_user: self.become_user.clone(),
            become_method: self.become_method.clone(),
            become_password: self.become_password()?,
            remote_user: self.user.clone(),
            private_key: self.private_key.clone(),
            connection: self.connection.clone(),
            timeout_seconds: self.timeout,
            host_key_checking: !checking,
            playbook_dir,
            inventory_sources: self.sources().iter().map(|source| absolute(source)).collect(),
            template: template::Options { native },
            look_ahead: !self.no_look_ahead,
            run: format!("{}-{}", timestamp(), std::process::id()),
            command_line: line,
        })
    }

    /// Returns the sources of the inventory; without any, none: only `localhost` is known then.
    pub fn sources(&self) -> Vec<String> {
        self.inventory.clone()
    }

    /// Returns how the inventory is read.
    pub fn inventory_options(&self, options: &Options) -> inventory::Options {
        inventory::Options {
            extra_vars: options.extra_vars.clone(),
            template: options.template,
            ..inventory::Options::default()
        }
    }

    /// Returns how the run is shown.
    pub fn report(&self) -> report::Options {
        let format = match self.output {
            Output::Text => report::Format::Text,
            Output::Json => report::Format::Json,
        };
        report::Options::detect(format, self.verbose)
    }

    fn become_password(&self) -> Result<Option<String>, Diagnostics> {
        if let Some(file) = &self.become_password_file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Diagnostic::user(format!("cannot read {}: {error}", file.display())))?;
            return Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()));
        }
        if !self.ask_become_pass {
            return Ok(None);
        }
        let mut terminal = console::Term::stderr();
        std::io::Write::write_all(&mut terminal, b"BECOME password: ")
            .and_then(|()| terminal.read_secure_line())
            .map(Some)
            .map_err(|error| {
                Diagnostic::user(format!("cannot ask for the password: {error}"))
                    .hint("without a terminal give it in a file, with --become-password-file".to_owned())
                    .into()
            })
    }
}

fn is_true(text: &str) -> bool {
    ["1", "y", "yes", "t", "true", "on"].contains(&text.trim().to_lowercase().as_str())
}

fn absolute(source: &str) -> String {
    if source.contains(',') {
        return source.to_owned();
    }
    Path::new(source)
        .canonicalize()
        .map_or_else(|_| source.to_owned(), |path| path.to_string_lossy().into_owned())
}

fn timestamp() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|since| since.as_secs())
        .unwrap_or(0)
}
