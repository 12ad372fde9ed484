//! Messages about a node's lock, which keeps two runs from changing a node at the same time.

use serde::{Deserialize, Serialize};

/// What a controller presents to an agent before its run may change the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whether this controller was connected to the node before. The run may then have taken the lock without the controller
    /// having received the news.
    pub returning: bool,
    /// The locks that the run was granted on this node before.
    pub held: Vec<HeldLock>,
}

/// A lock that a run was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// The ID of the user whose lock it is.
    pub uid: u32,
    /// Increases whenever another run takes the lock.
    pub generation: u64,
}

/// News that a run has taken the lock of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockTaken {
    /// The lock.
    pub held: HeldLock,
    /// Why the node no longer knows which runs held the lock before, if it should know but does not.
    pub record_lost: Option<String>,
}

/// A run that has, or had, the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run's name.
    pub run: String,
    /// Who started it, and on which machine.
    pub by: String,
    /// When it took the lock, by the node's clock, in seconds since 1970.
    pub since: i64,
    /// The generation it was granted.
    pub generation: u64,
}

/// The run may not change the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The name of the user whose lock it is.
    pub user: String,
    /// The path of the lock file.
    pub lock: String,
    /// The reason.
    pub why: RefusalReason,
}

/// Why a run may not change a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// Another run is in progress there.
    Busy {
        /// That run; `None` if the record of the lock cannot be read.
        holder: Option<Holder>,
        /// The processes that hold the lock, as far as they are visible.
        processes: Vec<Process>,
    },
    /// Another run held the lock in between.
    Intervened {
        /// The last run that did.
        holder: Holder,
        /// The generation that the refused run was granted, if its controller knows it.
        given: Option<u64>,
    },
    /// The node lost its record of the runs that held the lock.
    RecordLost {
        /// The generation that the refused run was granted.
        given: u64,
        /// What is wrong with the record.
        why: String,
    },
    /// It cannot be determined whether another run is in progress, or the new holder cannot be recorded.
    Unavailable(String),
}

/// A process of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its process ID.
    pub pid: u32,
    /// Its name, as the kernel reports it.
    pub name: String,
}
