//! The messages themselves.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::chunk::{CHUNK, Chunk};
use crate::lock::{Claim, LockTaken, Refusal};
use crate::{Digest, Map, Outcome};

/// What a controller says to an agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToAgent {
    /// The first message of a connection.
    Hello(Hello),
    /// Work to do. Windows are done one after the other, in the order they come.
    Window(Window),
    /// A part of the content that the agent asked for with [`FromAgent::Need`].
    Chunk(Chunk),
    /// The content that the agent asked for cannot be had.
    NoContent {
        /// Its digest.
        digest: Digest,
        /// Why not.
        why: String,
    },
    /// A part of the content that an outcome offers is wanted: answered by one [`FromAgent::Chunk`] or
    /// [`FromAgent::NoContent`].
    Pull {
        /// The content's digest.
        digest: Digest,
        /// Where the part begins, in bytes.
        offset: u64,
    },
    /// A sign of life; answered at once by [`FromAgent::Pong`], also while a step runs.
    Ping(u64),
    /// Finish the running step, then answer the window with what was done.
    Cancel,
    /// What came of the orders with these tickets is in the controller's journal; it need not be kept any longer.
    Acknowledge(Vec<u64>),
    /// The run is finished: nothing that is kept of its orders is needed any longer.
    Forget,
    /// The controller leaves in the middle of the work: finish the running order, however long it takes, keep what comes of
    /// it, clean up and leave.
    Detach,
    /// The last message: finish, clean up and leave.
    Bye,
}

/// What an agent says to its controller.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromAgent {
    /// The answer to [`ToAgent::Hello`].
    Welcome(Welcome),
    /// The answer to one [`Window`].
    Answer(Answer),
    /// Content is wanted, of which the agent knows only the digest.
    Need(Digest),
    /// The part that [`ToAgent::Pull`] asked for.
    Chunk(Chunk),
    /// The part that [`ToAgent::Pull`] asked for cannot be had.
    NoContent {
        /// The content's digest.
        digest: Digest,
        /// Why not.
        why: String,
    },
    /// The answer to [`ToAgent::Ping`], with its number.
    Pong(u64),
    /// The answer to [`ToAgent::Detach`]: the agent goes on alone, and says nothing any more.
    Detached,
    /// The run has the lock of the agent's user, or of another one on the same node: said before the first order that is
    /// done under it.
    LockTaken(LockTaken),
    /// The run may not work on this node: said in place of an answer, nothing of that order was done. The agent leaves.
    Refused(Refusal),
    /// The agent cannot go on and leaves.
    Fault(String),
}

/// Introduces the controller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The run's name, for the node's own records.
    pub run: String,
    /// Who began the run, and on which machine.
    pub by: String,
    /// What the run shows for the lock of the node; `None`: it works there without one.
    pub claim: Option<Claim>,
    /// Whether the node records what the run changes and keeps what it replaces, so that it can be undone.
    pub records: bool,
    /// After so many seconds without a message the agent gives up.
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

/// Tasks for one host: the first is done in earnest, the others are only looked at, to save round trips.
#[derive(Debug, Serialize, Deserialize)]
pub struct Window {
    /// Repeated in the answer.
    pub id: u64,
    /// Whether the first step is done in earnest. A controller always says yes; an agent that looks ahead on behalf
    /// of another user's agent says no.
    pub execute: bool,
    /// The first step is checked and, if in earnest and unless its orders say `check`, applied. The others are only checked, in
    /// order, up to the first that is not [`crate::Status::Same`]; none is looked at once the first did anything.
    pub steps: Vec<Step>,
}

/// One task for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// One order for each item of the task's loop; one if it has none. All are done, also after one failed.
    pub orders: Vec<Order>,
}

/// One call of a module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The module's name, such as `copy`.
    pub module: Arc<str>,
    /// Its rendered arguments.
    pub args: Map,
    /// Check mode: look, and say what would be done.
    pub check: bool,
    /// Whether differences are wanted.
    pub diff: bool,
    /// Added to the environment of what the module starts.
    pub environment: Vec<(String, String)>,
    /// The user to do it as, if not the one who logged in.
    pub become_user: Option<Become>,
    /// The step is given up after so many seconds.
    pub deadline_seconds: Option<u32>,
    /// What makes it one and the same when it is asked for again.
    pub ticket: Option<Ticket>,
    /// Done as a job, which outlives the agent and the connection; or something about such a job, and then the rest of
    /// the order only says whose it is.
    pub job: Option<JobOrder>,
}

impl Order {
    /// Returns a call of a module in earnest, as the user who logged in, with nothing else asked for.
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

/// The name of an order that is done once, however often it is asked for: over another connection, or by another
/// process of the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its number, which no other order of the run has.
    pub number: u64,
    /// Whether the values of its outcome must not be kept on the node's disk: they, or what it is asked for, are secret.
    pub quiet: bool,
    /// Whether the agent sees to it that it is done once; else another does, and the number only names it in the record of
    /// changes.
    pub once: bool,
}

/// An order as a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOrder {
    /// The job's name: letters, digits, dots and dashes. The controller makes it, so that it is known before the job
    /// begins, and asking for it a second time begins nothing.
    pub id: Arc<str>,
    /// What is asked.
    pub ask: JobAsk,
}

/// What is asked of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobAsk {
    /// Begin, unless it has begun already, and answer at once. In check mode: look, and say how it would be begun.
    Begin {
        /// After so many seconds the job ends itself.
        limit_seconds: u32,
        /// Whether nothing of what it prints may be kept before its end: it was given secrets.
        silent: bool,
    },
    /// Tell what has become of it.
    Follow {
        /// What it printed is wanted from this byte on.
        from: u64,
    },
    /// Its outcome is known: remove what is kept of it.
    Forget,
}

/// Another user to be, and how.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Become {
    /// The user's name.
    pub user: String,
    /// The program that makes us that user.
    pub method: Method,
    /// Where that program is, if not under its own name: words in one line, quoted as for a shell.
    pub exe: Option<String>,
    /// Options for it, in one line; `None`: what it is given by default.
    pub flags: Option<String>,
    /// Its password, if one was given.
    pub password: Option<String>,
}

/// A program that makes another user of us.
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

    /// Returns the method of this name, with or without a collection before it.
    pub fn named(name: &str) -> Option<Self> {
        let short = name.rsplit('.').next()?;
        Self::ALL.into_iter().find(|method| method.name() == short)
    }
}

/// Never shows the password.
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
    /// The window's number.
    pub window: u64,
    /// For each step, in order, the outcomes of its orders: always of the first step, then of those that are
    /// all [`crate::Status::Same`].
    pub steps: Vec<Vec<Outcome>>,
}
