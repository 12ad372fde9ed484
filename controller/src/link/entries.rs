//! What a run was given on a node: kept from one link to the next, and shown at the beginning of each.

use std::collections::BTreeMap;
use std::sync::Mutex;

use convoy_protocol::lock::{Claim, HeldLock, LockTaken};

use super::LinkError;
use super::mux::lock;

/// As so many users nobody works on one node.
const USERS: usize = 256;

/// What a run was given on a node.
#[derive(Debug, Default)]
pub struct Entries(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Generations, by the number of the user.
    held: BTreeMap<u32, u64>,
    /// What is the matter with the node's records, until it is told.
    lost: Vec<String>,
}

impl Entries {
    /// Takes note of a lock that the run has.
    pub(super) fn add(&self, entry: LockTaken) -> Result<(), LinkError> {
        let mut told = lock(&self.0);
        told.held.insert(entry.held.uid, entry.held.generation);
        told.lost.extend(entry.record_lost);
        if told.held.len() > USERS || told.lost.len() > USERS {
            return Err(LinkError::Nonsense("it locks for too many users".into()));
        }
        Ok(())
    }

    /// Returns what is shown at the beginning of a link; `returning` if it is not the first one.
    pub fn claim(&self, returning: bool) -> Claim {
        let held =
            lock(&self.0).held.iter().map(|(&uid, &generation)| HeldLock { uid, generation }).collect();
        Claim { returning, held }
    }

    /// Returns whether the run has worked there.
    pub fn has_worked(&self) -> bool {
        !lock(&self.0).held.is_empty()
    }

    /// Returns what is the matter with the node's records, each once.
    pub fn take_lost(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).lost)
    }
}
