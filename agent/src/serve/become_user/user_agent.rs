//! The agent of one other user: how it is started, and the orders that it is sent.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use convoy_protocol::Outcome;
use convoy_protocol::bootstrap::{AgentBinary, BootstrapMessage, printable_tail, script};
use convoy_protocol::lock::{LockTaken, Refusal};
use convoy_protocol::message::{Become, Order, Step, ToAgent, Window};
use rustix::process::Pid;

use super::listen::{AgentEvent, read_answers, read_messages};
use super::method::{self, Prompt, command, refusal_reason};
use super::program::Program;
use super::terminal::Terminal;
use crate::failure::Failure;
use crate::serve::cache::Cache;
use crate::serve::frame_writer::FrameWriter;
use crate::sync::lock;

/// How long to wait for an agent to end before it is killed.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The agents that were started, for whoever has to end them.
#[derive(Debug, Default)]
pub(crate) struct ChildProcesses(Mutex<Vec<(Pid, Arc<FrameWriter>)>>);

impl ChildProcesses {
    fn add(&self, pid: Pid, writer: Arc<FrameWriter>) {
        lock(&self.0).push((pid, writer));
    }

    fn remove(&self, pid: Pid) {
        lock(&self.0).retain(|(other, _)| *other != pid);
    }

    pub(crate) fn contains(&self, pid: Pid) -> bool {
        lock(&self.0).iter().any(|(other, _)| *other == pid)
    }

    /// Closes the input of all agents. They clean up and end.
    pub(crate) fn dismiss(&self) {
        lock(&self.0).iter().for_each(|(_, writer)| writer.close());
    }
}

/// How the conversation with a child ended.
pub(super) enum ConversationEnd {
    Refused(Box<Refusal>),
    Ended(String),
}

impl From<String> for ConversationEnd {
    fn from(why: String) -> Self {
        Self::Ended(why)
    }
}

pub(super) struct UserAgent {
    process: std::process::Child,
    pid: Pid,
    pub(super) writer: Arc<FrameWriter>,
    events: Receiver<AgentEvent>,
    /// The terminal on which it prompts for the password, if it does not use its standard streams. Closing the terminal would end
    /// all processes on it.
    terminal: Option<Terminal>,
    /// The program's output on standard error.
    printed: Arc<Mutex<Vec<u8>>>,
    silence: Duration,
    windows: u64,
    /// The lock that it took most recently.
    pub(super) lock_taken: Option<LockTaken>,
    child_processes: Arc<ChildProcesses>,
}

