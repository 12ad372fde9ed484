//! `ProxyCommand`: a program whose input and output are the connection.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, Join, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::error::Reason;

/// How much of what it complains of is kept.
const STDERR_TAIL: usize = 1024;
/// How long a program that ended its output has to end itself, and to say why.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Input and output of a running program.
pub(super) struct ProxyCommand {
    io: Join<ChildStdout, ChildStdin>,
}

/// A running program, killed with all that it started when this is dropped.
///
/// It is apart from its input and output: a program that has closed them may be about to say why.
pub(super) struct Program {
    command: String,
    running: Arc<Mutex<Running>>,
    /// Ends when the program has nothing more to complain of.
    heard: JoinHandle<()>,
}

struct Running {
    child: Child,
    stderr: Vec<u8>,
}

impl ProxyCommand {
    /// Starts a program with the user's shell, as ssh does.
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
        let heard = tokio::spawn(listen(stderr, Arc::downgrade(&running)));
        let program = Program { command: command.to_owned(), running, heard };
        Ok((Self { io: tokio::io::join(stdout, stdin) }, program))
    }
}

/// Keeps the end of what the program complains of.
async fn listen(mut stderr: ChildStderr, running: std::sync::Weak<Mutex<Running>>) {
    let mut bytes = [0; STDERR_TAIL];
    while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
        let Some(running) = running.upgrade() else { return };
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        running.stderr.extend(&bytes[..count]);
        let excess = running.stderr.len().saturating_sub(STDERR_TAIL);
        running.stderr.drain(..excess);
    }
}

impl Program {
    /// Returns why there is no connection, if that is because the program ended.
    pub(super) async fn reason(mut self) -> Option<Reason> {
        let ended = async {
            loop {
                let status = self.lock().child.try_wait();
                match status {
                    Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Ok(Some(status)) => return Some(status),
                    Err(_) => return None,
                }
            }
        };
        let status = tokio::time::timeout(LAST_WORDS, ended).await.ok().flatten()?;
        // Something that it started may hold its standard error open.
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.heard).await;
        let said = String::from_utf8_lossy(&self.lock().stderr).trim().to_owned();
        let ending = match status.code() {
            Some(code) => format!("ended with status {code}"),
            None => "was ended by a signal".to_owned(),
        };
        let detail = if said.is_empty() { ending } else { format!("{ending}, saying {said:?}") };
        Some(Reason::ProxyCommand { command: self.command.clone(), detail })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let running = self.lock();
        // Without an id it has ended, and the number may be another's.
        let id = running.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It may end by itself meanwhile.
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
