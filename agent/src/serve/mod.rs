//! The agent's conversation with its controller.
//!
//! Four threads share it: `read` receives messages, `work` runs [windows](window) of orders, `watch` enforces deadlines and
//! detects a silent controller, and `give` sends content that the controller pulls. The main thread waits for the end of
//! the conversation and then cleans up.

mod become_user;
mod cache;
mod deadline;
mod frame_writer;
mod jobs;
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
use crate::state::order_log::{self, OrderLog};
use crate::sync::lock;
use crate::system::System;

use become_user::{ChildProcesses, UserAgents};
use cache::Cache;
use frame_writer::FrameWriter;
use jobs::Jobs;
use window::{Progress, StopReason, Worker, answer};

/// How often `watch` checks the time.
const TICK: Duration = Duration::from_millis(200);

/// How long a running order may take to end after the conversation.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The longest silence that a controller may ask for, in seconds.
const LONGEST_SILENCE: u32 = 24 * 3600;

/// Why the conversation ended.
#[derive(Debug)]
enum ConversationEnd {
    /// The controller said goodbye. Its earlier orders are run first.
    Bye,
    /// The worker has run all orders from before the goodbye.
    Finished,
    /// The connection was lost.
    Disconnected,
    /// Another run works here. The worker has ended.
    Refused(Box<Refusal>),
    /// The agent cannot continue.
    Fault(String),
}

struct Shared {
    writer: Arc<FrameWriter>,
    cache: Arc<Cache>,
    progress: Progress,
    child_processes: Arc<ChildProcesses>,
    cancelled: AtomicBool,
    /// Whether the controller detached on purpose, so that running orders are not limited by the allowed silence.
    detached: AtomicBool,
    heard: Mutex<Instant>,
    silence: Mutex<Duration>,
    /// Parts of content that the controller pulls: digest and offset.
    pulls: Sender<(Digest, u64)>,
}

/// Talks to a controller until it says goodbye, the connection is lost or it is silent for too long. Then cleans up.
///
/// Nothing that an order started outlives this, except asynchronous jobs. If the connection is lost, the running order may
/// finish within the allowed silence.
pub fn serve(input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> ExitCode {
    let writer = Arc::new(FrameWriter::new(output));
    if writer.send_raw(MAGIC).is_err() {
        return ExitCode::FAILURE;
    }
    let cache = match Cache::open(writer.clone()) {
        Ok(cache) => Arc::new(cache),
        Err(error) => {
            return fault(&writer, &format!("cannot create a directory for content on this node: {error}"));
        }
    };
    enter_accessible_directory();
    let (pulls, pulled) = mpsc::channel();
    let shared = Arc::new(Shared {
        writer,
        cache,
        progress: Progress::default(),
        child_processes: Arc::default(),
        cancelled: AtomicBool::new(false),
        detached: AtomicBool::new(false),
        heard: Mutex::new(Instant::now()),
        silence: Mutex::new(Duration::from_secs(30)),
        pulls,
    });
    let (ends, ended) = mpsc::channel();
    let (windows, work) = mpsc::channel();
    for started in [
        read_thread(&shared, input, windows, &ends),
        watch_thread(&shared, &ends),
        work_thread(&shared, work, &ends),
        offer_thread(&shared, pulled, &ends),
    ] {
        if let Err(error) = started {
            return fault(&shared.writer, &format!("cannot start a thread: {error}"));
        }
    }
    drop(ends);
    finish(&shared, &ended)
}

fn fault(writer: &FrameWriter, why: &str) -> ExitCode {
    // It does not matter whether the controller still listens.
    writer.send(&FromAgent::Fault(why.to_owned())).ok();
    ExitCode::FAILURE
}

/// Changes to another directory if the current one cannot be entered. `sudo` may have started the agent in such a directory.
fn enter_accessible_directory() {
    if rustix::fs::access(".", rustix::fs::Access::EXEC_OK).is_err() {
        let home = std::env::var_os("HOME").unwrap_or_else(|| "/".into());
        std::env::set_current_dir(home).or_else(|_| std::env::set_current_dir("/")).ok();
    }
}

type Started = std::io::Result<()>;

fn read_thread(
    shared: &Arc<Shared>,
    mut input: impl Read + Send + 'static,
    windows: Sender<WorkerMessage>,
    ends: &Sender<ConversationEnd>,
) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let body = move || {
        let end = listen(&shared, &mut input, &windows);
        ends.send(end).ok();
    };
    thread::Builder::new().name("read".into()).spawn(body).map(drop)
}

