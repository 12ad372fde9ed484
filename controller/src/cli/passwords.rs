//! Passwords that are asked for or read when the run begins.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::terminal::{Echo, Terminal};

/// Asks at the terminal; `option` is what gives the password in another way.
pub(super) fn ask(prompt: &str, option: &str) -> Result<String, Diagnostics> {
    Terminal::Controlling.ask(prompt, Echo::Off).map_err(|error| {
        Diagnostic::user(format!("cannot ask for the password: {error}"))
            .hint(format!("without a terminal give it in a file, with {option}"))
            .into()
    })
}

/// Reads a password from a file, from the output of the file if that is a program, or from standard input (`-`).
pub(super) fn read(file: &Path) -> Result<String, Diagnostics> {
    let problem = |what: String| Diagnostics::from(Diagnostic::user(what));
    let fault = |error: std::io::Error| problem(format!("cannot read {}: {error}", file.display()));
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(fault)?;
        text
    } else if std::fs::metadata(file).map_err(fault)?.permissions().mode() & 0o111 != 0 {
        let path = file.canonicalize().map_err(fault)?;
        let done =
            Command::new(path).stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(fault)?;
        if !done.status.success() {
            return Err(problem(format!("{} gives no password: {}", file.display(), done.status)));
        }
        String::from_utf8_lossy(&done.stdout).into_owned()
    } else {
        std::fs::read_to_string(file).map_err(fault)?
    };
    let password = text.trim_matches(['\n', '\r']).to_owned();
    if password.is_empty() {
        return Err(problem(format!("{} has no password in it", file.display())));
    }
    Ok(password)
}
