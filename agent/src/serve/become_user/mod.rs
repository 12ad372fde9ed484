//! `become`: one agent per other user, started on first use and kept. Towards it, we are the controller.

mod method;
mod program;
mod terminal;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use convoy_protocol::bootstrap::{AgentBinary, BootstrapMessage, Scanner, printable_tail, script};
use convoy_protocol::frame::Decoder;
use convoy_protocol::lock::{LockTaken, Refusal};
use convoy_protocol::message::{
    Answer, Become, CHUNK, Chunk, FromAgent, Hello, Order, Step, Ticket, ToAgent, Window,
};
use convoy_protocol::{Digest, Outcome};
use rustix::process::Pid;

pub use terminal::enter;

use crate::changes::Recorder;
use crate::content::ContentStore;
use crate::failure::Failure;
use crate::os_error::reason;
use crate::serve::cache::Cache;
use crate::serve::frame_writer::{FrameWriter, keep_alive};
use crate::sync::lock;

use method::{Prompt, command, refusal_reason};
use program::Program;
use terminal::Terminal;

/// How much of what the program prints is kept, in bytes.
const MESSAGES: usize = 16 * 1024;

/// How long a leaving agent is waited for before it is killed.
const LEAVING: Duration = Duration::from_secs(2);

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

    /// Closes the input of all; they clean up and end.
    pub(crate) fn dismiss(&self) {
        lock(&self.0).iter().for_each(|(_, writer)| writer.close());
    }
}

/// Whom to be and how, without the password.
type Key = Become;

/// The agents of other users.
pub(crate) struct UserAgents {
    cache: Arc<Cache>,
    child_processes: Arc<ChildProcesses>,
    recorder: Recorder,
    hello: Hello,
    program: Option<Arc<Program>>,
    user_agents: HashMap<Key, UserAgent>,
}

impl UserAgents {
    pub(crate) fn new(cache: Arc<Cache>, child_processes: Arc<ChildProcesses>, recorder: Recorder) -> Self {
        Self {
            cache,
            child_processes,
            recorder,
            hello: Hello::default(),
            program: None,
            user_agents: HashMap::new(),
        }
    }

    /// Remembers how the controller introduced itself: we say the same.
    pub(crate) fn begin_run(&mut self, hello: Hello) {
        self.hello = hello;
    }

    /// Has one order done by the agent of another user.
    pub(crate) fn ask(
        &mut self,
        other: &Become,
        order: &Order,
        execute: bool,
    ) -> Result<Outcome, OrderError> {
        let key = Become { password: None, ..other.clone() };
        if !self.user_agents.contains_key(&key) {
            let child = self.start(other)?;
            self.user_agents.insert(key.clone(), child);
        }
        let child =
            self.user_agents.get_mut(&key).ok_or_else(|| Failure::new("the other user's agent is gone"))?;
        // This one sees to it that it is done once.
        let ticket = order.ticket.map(|ticket| Ticket { once: false, ..ticket });
        let order = Order { become_user: None, ticket, ..order.clone() };
        let outcome = child.ask(order, execute);
        if let Some(offer) = outcome.as_ref().ok().and_then(|outcome| outcome.offer) {
            self.cache.offers.add_from_child(offer.digest, child.writer.clone());
        }
        if let Some(entry) = child.entered.take() {
            self.remember(&entry);
        }
        outcome.map_err(|trouble| {
            self.user_agents.remove(&key);
            match trouble {
                ConversationEnd::Refused(refusal_reason) => OrderError::Refused(refusal_reason),
                ConversationEnd::Gone(why) => {
                    Failure::new(format!("the agent of user {} {why}", other.user)).into()
                }
            }
        })
    }

    /// Remembers what another user's agent was given, for one that may follow it.
    fn remember(&mut self, entry: &LockTaken) {
        let Some(claim) = &mut self.hello.claim else { return };
        claim.held.retain(|held| held.uid != entry.held.uid);
        claim.held.push(entry.held);
    }

