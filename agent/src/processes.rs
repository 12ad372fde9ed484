//! Processes of this node, as `/proc` tells of them.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};

/// Where a process stands among others.
struct Place {
    pid: Pid,
    parent: Option<Pid>,
    group: Option<Pid>,
    session: Option<Pid>,
}

fn place(pid: Pid) -> Option<Place> {
    let path = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let stat = fs::read_to_string(path.join("stat")).ok()?;
    // After the name, which may hold anything, in parentheses: state, parent, group, session.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(1);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).and_then(Pid::from_raw);
    Some(Place { pid, parent: number(), group: number(), session: number() })
}

fn all() -> impl Iterator<Item = Place> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| place(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?))
}

/// Kills what this process has started and what has not ended, with its process group; not what `spared` says, nor what
/// has a session of its own: a job.
pub(crate) fn kill_children(spared: impl Fn(Pid) -> bool) {
    let me = getpid();
    let session = place(me).and_then(|place| place.session);
    for child in all().filter(|place| place.parent == Some(me) && place.session == session) {
        if !spared(child.pid) {
            let kill = if child.group == Some(child.pid) { kill_process_group } else { kill_process };
            // It may have ended in this moment.
            kill(child.pid, Signal::KILL).ok();
        }
    }
}

/// Kills what is left of a session and has this variable in its environment: another process may have been given the
/// number of the session since.
pub(crate) fn kill_session(session: Pid, variable: &str) {
    for process in all().filter(|place| place.session == Some(session) && place.pid != getpid()) {
        let path = Path::new("/proc").join(process.pid.as_raw_nonzero().to_string());
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
            kill_process(process.pid, Signal::KILL).ok();
        }
    }
}
