//! Options that say where the passwords of encrypted files and values come from: Ansible's own.

use clap::{ArgAction, Args};

use crate::diagnostic::Diagnostic;
use crate::secrets::{Purpose, Vault, VaultSources};
use crate::settings::Settings;

/// Where the passwords of encrypted files and values come from.
#[derive(Debug, Clone, Default, Args)]
pub struct VaultOptions {
    /// Read the password of the vault LABEL from a file, from a program, or ask for it (`prompt`)
    #[arg(long, value_name = "LABEL@SOURCE", action = ArgAction::Append)]
    pub vault_id: Vec<String>,
    /// Read the vault password from a file, or from a program
    #[arg(long, alias = "vault-pass-file", value_name = "FILE", action = ArgAction::Append)]
    pub vault_password_file: Vec<String>,
    /// Ask for the vault password
    #[arg(short = 'J', long, visible_alias = "ask-vault-pass", conflicts_with = "vault_password_file")]
    pub ask_vault_password: bool,
}

impl VaultOptions {
    /// Returns these options, or those of a run before if none is given.
    pub fn over(self, before: Self) -> Self {
        let given =
            !self.vault_id.is_empty() || !self.vault_password_file.is_empty() || self.ask_vault_password;
        if given { self } else { before }
    }

    /// Returns what the options and the settings say.
    pub fn sources(&self, settings: &Settings) -> VaultSources {
        settings.vault_sources(VaultSources {
            ids: self.vault_id.clone(),
            files: self.vault_password_file.clone(),
            ask: self.ask_vault_password,
            ..VaultSources::default()
        })
    }

    /// Reads the passwords; returns warnings too.
    ///
    /// # Errors
    /// As [`VaultSources::vault`].
    pub fn vault(&self, settings: &Settings, purpose: Purpose) -> Result<(Vault, Vec<String>), Diagnostic> {
        self.sources(settings).vault(purpose)
    }
}
