//! `convoy vault`: encrypts and decrypts files and values, as `ansible-vault` does.

mod edit;
mod files;
mod private;
mod string;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::{ArgAction, Subcommand};

use super::vault_options::VaultOptions;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::secrets::{self, Password, Purpose, Vault, VaultSources};
use crate::settings::{self, Settings};

/// Arguments of `convoy vault`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Encrypt files
    Encrypt {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        encrypting: Encrypting,
        /// Write to this file instead; `-` is standard output
        #[arg(long, value_name = "FILE")]
        output: Option<String>,
        /// The files; without any, standard input is encrypted to standard output
        files: Vec<String>,
    },
    /// Decrypt files
    Decrypt {
        #[command(flatten)]
        common: Common,
        /// Write to this file instead; `-` is standard output
        #[arg(long, value_name = "FILE")]
        output: Option<String>,
        /// The files; without any, standard input is decrypted to standard output
        files: Vec<String>,
    },
    /// Show encrypted files in clear
    View {
        #[command(flatten)]
        common: Common,
        /// The files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Edit encrypted files in clear
    Edit {
        #[command(flatten)]
        common: Common,
        /// The files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Edit a new file, and encrypt it
    Create {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        encrypting: Encrypting,
        /// Start the editor even if standard output is no terminal
        #[arg(long)]
        skip_tty_check: bool,
        /// The file
        file: String,
    },
    /// Encrypt files with another password
    Rekey {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        encrypting: Encrypting,
        /// The new password: LABEL and where it comes from
        #[arg(long, value_name = "LABEL@SOURCE")]
        new_vault_id: Option<String>,
        /// Read the new password from a file, or from a program
        #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
        new_vault_password_file: Option<String>,
        /// The files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Encrypt values, to be pasted into files of variables
    #[command(alias = "encrypt_string")]
    EncryptString {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        encrypting: Encrypting,
        #[command(flatten)]
        texts: string::Texts,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    vault: VaultOptions,
    /// Say which password fits
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, clap::Args)]
struct Encrypting {
    /// Encrypt with the password of this label
    #[arg(long, value_name = "LABEL")]
    encrypt_vault_id: Option<String>,
}

/// Does what the arguments say and returns the exit code.
///
/// # Errors
/// Why it cannot be done; then no file was changed, but those before the one that is named.
pub fn run(args: &Args) -> Result<u8, Diagnostics> {
    let read = settings::read()?;
    read.warnings.iter().for_each(|warning| warn(&warning.warning()));
    let settings = &read.settings;
    match &args.action {
        Action::Encrypt { common, encrypting, output, files } => {
            one_output(output.as_deref(), files)?;
            encrypt(&Sealer::of(common, encrypting, settings)?, output.as_deref(), files)?;
        }
        Action::Decrypt { common, output, files } => {
            one_output(output.as_deref(), files)?;
            decrypt(&Opener::of(common, settings)?, output.as_deref(), files)?;
        }
        Action::View { common, files } => view(&Opener::of(common, settings)?, files)?,
        Action::Edit { common, files } => return edit::edit(&Opener::of(common, settings)?, files, settings),
        Action::Create { common, encrypting, skip_tty_check, file } => {
            if !skip_tty_check && !std::io::stdout().is_terminal() {
                return Err(Diagnostic::user("not a tty, editor cannot be opened")
                    .hint("with --skip-tty-check it is opened all the same".to_owned())
                    .into());
            }
            return edit::create(|| Sealer::of(common, encrypting, settings), file, settings);
        }
        Action::Rekey { common, encrypting, new_vault_id, new_vault_password_file, files } => {
            let opener = Opener::of(common, settings)?;
            let new = new_vault_id.iter().cloned().collect();
            let new = VaultSources {
                ids: new,
                files: new_vault_password_file.iter().cloned().collect(),
                ..VaultSources::default()
            };
            rekey(&opener, &Sealer::anew(common, encrypting, new, settings)?, files)?;
        }
        Action::EncryptString { common, encrypting, texts } => {
            texts.check()?;
            string::encrypt(&Sealer::of(common, encrypting, settings)?, texts)?;
        }
    }
    Ok(0)
}

/// Opens what is encrypted.
struct Opener {
    vault: Vault,
    verbose: bool,
}

impl Opener {
    fn of(common: &Common, settings: &Settings) -> Result<Self, Diagnostic> {
        let (vault, warnings) = common.vault.vault(settings, Purpose::Decrypt)?;
        warnings.iter().for_each(|warning| warn(warning));
        Ok(Self { vault, verbose: common.verbose > 0 })
    }

    /// Decrypts what was read from `file`.
    fn open(&self, file: &str, text: &[u8]) -> Result<secrets::Opened<'_>, Diagnostic> {
        let name = if file == "-" { "standard input" } else { file };
        if !secrets::is_vaulted(text) {
            return Err(Diagnostic::user(format!("{name} is not encrypted"))
                .note("input is not vault encrypted data: it does not begin with `$ANSIBLE_VAULT;`"));
        }
        let at = convoy_protocol::Origin { file: name.into(), line: 1, column: 1 };
        let opened = self.vault.open(text).map_err(|fault| fault.diagnostic(name, &at.into()))?;
        if self.verbose {
            tell(&format!(
                "{name}: opened with the vault id `{}` from {}",
                opened.password.id, opened.password.source
            ));
        }
        Ok(opened)
    }
}

/// Encrypts with one password, for one vault id.
struct Sealer {
    password: Password,
    id: Option<String>,
    salt: Option<String>,
}

impl Sealer {
    fn of(common: &Common, encrypting: &Encrypting, settings: &Settings) -> Result<Self, Diagnostic> {
        Self::with(&common.vault.sources(settings), encrypting, settings)
    }

    /// Takes new passwords; with `--encrypt-vault-id` those of the settings are among them.
    fn anew(
        common: &Common,
        encrypting: &Encrypting,
        mut new: VaultSources,
        settings: &Settings,
    ) -> Result<Self, Diagnostic> {
        if encrypting.id(settings).is_some() {
            new.ids.splice(0..0, settings.vault_identity_list.iter().cloned());
        }
        new.ask = common.vault.ask_vault_password && new.ids.is_empty() && new.files.is_empty();
        Self::with(&new, encrypting, settings)
    }

    fn with(
        sources: &VaultSources,
        encrypting: &Encrypting,
        settings: &Settings,
    ) -> Result<Self, Diagnostic> {
        let (vault, warnings) = sources.vault(Purpose::Encrypt)?;
        warnings.iter().for_each(|warning| warn(warning));
        let ids: Vec<&str> = vault.passwords().iter().map(|password| &*password.id).collect();
        let wanted = encrypting.id(settings);
        let found = match &wanted {
            Some(id) => vault.passwords().iter().find(|password| *password.id == **id),
            None if ids.len() > 1 => {
                return Err(Diagnostic::user(format!(
                    "The vault-ids {} are available to encrypt",
                    ids.join(",")
                ))
                .hint("Specify the vault-id to encrypt with --encrypt-vault-id".to_owned()));
            }
            None => vault.passwords().first(),
        };
        match found {
            Some(password) => Ok(Self {
                id: Some(password.id.to_string()),
                password: password.clone(),
                salt: settings.vault_encrypt_salt.clone(),
            }),
            None => {
                let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
                Err(Diagnostic::user(format!(
                    "Did not find a match for --encrypt-vault-id={} in the known vault-ids [{}]",
                    wanted.unwrap_or_default(),
                    ids.join(", ")
                )))
            }
        }
    }

    fn seal(&self, plain: &[u8]) -> Result<String, Diagnostic> {
        let sealed = self.password.seal(plain, self.id.as_deref(), self.salt.as_deref().map(str::as_bytes));
        sealed.map_err(|error| Diagnostic::user(format!("cannot encrypt: {error}")))
    }
}

impl Encrypting {
    fn id(&self, settings: &Settings) -> Option<String> {
        self.encrypt_vault_id.clone().or_else(|| settings.vault_encrypt_identity.clone())
    }
}

fn one_output(output: Option<&str>, files: &[String]) -> Result<(), Diagnostic> {
    if output.is_some() && files.len() > 1 {
        return Err(Diagnostic::user("At most one input file may be used with the --output option"));
    }
    Ok(())
}

/// Returns the files, or standard input if there are none.
fn or_stdin<'f>(files: &'f [String], doing: &str) -> Vec<&'f str> {
    if files.is_empty() {
        if std::io::stdin().is_terminal() {
            tell(&format!("Reading {doing} input from stdin"));
        }
        return vec!["-"];
    }
    files.iter().map(String::as_str).collect()
}