    fn start(&mut self, other: &Become) -> Result<UserAgent, Failure> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.program.insert(Arc::new(Program::read()?)).clone(),
        };
        let silence = Duration::from_secs(self.hello.silence_seconds.max(1).into());
        let mut child = UserAgent::spawn(other, &program.offer, silence, &self.cache, &self.child_processes)?;
        child.wait_until_ready(other, &program)?;
        // Whom it could not become has changed nothing.
        self.recorder.record_user(other)?;
        let sender = child.writer.send(&ToAgent::Hello(self.hello.clone()));
        sender.map_err(|error| Failure::new(format!("the agent of user {} is gone: {error}", other.user)))?;
        keep_alive(Arc::downgrade(&child.writer), silence / 3);
        Ok(child)
    }
}

/// Why an order was not done by another user's agent.
#[derive(Debug)]
pub(crate) enum OrderError {
    Failed(Failure),
    /// The run may not work there as that user.
    Refused(Box<Refusal>),
}

impl From<Failure> for OrderError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// How the conversation with a child ended.
enum ConversationEnd {
    Refused(Box<Refusal>),
    Gone(String),
}

impl From<String> for ConversationEnd {
    fn from(why: String) -> Self {
        Self::Gone(why)
    }
}

/// What is heard from a child.
enum AgentEvent {
    /// The program asks for the password.
    Prompt,
    /// The program has ended, or goes on where we cannot follow: what it printed says why.
    Refused,
    Bootstrap(BootstrapMessage),
    Answer(Answer),
    Alive,
    /// It has the lock.
    LockTaken(LockTaken),
    /// Another run has the lock.
    LockRefused(Box<Refusal>),
    Gone(String),
}

struct UserAgent {
    process: std::process::Child,
    pid: Pid,
    writer: Arc<FrameWriter>,
    events: Receiver<AgentEvent>,
    /// Where it asks for the password, if not on its standard streams. Closing it would end all that runs there.
    terminal: Option<Terminal>,
    /// What the program has printed.
    printed: Arc<Mutex<Vec<u8>>>,
    silence: Duration,
    windows: u64,
    /// The lock that it has told of last.
    entered: Option<LockTaken>,
    child_processes: Arc<ChildProcesses>,
}

