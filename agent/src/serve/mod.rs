//! The agent's conversation with its controller: one thread reads, one works, one watches the clock.

mod become_user;
mod cache;
mod deadline;
mod jobs;
mod line;
mod offers;
mod window;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use convoy_protocol::Digest;
use convoy_protocol::frame::{self, MAGIC};
use convoy_protocol::lock::Refusal;
use convoy_protocol::message::{FromAgent, Hello, ToAgent, Welcome, Window};
use rustix::process::{geteuid, getpid};

pub use become_user::enter as enter_terminal;
pub use jobs::enter as enter_job;

use crate::changes::Recorder;
use crate::job;
use crate::processes::kill_children;
use crate::state;
use crate::state::lock::Lock;
use crate::state::steps::{self, Steps};
use crate::sync::lock;
use crate::system::System;

use become_user::{Children, Relatives};
use cache::Cache;
use jobs::Jobs;
use line::Line;
use window::{Progress, Stop, Worker, answer};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(200);

/// How long a running order has to end once the conversation has.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a controller may never exceed with its first message's silence, in seconds.
const LONGEST_SILENCE: u32 = 24 * 3600;

/// Why the conversation ended.
#[derive(Debug)]
enum End {
    /// The controller said so; what it asked for before is done first.
    Bye,
    /// The worker has done all there was after a goodbye.
    Finished,
    /// It was cut off.
    Cut,
    /// The run may not work here; the worker has ended.
    Refused(Box<Refusal>),
    /// We cannot go on.
    Fault(String),
}

struct Shared {
    line: Arc<Line>,
    cache: Arc<Cache>,
    progress: Progress,
    relatives: Arc<Relatives>,
    cancelled: AtomicBool,
    /// Whether the controller has left on purpose, and what runs may take as long as it takes.
    detached: AtomicBool,
    heard: Mutex<Instant>,
    silence: Mutex<Duration>,
    /// Parts of content that the controller asks for: digest and offset.
    pulls: Sender<(Digest, u64)>,
}

/// Talks with a controller until it leaves, is cut off or falls silent, then cleans up.
///
/// Nothing that runs for an order outlives that. An order that runs when the conversation is cut off is finished first, if
/// it ends within the silence allowed.
pub fn serve(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> ExitCode {
    let line = Arc::new(Line::new(output));
    if line.raw(MAGIC).is_err() {
        return ExitCode::FAILURE;
    }
    let cache = match Cache::open(line.clone()) {
        Ok(cache) => Arc::new(cache),
        Err(error) => return fault(&line, &format!("no directory for content on this node: {error}")),
    };
    enter_a_directory();
    let (pulls, pulled) = mpsc::channel();
    let shared = Arc::new(Shared {
        line,
        cache,
        progress: Progress::default(),
        relatives: Arc::default(),
        cancelled: AtomicBool::new(false),
        detached: AtomicBool::new(false),
        heard: Mutex::new(Instant::now()),
        silence: Mutex::new(Duration::from_secs(30)),
        pulls,
    });
    let (ends, ended) = mpsc::channel();
    let (windows, work) = mpsc::channel();
    for job in [
        read_thread(&shared, input, windows, &ends),
        watch_thread(&shared, &ends),
        work_thread(&shared, work, &ends),
        give_thread(&shared, pulled, &ends),
    ] {
        if let Err(error) = job {
            return fault(&shared.line, &format!("cannot start a thread: {error}"));
        }
    }
    drop(ends);
    finish(&shared, &ended)
}

fn fault(line: &Line, why: &str) -> ExitCode {
    // Whether anybody still listens does not matter any more.
    line.send(&FromAgent::Fault(why.to_owned())).ok();
    ExitCode::FAILURE
}

/// A process started by `sudo` may stand in a directory that its user cannot enter.
fn enter_a_directory() {
    if rustix::fs::access(".", rustix::fs::Access::EXEC_OK).is_err() {
        let home = std::env::var_os("HOME").unwrap_or_else(|| "/".into());
        std::env::set_current_dir(home).or_else(|_| std::env::set_current_dir("/")).ok();
    }
}

type Started = std::io::Result<()>;

fn read_thread(
    shared: &Arc<Shared>,
    mut input: impl Read + Send + 'static,
    windows: Sender<Job>,
    ends: &Sender<End>,
) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let job = move || {
        let end = listen(&shared, &mut input, &windows);
        ends.send(end).ok();
    };
    thread::Builder::new().name("read".into()).spawn(job).map(drop)
}

