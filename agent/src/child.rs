//! `become`: one agent per other user, started with sudo on first use and kept. Towards it, we are the controller.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use convoy_protocol::bootstrap::{Offer, Said, Scanner, script, shown};
use convoy_protocol::frame::Decoder;
use convoy_protocol::message::{
    Answer, Become, CHUNK, Chunk, FromAgent, Hello, Order, Step, ToAgent, Window,
};
use convoy_protocol::{Digest, Outcome};
use rustix::process::Pid;

use crate::cache::Cache;
use crate::content::Contents;
use crate::line::{Line, lock};
use crate::module::Failure;
use crate::system::reason;

/// How much of sudo's own messages is kept, in bytes.
const MESSAGES: usize = 16 * 1024;

/// How long a leaving agent is waited for before it is killed.
const LEAVING: Duration = Duration::from_secs(2);

/// The agents that were started, for whoever has to end them.
#[derive(Debug, Default)]
pub(crate) struct Relatives(Mutex<Vec<(Pid, Arc<Line>)>>);

impl Relatives {
    fn add(&self, pid: Pid, line: Arc<Line>) {
        lock(&self.0).push((pid, line));
    }

    fn remove(&self, pid: Pid) {
        lock(&self.0).retain(|(other, _)| *other != pid);
    }

    pub(crate) fn contains(&self, pid: Pid) -> bool {
        lock(&self.0).iter().any(|(other, _)| *other == pid)
    }

    /// Closes the input of all; they clean up and end.
    pub(crate) fn dismiss(&self) {
        lock(&self.0).iter().for_each(|(_, line)| line.close());
    }
}

/// Whom to be, without the password.
type Key = (String, String, Vec<String>);

/// The agents of other users.
pub(crate) struct Children {
    cache: Arc<Cache>,
    relatives: Arc<Relatives>,
    hello: Hello,
    program: Option<Arc<Program>>,
    children: HashMap<Key, Child>,
}

/// The agent's own program, to be sent to others: they cannot read it where it is.
#[derive(Debug)]
struct Program {
    bytes: Vec<u8>,
    offer: Offer,
}

impl Program {
    fn read() -> Result<Self, Failure> {
        let bytes = std::fs::read("/proc/self/exe").map_err(|error| {
            Failure::new(format!("cannot read the agent's own program: {}", reason(&error)))
        })?;
        let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
        let offer = Offer { machine, digest: Digest::of(&bytes), size: bytes.len(), packed: None };
        Ok(Self { bytes, offer })
    }
}

impl Children {
    pub(crate) fn new(cache: Arc<Cache>, relatives: Arc<Relatives>) -> Self {
        let hello = Hello { run: String::new(), silence_seconds: 30 };
        Self { cache, relatives, hello, program: None, children: HashMap::new() }
    }

    /// Remembers how the controller introduced itself: we say the same.
    pub(crate) fn hello(&mut self, hello: Hello) {
        self.hello = hello;
    }

    /// Has one order done by the agent of another user.
    pub(crate) fn ask(&mut self, other: &Become, order: &Order, earnest: bool) -> Result<Outcome, Failure> {
        let key = (other.user.clone(), other.method.clone(), other.flags.clone());
        if !self.children.contains_key(&key) {
            let child = self.start(other)?;
            self.children.insert(key.clone(), child);
        }
        let child =
            self.children.get_mut(&key).ok_or_else(|| Failure::new("the other user's agent is gone"))?;
        let order = Order { become_user: None, ..order.clone() };
        child.ask(order, earnest).map_err(|why| {
            self.children.remove(&key);
            Failure::new(format!("the agent of user {} {why}", other.user))
        })
    }

    fn start(&mut self, other: &Become) -> Result<Child, Failure> {
        if other.method != "sudo" {
            let text = format!("become method '{}' is not supported: use sudo", other.method);
            return Err(Failure::new(text));
        }
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.program.insert(Arc::new(Program::read()?)).clone(),
        };
        let silence = Duration::from_secs(self.hello.silence_seconds.max(1).into());
        let mut child = Child::spawn(other, &program.offer, silence, &self.cache, &self.relatives)?;
        child.wait_until_ready(other, &program)?;
        let hello = Hello { run: self.hello.run.clone(), silence_seconds: self.hello.silence_seconds };
        let said = child.line.send(&ToAgent::Hello(hello));
        said.map_err(|error| Failure::new(format!("the agent of user {} is gone: {error}", other.user)))?;
        keep_alive(Arc::downgrade(&child.line), silence / 3);
        Ok(child)
    }
}

