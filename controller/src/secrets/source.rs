//! Reads vault passwords from files, programs and the user.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::envelope::DEFAULT_ID;
use super::vault::{Password, Vault};
use crate::diagnostic::Diagnostic;
use crate::paths;
use crate::terminal;
use crate::vaulted::is_vaulted;

/// The sources of vault passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultSources {
    /// The setting `vault_identity_list`, then `--vault-id`: `LABEL@SOURCE` or `SOURCE`.
    pub ids: Vec<String>,
    /// `--vault-password-file`, then the setting.
    pub files: Vec<String>,
    /// `--ask-vault-pass`, or the setting.
    pub ask: bool,
    /// The vault id of passwords without one.
    pub default_id: Option<String>,
    /// Whether to decrypt text only with passwords of its vault id.
    pub match_id: bool,
}

/// The purpose of the passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A run: without a source, there is no password.
    Run,
    /// Decryption: without a source, convoy asks the user.
    Decrypt,
    /// Encryption: as [`Purpose::Decrypt`], but the user must repeat the password.
    Encrypt,
}

impl VaultSources {
    /// Reads all passwords, in the order in which they are tried. Returns a warning for each source that fails.
    ///
    /// # Errors
    /// If all sources fail, or the user enters no password.
    pub fn vault(&self, purpose: Purpose) -> Result<(Vault, Vec<String>), Diagnostic> {
        let mut reader = PasswordReader { passwords: Vec::new(), warnings: Vec::new(), error: None };
        let default_id = self.default_id.as_deref().unwrap_or(DEFAULT_ID);
        for given in &self.ids {
            let (id, source) = split(given);
            if id.is_some_and(|id| id.contains(';')) {
                return Err(Diagnostic::user(format!(
                    "'{given}' is not a valid vault id. The character ';' is not allowed in vault ids"
                )));
            }
            match source {
                "prompt" => reader.prompt(id.unwrap_or(default_id), &Question::named(purpose))?,
                "prompt_ask_vault_pass" => {
                    reader.prompt(id.unwrap_or(default_id), &Question::plain(purpose))?;
                }
                file => reader.file(id, default_id, file),
            }
        }
        for file in &self.files {
            reader.file(Some(default_id), default_id, file);
        }
        let no_source = self.ids.is_empty() && self.files.is_empty() && purpose != Purpose::Run;
        if self.ask || no_source {
            reader.prompt(default_id, &Question::plain(purpose))?;
        }
        match reader.error {
            Some(error) if reader.passwords.is_empty() => Err(error),
            _ => Ok((Vault::new(reader.passwords, self.match_id), reader.warnings)),
        }
    }
}

/// Splits `LABEL@SOURCE`.
fn split(given: &str) -> (Option<&str>, &str) {
    given.split_once('@').map_or((None, given), |(id, source)| (Some(id), source))
}

/// The questions to the user: for the password, and a second time for a new one.
struct Question(&'static [&'static str]);

impl Question {
    fn named(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Encrypt => Self(&["New vault password ({}): ", "Confirm new vault password ({}): "]),
            _ => Self(&["Vault password ({}): "]),
        }
    }

    fn plain(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Encrypt => Self(&["New Vault password: ", "Confirm New Vault password: "]),
            _ => Self(&["Vault password: "]),
        }
    }
}

/// Collects passwords, warnings, and the last error of a file.
struct PasswordReader {
    passwords: Vec<Password>,
    warnings: Vec<String>,
    error: Option<Diagnostic>,
}

