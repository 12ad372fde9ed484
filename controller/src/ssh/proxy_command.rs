//! `ProxyCommand`: a program whose input and output carry the connection.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Join, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::error::Reason;
use crate::sync::lock;

/// How many bytes of the end of its standard error are kept.
const STDERR_TAIL: usize = 1024;
/// How long a program that has closed its output may take to end, and to print why.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The input and output of a running program.
pub(super) struct ProxyCommand {
    io: Join<ChildStdout, ChildStdin>,
}

/// A running program. When this is dropped, the program is killed with everything that it started.
///
/// Separate from its input and output: a program that has closed them may be about to print why.
pub(super) struct Program {
    command: String,
    running: Arc<Mutex<Running>>,
    /// Ends when the program has closed its standard error.
    stderr_reader: JoinHandle<()>,
}

struct Running {
    child: Child,
    stderr: Vec<u8>,
}

impl ProxyCommand {
    /// Starts a command with the user's shell, as ssh does.
    pub(super) fn start(command: &str) -> Result<(Self, Program), Reason> {
        let failed = |error: io::Error| Reason::ProxyCommand {
            command: command.to_owned(),
            detail: format!("cannot be started: {error}"),
        };
        let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh".into());
        let mut child = Command::new(shell)
            .arg("-c")
            .arg(format!("exec {command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let gone = || failed(io::ErrorKind::BrokenPipe.into());
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let stderr = child.stderr.take().ok_or_else(gone)?;
        let running = Arc::new(Mutex::new(Running { child, stderr: Vec::new() }));
        let stderr_reader = tokio::spawn(read_stderr(stderr, Arc::downgrade(&running)));
        let program = Program { command: command.to_owned(), running, stderr_reader };
        Ok((Self { io: tokio::io::join(stdout, stdin) }, program))
    }
}

/// Keeps the end of what the program prints to standard error.
async fn read_stderr(mut stderr: ChildStderr, running: std::sync::Weak<Mutex<Running>>) {
    let mut bytes = [0; STDERR_TAIL];
    while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
        let Some(running) = running.upgrade() else { return };
        let mut running = lock(&running);
        running.stderr.extend(&bytes[..count]);
        let excess = running.stderr.len().saturating_sub(STDERR_TAIL);
        running.stderr.drain(..excess);
    }
}

impl Program {
    /// Returns why there is no connection, if the reason is that the program ended.
    pub(super) async fn reason(mut self) -> Option<Reason> {
        let ended = async {
            loop {
                let status = self.running().child.try_wait();
                match status {
                    Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Ok(Some(status)) => return Some(status),
                    Err(_) => return None,
                }
            }
        };
        let status = tokio::time::timeout(EXIT_TIMEOUT, ended).await.ok().flatten()?;
        // A process that it started may keep its standard error open.
        let _ = tokio::time::timeout(EXIT_TIMEOUT, &mut self.stderr_reader).await;
        let printed = String::from_utf8_lossy(&self.running().stderr).trim().to_owned();
        let ending = match status.code() {
            Some(code) => format!("ended with status {code}"),
            None => "was killed by a signal".to_owned(),
        };
        let detail = if printed.is_empty() { ending } else { format!("{ending} and printed {printed:?}") };
        Some(Reason::ProxyCommand { command: self.command.clone(), detail })
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        lock(&self.running)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let running = self.running();
        // Without an id it has ended, and its number may belong to another process.
        let id = running.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It fails if the program has just ended by itself.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

impl AsyncRead for ProxyCommand {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for ProxyCommand {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
