//! How hosts are reached: one link to each, opened with the first work and kept to the end of the run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::Outcome;
use convoy_protocol::lock::{Claim, Refusal};
use convoy_protocol::message::{Answer, Hello, Order, Step};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::sleep;

use crate::events::{RunEvent, Screen};
use crate::link::content::Contents;
use crate::link::{HeldLocks, Link, LinkControl, LinkError, Opening, Puller, local};
use crate::services::endpoint::Endpoint;
use crate::services::host_error::{self, HostError};
use crate::services::options::Options;
use crate::ssh::{self, Connector, Reason, Session, Target, Unreachable};
use crate::terminal::{Echo, Terminal};

/// After so many seconds without a sign of life a node, or the controller, is given up.
const SILENCE_SECONDS: u32 = 30;

/// A link with what it hangs on.
struct Connected {
    link: Link,
    session: Option<ssh::Session>,
    process: Option<ssh::Process>,
}

type Slot = Arc<Mutex<Option<Connected>>>;

/// How long is waited before each try to connect again to a host that was lost at work.
const RECONNECT: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// How often a passphrase may be wrong.
const PASSPHRASE_TRIES: usize = 3;

/// What is known of a node, from its first step to the end of the run.
#[derive(Default)]
struct Node {
    /// The link, while there is one.
    slot: Slot,
    /// What the links showed and were told of the node's lock; none if there was no link yet.
    entries: Option<Arc<HeldLocks>>,
    /// Why the run may not work there: the node is not asked again.
    refused: Option<String>,
    /// The tickets of orders whose outcomes are in the journal, so that the node need not keep them any longer.
    acknowledged: Vec<u64>,
    /// What speaks to the node while it is at work.
    aside: Option<LinkControl>,
}

/// The links of a run.
///
/// Shared by nature: tasks of several hosts open and use links at the same time, several of them the same one.
pub struct Connections {
    nodes: RefCell<HashMap<Endpoint, Node>>,
    connector: Connector,
    /// Encrypted keys whose passphrases were asked for, and whether they were opened.
    asked: Mutex<HashMap<PathBuf, bool>>,
    contents: Arc<Contents>,
    options: Options,
    forks: Semaphore,
    /// Round trips, bytes sent, bytes received of links that are closed.
    traffic: Cell<(u64, u64, u64)>,
    /// Hosts that have a connect timeout of their own, in seconds.
    timeouts: RefCell<HashMap<Arc<str>, u64>>,
}

impl Connections {
    /// Starts without any.
    pub fn new(options: &Options, contents: Arc<Contents>) -> Self {
        Self {
            nodes: RefCell::default(),
            connector: Connector::default(),
            asked: Mutex::default(),
            contents,
            options: options.clone(),
            forks: Semaphore::new(options.forks.max(1)),
            traffic: Cell::default(),
            timeouts: RefCell::default(),
        }
    }

    /// Changes what is known of a node.
    fn with_node<T>(&self, endpoint: &Endpoint, change: impl FnOnce(&mut Node) -> T) -> T {
        change(self.nodes.borrow_mut().entry(endpoint.clone()).or_default())
    }

    /// Sets the connect timeout of a host; `None` means that of the run.
    pub fn set_connect_timeout(&self, host: &Arc<str>, seconds: Option<u64>) {
        let mut timeouts = self.timeouts.borrow_mut();
        match seconds {
            Some(seconds) => timeouts.insert(host.clone(), seconds),
            None => timeouts.remove(host),
        };
    }

    /// Has steps done on a host that may be asked for again: if the connection is lost while they are, it is made again, and
    /// the agent says what came of them.
    ///
    /// # Errors
    /// Why the host cannot be reached, as the user sees it.
    pub async fn ask_once(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &dyn Screen,
    ) -> Result<Answer, HostError> {
        let mut pauses = RECONNECT.iter();
        let mut first: Option<String> = None;
        loop {
            let (why, may_pass) = match self.ask_told_apart(endpoint, steps.clone(), screen).await {
                Ok(answer) => return Ok(answer),
                Err(HostError::Disconnected(why)) => (why, true),
                Err(HostError::Unreachable(why)) => (why, first.is_some()),
                Err(refused @ HostError::Refused(_)) => return Err(refused),
            };
            let Some(pause) = pauses.next().filter(|_| may_pass) else {
                return Err(HostError::Unreachable(match first.filter(|first| *first != why) {
                    Some(first) => format!("{first}; and then: {why}"),
                    None => why,
                }));
            };
            if first.is_none() {
                let text = format!("{}: {why}: connecting again", endpoint.host);
                screen.show(RunEvent::Warning(text));
                first = Some(why);
            }
            sleep(*pause).await;
        }
    }

    /// Has steps done on a host, connecting first if there is no link yet: the first steps go out with the greeting.
    ///
    /// # Errors
    /// Why the host is lost, as the user sees it.
    pub async fn ask(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &dyn Screen,
    ) -> Result<Answer, HostError> {
        self.ask_told_apart(endpoint, steps, screen).await.map_err(HostError::plain)
    }

