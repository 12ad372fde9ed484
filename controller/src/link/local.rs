//! `connection: local`: the agent as a child process on a pipe, started as on any other node.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::Opening;

/// Starts the agent on this machine; returns the stream for [`super::Link::open`].
///
/// # Errors
/// If `sh` cannot be started.
pub fn start(opening: &Opening) -> io::Result<impl AsyncRead + AsyncWrite + Send + use<>> {
    spawn(Command::new("sh").arg("-c").arg(opening.script()))
}

pub(super) fn spawn(command: &mut Command) -> io::Result<Join<ChildStdout, ChildStdin>> {
    // In a process group of its own: what to do about Ctrl-C is for us to decide, not for the terminal.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes to sh"));
    };
    // It ends when its input does; then it has to be waited for.
    tokio::spawn(async move { child.wait().await });
    Ok(join(stdout, stdin))
}
