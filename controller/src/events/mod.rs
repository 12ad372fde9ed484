//! The one stream of what happens in a run: it feeds the journal, the terminal and the JSON lines.

pub mod fields;
mod note;
pub mod object;
mod reporter;

use std::sync::Arc;

use convoy_protocol::{Diff, Map, Value};

pub use note::{BlockBegun, Include, Note};
pub use reporter::{Reporter, Screen};

/// Something that happened. Names are already rendered, and texts without secrets; of values, whoever writes them
/// down replaces those that are secret.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    /// A playbook begins.
    PlaybookStart {
        /// Its path as the user gave it.
        path: Arc<str>,
        /// How many plays it has.
        plays: usize,
    },
    /// A run that ended, or was broken off, goes on. What follows begins with what was done before, looked at again.
    Resumed {
        /// The run's name.
        run: Arc<str>,
        /// Who goes on with it, and on which machine.
        by: Arc<str>,
    },
    /// A play begins.
    PlayStart {
        /// Its name, or its host pattern.
        name: Arc<str>,
        /// Whether it runs in check mode.
        check: bool,
    },
    /// No host matched the play's pattern.
    NoHostsMatched,
    /// The play has no hosts left: `NO MORE HOSTS LEFT`.
    NoHostsRemaining,
    /// A task begins; once for all hosts. Under `strategy: free` and `host_pinned` it is sent when the first
    /// result of the task comes, and again whenever results of another task came in between.
    TaskStart {
        /// What kind of task.
        kind: TaskKind,
        /// Its name with its role before it (`role : name`), or its action.
        name: Arc<str>,
        /// Where it stands, as `file:line`.
        path: Arc<str>,
        /// Whether it runs in check mode.
        check: bool,
    },
    /// These hosts now work on the task that began last; each until its result comes. For the live display.
    Working {
        /// The hosts.
        hosts: Vec<Arc<str>>,
    },
    /// A host has a result of a task.
    Result(TaskResult),
    /// One item of a loop has its result, before the task's own.
    Item(TaskResult),
    /// A task is tried again.
    Retry {
        /// The host.
        host: HostName,
        /// The task's name, or its action.
        task: Arc<str>,
        /// How many tries are left.
        left: u32,
        /// The result of the try.
        values: Arc<Map>,
    },
    /// Something has come of a job, before the result of its task.
    Job(JobEvent),
    /// A file of tasks is included; in place of a result.
    Included {
        /// Its path.
        file: Arc<str>,
        /// For which hosts.
        hosts: Vec<Arc<str>>,
        /// The item of the include's loop, as shown.
        label: Option<Arc<str>>,
    },
    /// A warning.
    Warning(String),
    /// A warning of several lines that must stay as they are.
    Notice(String),
    /// Something for `-v` and more: `level` is how many.
    Verbose {
        /// From how many `-v` it is shown.
        level: u8,
        /// The host it is about.
        host: Option<Arc<str>>,
        /// The text.
        text: String,
    },
    /// The run ended.
    Recap {
        /// For each host in the order of their names.
        hosts: Vec<(Arc<str>, Stats)>,
        /// What `set_stats` collected.
        custom: Map,
    },
    /// After a failure: what was not done, and the command that goes on.
    NotDone {
        /// Lines for people.
        lines: Vec<String>,
        /// The command.
        command: Option<String>,
    },
    /// Something for the journal alone.
    Noted(Note),
    /// The run is over, and nothing follows, unless it is resumed.
    End {
        /// How; none: by an error that could be seen only then.
        ending: Option<Ending>,
        /// The exit code.
        code: u8,
        /// How many hosts took part, and what became of them.
        hosts: Tally,
        /// The errors, as they are shown.
        errors: Vec<String>,
    },
}

/// Something has come of a job: a task with `async`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The host.
    pub host: HostName,
    /// The task's name, or its action.
    pub task: Arc<str>,
    /// The job's name.
    pub job: Arc<str>,
    /// What has come of it.
    pub state: JobState,
    /// How long ago it was begun, in seconds.
    pub seconds: u64,
    /// What it has printed last, or more about its state.
    pub line: Option<String>,
}