fn encrypt(sealer: &Sealer, output: Option<&str>, files: &[String]) -> Result<(), Diagnostic> {
    for file in or_stdin(files, "plaintext") {
        let input = files::read(file)?;
        if secrets::is_vaulted(&input.bytes) {
            return Err(Diagnostic::user(format!("{file} is already encrypted"))
                .note("input is already encrypted")
                .hint(format!("to change its password: convoy vault rekey {file}")));
        }
        let sealed = sealer.seal(&input.bytes)?;
        match output {
            Some(output) => files::write(output, sealed.as_bytes())?,
            None => input.replace(sealed.as_bytes(), files::Old::Clear)?,
        }
    }
    done("Encryption successful");
    Ok(())
}

fn decrypt(opener: &Opener, output: Option<&str>, files: &[String]) -> Result<(), Diagnostic> {
    for file in or_stdin(files, "ciphertext") {
        let input = files::read(file)?;
        let opened = opener.open(file, &input.bytes)?;
        match output {
            Some(output) => files::write(output, &opened.plain)?,
            None => input.replace(&opened.plain, files::Old::Sealed)?,
        }
    }
    done("Decryption successful");
    Ok(())
}

fn view(opener: &Opener, files: &[String]) -> Result<(), Diagnostic> {
    for file in files {
        let input = files::read(file)?;
        show(&opener.open(file, &input.bytes)?.plain)?;
    }
    Ok(())
}

