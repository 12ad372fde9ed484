//! Asks `ssh -G`, which prints the configuration of a host and does not connect.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::options::HostConfig;
use super::query::Query;
use crate::paths::home;
use crate::ssh::error::Reason;

/// How long `ssh -G` may take. If it takes longer, a `Match exec` of the user's hangs.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the path of ssh, if it is installed.
pub(super) fn program() -> Option<PathBuf> {
    crate::paths::find_program("ssh")
}

/// Returns the defaults of this ssh.
pub(super) async fn defaults(ssh: &Path) -> Result<HostConfig, Reason> {
    let query = Query { host: "host".to_owned(), file: Some("/dev/null".into()), ..Query::default() };
    ask(ssh, &query, false).await
}

/// Returns the configuration of a host. Names are never looked up: if the files ask for that (`canonicalize`), options
/// override them.
pub(super) async fn ask(ssh: &Path, query: &Query, canonicalize: bool) -> Result<HostConfig, Reason> {
    let mut command = Command::new(ssh);
    command.arg("-G");
    if let Some(file) = query.file.clone().or_else(config_in_home) {
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
    let output = tokio::time::timeout(TIMEOUT, command.output())
        .await
        .map_err(|_| {
            failed(format!("`ssh -G {}` did not finish within {} s", query.host, TIMEOUT.as_secs()))
        })?
        .map_err(|error| failed(format!("cannot run {}: {error}", ssh.display())))?;
    if !output.status.success() {
        return Err(failed(complaint(&String::from_utf8_lossy(&output.stderr))));
    }
    let mut config = HostConfig::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        config.set(keyword, value.trim()).map_err(failed)?;
    }
    Ok(config)
}

/// Returns the user's configuration file if `HOME` is not the home directory in the passwd database, where ssh looks
/// for it: convoy looks for all of the user's files in `HOME`.
fn config_in_home() -> Option<PathBuf> {
    let home = home()?;
    if crate::passwd::own_home().is_some_and(|passwd| Path::new(&passwd) == home) {
        return None;
    }
    let file = home.join(".ssh/config");
    Some(if file.exists() { file } else { "/dev/null".into() })
}

/// Quotes a value with spaces if the option takes a single word, such as a path.
fn quoted(name: &str, value: &str) -> String {
    let single_word = [
        "identityfile",
        "certificatefile",
        "identityagent",
        "user",
        "hostname",
        "hostkeyalias",
        "revokedhostkeys",
    ];
    if single_word.contains(&name.to_ascii_lowercase().as_str())
        && value.contains(' ')
        && !value.contains('"')
    {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}

/// Returns the error messages of ssh, without what it prints about terminals.
fn complaint(stderr: &str) -> String {
    let lines = stderr.lines().map(str::trim).filter(|line| {
        !line.is_empty() && !line.starts_with("Pseudo-terminal") && !line.contains(": terminating, ")
    });
    let text = lines.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "`ssh -G` failed without a message".to_owned() } else { text }
}