/// What is heard from a child.
enum Heard {
    /// Sudo asks for the password.
    Prompt,
    /// All that sudo printed, at its end.
    Messages(String),
    Bootstrap(Said),
    Answer(Answer),
    Alive,
    Gone(String),
}

struct Child {
    process: std::process::Child,
    pid: Pid,
    line: Arc<Line>,
    heard: Receiver<Heard>,
    prompt: String,
    silence: Duration,
    windows: u64,
    relatives: Arc<Relatives>,
}

impl Child {
    fn spawn(
        other: &Become,
        offer: &Offer,
        silence: Duration,
        cache: &Arc<Cache>,
        relatives: &Arc<Relatives>,
    ) -> Result<Self, Failure> {
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(format!("cannot become {}: sudo is not installed on this node", other.user))
            }
            _ => Failure::new(format!("cannot become {}: cannot run sudo: {}", other.user, reason(&error))),
        };
        let prompt = format!("[convoy {}] password:", random().map_err(cannot)?);
        let mut process =
            sudo(other, &prompt, &script(std::slice::from_ref(offer), 0)).spawn().map_err(cannot)?;
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(stdin), Some(stdout), Some(stderr)) =
            (pid, process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(cannot(io::Error::other("no pipes to it")));
        };
        let line = Arc::new(Line::new(stdin));
        relatives.add(pid, line.clone());
        let (said, heard) = mpsc::channel();
        let (relatives, windows) = (relatives.clone(), 0);
        let child = Self { process, pid, line, heard, prompt, silence, windows, relatives };
        let messages = (said.clone(), child.prompt.clone());
        let answers = (child.line.clone(), cache.clone());
        let named = |name: &str| thread::Builder::new().name(name.into());
        named("sudo").spawn(move || read_messages(stderr, &messages.1, &messages.0)).map_err(cannot)?;
        named("child")
            .spawn(move || {
                let gone = read_answers(stdout, &answers.0, &answers.1, &said).unwrap_or_else(|why| why);
                said.send(Heard::Gone(gone)).ok();
            })
            .map_err(cannot)?;
        Ok(child)
    }

    /// Gives sudo its password and the bootstrap the agent, until the agent runs.
    fn wait_until_ready(&mut self, other: &Become, program: &Program) -> Result<(), Failure> {
        let mut asked = false;
        let cannot = |why: &str| Failure::new(format!("cannot become {}: {why}", other.user));
        loop {
            match self.heard.recv_timeout(self.silence) {
                Ok(Heard::Prompt) if asked => return Err(Failure::new("Incorrect sudo password")),
                Ok(Heard::Prompt) => {
                    asked = true;
                    let password =
                        other.password.as_deref().ok_or_else(|| Failure::new("Missing sudo password"))?;
                    // If sudo is gone, its messages say why.
                    self.line.raw(format!("{password}\n").as_bytes()).ok();
                }
                Ok(Heard::Bootstrap(Said::Need { .. })) => {
                    self.line.raw(&program.bytes).ok();
                }
                Ok(Heard::Bootstrap(Said::Failed(why))) => return Err(cannot(&why)),
                Ok(Heard::Bootstrap(Said::Ready)) => return Ok(()),
                Ok(Heard::Messages(text)) => return Err(refusal(&text).unwrap_or_else(|| cannot(&text))),
                Ok(Heard::Gone(noise)) => return Err(self.why_gone(&noise, cannot)),
                Ok(_) => {}
                Err(_) => {
                    return Err(cannot(&format!("sudo did nothing for {} seconds", self.silence.as_secs())));
                }
            }
        }
    }

    /// Returns why sudo ended: what it printed says more than what it did not start.
    fn why_gone(&self, noise: &str, cannot: impl Fn(&str) -> Failure) -> Failure {
        let deadline = Instant::now() + LEAVING;
        while let Ok(heard) = self.heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Heard::Messages(text) = heard {
                let text = if text.is_empty() { noise.to_owned() } else { text };
                return refusal(&text).unwrap_or_else(|| cannot(&text));
            }
        }
        cannot(noise)
    }

    fn ask(&mut self, order: Order, earnest: bool) -> Result<Outcome, String> {
        self.windows += 1;
        let window = Window { id: self.windows, earnest, steps: vec![Step { orders: vec![order] }] };
        self.line.send(&ToAgent::Window(window)).map_err(|error| format!("does not listen: {error}"))?;
        loop {
            match self.heard.recv_timeout(self.silence) {
                Ok(Heard::Answer(mut answer)) => {
                    let outcome = answer
                        .steps
                        .pop()
                        .filter(|_| answer.window == self.windows && answer.steps.is_empty());
                    let outcome =
                        outcome.and_then(|mut outcomes| outcomes.pop().filter(|_| outcomes.is_empty()));
                    return outcome.ok_or_else(|| "answered something else than it was asked".to_owned());
                }
                Ok(Heard::Gone(why)) => return Err(format!("is gone: {why}")),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("said nothing for {} seconds", self.silence.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err("is gone".into()),
            }
        }
    }
}

