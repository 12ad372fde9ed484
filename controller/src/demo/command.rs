//! A command on an embedded node: runs its process and connects its pipes with an SSH channel.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin};
use tokio::sync::{mpsc, watch};

use super::options::NodeOptions;

/// The search path of commands.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The code of standard error among SSH's extended data.
const STDERR: u32 = 1;

/// The process groups of a node's commands.
#[derive(Clone)]
pub(super) struct Children(Arc<watch::Sender<HashSet<Pid>>>);

impl Default for Children {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashSet::new())))
    }
}

impl Children {
    /// Kills every running command, with everything that it started.
    pub(super) fn kill(&self) {
        for group in self.0.borrow().iter() {
            // It fails if the group has ended, which is the goal.
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }

    /// Waits until every command has ended.
    pub(super) async fn all_ended(&self) {
        // It fails only without a sender, and `self` is one.
        let _ = self.0.subscribe().wait_for(HashSet::is_empty).await;
    }
}

/// A command that a client has requested.
pub(super) struct Command {
    pub(super) line: Vec<u8>,
    pub(super) options: Arc<NodeOptions>,
    pub(super) children: Children,
}

impl Command {
    /// Starts the command in a process group of its own.
    pub(super) fn start(self) -> io::Result<RunningCommand> {
        let Self { line, options, children } = self;
        let child = tokio::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(OsStr::from_bytes(&line))
            .env_clear()
            .envs([("PATH", PATH), ("SHELL", "/bin/sh"), ("USER", &options.user), ("LOGNAME", &options.user)])
            .env("HOME", &options.home)
            // For the superuser, a machine has one state directory; here each node needs its own.
            .env("XDG_STATE_HOME", options.home.join(".local/state"))
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&options.home)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            children.0.send_modify(|groups| _ = groups.insert(group));
        }
        Ok(RunningCommand { child, group, children })
    }
}

/// A running command.
pub(super) struct RunningCommand {
    child: Child,
    group: Option<Pid>,
    children: Children,
}

impl RunningCommand {
    /// Connects its pipes with a channel until the command has ended or the client has closed the channel.
    pub(super) async fn serve(mut self, channel: Channel<Msg>, handle: Handle) {
        let id = channel.id();
        let (from, to) = channel.split();
        let (mut stdout, mut stderr) = (self.child.stdout.take(), self.child.stderr.take());
        // Unbounded: russh delivers to the channels of a connection in turn and sends nothing while it waits, so that a
        // command which writes before it reads would block forever. The sender's window limits what is queued.
        let (queue, queued) = mpsc::unbounded_channel();
        let feeding = tokio::spawn(feed(self.child.stdin.take(), queued));
        let child = &mut self.child;
        let output = async {
            let (out, err) = (copy(stdout.as_mut(), &to, None), copy(stderr.as_mut(), &to, Some(STDERR)));
            tokio::join!(out, err, child.wait()).2
        };
        let ended = tokio::select! {
            status = output => status.ok(),
            () = listen(from, queue) => None,
        };
        feeding.abort();
        drop((stdout, stderr));
        match ended {
            Some(status) => report(status, id, &to, &handle).await,
            // As under sshd, a command whose client has gone runs until it notices.
            None => drop(self.child.wait().await),
        }
        if let Some(group) = self.group {
            self.children.0.send_modify(|groups| _ = groups.remove(&group));
        }
    }
}

/// Queues input until the client closes the channel.
async fn listen(mut from: ChannelReadHalf, queue: mpsc::UnboundedSender<ChannelMsg>) {
    let mut queue = Some(queue);
    loop {
        match from.wait().await {
            Some(data @ ChannelMsg::Data { .. }) => {
                // If the command has stopped reading, the other channels must continue all the same.
                let _ = queue.as_ref().map(|queue| queue.send(data));
            }
            Some(ChannelMsg::Eof) => queue = None,
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

async fn feed(stdin: Option<ChildStdin>, mut queued: mpsc::UnboundedReceiver<ChannelMsg>) {
    let Some(mut stdin) = stdin else { return };
    while let Some(ChannelMsg::Data { data }) = queued.recv().await {
        if stdin.write_all(&data).await.is_err() {
            return;
        }
    }
}

async fn copy(
    output: Option<&mut (impl tokio::io::AsyncRead + Unpin)>,
    to: &ChannelWriteHalf<Msg>,
    extended: Option<u32>,
) {
    if let Some(output) = output {
        // It fails if the client has gone, which ends the command's output anyway.
        let _ = tokio::io::copy(output, &mut std::pin::pin!(to.make_writer_ext(extended))).await;
    }
}

/// Reports the exit status and closes the channel, as sshd does. The steps fail only if the client has gone.
async fn report(status: ExitStatus, id: russh::ChannelId, to: &ChannelWriteHalf<Msg>, handle: &Handle) {
    let _ = to.eof().await;
    if let Some(signal) = status.signal() {
        let name = signal_name(signal);
        let _ =
            handle.exit_signal_request(id, name, status.core_dumped(), String::new(), String::new()).await;
    } else {
        let code = status.code().unwrap_or_default();
        let _ = to.exit_status(code.cast_unsigned()).await;
    }
    let _ = to.close().await;
}

/// Returns SSH's name of a signal, or its number if SSH has no name for it.
fn signal_name(number: i32) -> Sig {
    match Signal::from_named_raw(number) {
        Some(Signal::ABORT) => Sig::ABRT,
        Some(Signal::ALARM) => Sig::ALRM,
        Some(Signal::FPE) => Sig::FPE,
        Some(Signal::HUP) => Sig::HUP,
        Some(Signal::ILL) => Sig::ILL,
        Some(Signal::INT) => Sig::INT,
        Some(Signal::KILL) => Sig::KILL,
        Some(Signal::PIPE) => Sig::PIPE,
        Some(Signal::QUIT) => Sig::QUIT,
        Some(Signal::SEGV) => Sig::SEGV,
        Some(Signal::TERM) => Sig::TERM,
        Some(Signal::USR1) => Sig::USR1,
        _ => Sig::Custom(number.to_string()),
    }
}
