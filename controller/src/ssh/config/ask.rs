//! Asks `ssh -G`, which prints what it would do for a host and does nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{HostConfig, Query};
use crate::ssh::error::Reason;
use crate::ssh::target::home;

/// How long it may take; longer means that a `Match exec` of the user's hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns where ssh is installed, if it is.
pub(super) fn program() -> Option<PathBuf> {
    crate::paths::find_program("ssh")
}

/// Returns what this ssh does if no file says anything.
pub(super) async fn defaults(ssh: &Path) -> Result<HostConfig, Reason> {
    let query = Query { host: "host".to_owned(), file: Some("/dev/null".into()), ..Query::default() };
    ask(ssh, &query, false).await
}

/// Asks for a host. Names are never looked up: with `canonicalize` the files ask for that, and are overruled.
pub(super) async fn ask(ssh: &Path, query: &Query, canonicalize: bool) -> Result<HostConfig, Reason> {
    let mut command = Command::new(ssh);
    command.arg("-G");
    if let Some(file) = query.file.clone().or_else(other_home) {
        command.arg("-F").arg(file);
    }
    if canonicalize {
        command.args(["-o", "CanonicalizeHostname=no", "-o", "CanonicalizePermittedCNAMEs=none"]);
    }
    for (name, value) in &query.options {
        command.arg("-o").arg(format!("{name}={}", quoted(name, value)));
    }
    command.arg("--").arg(&query.host);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let failed = |detail: String| Reason::Configuration { detail };
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| failed(format!("`ssh -G {}` does not end within {} s", query.host, PATIENCE.as_secs())))?
        .map_err(|error| failed(format!("cannot run {}: {error}", ssh.display())))?;
    if !output.status.success() {
        return Err(failed(last_words(&String::from_utf8_lossy(&output.stderr))));
    }
    let mut config = HostConfig::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        config.set(keyword, value.trim()).map_err(failed)?;
    }
    Ok(config)
}

/// ssh finds the user's file by the passwd database. Where `HOME` says otherwise, as for our other files, it is told.
fn other_home() -> Option<PathBuf> {
    let home = home()?;
    if crate::passwd::own_home().is_some_and(|passwd| Path::new(&passwd) == home) {
        return None;
    }
    let file = home.join(".ssh/config");
    Some(if file.exists() { file } else { "/dev/null".into() })
}

/// Quotes the value of an option that is one word, such as a path with a blank in it.
fn quoted(name: &str, value: &str) -> String {
    let one = [
        "identityfile",
        "certificatefile",
        "identityagent",
        "user",
        "hostname",
        "hostkeyalias",
        "revokedhostkeys",
    ];
    if one.contains(&name.to_ascii_lowercase().as_str()) && value.contains(' ') && !value.contains('"') {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}

/// Returns what ssh complains of, without its chatter about terminals.
fn last_words(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim).filter(|line| {
        !line.is_empty() && !line.starts_with("Pseudo-terminal") && !line.contains(": terminating, ")
    });
    let said = lines.collect::<Vec<_>>().join("; ");
    if said.is_empty() { "`ssh -G` fails and does not say why".to_owned() } else { said }
}
