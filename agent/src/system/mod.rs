//! The one door to the node.

mod accounts;
mod batch;
mod checksum;
mod clock;
mod expand;
mod hosts;
mod init;
mod offer;
mod output_log;
mod process;
mod space;
mod temporary;
mod users;
mod view;
mod with_record;
mod write;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

use convoy_protocol::Offer;
use convoy_protocol::message::Order;

pub use accounts::{Group, Shadow, User};
pub use batch::{BYTES as BATCH_BYTES, Batch, OpenFileLimit};
pub use checksum::{Algorithm, Checksums};
pub use process::{Output, Process, ProcessError};
pub use space::Space;
pub(crate) use temporary::PROGRAM_DIRECTORY_PREFIX;
pub use temporary::ProgramCopy;
pub use temporary::ScratchFile;
pub use view::DIFF_LIMIT;
pub use write::{Attributes, Bytes, SetTime, Temporary};

use crate::changes::Recorder;
use crate::content::ContentStore;
use crate::failure::Failure;

/// What a module may see of the node. Has no method that writes.
pub struct SystemView {
    diff: bool,
    check: bool,
    module: String,
    environment: Vec<(String, String)>,
    deadline: Option<Deadline>,
    contents: Box<dyn ContentStore + Send>,
    /// What every change goes by, and knows of runs before.
    recorder: Recorder,
    offered: Cell<Option<Offer>>,
    users: RefCell<accounts::Cache>,
    umask: OnceCell<u32>,
    /// What processes print is written there as it comes.
    output_log: Option<output_log::OutputLog>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    seconds: u32,
}

impl SystemView {
    /// Returns whether differences are wanted.
    pub fn wants_diff(&self) -> bool {
        self.diff
    }

    /// Returns whether the order is in check mode. Only wording may depend on it; what is written is the engine's
    /// business.
    pub fn is_check_mode(&self) -> bool {
        self.check
    }

    /// Returns what records changes.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Returns the time at which the running order is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Sleeps, but not beyond the order's deadline.
    ///
    /// # Errors
    /// If the deadline comes first.
    pub fn sleep(&self, span: Duration) -> Result<(), Failure> {
        match self.deadline().map(|at| at.saturating_duration_since(Instant::now())) {
            Some(left) if left <= span => {
                std::thread::sleep(left);
                Err(self.timed_out())
            }
            _ => {
                std::thread::sleep(span);
                Ok(())
            }
        }
    }

    /// Returns the failure of an order that was given up, in Ansible's words.
    pub fn timed_out(&self) -> Failure {
        let seconds = self.deadline.map_or(0, |deadline| deadline.seconds);
        Failure::new(format!(
            "The {} action failed to execute in the expected time frame ({seconds}) and was terminated",
            self.module
        ))
    }
}

impl fmt::Debug for SystemView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("module", &self.module)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What a module may do to the node.
#[derive(Debug)]
pub struct System {
    view: SystemView,
}

impl System {
    /// Opens the door; content known by digest comes from `contents`, changes are recorded by `recorder`.
    pub fn new(contents: Box<dyn ContentStore + Send>, recorder: Recorder) -> Self {
        Self {
            view: SystemView {
                recorder,
                diff: false,
                check: false,
                module: String::new(),
                environment: Vec::new(),
                deadline: None,
                contents,
                offered: Cell::default(),
                users: RefCell::default(),
                umask: OnceCell::new(),
                output_log: None,
            },
        }
    }

    /// Has what processes print written to a file as it comes, besides being collected.
    pub(crate) fn set_output_log(&mut self, file: Option<std::fs::File>) {
        self.view.output_log = file.map(output_log::OutputLog::new);
    }

    /// Makes ready for one order: its environment, its deadline, whether differences are wanted. What was looked
    /// up for an earlier order is forgotten.
    pub fn begin(&mut self, order: &Order) {
        self.view.diff = order.diff;
        self.view.check = order.check;
        self.view.module = order.module.to_string();
        self.view.environment.clone_from(&order.environment);
        self.view.deadline = order
            .deadline_seconds
            .map(|seconds| Deadline { at: Instant::now() + Duration::from_secs(seconds.into()), seconds });
        self.view.offered.take();
        self.view.forget_users();
        self.recorder.set_order(order);
    }

    /// Tells that an order is about to be done in earnest. `beyond` says what of it cannot be undone, if anything.
    ///
    /// # Errors
    /// If that cannot be recorded; nothing must be done then.
    pub fn before_apply(&mut self, beyond: Option<&str>) -> Result<(), Failure> {
        beyond.map_or(Ok(()), |why| self.recorder.record_irreversible(&self.view.module, why))
    }
}

impl Deref for System {
    type Target = SystemView;

    fn deref(&self) -> &SystemView {
        &self.view
    }
}
