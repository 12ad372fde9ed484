//! The events of a run that are about one host.

use std::sync::Arc;

use crate::events::RunEvent;

/// Lets through what is about one host: headings of tasks only where it has a result, and what is about no host.
#[derive(Debug)]
pub struct OfHost {
    host: Arc<str>,
    /// The heading that waits for a result.
    heading: Option<RunEvent>,
}

impl OfHost {
    /// Makes one for a host.
    pub fn new(host: &str) -> Self {
        Self { host: host.into(), heading: None }
    }

    /// Returns the hosts that an event is about.
    pub fn hosts(event: &RunEvent) -> Vec<&Arc<str>> {
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

    /// Returns what is to be shown of an event, after a heading that waited for it.
    pub fn take(&mut self, mut event: RunEvent) -> Vec<RunEvent> {
        let about = Self::hosts(&event);
        let ours = about.contains(&&self.host);
        if !ours && !about.is_empty() {
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
        let heads = matches!(
            event,
            RunEvent::Result(_)
                | RunEvent::Item(_)
                | RunEvent::Retry { .. }
                | RunEvent::Job(_)
                | RunEvent::Working { .. }
                | RunEvent::Included { .. }
        );
        self.heading.take_if(|_| heads).into_iter().chain([event]).collect()
    }
}
