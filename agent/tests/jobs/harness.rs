//! An agent to talk with, in a node that is a directory.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use convoy_protocol::frame::{self, MAGIC};
use convoy_protocol::message::{
    CHUNK, Chunk, FromAgent, Hello, JobAsk, JobOrder, Order, Step, ToAgent, Window,
};
use convoy_protocol::{Digest, Map, Outcome, Value, map};
use tempfile::TempDir;

pub(crate) const RUN: &str = "20261124-191530-ab";

/// A node, with content that its controller has.
pub(crate) struct Node {
    directory: TempDir,
    /// Content by digest, and whether it is secret.
    pub(crate) contents: HashMap<Digest, (Vec<u8>, bool)>,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), contents: HashMap::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the directory of a job.
    pub(crate) fn job(&self, id: &str) -> PathBuf {
        self.path("state/convoy/runs").join(RUN).join("jobs").join(id)
    }

    pub(crate) fn agent(&self) -> Agent<'_> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_convoy-agent"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TMPDIR", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, mut output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut magic = [0; MAGIC.len()];
        output.read_exact(&mut magic).unwrap();
        let mut agent = Agent { node: self, process, input, output, windows: 0 };
        agent.say(&ToAgent::Hello(Hello {
            run: RUN.to_owned(),
            by: "tester@here".to_owned(),
            claim: None,
            records: false,
            silence_seconds: 60,
        }));
        agent
    }

    /// Waits until a file is there.
    pub(crate) fn wait_for(&self, name: &str) {
        wait(|| self.path(name).exists(), || format!("no {name}"));
    }

    /// Describes content that the controller has.
    pub(crate) fn content(&mut self, name: &str, bytes: &[u8], secret: bool) -> Map {
        let digest = Digest::of(bytes);
        self.contents.insert(digest, (bytes.to_vec(), secret));
        let size = i64::try_from(bytes.len()).unwrap();
        map! { "digest" => digest.to_string(), "size" => size, "mode" => 0o700, "name" => name }
    }
}

pub(crate) fn wait(mut done: impl FnMut() -> bool, why: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{}", why());
        sleep(Duration::from_millis(20));
    }
}

/// Returns whether a process is there and has not ended.
pub(crate) fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

/// A conversation with an agent. When it is dropped, the agent is killed.
pub(crate) struct Agent<'n> {
    node: &'n Node,
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    windows: u64,
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        // It may have left.
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

pub(crate) fn order(module: &str, args: Map) -> Order {
    Order::new(module, args)
}

pub(crate) fn job(id: &str, order: Order, ask: JobAsk) -> Order {
    Order { job: Some(JobOrder { id: id.into(), ask }), ..order }
}

/// An order to begin a job that runs a line of shell.
pub(crate) fn shell(id: &str, line: &str) -> Order {
    job(
        id,
        order("shell", map! { "_raw_params" => line }),
        JobAsk::Begin { limit_seconds: 600, silent: false },
    )
}

impl Agent<'_> {
    /// Takes leave, and waits until the agent is gone.
    pub(crate) fn leave(mut self) {
        self.say(&ToAgent::Bye);
        assert!(self.process.wait().unwrap().success());
    }

    fn say(&mut self, message: &ToAgent) {
        frame::write(&mut self.input, message).unwrap();
    }

    /// Has a window done; gives content that is asked for.
    pub(crate) fn window(&mut self, steps: Vec<Step>) -> Vec<Vec<Outcome>> {
        self.ask(steps);
        self.answer().unwrap()
    }

    pub(crate) fn ask(&mut self, steps: Vec<Step>) {
        self.windows += 1;
        self.say(&ToAgent::Window(Window { id: self.windows, execute: true, steps }));
    }

    pub(crate) fn answer(&mut self) -> io::Result<Vec<Vec<Outcome>>> {
        loop {
            let message = frame::read(&mut self.output).map_err(io::Error::other)?;
            match message.ok_or(io::ErrorKind::UnexpectedEof)? {
                FromAgent::Answer(answer) => return Ok(answer.steps),
                FromAgent::Need(digest) => {
                    let (bytes, secret) = self.node.contents[&digest].clone();
                    let mut parts = bytes.chunks(CHUNK).peekable();
                    while let Some(part) = parts.next() {
                        let (last, bytes) = (parts.peek().is_none(), part.to_vec());
                        self.say(&ToAgent::Chunk(Chunk { digest, last, deflated: false, secret, bytes }));
                    }
                }
                FromAgent::Fault(why) => return Err(io::Error::other(why)),
                _ => {}
            }
        }
    }

    pub(crate) fn obey(&mut self, order: Order) -> Outcome {
        self.window(vec![Step { orders: vec![order] }]).remove(0).remove(0)
    }

    pub(crate) fn run(&mut self, module: &str, args: Map) -> Outcome {
        self.obey(order(module, args))
    }

    /// Asks how things stand; returns what is said of the job, and the outcome.
    pub(crate) fn follow(&mut self, id: &str, from: u64) -> (Map, Outcome) {
        let mut outcome = self.obey(job(id, order("shell", Map::new()), JobAsk::Follow { from }));
        let news = outcome.values.shift_remove("_job").unwrap_or_default();
        (news.as_map().cloned().unwrap_or_default(), outcome)
    }

    /// Follows a job to its end; returns all that was printed, what is said of the job last, and the outcome.
    pub(crate) fn finish(&mut self, id: &str) -> (String, Map, Outcome) {
        let (mut printed, mut from) = (String::new(), 0);
        loop {
            let (news, outcome) = self.follow(id, from);
            let Some(next) = news.get("next").and_then(Value::as_int) else { panic!("{outcome:?}") };
            printed.push_str(news["output"].as_str().unwrap());
            from = u64::try_from(next).unwrap();
            if news["finished"].as_int() == Some(1) {
                return (printed, news, outcome);
            }
            sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn forget(&mut self, id: &str) -> Outcome {
        self.obey(job(id, order("shell", Map::new()), JobAsk::Forget))
    }
}

pub(crate) fn text<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    outcome.values.get(name).and_then(Value::as_str).unwrap_or_default()
}