/// Ends it: it cleans up when its input ends.
impl Drop for Child {
    fn drop(&mut self) {
        self.line.close();
        let deadline = Instant::now() + LEAVING;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        // Not allowed for a sudo of root's: that one ends with its input or stays without any.
        self.process.kill().ok();
        self.process.try_wait().ok();
        self.relatives.remove(self.pid);
    }
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn sudo(other: &Become, prompt: &str, script: &str) -> Command {
    let mut command = Command::new("sudo");
    if other.password.is_some() {
        command.args(other.flags.iter().filter_map(|flag| without_n(flag)));
        command.args(["-S", "-p", prompt]);
    } else {
        command.args(&other.flags).arg("-n");
    }
    // Sudo's messages are read, so they are to be English; what it starts gets the user's language back.
    let restore = match std::env::var("LC_ALL") {
        Ok(language) => vec!["LC_ALL=$1; shift; ".to_owned(), language],
        Err(_) => vec!["unset LC_ALL; ".to_owned()],
    };
    command.args(["-H", "-u", &other.user, "/bin/sh", "-c"]).arg(format!("{}{script}", restore[0])).arg("sh");
    command.args(&restore[1..]).env("LC_ALL", "C").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns a flag of sudo without `-n`, which forbids it to read the password.
fn without_n(flag: &str) -> Option<String> {
    let letters = flag.strip_prefix('-').filter(|letters| letters.chars().all(|c| c.is_ascii_alphabetic()));
    match letters {
        _ if flag == "--non-interactive" => None,
        Some(letters) => {
            Some(letters.replace('n', "")).filter(|rest| !rest.is_empty()).map(|rest| format!("-{rest}"))
        }
        None => Some(flag.to_owned()),
    }
}

/// Returns the failure that sudo's messages tell of, in Ansible's words, if it is one of the password.
fn refusal(text: &str) -> Option<Failure> {
    let any = |known: &[&str]| known.iter().any(|words| text.contains(words));
    if any(&["incorrect password attempt", "Sorry, try again"]) {
        Some(Failure::new("Incorrect sudo password"))
    } else if any(&["a password is required", "no password was provided"]) {
        Some(Failure::new("Missing sudo password"))
    } else {
        None
    }
}

/// Reads what sudo prints and tells of each prompt.
fn read_messages(mut stderr: impl Read, prompt: &str, said: &Sender<Heard>) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut buffer) {
        if text.len() < MESSAGES {
            text.extend_from_slice(&buffer[..n]);
        }
        while let Some(at) = text.windows(prompt.len()).position(|part| part == prompt.as_bytes()) {
            text.drain(at..at + prompt.len());
            said.send(Heard::Prompt).ok();
        }
    }
    said.send(Heard::Messages(shown(&text))).ok();
}