impl UserAgent {
    fn spawn(
        other: &Become,
        offer: &AgentBinary,
        silence: Duration,
        cache: &Arc<Cache>,
        child_processes: &Arc<ChildProcesses>,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| method::cannot_run(other, &error);
        let prompt = Prompt::new(other.method).map_err(cannot)?;
        // Without a password no terminal is needed: the program is told not to ask.
        let asks_there = prompt.needs_terminal() && other.password.is_some();
        let terminal = asks_there.then(Terminal::open).transpose().map_err(cannot)?;
        let script = script(std::slice::from_ref(offer), 0);
        let mut process = command(other, &prompt, &script, terminal.as_ref())?.spawn().map_err(cannot)?;
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(stdin), Some(stdout), Some(stderr)) =
            (pid, process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(cannot(io::Error::other("no pipes to it")));
        };
        let writer = Arc::new(FrameWriter::new(stdin));
        child_processes.add(pid, writer.clone());
        let (sender, events) = mpsc::channel();
        let (child_processes, printed) = (child_processes.clone(), Arc::default());
        let (windows, entered) = (0, None);
        let child = Self {
            process,
            pid,
            writer,
            events,
            terminal,
            printed,
            silence,
            windows,
            entered,
            child_processes,
        };
        child.listen(stdout, stderr, &prompt, cache, &sender).map_err(cannot)?;
        Ok(child)
    }

    /// Starts the threads that hear what it says: on its standard streams, and on the terminal if it has one.
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
            let gone = read_answers(stdout, &prompt, &writer, &cache, &sender).unwrap_or_else(|why| why);
            sender.send(AgentEvent::Gone(gone)).ok();
        })?;
        Ok(())
    }

    /// Gives the program its password and the bootstrap the agent, until the agent runs.
    fn wait_until_ready(&mut self, other: &Become, program: &Program) -> Result<(), Failure> {
        let mut asked = false;
        let name = other.method.name();
        let cannot = |why: &str| Failure::new(format!("cannot become {}: {why}", other.user));
        loop {
            match self.events.recv_timeout(self.silence) {
                Ok(AgentEvent::Prompt) if asked => return Err(method::incorrect_password(other)),
                Ok(AgentEvent::Prompt) => {
                    asked = true;
                    let password =
                        other.password.as_deref().ok_or_else(|| method::missing_password(other))?;
                    // If the program is gone, its messages say why.
                    self.answer(format!("{password}\n").as_bytes()).ok();
                }
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Need { .. })) => {
                    self.writer.send_raw(&program.bytes).ok();
                }
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Failed(why))) => return Err(cannot(&why)),
                Ok(AgentEvent::Bootstrap(BootstrapMessage::Ready)) => return Ok(()),
                Ok(AgentEvent::Refused) => return Err(self.why_refused(other, "")),
                Ok(AgentEvent::Gone(noise)) => return Err(self.why_gone(other, &noise)),
                Ok(_) => {}
                Err(_) => {
                    let seconds = self.silence.as_secs();
                    let printed = match printable_tail(&lock(&self.printed)) {
                        text if text.is_empty() => text,
                        text => format!("; it printed: {text}"),
                    };
                    return Err(cannot(&format!("{name} did nothing for {seconds} seconds{printed}")));
                }
            }
        }
    }

    /// Gives an answer where the program asked.
    fn answer(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.terminal {
            Some(terminal) => terminal.write(bytes),
            None => self.writer.send_raw(bytes),
        }
    }

    /// Returns why the program refuses: what it printed says more than `noise`, which came in place of an agent.
    fn why_refused(&self, other: &Become, noise: &str) -> Failure {
        let printed = String::from_utf8_lossy(&lock(&self.printed)).into_owned();
        refusal_reason(other, if printed.trim().is_empty() { noise } else { &printed })
    }

    /// Returns why the program ended, after it has printed all it will.
    fn why_gone(&self, other: &Become, noise: &str) -> Failure {
        let deadline = Instant::now() + LEAVING;
        while let Ok(events) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if matches!(events, AgentEvent::Refused) {
                break;
            }
        }
        self.why_refused(other, noise)
    }

    fn ask(&mut self, order: Order, execute: bool) -> Result<Outcome, ConversationEnd> {
        self.windows += 1;
        let window = Window { id: self.windows, execute, steps: vec![Step { orders: vec![order] }] };
        self.writer.send(&ToAgent::Window(window)).map_err(|error| format!("does not listen: {error}"))?;
        loop {
            match self.events.recv_timeout(self.silence) {
                Ok(AgentEvent::Answer(mut answer)) => {
                    let outcome = answer
                        .steps
                        .pop()
                        .filter(|_| answer.window == self.windows && answer.steps.is_empty());
                    let outcome =
                        outcome.and_then(|mut outcomes| outcomes.pop().filter(|_| outcomes.is_empty()));
                    return Ok(outcome.ok_or_else(|| "answered something else than it was asked".to_owned())?);
                }
                Ok(AgentEvent::LockTaken(entry)) => self.entered = Some(entry),
                Ok(AgentEvent::LockRefused(refusal_reason)) => {
                    return Err(ConversationEnd::Refused(refusal_reason));
                }
                Ok(AgentEvent::Gone(why)) => return Err(format!("is gone: {why}").into()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("said nothing for {} seconds", self.silence.as_secs()).into());
                }
                Err(RecvTimeoutError::Disconnected) => return Err("is gone".to_owned().into()),
            }
        }
    }
}

/// Ends it: it cleans up when its input ends.
impl Drop for UserAgent {
    fn drop(&mut self) {
        self.writer.close();
        let deadline = Instant::now() + LEAVING;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        // Not allowed for a sudo of root's: that one ends with its input or stays without any.
        self.process.kill().ok();
        self.process.try_wait().ok();
        self.child_processes.remove(self.pid);
    }
}

/// Reads what the program prints, keeps it, and tells of each prompt.
fn read_messages(
    mut stderr: impl Read,
    prompt: &Prompt,
    printed: &Arc<Mutex<Vec<u8>>>,
    sender: &Sender<AgentEvent>,
) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut buffer) {
        let mut text = lock(printed);
        if text.len() < MESSAGES {
            text.extend_from_slice(&buffer[..n]);
        }
        while prompt.take(&mut text) {
            sender.send(AgentEvent::Prompt).ok();
        }
        if method::asks_for_new_password(&text) {
            sender.send(AgentEvent::Refused).ok();
        }
    }
}

