//! The modules' access to the node. Only this directory reads and writes the node on behalf of modules.

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
pub use temporary::{ProgramCopy, ScratchFile};
pub use view::DIFF_LIMIT;
pub use write::{Attributes, Bytes, SetTime, Temporary};

use crate::changes::Recorder;
use crate::content::ContentStore;
use crate::failure::Failure;

/// Read access to the node. Has no method that changes it.
pub struct SystemView {
    diff: bool,
    check: bool,
    module: String,
    environment: Vec<(String, String)>,
    deadline: Option<Deadline>,
    contents: Box<dyn ContentStore + Send>,
    /// Records changes for undo.
    recorder: Recorder,
    offered: Cell<Option<Offer>>,
    users: RefCell<accounts::Cache>,
    umask: OnceCell<u32>,
    /// Receives the output of processes while they run.
    output_log: Option<output_log::OutputLog>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    seconds: u32,
}

impl SystemView {
    /// Returns whether differences are requested.
    pub fn wants_diff(&self) -> bool {
        self.diff
    }

    /// Returns whether the order is in check mode. This may affect only the wording of messages; check mode itself is up to
    /// the engine.
    pub fn is_check_mode(&self) -> bool {
        self.check
    }

    /// Returns the recorder of changes.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Returns the time at which the running order times out.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Sleeps, but not irreversible the order's deadline.
    ///
    /// # Errors
    /// If the deadline is reached.
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

    /// Returns the failure of an order that timed out, in Ansible's wording.
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
        f.debug_struct("SystemView")
            .field("module", &self.module)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Read and write access to the node.
#[derive(Debug)]
pub struct System {
    view: SystemView,
}

impl System {
    /// Makes one that gets content from `contents` and has `recorder` record changes.
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

    /// Sets a file to which the output of processes is written while they run.
    pub(crate) fn set_output_log(&mut self, file: Option<std::fs::File>) {
        self.view.output_log = file.map(output_log::OutputLog::new);
    }

    /// Prepares for one order: its environment, its deadline and whether differences are requested. Cached lookups of earlier
    /// orders are dropped.
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

    /// Prepares for changes. If `irreversible` gives a reason why the order cannot be undone, that is recorded.
    ///
    /// # Errors
    /// If it cannot be recorded; the order must not be carried out then.
    pub fn before_apply(&mut self, irreversible: Option<&str>) -> Result<(), Failure> {
        irreversible.map_or(Ok(()), |why| self.recorder.record_irreversible(&self.view.module, why))
    }
}

impl Deref for System {
    type Target = SystemView;

    fn deref(&self) -> &SystemView {
        &self.view
    }
}