impl UserAgent {
    pub(super) fn spawn(
        other: &Become,
        offer: &AgentBinary,
        silence: Duration,
        cache: &Arc<Cache>,
        child_processes: &Arc<ChildProcesses>,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| method::cannot_run(other, &error);
        let prompt = Prompt::new(other.method).map_err(cannot)?;
        // Without a password no terminal is needed, because the program is told not to prompt.
        let needs_terminal = prompt.needs_terminal() && other.password.is_some();
        let terminal = needs_terminal.then(Terminal::open).transpose().map_err(cannot)?;
        let script = script(std::slice::from_ref(offer), 0);
        let mut process = command(other, &prompt, &script, terminal.as_ref())?.spawn().map_err(cannot)?;
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(stdin), Some(stdout), Some(stderr)) =
            (pid, process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(cannot(io::Error::other("it has no pipes")));
        };
        let writer = Arc::new(FrameWriter::new(stdin));
        child_processes.add(pid, writer.clone());
        let (sender, events) = mpsc::channel();
        let (child_processes, printed) = (child_processes.clone(), Arc::default());
        let (windows, lock_taken) = (0, None);
        let child = Self {
            process,
            pid,
            writer,
            events,
            terminal,
            printed,
            silence,
            windows,
            lock_taken,
            child_processes,
        };
        child.listen(stdout, stderr, &prompt, cache, &sender).map_err(cannot)?;
        Ok(child)
    }

    /// Starts the threads that read its standard streams, and its terminal if it has one.
    fn listen(
        &self,
        stdout: impl Read + Send + 'static,
        stderr: impl Read + Send + 'static,
        prompt: &Prompt,
        cache: &Arc<Cache>,
        sender: &Sender<AgentEvent>,
    ) -> io::Result<()> {
        let named = |name: &str| thread::Builder::new().name(name.into());
        if let Some(terminal) = &self.terminal {
            let (terminal, prompt, sender) = (terminal.our_end()?, prompt.clone(), sender.clone());
            named("terminal").spawn(move || read_messages(terminal, &prompt, &Arc::default(), &sender))?;
        }
        let (prompts, printed, messages) = (prompt.clone(), self.printed.clone(), sender.clone());
        named("messages").spawn(move || {
            read_messages(stderr, &prompts, &printed, &messages);
            messages.send(AgentEvent::Refused).ok();
        })?;
        let (writer, cache, prompt, sender) =
            (self.writer.clone(), cache.clone(), prompt.clone(), sender.clone());
        named("child").spawn(move || {
            let end = read_answers(stdout, &prompt, &writer, &cache, &sender).unwrap_or_else(|why| why);
            sender.send(AgentEvent::Ended(end)).ok();
        })?;
        Ok(())
    }

    /// Answers the program's prompt and the bootstrap's requests until the agent runs.
    pub(super) fn wait_until_ready(&mut self, other: &Become, program: &Program) -> Result<(), Failure> {
        let mut prompted = false;
        let name = other.method.name();
        let cannot = |why: &str| Failure::new(format!("cannot become {}: {why}", other.user));
        loop {
            match self.events.recv_timeout(self.silence) {
                Ok(AgentEvent::Prompt) if prompted => return Err(method::incorrect_password(other)),
                Ok(AgentEvent::Prompt) => {
                    prompted = true;
                    let password =
                        other.password.as_deref().ok_or_else(|| method::missing_password(other))?;
                    // If the program has ended, its messages say why.
                    self.answer(format!("{password}\n").as_bytes()).ok();
                }
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Need { .. })) => {
                    self.writer.send_raw(&program.bytes).ok();
                }
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Failed(why))) => return Err(cannot(&why)),
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Ready)) => return Ok(()),
                Ok(AgentEvent::Refused) => return Err(self.refusal(other, "")),
                Ok(AgentEvent::Ended(noise)) => return Err(self.end_reason(other, &noise)),
                Ok(_) => {}
                Err(_) => {
                    let seconds = self.silence.as_secs();
                    let printed = match printable_tail(&lock(&self.printed)) {
                        text if text.is_empty() => text,
                        text => format!("; it printed: {text}"),
                    };
                    return Err(cannot(&format!("{name} did not respond for {seconds} seconds{printed}")));
                }
            }
        }
    }

    /// Writes an answer to where the program prompts.
    fn answer(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.terminal {
            Some(terminal) => terminal.write(bytes),
            None => self.writer.send_raw(bytes),
        }
    }

    /// Returns why the program refuses. `noise` is what was printed in place of an agent; it is used if there is no error message.
    fn refusal(&self, other: &Become, noise: &str) -> Failure {
        let printed = String::from_utf8_lossy(&lock(&self.printed)).into_owned();
        refusal_reason(other, if printed.trim().is_empty() { noise } else { &printed })
    }

    /// Returns why the program ended, after all its output has been read.
    fn end_reason(&self, other: &Become, noise: &str) -> Failure {
        let deadline = Instant::now() + SHUTDOWN_GRACE;
        while let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if matches!(event, AgentEvent::Refused) {
                break;
            }
        }
        self.refusal(other, noise)
    }

    pub(super) fn execute(&mut self, order: Order, execute: bool) -> Result<Outcome, ConversationEnd> {
        self.windows += 1;
        let window = Window { id: self.windows, execute, steps: vec![Step { orders: vec![order] }] };
        self.writer
            .send(&ToAgent::Window(window))
            .map_err(|error| format!("does not read its input: {error}"))?;
        loop {
            match self.events.recv_timeout(self.silence) {
                Ok(AgentEvent::Answer(mut answer)) => {
                    let outcome = answer
                        .steps
                        .pop()
                        .filter(|_| answer.window == self.windows && answer.steps.is_empty());
                    let outcome =
                        outcome.and_then(|mut outcomes| outcomes.pop().filter(|_| outcomes.is_empty()));
                    return Ok(outcome.ok_or_else(|| "sent an unexpected answer".to_owned())?);
                }
                Ok(AgentEvent::LockTaken(taken)) => self.lock_taken = Some(taken),
                Ok(AgentEvent::LockRefused(refusal)) => {
                    return Err(ConversationEnd::Refused(refusal));
                }
                Ok(AgentEvent::Ended(why)) => return Err(format!("has ended: {why}").into()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("was silent for {} seconds", self.silence.as_secs()).into());
                }
                Err(RecvTimeoutError::Disconnected) => return Err("has ended".to_owned().into()),
            }
        }
    }
}

/// Ends the agent, which cleans up when its input ends.
impl Drop for UserAgent {
    fn drop(&mut self) {
        self.writer.close();
        let deadline = Instant::now() + SHUTDOWN_GRACE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        // A sudo of root's cannot be killed; it ends with its input, or continues to run without input.
        self.process.kill().ok();
        self.process.try_wait().ok();
        self.child_processes.remove(self.pid);
    }
}
