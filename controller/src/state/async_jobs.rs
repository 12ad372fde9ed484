//! The asynchronous jobs of a run: their names, and what their nodes no longer need to keep.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::message::{JobAsk, JobOrder, Order};
use convoy_protocol::{Digest, Map, Origin};

use crate::services::endpoint::Endpoint;

/// The jobs of a run.
#[derive(Debug, Default)]
pub struct AsyncJobs {
    /// How many jobs of a task on a host were started.
    started: HashMap<String, u32>,
    /// Jobs whose outcome is known here: what their nodes keep of them is to be removed.
    finished: Vec<(Arc<Endpoint>, Order)>,
}

impl AsyncJobs {
    /// Returns the name of a job with this ticket; of one without, that of the next job of the task that stands there, on a
    /// host.
    ///
    /// It looks as Ansible's do.
    pub fn name(&mut self, run: &str, host: &str, task: &Origin, ticket: Option<u64>) -> Arc<str> {
        let text = match ticket {
            Some(ticket) => format!("{run}\nticket {ticket}"),
            None => {
                let place = format!("{run}\n{host}\n{task}");
                let count = self.started.entry(place.clone()).or_default();
                *count += 1;
                format!("{place}\n{count}")
            }
        };
        let digest = Digest::of(text.as_bytes()).to_string();
        let number = |part: &str| u64::from_str_radix(part, 16).unwrap_or_default();
        let (first, second) = (number(&digest[..16]), number(&digest[16..24]));
        format!("j{:012}.{}", first % 1_000_000_000_000, second % 1_000_000).into()
    }

    /// Notes that the outcome of a job is known here.
    pub fn finish(&mut self, endpoint: &Arc<Endpoint>, order: Order) {
        self.finished.push((endpoint.clone(), order));
    }

    /// Returns what removes from the nodes what they keep of finished jobs, each once.
    pub fn take_finished(&mut self) -> Vec<(Arc<Endpoint>, Order)> {
        std::mem::take(&mut self.finished)
    }
}

/// Returns an order that asks something of a job, as the user who began it.
pub fn about(order: &Order, id: &Arc<str>, ask: JobAsk) -> Order {
    Order {
        become_user: order.become_user.clone(),
        job: Some(JobOrder { id: id.clone(), ask }),
        ..Order::new(order.module.clone(), Map::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_a_run_that_goes_the_same_way() {
        let tasks = [1, 2].map(|line| Origin { file: "site.yml".into(), line, column: 3 });
        let names = |run: &str| {
            let mut jobs = AsyncJobs::default();
            let mut name =
                |host: &str, task: usize, ticket| jobs.name(run, host, &tasks[task], ticket).to_string();
            assert_eq!(name("a", 0, Some(7)), name("b", 1, Some(7)));
            [
                name("a", 0, None),
                name("a", 0, None),
                name("b", 0, None),
                name("a", 1, None),
                name("a", 0, Some(7)),
            ]
        };
        let mut all = names("r1").to_vec();
        assert_eq!(names("r1"), all[..]);
        all.extend(names("r2"));
        for name in &all {
            let (first, second) = name.strip_prefix('j').and_then(|rest| rest.split_once('.')).unwrap();
            assert!(
                first.len() == 12 && first.parse::<u64>().is_ok() && second.parse::<u32>().is_ok(),
                "{name}"
            );
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 10);
    }
}
