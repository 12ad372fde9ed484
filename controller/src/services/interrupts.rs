//! Ctrl-C, as the tasks in progress see it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// What the user has interrupted.
///
/// Shared state by nature: the signal arrives while tasks execute, and each of them looks here before it starts another step or
/// while it waits.
#[derive(Debug, Default)]
pub struct Interrupts {
    interrupted: AtomicBool,
    /// A task waits for the user: Ctrl-C is meant for that task.
    pausing: AtomicBool,
    pressed: Notify,
}

impl Interrupts {
    /// Returns whether the user has interrupted the run: no further step is started.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Interrupts the run.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Directs the next Ctrl-C to a task that waits for the user, until [`stop_pausing`](Self::stop_pausing).
    pub fn start_pausing(&self) {
        self.pausing.store(true, Ordering::Relaxed);
    }

    /// Directs Ctrl-C to the run again.
    pub fn stop_pausing(&self) {
        self.pausing.store(false, Ordering::Relaxed);
    }

    /// Passes a Ctrl-C to the task that waits for the user. Returns whether there is one.
    pub fn pass_to_pause(&self) -> bool {
        let pausing = self.pausing.load(Ordering::Relaxed);
        if pausing {
            self.pressed.notify_one();
        }
        pausing
    }

    /// Waits for a Ctrl-C that is passed to the task that waits for the user.
    pub async fn pressed(&self) {
        self.pressed.notified().await;
    }
}