/// Reads what the bootstrap and then the agent say; returns why that ended.
fn read_answers(
    mut stdout: impl Read,
    line: &Line,
    cache: &Arc<Cache>,
    said: &Sender<Heard>,
) -> Result<String, String> {
    let mut buffer = vec![0; 64 * 1024];
    let mut scanner = Scanner::default();
    let mut ready = false;
    while !ready {
        let n = stdout.read(&mut buffer).map_err(|error| error.to_string())?;
        if n == 0 {
            return Ok(scanner.noise());
        }
        scanner.push(&buffer[..n]);
        while let Some(next) = if ready { None } else { scanner.take().map_err(|error| error.to_string())? } {
            ready = next == Said::Ready;
            said.send(Heard::Bootstrap(next)).map_err(|_| String::new())?;
        }
    }
    let mut decoder = Decoder::default();
    decoder.push(&scanner.into_rest());
    loop {
        while let Some(message) = decoder.take().map_err(|error| error.to_string())? {
            match message {
                FromAgent::Answer(answer) => said.send(Heard::Answer(answer)).map_err(|_| String::new())?,
                FromAgent::Need(digest) => supply(&digest, cache, line).map_err(|error| error.to_string())?,
                FromAgent::Welcome(_) | FromAgent::Pong(_) => {
                    said.send(Heard::Alive).map_err(|_| String::new())?;
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
    line: &Line,
) -> Result<(), convoy_protocol::frame::FrameError> {
    let refuse = |why: String| line.send(&ToAgent::NoContent { digest: *digest, why });
    let opened = cache.fetch(digest).and_then(|path| File::open(path).map_err(|e| Failure::new(reason(&e))));
    let mut file = match opened {
        Ok(file) => file,
        Err(failure) => return refuse(failure.msg),
    };
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        if let Err(error) = (&mut file).take(CHUNK as u64).read_to_end(&mut bytes) {
            return refuse(reason(&error));
        }
        let last = bytes.len() < CHUNK;
        line.send(&ToAgent::Chunk(Chunk { digest: *digest, last, deflated: false, bytes }))?;
        if last {
            return Ok(());
        }
    }
}

/// Gives a sign of life now and then, until the line is gone. Without it the child would leave.
fn keep_alive(line: Weak<Line>, every: Duration) {
    let ping = move || {
        let mut number = 0;
        loop {
            thread::sleep(every);
            number += 1;
            let Some(line) = line.upgrade() else { return };
            if line.send(&ToAgent::Ping(number)).is_err() {
                return;
            }
        }
    };
    // Without the thread the child leaves when it is idle for too long, and is started again.
    thread::Builder::new().name("ping".into()).spawn(ping).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_needs_sudo_without_n() {
        for (flag, rest) in [
            ("-n", None),
            ("-nE", Some("-E")),
            ("--non-interactive", None),
            ("--preserve-env", Some("--preserve-env")),
            ("-H", Some("-H")),
        ] {
            assert_eq!(without_n(flag).as_deref(), rest, "{flag}");
        }
    }

    #[test]
    fn sudo_refuses_in_ansibles_words() {
        let msg = |text| refusal(text).map(|failure| failure.msg);
        assert_eq!(msg("sudo: a password is required").as_deref(), Some("Missing sudo password"));
        assert_eq!(
            msg("Sorry, try again.\nsudo: 1 incorrect password attempt").as_deref(),
            Some("Incorrect sudo password")
        );
        assert_eq!(msg("u is not in the sudoers file."), None);
    }

    #[test]
    fn prompts_are_told_and_not_kept() {
        let (said, heard) = mpsc::channel();
        read_messages(&b"lecture\n[x] password:Sorry, try again.\n[x] password:"[..], "[x] password:", &said);
        drop(said);
        let heard: Vec<String> = heard
            .iter()
            .map(|heard| match heard {
                Heard::Prompt => "prompt".into(),
                Heard::Messages(text) => text,
                _ => "other".into(),
            })
            .collect();
        assert_eq!(heard, ["prompt", "prompt", "lecture\nSorry, try again."]);
    }
}
