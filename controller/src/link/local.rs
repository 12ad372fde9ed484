//! `connection: local`: runs the agent as a child process on a pipe, started as on any other node.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::bootstrap::Opening;

/// Starts the agent on this machine; returns the stream for [`super::Link::open`].
///
/// # Errors
/// If `sh` cannot be started.
pub fn start(opening: &Opening) -> io::Result<impl AsyncRead + AsyncWrite + Send + use<>> {
    spawn(Command::new("sh").arg("-c").arg(opening.script()))
}

pub(super) fn spawn(command: &mut Command) -> io::Result<Join<ChildStdout, ChildStdin>> {
    // In its own process group, so that Ctrl-C reaches the controller only, which decides what to do about it.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes to sh"));
    };
    // The child ends when its input does. Someone must then reap it.
    tokio::spawn(async move { child.wait().await });
    Ok(join(stdout, stdin))
}