    /// Has one order done on a host.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_order(
        &self,
        endpoint: &Endpoint,
        order: Order,
        screen: &dyn Screen,
    ) -> Result<Outcome, HostError> {
        let answer = self.ask(endpoint, vec![Step { orders: vec![order] }], screen).await?;
        let outcome = answer.steps.into_iter().next().and_then(|mut outcomes| outcomes.pop());
        outcome.ok_or_else(|| "the agent answered nothing".to_owned().into())
    }

    /// As [`ask`](Self::ask), and distinguishes whether there was an agent.
    ///
    /// # Errors
    /// See [`Lost`].
    pub async fn ask_told_apart(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &dyn Screen,
    ) -> Result<Answer, HostError> {
        let slot = self.with_node(endpoint, |node| node.slot.clone());
        let _fork = self.forks.acquire().await.map_err(|error| HostError::Unreachable(error.to_string()))?;
        let mut connected = slot.lock().await;
        if let Some(why) = self.with_node(endpoint, |node| node.refused.clone()) {
            return Err(HostError::Refused(why));
        }
        let answer = match &*connected {
            Some(there) => {
                self.pass_on(endpoint, &there.link);
                there.link.request(steps).await
            }
            None => {
                let opened = self.open(endpoint, steps, screen).await.map_err(HostError::Unreachable)?;
                let there = connected.insert(opened);
                self.with_node(endpoint, |node| node.aside = Some(there.link.control()));
                there.link.first_answer().await.and_then(|answer| {
                    answer.ok_or_else(|| LinkError::Protocol("no answer to the first work".to_owned()))
                })
            }
        };
        self.report_lost_records(endpoint, screen);
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(LinkError::Refused(refusal)) => {
                self.count_traffic(connected.take().as_ref());
                return Err(HostError::Refused(self.refuse(endpoint, &refusal)));
            }
            Err(error) => error,
        };
        tracing::debug!(host = %endpoint.host, %error, "link lost");
        let lost = connected.take();
        let stderr = lost.as_ref().and_then(|lost| lost.process.as_ref()).map(ssh::Process::stderr_tail);
        self.count_traffic(lost.as_ref());
        let said = stderr.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let told = said.map_or_else(|| error.to_string(), |said| format!("{error}; it said: {said}"));
        let was_there = lost.is_some_and(|lost| lost.link.was_greeted());
        Err(if was_there && error.is_transient() {
            HostError::Disconnected(told)
        } else {
            HostError::Unreachable(told)
        })
    }

    /// Takes note that the run may not work on a host; returns what is said of it.
    fn refuse(&self, endpoint: &Endpoint, refusal: &Refusal) -> String {
        self.with_node(endpoint, |node| {
            let worked = node.entries.as_ref().is_some_and(|entries| entries.has_worked());
            let why = host_error::refusal(refusal, worked, self.options.command().as_deref());
            node.refused = Some(why.clone());
            why
        })
    }

    fn report_lost_records(&self, endpoint: &Endpoint, screen: &dyn Screen) {
        let lost =
            self.with_node(endpoint, |node| node.entries.as_ref().map(|entries| entries.take_damage()));
        for why in lost.into_iter().flatten() {
            let text = format!("{}: {}", endpoint.host, host_error::lost_record(&why));
            screen.show(RunEvent::Warning(text));
        }
    }

    /// Returns what is shown for the lock of a node, and where is noted what is told of it.
    fn entries(&self, endpoint: &Endpoint) -> (Arc<HeldLocks>, Option<Claim>) {
        let (returning, entries) = self.with_node(endpoint, |node| {
            let returning = node.entries.is_some();
            (returning, node.entries.get_or_insert_default().clone())
        });
        let is_locked = !endpoint.unlocked && !self.options.run.is_empty();
        let claim = is_locked.then(|| entries.claim(returning));
        (entries, claim)
    }

    /// Returns what takes content that a host's outcomes have offered; `None` if there is no link to it any more.
    pub async fn puller(&self, endpoint: &Endpoint) -> Option<Puller> {
        let slot = self.nodes.borrow().get(endpoint)?.slot.clone();
        let connected = slot.lock().await;
        connected.as_ref().map(|there| there.link.puller())
    }

    async fn open(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &dyn Screen,
    ) -> Result<Connected, String> {
        tracing::debug!(host = %endpoint.host, address = %endpoint.address, local = endpoint.local, "connecting");
        let (entries, claim) = self.entries(endpoint);
        let (run, by) = (self.options.run.clone(), self.options.by.clone());
        let records = self.options.records;
        let hello = Hello { run, by, claim, records, silence_seconds: SILENCE_SECONDS };
        let opening =
            Opening::new(hello, Some(steps)).map_err(|error| error.to_string())?.recording_locks(entries);
        if endpoint.local {
            let stream = local::start(&opening).map_err(|error| format!("cannot start sh: {error}"))?;
            let link = Link::open(stream, opening, self.contents.clone());
            return Ok(Connected { link, session: None, process: None });
        }
        let session = self.connect(endpoint, screen).await.map_err(|error| error.to_string())?;
        let running = session.exec(&opening.command()).await.map_err(|error| error.to_string())?;
        let link = Link::open(running.stream, opening, self.contents.clone());
        Ok(Connected { link, session: Some(session), process: Some(running.process) })
    }

    async fn connect(&self, endpoint: &Endpoint, screen: &dyn Screen) -> Result<Session, Unreachable> {
        let target = self.target(endpoint, screen).await?;
        loop {
            let error = match self.connector.connect(&target).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let Reason::Locked { files, .. } = error.root() else { return Err(error) };
            if target.batch {
                return Err(error);
            }
            let mut opened = false;
            for file in files {
                opened |= self.unlock(file, screen).await;
            }
            if !opened {
                return Err(error);
            }
        }
    }

    /// Returns where and how a host is reached; says once what of the user's ssh configuration is not honoured.
    ///
    /// # Errors
    /// If the ssh configuration cannot be followed.
    pub async fn target(&self, endpoint: &Endpoint, screen: &dyn Screen) -> Result<Target, Unreachable> {
        let timeout = self.timeouts.borrow().get(&endpoint.host).copied();
        let target = self.connector.target(&endpoint.wish(&self.options, timeout)).await;
        for text in self.connector.take_warnings() {
            screen.show(RunEvent::Warning(text));
        }
        target
    }

    /// Returns what makes connections.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Asks for a key's passphrase, once a run; returns whether the key is open.
    async fn unlock(&self, file: &Path, screen: &dyn Screen) -> bool {
        let mut asked = self.asked.lock().await;
        if let Some(opened) = asked.get(file) {
            return *opened;
        }
        screen.hide().await;
        let prompt = format!("Enter passphrase for key '{}': ", file.display());
        let mut opened = false;
        for _ in 0..PASSPHRASE_TRIES {
            let prompt = prompt.clone();
            let answer =
                tokio::task::spawn_blocking(move || Terminal::Controlling.ask(&prompt, Echo::Off)).await;
            match answer {
                // As in ssh, nothing is a way to go on without the key.
                Ok(Ok(passphrase)) if !passphrase.is_empty() => {
                    opened = self.connector.unlock(file, &passphrase);
                }
                _ => break,
            }
            if opened {
                break;
            }
        }
        asked.insert(file.to_owned(), opened);
        opened
    }

    /// Closes the links to a host; the next work opens one again.
    pub async fn reset(&self, host: &str) {
        for (endpoint, slot) in self.slots(|endpoint| *endpoint.host == *host) {
            self.leave(&endpoint, &slot).await;
        }
    }

    fn slots(&self, wanted: impl Fn(&Endpoint) -> bool) -> Vec<(Endpoint, Slot)> {
        let nodes = self.nodes.borrow();
        let wanted = nodes.iter().filter(|(endpoint, _)| wanted(endpoint));
        wanted.map(|(endpoint, node)| (endpoint.clone(), node.slot.clone())).collect()
    }

    /// Takes leave of all nodes; if the run is `finished` they need not keep anything of it.
    pub async fn close(&self, finished: bool) {
        let slots = self.slots(|_| true);
        for (_, slot) in slots.iter().filter(|_| finished) {
            if let Some(there) = &*slot.lock().await {
                there.link.forget();
            }
        }
        futures::future::join_all(slots.iter().map(|(endpoint, slot)| self.leave(endpoint, slot))).await;
        self.connector.close().await;
    }

    /// Notes that what came of an order is in the journal. The node is told when there is something else to say.
    pub fn acknowledge(&self, endpoint: &Endpoint, ticket: u64) {
        self.with_node(endpoint, |node| node.acknowledged.push(ticket));
    }

    fn pass_on(&self, endpoint: &Endpoint, link: &Link) {
        let tickets = self.with_node(endpoint, |node| std::mem::take(&mut node.acknowledged));
        if !tickets.is_empty() {
            link.acknowledge(tickets);
        }
    }

    /// Leaves in the middle of the work: nodes finish what they do.
    pub async fn detach(&self) {
        let asides: Vec<LinkControl> =
            self.nodes.borrow_mut().values_mut().filter_map(|node| node.aside.take()).collect();
        futures::future::join_all(asides.iter().map(LinkControl::detach)).await;
    }

    async fn leave(&self, endpoint: &Endpoint, slot: &Slot) {
        let Some(connected) = slot.lock().await.take() else { return };
        self.pass_on(endpoint, &connected.link);
        self.count_traffic(Some(&connected));
        connected.link.close().await;
        if let Some(session) = connected.session {
            session.close().await;
        }
    }

    fn count_traffic(&self, connected: Option<&Connected>) {
        let Some(connected) = connected else { return };
        let (trips, sent, received) = self.traffic.get();
        let (out, back) = connected.link.bytes();
        self.traffic.set((trips + connected.link.round_trips(), sent + out, received + back));
    }

    /// Asks all nodes to end what they look at ahead, so that their answers come soon.
    pub fn cancel(&self) {
        self.nodes.borrow().values().filter_map(|node| node.aside.as_ref()).for_each(LinkControl::cancel);
    }

    /// Returns round trips, bytes sent and bytes received of all links that are closed.
    pub fn traffic(&self) -> (u64, u64, u64) {
        self.traffic.get()
    }
}