/// What the worker is told.
enum Job {
    Hello(Hello),
    Window(Window),
    Acknowledge(Vec<u64>),
    Forget,
}

fn listen(shared: &Shared, input: &mut impl Read, jobs: &Sender<Job>) -> End {
    let mut known = false;
    loop {
        let message = match frame::read::<ToAgent>(input) {
            Ok(Some(message)) => message,
            Ok(None) => return End::Cut,
            Err(error) => return End::Fault(format!("cannot read what the controller says: {error}")),
        };
        *lock(&shared.heard) = Instant::now();
        if !known && !matches!(message, ToAgent::Hello(_)) {
            return End::Fault("the controller did not introduce itself first".into());
        }
        let gone = match message {
            ToAgent::Hello(hello) => {
                known = true;
                let seconds = hello.silence_seconds.clamp(1, LONGEST_SILENCE);
                *lock(&shared.silence) = Duration::from_secs(seconds.into());
                jobs.send(Job::Hello(hello)).is_err()
            }
            ToAgent::Window(window) => jobs.send(Job::Window(window)).is_err(),
            ToAgent::Ping(number) => shared.line.send(&FromAgent::Pong(number)).is_err(),
            ToAgent::Cancel => {
                shared.cancelled.store(true, Ordering::Relaxed);
                false
            }
            ToAgent::Acknowledge(tickets) => jobs.send(Job::Acknowledge(tickets)).is_err(),
            ToAgent::Forget => jobs.send(Job::Forget).is_err(),
            ToAgent::Detach => {
                shared.detached.store(true, Ordering::Relaxed);
                // Whether the controller still hears it makes no difference here.
                shared.line.send(&FromAgent::Detached).ok();
                return End::Cut;
            }
            ToAgent::Chunk(chunk) => {
                shared.cache.take(&chunk);
                false
            }
            ToAgent::NoContent { digest, why } => {
                shared.cache.refuse(Some(&digest), &why);
                false
            }
            ToAgent::Pull { digest, offset } => shared.pulls.send((digest, offset)).is_err(),
            ToAgent::Bye => return End::Bye,
        };
        if gone {
            return End::Cut;
        }
    }
}

/// Sends content on a thread of its own: a slow disk holds up nothing else.
fn give_thread(shared: &Arc<Shared>, pulled: Receiver<(Digest, u64)>, ends: &Sender<End>) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let job = move || {
        for (digest, offset) in pulled {
            if shared.cache.offers.give(digest, offset, &shared.line).is_err() {
                ends.send(End::Cut).ok();
                return;
            }
        }
    };
    thread::Builder::new().name("give".into()).spawn(job).map(drop)
}

fn watch_thread(shared: &Arc<Shared>, ends: &Sender<End>) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let job = move || {
        shared.cache.prune();
        steps::prune();
        job::prune();
        loop {
            thread::sleep(TICK);
            let silence = *lock(&shared.silence);
            if lock(&shared.heard).elapsed() > silence && !shared.detached.load(Ordering::Relaxed) {
                let why = format!("heard nothing from the controller for {} seconds", silence.as_secs());
                return ends.send(End::Fault(why)).ok();
            }
            if let Some(late) = shared.progress.overdue() {
                answer(late, &shared.line).ok();
                let why = "an order did not end when its time was over: this agent cannot go on";
                return ends.send(End::Fault(why.into())).ok();
            }
        }
    };
    thread::Builder::new()
        .name("watch".into())
        .spawn(move || {
            job();
        })
        .map(drop)
}