/// Reads what the bootstrap and then the agent say; returns why that ended.
fn read_answers(
    mut stdout: impl Read,
    prompt: &Prompt,
    writer: &FrameWriter,
    cache: &Arc<Cache>,
    sender: &Sender<AgentEvent>,
) -> Result<String, String> {
    let mut buffer = vec![0; 64 * 1024];
    let mut scanner = Scanner::default();
    let (mut ready, mut asked) = (false, false);
    while !ready {
        let n = stdout.read(&mut buffer).map_err(|error| error.to_string())?;
        if n == 0 {
            return Ok(scanner.noise());
        }
        scanner.push(&buffer[..n]);
        while let Some(next) = if ready { None } else { scanner.take().map_err(|error| error.to_string())? } {
            ready = next == BootstrapMessage::Ready;
            sender.send(AgentEvent::Bootstrap(next)).map_err(|_| String::new())?;
        }
        // Busybox asks here.
        if !ready && !asked && prompt.take(&mut scanner.noise().into_bytes()) {
            asked = true;
            sender.send(AgentEvent::Prompt).map_err(|_| String::new())?;
        }
    }
    let mut decoder = Decoder::default();
    decoder.push(&scanner.into_rest());
    loop {
        while let Some(message) = decoder.take().map_err(|error| error.to_string())? {
            match message {
                FromAgent::Answer(answer) => {
                    sender.send(AgentEvent::Answer(answer)).map_err(|_| String::new())?
                }
                FromAgent::Need(digest) => {
                    supply(&digest, cache, writer).map_err(|error| error.to_string())?
                }
                FromAgent::Chunk(_) | FromAgent::NoContent { .. } => {
                    cache.forward(&message).map_err(|error| error.to_string())?;
                }
                FromAgent::Welcome(_) | FromAgent::Pong(_) | FromAgent::Detached => {
                    sender.send(AgentEvent::Alive).map_err(|_| String::new())?;
                }
                FromAgent::LockTaken(entry) => {
                    // The controller knows of it before the order is done; if it is gone the order is done all the same.
                    cache.forward(&FromAgent::LockTaken(entry.clone())).ok();
                    sender.send(AgentEvent::LockTaken(entry)).map_err(|_| String::new())?;
                }
                FromAgent::Refused(refusal_reason) => {
                    sender.send(AgentEvent::LockRefused(refusal_reason.into())).map_err(|_| String::new())?;
                }
                FromAgent::Fault(why) => return Ok(why),
            }
        }
        match stdout.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok("it ended".into()),
            n => decoder.push(&buffer[..n]),
        }
    }
}

/// Sends content to a child, after having got it from the controller if need be.
fn supply(
    digest: &Digest,
    cache: &Arc<Cache>,
    writer: &FrameWriter,
) -> Result<(), convoy_protocol::frame::FrameError> {
    let refuse = |why: String| writer.send(&ToAgent::NoContent { digest: *digest, why });
    let opened = cache.fetch(digest).and_then(|path| File::open(path).map_err(|e| Failure::new(reason(&e))));
    let mut file = match opened {
        Ok(file) => file,
        Err(failure) => return refuse(failure.msg),
    };
    let secret = cache.is_secret(digest);
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        if let Err(error) = (&mut file).take(CHUNK as u64).read_to_end(&mut bytes) {
            return refuse(reason(&error));
        }
        let last = bytes.len() < CHUNK;
        writer.send(&ToAgent::Chunk(Chunk { digest: *digest, last, deflated: false, secret, bytes }))?;
        if last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_told_and_not_kept() {
        let (sender, events) = mpsc::channel();
        let (prompt, printed) = (Prompt::Marked("[x] password:".into()), Arc::default());
        read_messages(
            &b"lecture\n[x] password:Sorry, try again.\n[x] password:"[..],
            &prompt,
            &printed,
            &sender,
        );
        drop(sender);
        assert!(events.iter().all(|events| matches!(events, AgentEvent::Prompt)));
        assert_eq!(printable_tail(&lock(&printed)), "lecture\nSorry, try again.");
    }
}