/// A message to the worker.
enum WorkerMessage {
    Hello(Hello),
    Window(Window),
    Acknowledge(Vec<u64>),
    Forget,
}

fn listen(shared: &Shared, input: &mut impl Read, worker: &Sender<WorkerMessage>) -> ConversationEnd {
    let mut greeted = false;
    loop {
        let message = match frame::read::<ToAgent>(input) {
            Ok(Some(message)) => message,
            Ok(None) => return ConversationEnd::Disconnected,
            Err(error) => {
                return ConversationEnd::Fault(format!("cannot read a message from the controller: {error}"));
            }
        };
        *lock(&shared.heard) = Instant::now();
        if !greeted && !matches!(message, ToAgent::Hello(_)) {
            return ConversationEnd::Fault("the controller's first message is not a hello".into());
        }
        let gone = match message {
            ToAgent::Hello(hello) => {
                greeted = true;
                let seconds = hello.silence_seconds.clamp(1, LONGEST_SILENCE);
                *lock(&shared.silence) = Duration::from_secs(seconds.into());
                worker.send(WorkerMessage::Hello(hello)).is_err()
            }
            ToAgent::Window(window) => worker.send(WorkerMessage::Window(window)).is_err(),
            ToAgent::Ping(number) => shared.writer.send(&FromAgent::Pong(number)).is_err(),
            ToAgent::Cancel => {
                shared.cancelled.store(true, Ordering::Relaxed);
                false
            }
            ToAgent::Acknowledge(tickets) => worker.send(WorkerMessage::Acknowledge(tickets)).is_err(),
            ToAgent::Forget => worker.send(WorkerMessage::Forget).is_err(),
            ToAgent::Detach => {
                shared.detached.store(true, Ordering::Relaxed);
                // It does not matter whether the controller still receives it.
                shared.writer.send(&FromAgent::Detached).ok();
                return ConversationEnd::Disconnected;
            }
            ToAgent::Chunk(chunk) => {
                shared.cache.receive_chunk(&chunk);
                false
            }
            ToAgent::NoContent { digest, why } => {
                shared.cache.refuse(Some(&digest), &why);
                false
            }
            ToAgent::Pull { digest, offset } => shared.pulls.send((digest, offset)).is_err(),
            ToAgent::Bye => return ConversationEnd::Bye,
        };
        if gone {
            return ConversationEnd::Disconnected;
        }
    }
}

/// Sends content on a thread of its own, so that a slow disk does not block the others.
fn offer_thread(
    shared: &Arc<Shared>,
    pulled: Receiver<(Digest, u64)>,
    ends: &Sender<ConversationEnd>,
) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let body = move || {
        for (digest, offset) in pulled {
            if shared.cache.offers.send_part(digest, offset, &shared.writer).is_err() {
                ends.send(ConversationEnd::Disconnected).ok();
                return;
            }
        }
    };
    thread::Builder::new().name("give".into()).spawn(body).map(drop)
}

fn watch_thread(shared: &Arc<Shared>, ends: &Sender<ConversationEnd>) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let body = move || {
        shared.cache.prune();
        order_log::prune();
        job::prune();
        loop {
            thread::sleep(TICK);
            let silence = *lock(&shared.silence);
            if lock(&shared.heard).elapsed() > silence && !shared.detached.load(Ordering::Relaxed) {
                let why = format!("the controller was silent for {} seconds", silence.as_secs());
                return ends.send(ConversationEnd::Fault(why)).ok();
            }
            if let Some(late) = shared.progress.overdue() {
                answer(late, &shared.writer).ok();
                let why = "an order did not end when its time was over, so this agent must end";
                return ends.send(ConversationEnd::Fault(why.into())).ok();
            }
        }
    };
    thread::Builder::new()
        .name("watch".into())
        .spawn(move || {
            body();
        })
        .map(drop)
}

