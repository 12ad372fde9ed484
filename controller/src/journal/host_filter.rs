//! Selects the events of a run that concern one host.

use std::sync::Arc;

use crate::events::RunEvent;

/// Returns the hosts that an event concerns; none if it concerns the run as a whole.
pub fn hosts_of(event: &RunEvent) -> Vec<&Arc<str>> {
    match event {
        RunEvent::Result(result) | RunEvent::Item(result) => vec![&result.host.name],
        RunEvent::Retry { host, .. } => vec![&host.name],
        RunEvent::Job(job) => vec![&job.host.name],
        RunEvent::Working { hosts } | RunEvent::Included { hosts, .. } => hosts.iter().collect(),
        RunEvent::Verbose { host, .. } => host.iter().collect(),
        RunEvent::Recap { hosts, .. } => hosts.iter().map(|(host, _)| host).collect(),
        _ => Vec::new(),
    }
}

/// Passes the events that concern one host and those that concern the run as a whole. The heading of a task passes only
/// if the host has a result of the task.
#[derive(Debug)]
pub struct HostFilter {
    host: Arc<str>,
    /// The heading of a task of which the host has no result yet.
    heading: Option<RunEvent>,
}

impl HostFilter {
    /// Returns a filter for this host.
    pub fn new(host: &str) -> Self {
        Self { host: host.into(), heading: None }
    }

    /// Returns what to show for an event: nothing, the event reduced to the host, or the pending heading and the event.
    pub fn filter(&mut self, mut event: RunEvent) -> Vec<RunEvent> {
        let hosts = hosts_of(&event);
        if !hosts.is_empty() && !hosts.contains(&&self.host) {
            return Vec::new();
        }
        match &mut event {
            RunEvent::TaskStart { .. } => {
                self.heading = Some(event);
                return Vec::new();
            }
            RunEvent::PlayStart { .. } => self.heading = None,
            RunEvent::Working { hosts } | RunEvent::Included { hosts, .. } => {
                hosts.retain(|host| *host == self.host);
            }
            RunEvent::Recap { hosts, .. } => hosts.retain(|(host, _)| *host == self.host),
            _ => {}
        }
        let needs_heading = matches!(
            event,
            RunEvent::Result(_)
                | RunEvent::Item(_)
                | RunEvent::Retry { .. }
                | RunEvent::Job(_)
                | RunEvent::Working { .. }
                | RunEvent::Included { .. }
        );
        self.heading.take_if(|_| needs_heading).into_iter().chain([event]).collect()
    }
}