fn work_thread(shared: &Arc<Shared>, jobs: Receiver<Job>, ends: &Sender<End>) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let job = move || {
        let recorder = Recorder::default();
        let renew = || System::new(Box::new(shared.cache.clone()), recorder.clone());
        let system = renew();
        let welcome = welcome(&system);
        let mut worker = Worker {
            system,
            lock: Lock::at(state::places()),
            user: welcome.user.clone(),
            renew: &renew,
            children: Children::new(shared.cache.clone(), shared.relatives.clone(), recorder.clone()),
            jobs: Jobs::new(shared.cache.clone()),
            progress: &shared.progress,
            cancelled: &shared.cancelled,
            steps: Steps::of(""),
            starved: &|| shared.cache.is_starved(),
        };
        for job in jobs {
            let done = match job {
                Job::Hello(hello) => {
                    recorder.begin(hello.records.then_some(&hello.run));
                    worker.hello(hello);
                    shared.line.send(&FromAgent::Welcome(welcome.clone())).map_err(Stop::from)
                }
                Job::Window(window) => worker.window(&window, &shared.line),
                Job::Forget => {
                    worker.steps.forget_all();
                    Ok(())
                }
                Job::Acknowledge(tickets) => {
                    worker.steps.forget(&tickets);
                    Ok(())
                }
            };
            match done {
                Ok(()) => {}
                Err(Stop::Line) => {
                    ends.send(End::Cut).ok();
                    break;
                }
                Err(Stop::Refused(refusal)) => {
                    drop(worker);
                    return ends.send(End::Refused(refusal)).ok();
                }
            }
        }
        drop(worker);
        ends.send(End::Finished).ok()
    };
    thread::Builder::new()
        .name("work".into())
        .spawn(move || {
            job();
        })
        .map(drop)
}

fn welcome(system: &System) -> Welcome {
    let uid = geteuid().as_raw();
    let user = system.user_by_id(uid).map_or_else(|| uid.to_string(), |user| user.name);
    Welcome { pid: getpid().as_raw_nonzero().get().unsigned_abs(), user }
}

/// Waits for the end and cleans up.
fn finish(shared: &Shared, ended: &Receiver<End>) -> ExitCode {
    let mut end = ended.recv().unwrap_or(End::Cut);
    if matches!(end, End::Bye) {
        end = ended.recv().unwrap_or(End::Cut);
    }
    let code = match &end {
        End::Bye | End::Finished => ExitCode::SUCCESS,
        End::Cut => ExitCode::from(2),
        End::Refused(refusal) => {
            // Whether anybody still listens does not matter any more.
            shared.line.send(&FromAgent::Refused(Refusal::clone(refusal))).ok();
            ExitCode::FAILURE
        }
        End::Fault(why) => fault(&shared.line, why),
    };
    // The worker ends by itself when what it waits for is gone: then no temporary file of it is left either.
    shared.progress.stop();
    shared.cache.close();
    if matches!(end, End::Cut) {
        end = let_finish(ended);
    }
    if !matches!(end, End::Finished) {
        shared.progress.give_up();
    }
    shared.relatives.dismiss();
    let deadline = Instant::now() + LAST_WORDS;
    while !matches!(end, End::Finished | End::Refused(_)) && Instant::now() < deadline {
        // Other users' agents end with their input, and then kill what they have started.
        kill_children(|pid| shared.relatives.contains(pid));
        match ended.recv_timeout(Duration::from_millis(20)) {
            Ok(next) => end = next,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
    shared.cache.clean();
    code
}

/// Waits for the running order of a conversation that was cut off. Whoever asked for it can ask again what came of it.
///
/// That takes no longer than the silence allowed, unless the controller has left on purpose.
fn let_finish(ended: &Receiver<End>) -> End {
    loop {
        match ended.recv() {
            Ok(End::Cut | End::Bye) => {}
            Ok(end) => return end,
            Err(mpsc::RecvError) => return End::Finished,
        }
    }
}