/// Shows text, in a pager if a user is looking.
fn show(plain: &[u8]) -> Result<(), Diagnostic> {
    if std::io::stdout().is_terminal() {
        let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
        let pager = pager.unwrap_or_else(|| "less".to_owned());
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {pager}")).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", "FRSX");
        }
        if let Ok(mut running) = command.spawn() {
            if let Some(mut stdin) = running.stdin.take() {
                // A pager that is left early reads no more.
                let _ = stdin.write_all(plain);
            }
            if running.wait().is_ok_and(|status| status.code() != Some(127)) {
                return Ok(());
            }
        }
    }
    files::write("-", plain)
}

fn rekey(opener: &Opener, sealer: &Sealer, files: &[String]) -> Result<(), Diagnostic> {
    for file in files {
        let input = files::read(file)?;
        let sealed = sealer.seal(&opener.open(file, &input.bytes)?.plain)?;
        input.replace(sealed.as_bytes(), files::Old::Sealed)?;
    }
    done("Rekey successful");
    Ok(())
}

/// Says that all is done, if a user is looking.
fn done(text: &str) {
    if std::io::stdout().is_terminal() {
        tell(text);
    }
}

fn warn(text: &str) {
    tell(&format!("[WARNING]: {text}"));
}

#[expect(clippy::print_stderr, reason = "what is said beside the result")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// Returns the path with links followed.
fn real(file: &str) -> std::path::PathBuf {
    let path = Path::new(file);
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
