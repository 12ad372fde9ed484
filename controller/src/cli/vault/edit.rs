//! `edit` and `create`: an editor on text in clear, which is nowhere else.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::files::{self, Old};
use super::private::Private;
use super::{Opener, Sealer, real, warn};
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::secrets;
use crate::settings::Settings;

/// The exit code of what a signal ended.
const INTERRUPTED: u8 = 130;

/// What the editor made of a text.
enum Edited {
    /// The text as it is now.
    Text(Zeroizing<Vec<u8>>),
    /// A signal ended it.
    Interrupted,
}

/// Edits files; the vault id and the password stay what they are.
pub(super) fn edit(opener: &Opener, files: &[String], settings: &Settings) -> Result<u8, Diagnostics> {
    for file in files {
        let input = files::read(file)?;
        let opened = opener.open(file, &input.bytes)?;
        let text = match editor(file, Some(&opened.plain), settings)? {
            Edited::Text(text) => text,
            Edited::Interrupted => return Ok(INTERRUPTED),
        };
        if text == opened.plain {
            continue;
        }
        let id = secrets::Envelope::parse(&input.bytes).ok().and_then(|envelope| envelope.id);
        let sealed = opened
            .password
            .seal(&text, id.as_deref(), settings.vault_encrypt_salt.as_deref().map(str::as_bytes))
            .map_err(|error| Diagnostic::user(format!("cannot encrypt: {error}")))?;
        if !input.is_current() {
            let beside = format!("{}.edited", real(file).display());
            files::write(&beside, sealed.as_bytes())?;
            return Err(Diagnostic::user(format!("{file} was changed while it was edited"))
                .note(format!("what you wrote is in {beside}, encrypted"))
                .into());
        }
        input.replace(sealed.as_bytes(), Old::Sealed)?;
    }
    Ok(0)
}

/// Edits a new file and encrypts it.
pub(super) fn create(
    sealer: impl FnOnce() -> Result<Sealer, Diagnostic>,
    file: &str,
    settings: &Settings,
) -> Result<u8, Diagnostics> {
    if Path::new(file).exists() {
        let hint = format!("to change it: convoy vault edit {file}");
        return Err(Diagnostic::user(format!("{file} exists, please use 'edit' instead")).hint(hint).into());
    }
    let sealer = sealer()?;
    let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    if let Some(folder) = folder {
        warn(&format!("{} does not exist, creating...", folder.display()));
        fs::create_dir_all(folder)
            .map_err(|error| Diagnostic::user(format!("cannot make {}: {error}", folder.display())))?;
    }
    match editor(file, None, settings)? {
        Edited::Text(text) => files::write(file, sealer.seal(&text)?.as_bytes())?,
        Edited::Interrupted => return Ok(INTERRUPTED),
    }
    Ok(0)
}

/// Lets the user edit `text` under the name of `file`, in a private folder that is gone afterwards.
fn editor(file: &str, text: Option<&[u8]>, settings: &Settings) -> Result<Edited, Diagnostic> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Diagnostic::user(format!("cannot start the runtime: {error}")).kind(Kind::Internal)
    })?;
    let named = settings.editor.clone().or_else(|| std::env::var("EDITOR").ok());
    let command = named.filter(|command| !command.trim().is_empty()).unwrap_or_else(|| "vi".to_owned());
    runtime.block_on(async {
        // From here on no signal leaves the text behind.
        let mut signals =
            Signals::new().map_err(|error| Diagnostic::user(format!("cannot take signals: {error}")))?;
        let private = Private::new()?;
        let edited = within(&private, file, text, &command, &mut signals).await;
        private.close()?;
        edited
    })
}

async fn within(
    private: &Private,
    file: &str,
    text: Option<&[u8]>,
    command: &str,
    signals: &mut Signals,
) -> Result<Edited, Diagnostic> {
    let path = private.path().join(Path::new(file).file_name().unwrap_or("text".as_ref()));
    let cannot = |error: io::Error| Diagnostic::user(format!("cannot write {}: {error}", path.display()));
    if let Some(text) = text {
        fs::write(&path, text).map_err(cannot)?;
    }
    let Some(status) = run(command, &path, signals).await? else { return Ok(Edited::Interrupted) };
    if !status.success() {
        let how =
            status.code().map_or_else(|| "a signal ended it".to_owned(), |code| format!("exit code {code}"));
        return Err(Diagnostic::user(format!("the editor `{command}` failed: {how}"))
            .note(format!("{file} is as it was"))
            .hint("set EDITOR to the editor of your choice".to_owned()));
    }
    match fs::read(&path) {
        Ok(text) => Ok(Edited::Text(Zeroizing::new(text))),
        Err(error) if text.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Err(Diagnostic::user(format!("nothing was written: {file} is not made")))
        }
        Err(error) => Err(Diagnostic::user(format!("the editor left nothing to read: {error}"))
            .note(format!("{file} is as it was"))),
    }
}

/// Runs the editor; returns nothing if a signal ended it.
async fn run(command: &str, path: &Path, signals: &mut Signals) -> Result<Option<ExitStatus>, Diagnostic> {
    let cannot = |error: io::Error| Diagnostic::user(format!("cannot run the editor `{command}`: {error}"));
    let mut shell = tokio::process::Command::new("sh");
    shell.arg("-c").arg(format!("exec {command} \"$1\"")).arg("sh").arg(path);
    let mut editor = shell.spawn().map_err(cannot)?;
    tokio::select! {
        status = editor.wait() => status.map(Some).map_err(cannot),
        () = signals.ended() => {
            let _ = editor.kill().await;
            Ok(None)
        }
    }
}

/// Signals that would end the program and leave the text behind.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    /// Ctrl-C and Ctrl-\ reach the editor too, which knows what they mean there.
    _for_the_editor: [tokio::signal::unix::Signal; 2],
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            _for_the_editor: [signal(SignalKind::interrupt())?, signal(SignalKind::quit())?],
        })
    }

    /// Waits for one that ends the program.
    async fn ended(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