impl PasswordReader {
    fn prompt(&mut self, id: &str, question: &Question) -> Result<(), Diagnostic> {
        let mut answers = Vec::new();
        for text in question.0 {
            let answer = terminal::ask_secret(&text.replace("{}", id)).map_err(|error| {
                Diagnostic::user(format!("cannot ask for the vault password ({id}): {error}"))
                    .hint("without a terminal, give it in a file with --vault-password-file".to_owned())
            })?;
            answers.push(Zeroizing::new(answer.trim().to_owned()));
        }
        if answers.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(Diagnostic::user("Passwords do not match"));
        }
        match answers.pop().filter(|answer| !answer.is_empty()) {
            Some(answer) => {
                self.passwords.push(Password::new(id, "the prompt", answer.as_bytes()));
                Ok(())
            }
            None => Err(Diagnostic::user("Invalid vault password was provided: it is empty")),
        }
    }

    fn file(&mut self, id: Option<&str>, default_id: &str, file: &str) {
        let path = paths::absolute(paths::expand_user(file));
        // A password file may be encrypted with one of the passwords before it.
        let known = Vault::new(self.passwords.clone(), false);
        match check_file(&path).and_then(|()| password(&path, id, &known)) {
            Ok(bytes) => self.passwords.push(Password::new(id.unwrap_or(default_id), file, &**bytes)),
            Err(error) => {
                let what = if path.is_file() {
                    "Error in vault password file loading"
                } else {
                    "Error getting vault password file"
                };
                self.warnings.push(format!("{what} ({}): {}", id.unwrap_or(default_id), error.message));
                self.error = Some(error);
            }
        }
    }
}

fn check_file(path: &Path) -> Result<(), Diagnostic> {
    let shown = path.display();
    if !path.exists() {
        return Err(Diagnostic::user(format!("The vault password file {shown} was not found")));
    }
    if path.is_dir() {
        return Err(Diagnostic::user(format!(
            "The vault password file provided '{shown}' can not be a directory"
        )));
    }
    Ok(())
}

/// Reads a password from a file, or from the output of a program.
fn password(path: &Path, id: Option<&str>, known: &Vault) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    let meta = std::fs::metadata(path);
    let is_program = meta.is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
    let (bytes, kind) = if is_program { (run(path, id)?, "script") } else { (read(path, known)?, "file") };
    if bytes.is_empty() {
        return Err(Diagnostic::user(format!("Invalid vault password was provided from {kind} ({shown})")));
    }
    Ok(bytes)
}

fn read(path: &Path, known: &Vault) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Diagnostic::user(format!("Could not read vault password file {shown}: {error}")))?;
    let bytes = Zeroizing::new(bytes);
    let text = bytes.trim_ascii();
    if !is_vaulted(text) {
        return Ok(Zeroizing::new(text.to_vec()));
    }
    let opened = known.open(text).map_err(|error| {
        Diagnostic::user(format!("the vault password file {shown} is itself encrypted: {error}"))
            .hint("give the password for it before it".to_owned())
    })?;
    Ok(Zeroizing::new(without_line_end(&opened.plain).to_vec()))
}

/// Runs a program that prints a password. If its name ends in `-client`, it gets the vault id as an argument.
fn run(path: &Path, id: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    let is_client = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("-client"));
    let mut command = Command::new(path);
    // The program may ask the user on standard error.
    command.stdin(Stdio::inherit()).stderr(if is_client { Stdio::piped() } else { Stdio::inherit() });
    if let (true, Some(id)) = (is_client, id) {
        command.args(["--vault-id", id]);
    }
    let output = command.stdout(Stdio::piped()).spawn().and_then(std::process::Child::wait_with_output);
    let output = output.map_err(|error| {
        Diagnostic::user(format!("Problem running vault password script {shown} ({error})"))
            .hint("if it is not a script, remove the executable bit from the file".to_owned())
    })?;
    let printed = Zeroizing::new(output.stdout);
    if output.status.success() {
        return Ok(Zeroizing::new(without_line_end(&printed).to_vec()));
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let stderr = if stderr.is_empty() { stderr } else { format!(": {stderr}") };
    let (id, code) = (id.unwrap_or("None"), output.status.code());
    Err(Diagnostic::user(match (is_client, code) {
        (true, Some(2)) => {
            format!("Vault password client script {shown} did not find a secret for vault-id={id}{stderr}")
        }
        (true, Some(code)) => format!(
            "Vault password client script {shown} returned non-zero ({code}) when getting secret for vault-id={id}{stderr}"
        ),
        (false, Some(code)) => format!("Vault password script {shown} returned non-zero ({code}){stderr}"),
        (_, None) => format!("Vault password script {shown} was killed by a signal{stderr}"),
    }))
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_end(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_end(byte)).map_or(start, |index| index + 1);
    &bytes[start..end]
}
