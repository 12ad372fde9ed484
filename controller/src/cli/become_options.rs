//! Options for becoming another user on the nodes, and what settings and environment say about it.

use std::path::PathBuf;

use clap::Args;

use super::passwords;
use crate::diagnostic::Diagnostics;
use crate::services::become_defaults::{BecomeDefaults, is_setting};
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
    /// Returns these options, and where one is not given that of a run before.
    pub fn over(self, before: Self) -> Self {
        let asks = self.ask_become_pass;
        Self {
            r#become: self.r#become || before.r#become,
            become_user: self.become_user.or(before.become_user),
            become_method: self.become_method.or(before.become_method),
            ask_become_pass: asks || before.ask_become_pass && self.become_password_file.is_none(),
            become_password_file: self.become_password_file.or(before.become_password_file.filter(|_| !asks)),
        }
    }

    /// Returns what they, the settings and the environment say. The password is asked for, if it is to be; after one
    /// `typed` for the login an empty one means the same again.
    ///
    /// # Errors
    /// If the password cannot be read.
    pub fn defaults(&self, settings: &Settings, typed: Option<&str>) -> Result<BecomeDefaults, Diagnostics> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| is_setting(name) && !value.is_empty());
        let file = match &self.become_password_file {
            None if !self.ask_become_pass => settings.become_password_file.as_ref(),
            given => given.as_ref(),
        };
        let password = match file {
            Some(file) => Some(passwords::read(file)?),
            None if self.ask_become_pass || settings.become_ask_pass => Some(ask(typed)?),
            None => None,
        };
        Ok(BecomeDefaults {
            r#become: self.r#become || settings.r#become,
            method: self.become_method.clone().unwrap_or_else(|| settings.become_method.clone()),
            user: self.become_user.clone(),
            password,
            environment: environment.collect(),
        })
    }
}

fn ask(typed: Option<&str>) -> Result<String, Diagnostics> {
    let default = if typed.is_some() { "[defaults to SSH password]" } else { "" };
    let password = passwords::ask(&format!("BECOME password{default}: "), "--become-password-file")?;
    Ok(typed.filter(|_| password.is_empty()).map_or(password, str::to_owned))
}
