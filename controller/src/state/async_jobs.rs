//! The jobs of a run: their names, and those of which what is kept on the node is to be removed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::message::{JobAsk, JobOrder, Order, Step};
use convoy_protocol::{Digest, Map, Origin};

use crate::schedule::engine::Engine;
use crate::services::endpoint::Endpoint;

/// The jobs of a run.
#[derive(Debug, Default)]
pub struct Jobs {
    /// How many jobs of a task on a host were begun.
    begun: RefCell<HashMap<String, u32>>,
    /// Jobs whose outcome is known here.
    known: RefCell<Vec<(Arc<Endpoint>, Order)>>,
}

impl Jobs {
    /// Returns the name of a job with this ticket; of one without, that of the next job of the task that stands there, on a
    /// host.
    ///
    /// It looks as Ansible's do.
    pub fn name(&self, run: &str, host: &str, task: &Origin, ticket: Option<u64>) -> Arc<str> {
        let text = match ticket {
            Some(ticket) => format!("{run}\nticket {ticket}"),
            None => {
                let place = format!("{run}\n{host}\n{task}");
                let mut begun = self.begun.borrow_mut();
                let count = begun.entry(place.clone()).or_default();
                *count += 1;
                format!("{place}\n{count}")
            }
        };
        let digest = Digest::of(text.as_bytes()).to_string();
        let number = |part: &str| u64::from_str_radix(part, 16).unwrap_or_default();
        let (first, second) = (number(&digest[..16]), number(&digest[16..24]));
        format!("j{:012}.{}", first % 1_000_000_000_000, second % 1_000_000).into()
    }

    /// Notes that the outcome of a job is known.
    pub fn know(&self, endpoint: &Arc<Endpoint>, order: Order) {
        self.known.borrow_mut().push((endpoint.clone(), order));
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

impl Engine {
    /// Removes what nodes keep of jobs whose results have been told. What cannot be removed now is removed by the node
    /// itself some day.
    pub async fn forget_jobs(&self) {
        let known = self.jobs.known.take();
        let forget = |(endpoint, order): (Arc<Endpoint>, Order)| async move {
            let step = Step { orders: vec![order] };
            self.connections.ask(&endpoint, vec![step], &self.reporter).await
        };
        for answer in futures::future::join_all(known.into_iter().map(forget)).await {
            if let Err(error) = answer {
                tracing::debug!(%error, "what is kept of a job is not removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_a_run_that_goes_the_same_way() {
        let tasks = [1, 2].map(|line| Origin { file: "site.yml".into(), line, column: 3 });
        let names = |run: &str| {
            let jobs = Jobs::default();
            let name =
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
