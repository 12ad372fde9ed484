//! The messages that controller and agent exchange.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::chunk::{CHUNK, Chunk};
use crate::lock::{Claim, LockTaken, Refusal};
use crate::{Digest, Map, Outcome};

/// A message from the controller to an agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToAgent {
    /// The first message of a connection.
    Hello(Hello),
    /// Work to do. An agent processes windows one at a time, in the order of their arrival.
    Window(Window),
    /// A part of the content that the agent requested with [`FromAgent::Need`].
    Chunk(Chunk),
    /// The content that the agent requested is not available.
    NoContent {
        /// Its digest.
        digest: Digest,
        /// The reason.
        why: String,
    },
    /// Requests a part of the content that an outcome offers; answered by one [`FromAgent::Chunk`] or
    /// [`FromAgent::NoContent`].
    Pull {
        /// The content's digest.
        digest: Digest,
        /// The offset at which the part starts, in bytes.
        offset: u64,
    },
    /// A heartbeat, answered at once by [`FromAgent::Pong`], even while a step is running.
    Ping(u64),
    /// Finish the running step, then answer the window with the results so far.
    Cancel,
    /// The controller has recorded the outcomes of the orders with these tickets; the agent need not keep them any longer.
    Acknowledge(Vec<u64>),
    /// The run is finished; the agent need not keep anything of its orders any longer.
    Forget,
    /// The controller leaves before the work is done: finish the running order, however long it takes, keep its outcome, clean
    /// up and exit.
    Detach,
    /// The last message: finish, clean up and exit.
    Bye,
}

/// A message from an agent to its controller.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromAgent {
    /// The answer to [`ToAgent::Hello`].
    Welcome(Welcome),
    /// The answer to one [`Window`].
    Answer(Answer),
    /// Requests content by its digest.
    Need(Digest),
    /// The part requested by [`ToAgent::Pull`].
    Chunk(Chunk),
    /// The part requested by [`ToAgent::Pull`] is not available.
    NoContent {
        /// The content's digest.
        digest: Digest,
        /// The reason.
        why: String,
    },
    /// The answer to [`ToAgent::Ping`], with its number.
    Pong(u64),
    /// The answer to [`ToAgent::Detach`]: the agent continues alone and sends nothing more.
    Detached,
    /// The run has taken the lock of the agent's user, or of another user on the same node. Sent before the first order that
    /// needs the lock is carried out.
    LockTaken(LockTaken),
    /// The run may not change this node. Sent instead of an answer: the order was not started, and the agent exits.
    Refused(Refusal),
    /// The agent cannot continue, for this reason, and exits.
    Fault(String),
}

/// Introduces the controller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The run's name, for the records on the node.
    pub run: String,
    /// Who started the run, and on which machine.
    pub by: String,
    /// What the run presents for the node's lock; `None` if it runs without a lock.
    pub claim: Option<Claim>,
    /// Whether the node records the run's changes and keeps what it replaces, so that they can be undone.
    pub records: bool,
    /// How many seconds without a message the agent waits before it gives up.
    pub silence_seconds: u32,
}

/// Introduces the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// The agent's process id.
    pub pid: u32,
    /// The name of the user it runs as.
    pub user: String,
}

/// Tasks for one host. The first is executed; the others are only checked ahead, to save round trips.
#[derive(Debug, Serialize, Deserialize)]
pub struct Window {
    /// An ID, repeated in the answer.
    pub id: u64,
    /// Whether to execute the first step. A controller always sets this; an agent that checks ahead on behalf of another
    /// user's agent does not.
    pub execute: bool,
    /// The first step is checked and then, if it is to be executed and its orders are not in check mode, applied. The others
    /// are only checked, in order, up to the first that is not [`crate::Status::Same`]. None is checked if the first step
    /// changed or ran anything.
    pub steps: Vec<Step>,
}

/// One task for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// One order for each item of the task's loop, or a single one without a loop. A failed order does not stop the others.
    pub orders: Vec<Order>,
}

/// One call of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The module's name, such as `copy`.
    pub module: Arc<str>,
    /// Its rendered arguments.
    pub args: Map,
    /// Check mode: only report what would be done.
    pub check: bool,
    /// Whether to return differences.
    pub diff: bool,
    /// Variables added to the environment of the processes that the module starts.
    pub environment: Vec<(String, String)>,
    /// The user to run as, if not the one who logged in.
    pub become_user: Option<Become>,
    /// How many seconds the order may take.
    pub deadline_seconds: Option<u32>,
    /// Identifies the order when it is sent again.
    pub ticket: Option<Ticket>,
    /// Runs the order as an asynchronous job, which outlives the agent and the connection; or asks about such a job, and then
    /// the rest of the order only identifies it.
    pub job: Option<JobOrder>,
}

impl Order {
    /// Makes an order to execute a module as the user who logged in, with all options off.
    pub fn new(module: impl Into<Arc<str>>, args: Map) -> Self {
        Self {
            module: module.into(),
            args,
            check: false,
            diff: false,
            environment: Vec::new(),
            become_user: None,
            deadline_seconds: None,
            ticket: None,
            job: None,
        }
    }
}

/// An idempotency key: an order with a ticket is carried out once, however often it is sent, even over another connection
/// or by another process of the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// A number that no other order of the run has.
    pub number: u64,
    /// Whether the outcome must not be stored on the node's disk, since the arguments or the results are secret.
    pub quiet: bool,
    /// Whether this agent ensures that the order is carried out only once. If not, another agent does, and the number only
    /// identifies the order in the record of changes.
    pub once: bool,
}

/// An order about an asynchronous job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOrder {
    /// The job's ID: letters, digits, dots and dashes. The controller chooses it before the job starts; starting the same ID
    /// again has no effect.
    pub id: Arc<str>,
    /// What to do with the job.
    pub ask: JobAsk,
}

/// What to do with a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobAsk {
    /// Start it, unless it was started before, and answer at once. In check mode: report how it would be started.
    Begin {
        /// After how many seconds the job ends itself.
        limit_seconds: u32,
        /// Whether its output must not be stored while it runs, since it was given secrets.
        silent: bool,
    },
    /// Report its state.
    Follow {
        /// The offset from which on its output is wanted, in bytes.
        from: u64,
    },
    /// Its outcome is known: remove what is kept of it.
    Forget,
}

/// Another user to run as, and how to become that user.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Become {
    /// The user's name.
    pub user: String,
    /// The program that switches to that user.
    pub method: Method,
    /// The path of that program, if it is not found by its name; words on one line, quoted as for a shell.
    pub exe: Option<String>,
    /// Options for it, on one line; `None` for the default ones.
    pub flags: Option<String>,
    /// Its password, if one was given.
    pub password: Option<String>,
}

/// A program that runs commands as another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// `sudo`
    Sudo,
    /// `su`
    Su,
    /// `doas`
    Doas,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sudo, Self::Su, Self::Doas];

    /// Returns the program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Su => "su",
            Self::Doas => "doas",
        }
    }

    /// Returns the method with this name, which may be qualified by a collection.
    pub fn named(name: &str) -> Option<Self> {
        let short = name.rsplit('.').next()?;
        Self::ALL.into_iter().find(|method| method.name() == short)
    }
}

/// Omits the password.
impl fmt::Debug for Become {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Become")
            .field("user", &self.user)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// The answer to a [`Window`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The window's ID.
    pub window: u64,
    /// For each step, in order, the outcomes of its orders: always for the first step, then for the following ones as long as
    /// all are [`crate::Status::Same`].
    pub steps: Vec<Vec<Outcome>>,
}
