//! The command line: one file per subcommand.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::diagnostic::{self, Diagnostic, Diagnostics};

pub mod apply;
pub mod become_options;
pub mod demo;
pub mod exec;
pub mod extra_vars;
pub mod inventory;
pub mod listing;
mod passwords;
pub mod resume;
pub mod run_options;
pub mod runs;
pub mod undo;
pub mod vault;
pub mod vault_options;

/// Provisions a fleet from one workstation.
#[derive(Debug, Parser)]
#[command(name = "convoy", version, propagate_version = true, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run playbooks.
    Apply(Box<apply::Args>),
    /// Resume a run that failed, was interrupted or was killed.
    Resume(resume::Args),
    /// Run one module on the hosts of a pattern.
    Exec(Box<exec::Args>),
    /// Show hosts, groups and their variables.
    Inventory(inventory::Args),
    /// List earlier runs, replay one, or remove old ones.
    Runs(runs::Args),
    /// Restore the files that a run changed, and undo its blocks.
    Undo(Box<undo::Args>),
    /// Encrypt and decrypt files and values.
    Vault(vault::Args),
    /// Upgrade a small cluster that it creates on this machine.
    Demo(demo::Args),
}

/// Runs the command that the words name and returns the exit code.
pub fn main(words: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let words: Vec<std::ffi::OsString> = words.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is an error in usage.
            let code = u8::from(error.use_stderr());
            let _ = error.print();
            return code;
        }
    };
    trace();
    let line = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let result = match cli.command {
        Command::Apply(args) => apply::run(*args, line),
        Command::Resume(args) => resume::run(&args),
        Command::Exec(args) => exec::run(*args, line),
        Command::Demo(args) => demo::run(&args),
        Command::Undo(args) => undo::run(*args, line),
        Command::Runs(args) => runs::run(&args),
        Command::Vault(args) => vault::run(&args),
        Command::Inventory(args) => {
            inventory::run(&args, &mut std::io::stdout().lock(), &mut std::io::stderr().lock()).map(|()| 0)
        }
    };
    result.unwrap_or_else(|diagnostics| tell(&diagnostics))
}

/// Writes what convoy does inside to standard error if `CONVOY_LOG` says what is wanted (`convoy=debug`).
fn trace() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("CONVOY_LOG") {
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        // One that is there already is the caller's choice.
        let _ = subscriber.try_init();
    }
}

/// Prints what is wrong and returns its exit code.
fn tell(diagnostics: &Diagnostics) -> u8 {
    tell_texts(diagnostics);
    diagnostic::code(diagnostics)
}

/// Prints errors, a blank line between them.
#[expect(clippy::print_stderr, reason = "the one place where errors leave the program")]
fn tell_texts<T: std::fmt::Display>(errors: &[T]) {
    for (index, error) in errors.iter().enumerate() {
        eprintln!("{}{error}", if index == 0 { "" } else { "\n" });
    }
}

/// Prints to standard output; a reader that has gone is no error.
pub(crate) fn print(text: &str) -> Result<(), Diagnostics> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Diagnostic::user(format!("cannot write: {error}")).into())
        }
        _ => Ok(()),
    }
}

/// Returns the folder that a playbook stands in, absolute.
pub(crate) fn folder_of(playbook: &std::path::Path) -> PathBuf {
    let folder = playbook.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
    folder.canonicalize().unwrap_or(folder)
}
