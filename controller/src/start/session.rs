//! A run from the outside: the runtime it lives in, and what Ctrl-C means.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::Ending;
use crate::schedule::Scheduler;

/// Runs `work` with a scheduler and returns the exit code.
///
/// Ctrl-C once: the running step is finished, then it is said what was not done. Twice: the run ends at once; what nodes are doing
/// they finish by themselves.
///
/// # Errors
/// What is wrong in the user's files and shows only while running.
pub fn run(
    mut scheduler: Scheduler,
    work: impl AsyncFnOnce(&mut Scheduler) -> Result<Ending, Diagnostics>,
) -> Result<u8, Diagnostics> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| {
        Diagnostic::user(format!("cannot start the runtime: {error}")).kind(Kind::Internal)
    })?;
    let (services, requests) = (scheduler.services.clone(), scheduler.requests());
    let ending = runtime.block_on(async {
        let mut work = pin!(work(&mut scheduler));
        let mut interrupts = 0;
        // One for all of them: none is lost that comes while another is dealt with.
        let mut pressed = signal(SignalKind::interrupt()).map_err(|error| {
            Diagnostic::user(format!("cannot listen for Ctrl-C: {error}")).kind(Kind::Internal)
        })?;
        loop {
            tokio::select! {
                ending = &mut work => return ending,
                _ = pressed.recv() => {
                    if services.interrupts.pass_to_pause() {
                        continue;
                    }
                    interrupts += 1;
                    if interrupts > 1 {
                        services.connections.detach().await;
                        return Ok(Ending::Interrupted);
                    }
                    services.interrupts.interrupt();
                    services.connections.cancel();
                    requests.warn(
                        "interrupted: finishing the running step; press Ctrl-C again to leave at once",
                    );
                }
            }
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    scheduler.serve_pending();
    scheduler.end(&ending);
    let ending = ending?;
    match scheduler.fault() {
        // The reader has enough (`| head`): nothing more can be shown, and that is no failure of the run.
        Some(fault) if fault.kind() != io::ErrorKind::BrokenPipe => {
            Err(Diagnostic::user(format!("the run was carried out, but cannot be shown: {fault}")).into())
        }
        _ => Ok(ending.code()),
    }
}