fn work_thread(
    shared: &Arc<Shared>,
    messages: Receiver<WorkerMessage>,
    ends: &Sender<ConversationEnd>,
) -> Started {
    let (shared, ends) = (shared.clone(), ends.clone());
    let body = move || {
        let recorder = Recorder::default();
        let new_system = || System::new(Box::new(shared.cache.clone()), recorder.clone());
        let system = new_system();
        let welcome = welcome(&system);
        let mut worker = Worker {
            system,
            lock: Lock::at(state::places()),
            user: welcome.user.clone(),
            new_system: &new_system,
            user_agents: UserAgents::new(
                shared.cache.clone(),
                shared.child_processes.clone(),
                recorder.clone(),
            ),
            jobs: Jobs::new(shared.cache.clone()),
            progress: &shared.progress,
            cancelled: &shared.cancelled,
            order_log: OrderLog::of(""),
            is_starved: &|| shared.cache.is_starved(),
        };
        for message in messages {
            let done = match message {
                WorkerMessage::Hello(hello) => {
                    recorder.begin(hello.records.then_some(&hello.run));
                    worker.begin_run(hello);
                    shared.writer.send(&FromAgent::Welcome(welcome.clone())).map_err(StopReason::from)
                }
                WorkerMessage::Window(window) => worker.run_window(&window, &shared.writer),
                WorkerMessage::Forget => {
                    worker.order_log.forget_all();
                    Ok(())
                }
                WorkerMessage::Acknowledge(tickets) => {
                    worker.order_log.forget(&tickets);
                    Ok(())
                }
            };
            match done {
                Ok(()) => {}
                Err(StopReason::Disconnected) => {
                    ends.send(ConversationEnd::Disconnected).ok();
                    break;
                }
                Err(StopReason::Refused(refusal)) => {
                    drop(worker);
                    return ends.send(ConversationEnd::Refused(refusal)).ok();
                }
            }
        }
        drop(worker);
        ends.send(ConversationEnd::Finished).ok()
    };
    thread::Builder::new()
        .name("work".into())
        .spawn(move || {
            body();
        })
        .map(drop)
}

fn welcome(system: &System) -> Welcome {
    let uid = geteuid().as_raw();
    let user = system.user_by_id(uid).map_or_else(|| uid.to_string(), |user| user.name);
    Welcome { pid: getpid().as_raw_nonzero().get().unsigned_abs(), user }
}

/// Waits for the end of the conversation and cleans up.
fn finish(shared: &Shared, ended: &Receiver<ConversationEnd>) -> ExitCode {
    let mut end = ended.recv().unwrap_or(ConversationEnd::Disconnected);
    if matches!(end, ConversationEnd::Bye) {
        end = ended.recv().unwrap_or(ConversationEnd::Disconnected);
    }
    let code = match &end {
        ConversationEnd::Bye | ConversationEnd::Finished => ExitCode::SUCCESS,
        ConversationEnd::Disconnected => ExitCode::from(2),
        ConversationEnd::Refused(refusal) => {
            // It does not matter whether the controller still listens.
            shared.writer.send(&FromAgent::Refused(Refusal::clone(refusal))).ok();
            ExitCode::FAILURE
        }
        ConversationEnd::Fault(why) => fault(&shared.writer, why),
    };
    // A worker that waits for something ends by itself then, and removes its temporary files.
    shared.progress.stop();
    shared.cache.close();
    if matches!(end, ConversationEnd::Disconnected) {
        end = wait_for_running_order(ended);
    }
    if !matches!(end, ConversationEnd::Finished) {
        shared.progress.give_up();
    }
    shared.child_processes.dismiss();
    let deadline = Instant::now() + SHUTDOWN_GRACE;
    while !matches!(end, ConversationEnd::Finished | ConversationEnd::Refused(_)) && Instant::now() < deadline
    {
        // The agents of other users end when their input ends, and kill their own children.
        kill_children(|pid| shared.child_processes.contains(pid));
        match ended.recv_timeout(Duration::from_millis(20)) {
            Ok(next) => end = next,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
    shared.cache.clean();
    code
}

/// Waits for the running order after the connection was lost, so that a returning controller can ask for its outcome.
///
/// This takes no longer than the allowed silence, unless the controller detached on purpose.
fn wait_for_running_order(ended: &Receiver<ConversationEnd>) -> ConversationEnd {
    loop {
        match ended.recv() {
            Ok(ConversationEnd::Disconnected | ConversationEnd::Bye) => {}
            Ok(end) => return end,
            Err(mpsc::RecvError) => return ConversationEnd::Finished,
        }
    }
}
