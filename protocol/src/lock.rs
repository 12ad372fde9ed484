//! What is said about the lock of a node, which keeps two runs from working there at once.

use serde::{Deserialize, Serialize};

/// What a controller shows before its run may work on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whether this controller had a link to the node before: then the run may have worked there without its
    /// controller having been told.
    pub returning: bool,
    /// What the run was given on this node before.
    pub held: Vec<HeldLock>,
}

/// The lock as a run has it: whose, and the generation it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// The number of the user whose lock it is.
    pub uid: u32,
    /// Grows with each run that takes the lock.
    pub generation: u64,
}

/// A run has the lock of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockTaken {
    /// The lock.
    pub held: HeldLock,
    /// Why it is not known which runs were there before, where that should be known.
    pub record_lost: Option<String>,
}

/// A run that has, or had, the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its name.
    pub run: String,
    /// Who began it, and on which machine.
    pub by: String,
    /// When it took the lock, by the clock of the node, in seconds since 1970.
    pub since: i64,
    /// The generation it was given.
    pub generation: u64,
}

/// A run may not work on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The name of the user whose lock it is.
    pub user: String,
    /// The path of the lock.
    pub lock: String,
    /// Why not.
    pub why: RefusalReason,
}

/// Why a run may not work on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Another run works there.
    Busy {
        /// Which; `None` if its record cannot be read.
        holder: Option<Holder>,
        /// What holds the lock, as far as it can be seen.
        processes: Vec<Process>,
    },
    /// Another run came between.
    Intervened {
        /// The last one that did.
        holder: Holder,
        /// The generation that the refused run had, if its controller knows it.
        given: Option<u64>,
    },
    /// The node does not know any more which runs were there.
    RecordLost {
        /// The generation that the refused run had.
        given: u64,
        /// What is the matter with the record.
        why: String,
    },
    /// It cannot be found out whether another run works there, or not noted that this one does.
    Unavailable(String),
}

/// A process of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
}
