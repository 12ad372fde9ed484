//! Options for becoming another user on the nodes, and what settings and environment say about it.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::run::becoming::{Outside, is_setting};
use crate::settings::Settings;

/// Options for becoming another user.
#[derive(Debug, Args)]
pub struct BecomeOptions {
    /// Become another user on the host
    #[arg(short, long)]
    pub r#become: bool,
    /// The user to become; root if nothing else says whom
    #[arg(long, value_name = "USER")]
    pub become_user: Option<String>,
    /// How to become it: sudo, su or doas
    #[arg(long, value_name = "METHOD")]
    pub become_method: Option<String>,
    /// Ask for the password to become another user
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// Read the password to become another user from this file
    #[arg(long, value_name = "FILE", conflicts_with = "ask_become_pass")]
    pub become_password_file: Option<PathBuf>,
}

impl BecomeOptions {
    /// Returns what they, the settings and the environment say. The password is asked for, if it is to be.
    ///
    /// # Errors
    /// If the password cannot be read.
    pub fn outside(&self, settings: &Settings) -> Result<Outside, Diagnostics> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| is_setting(name) && !value.is_empty());
        let file = match &self.become_password_file {
            None if !self.ask_become_pass => settings.become_password_file.as_ref(),
            given => given.as_ref(),
        };
        let password = match file {
            Some(file) => Some(first_line(file)?),
            None if self.ask_become_pass || settings.become_ask_pass => Some(ask()?),
            None => None,
        };
        Ok(Outside {
            r#become: self.r#become || settings.r#become,
            method: self.become_method.clone().unwrap_or_else(|| settings.become_method.clone()),
            user: self.become_user.clone(),
            password,
            environment: environment.collect(),
        })
    }
}

fn first_line(file: &Path) -> Result<String, Diagnostics> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Diagnostic::user(format!("cannot read {}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn ask() -> Result<String, Diagnostics> {
    let mut terminal = console::Term::stderr();
    std::io::Write::write_all(&mut terminal, b"BECOME password: ")
        .and_then(|()| terminal.read_secure_line())
        .map_err(|error| {
            Diagnostic::user(format!("cannot ask for the password: {error}"))
                .hint("without a terminal give it in a file, with --become-password-file".to_owned())
                .into()
        })
}