/// What has come of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// The node is about to be asked to begin it.
    Begins,
    /// It is at work; with how it was detached from the agent.
    Begun,
    /// It has printed something; with the last line.
    Moves,
    /// It was looked at, and is still at work.
    Polled,
    /// Nothing has come of it for long; with how long.
    Quiet,
    /// The node was lost; with the reason. The job goes on.
    Lost,
    /// The node was found again; with how long that took.
    Attached,
    /// It has ended well.
    Ok,
    /// It has failed.
    Failed,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All hosts did all.
    Well,
    /// A host failed.
    Failed,
    /// A host could not be reached.
    Unreachable,
    /// The run was not allowed to work on a host.
    Refused,
    /// The user interrupted it.
    Interrupted,
}

impl Ending {
    /// Returns the documented exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Failed => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Numbers of hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All that took part.
    pub all: u32,
    /// On which something changed.
    pub changed: u32,
    /// That failed.
    pub failed: u32,
    /// That could not be reached.
    pub unreachable: u32,
    /// On which the run was not allowed to work.
    pub refused: u32,
}

impl Tally {
    /// Counts the hosts of a recap.
    pub fn of<'s>(stats: impl IntoIterator<Item = &'s Stats>) -> Self {
        let mut tally = Self::default();
        for stats in stats {
            tally.all += 1;
            tally.changed += u32::from(stats.changed > 0);
            tally.failed += u32::from(stats.failed > 0);
            tally.unreachable += u32::from(stats.unreachable > 0);
            tally.refused += u32::from(stats.refused > 0);
        }
        tally
    }
}

/// What kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// A task of the play.
    Task,
    /// A handler.
    Handler,
    /// The cleanup of a run that ends early is none of these: there is none.
    Facts,
}

/// A host, and the one a task was delegated to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostName {
    /// The host the task is about.
    pub name: Arc<str>,
    /// The host it was done on, if that is another.
    pub delegate: Option<Arc<str>>,
    /// The delegate's address (`ansible_host`), if that is not its name.
    pub address: Option<Arc<str>>,
}

impl HostName {
    /// Returns the name of a host that does its own work.
    pub fn of(name: &Arc<str>) -> Self {
        Self { name: name.clone(), ..Self::default() }
    }
}

/// The result of a task, or of one item of its loop, on one host.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskResult {
    /// The host.
    pub host: HostName,
    /// In one word.
    pub verdict: Verdict,
    /// The action's name: of a `debug` only its message is shown, of facts nothing.
    pub action: Arc<str>,
    /// The registered values as Ansible shows them (`changed`, `msg`, `results` …).
    pub values: Arc<Map>,
    /// What was, or would be, different.
    pub diff: Vec<Diff>,
    /// Of an item: its label.
    pub label: Option<Value>,
    /// Of a task: whether it had a loop.
    pub looped: bool,
    /// Whether the error is ignored (`...ignoring`).
    pub ignored: bool,
    /// Whether it is shown in full at any verbosity, as `debug` and `assert` ask for.
    pub show: bool,
    /// Whether that was done, in part at least, before the run was resumed.
    pub before: bool,
    /// The task's name and place, for messages that come long after the heading.
    pub task: Arc<str>,
}

/// A result in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Changed.
    Changed,
    /// Not done, since a condition did not hold or check mode cannot tell.
    Skipped,
    /// Failed.
    Failed,
    /// The host could not be reached.
    Unreachable,
    /// The run is not allowed to work on the host.
    Refused,
    /// Check mode: only the run itself can tell.
    Unknown,
}

impl Verdict {
    /// Returns whether the host was lost: it takes no part in what follows.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Unreachable | Self::Refused)
    }

    /// Returns whether the playbook has no say in it (`failed_when`, `until`).
    pub fn is_final(self) -> bool {
        self.is_lost() || matches!(self, Self::Skipped | Self::Unknown)
    }
}

/// The recap's numbers of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Results that were well, changed ones included.
    pub ok: u32,
    /// Changed.
    pub changed: u32,
    /// Unreachable.
    pub unreachable: u32,
    /// Failed.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
    /// Failed and rescued.
    pub rescued: u32,
    /// Failed and ignored.
    pub ignored: u32,
    /// Check mode: decided at run time.
    pub unknown: u32,
    /// The run was not allowed to work there.
    pub refused: u32,
}
