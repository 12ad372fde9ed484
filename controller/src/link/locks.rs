//! The node locks that a run holds. They outlive a link: each new link to the node presents them as its claim.

use std::collections::BTreeMap;
use std::sync::Mutex;

use convoy_protocol::lock::{Claim, HeldLock, LockTaken};

use super::error::LinkError;
use crate::sync::lock;

/// More users than a run works as on one node.
const MAX_USERS: usize = 256;

/// The locks that a run holds on one node, one for each user it works as there.
#[derive(Debug, Default)]
pub struct HeldLocks(Mutex<Locks>);

#[derive(Debug, Default)]
struct Locks {
    /// Generations by user id.
    generations: BTreeMap<u32, u64>,
    /// Damage to the node's lock records that has not been reported yet.
    damage: Vec<String>,
}

impl HeldLocks {
    /// Records a lock that the run was given.
    pub(super) fn add(&self, entry: LockTaken) -> Result<(), LinkError> {
        let mut locks = lock(&self.0);
        locks.generations.insert(entry.held.uid, entry.held.generation);
        locks.damage.extend(entry.record_lost);
        if locks.generations.len() > MAX_USERS || locks.damage.len() > MAX_USERS {
            return Err(LinkError::Protocol("it takes locks for too many users".into()));
        }
        Ok(())
    }

    /// Returns the claim to present at the beginning of a link; `returning` if this is not the first link to the node.
    pub fn claim(&self, returning: bool) -> Claim {
        let locks = lock(&self.0);
        let held = locks.generations.iter().map(|(&uid, &generation)| HeldLock { uid, generation }).collect();
        Claim { returning, held }
    }

    /// Returns whether the run has held a lock on the node, and so may have worked there.
    pub fn has_worked(&self) -> bool {
        !lock(&self.0).generations.is_empty()
    }

    /// Returns the damage to the node's lock records; each is returned once.
    pub fn take_damage(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).damage)
    }
}
