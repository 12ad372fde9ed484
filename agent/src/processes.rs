//! The node's processes, as listed in `/proc`.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};

/// A process and its relations to others.
struct ProcessEntry {
    pid: Pid,
    parent: Option<Pid>,
    group: Option<Pid>,
    session: Option<Pid>,
}

fn entry(pid: Pid) -> Option<ProcessEntry> {
    let path = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let stat = fs::read_to_string(path.join("stat")).ok()?;
    // The fields after the name, which is in parentheses and may contain anything: state, parent, group, session.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(1);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).and_then(Pid::from_raw);
    Some(ProcessEntry { pid, parent: number(), group: number(), session: number() })
}

fn all() -> impl Iterator<Item = ProcessEntry> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| entry(Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?))
}

/// Kills the running children of this process with their process groups, except those that `spare` selects and those in
/// a session of their own, which are asynchronous jobs.
pub(crate) fn kill_children(spare: impl Fn(Pid) -> bool) {
    let me = getpid();
    let session = entry(me).and_then(|entry| entry.session);
    for child in all().filter(|entry| entry.parent == Some(me) && entry.session == session) {
        if !spare(child.pid) {
            let kill = if child.group == Some(child.pid) { kill_process_group } else { kill_process };
            // It may just have ended.
            kill(child.pid, Signal::KILL).ok();
        }
    }
}

/// Kills the processes of a session that have `variable` in their environment. The check is needed because the session ID
/// may have been reused.
pub(crate) fn kill_session(session: Pid, variable: &str) {
    for process in all().filter(|entry| entry.session == Some(session) && entry.pid != getpid()) {
        let path = Path::new("/proc").join(process.pid.as_raw_nonzero().to_string());
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
            kill_process(process.pid, Signal::KILL).ok();
        }
    }
}
