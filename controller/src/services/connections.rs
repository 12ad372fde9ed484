//! How hosts are reached: one link to each, opened with the first work and kept to the end of the run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use convoy_protocol::lock::{Claim, Refusal};
use convoy_protocol::message::{Answer, Hello, Step};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::sleep;

use crate::events::{Reporter, RunEvent};
use crate::link::content::Contents;
use crate::link::{HeldLocks, Link, LinkControl, LinkError, Opening, Puller, local};
use crate::services::endpoint::Endpoint;
use crate::services::host_error::{self, Lost};
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

/// Where the run is told, and what is hidden while the user is asked.
pub type Screen = RefCell<Box<dyn Reporter>>;

/// How long is waited before each try to connect again to a host that was lost at work.
const RECONNECT: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// How often a passphrase may be wrong.
const PASSPHRASE_TRIES: usize = 3;

/// The links of a run.
pub struct Connections {
    slots: RefCell<HashMap<Endpoint, Slot>>,
    connector: Connector,
    /// Encrypted keys that were asked for, and whether they were opened.
    asked: Mutex<HashMap<PathBuf, bool>>,
    contents: Arc<Contents>,
    options: Options,
    forks: Semaphore,
    /// Round trips, bytes sent, bytes received of links that are closed.
    traffic: Cell<(u64, u64, u64)>,
    /// What each link showed and was told of the lock of its node; of nodes that had no link there is none.
    entries: RefCell<HashMap<Endpoint, Arc<HeldLocks>>>,
    /// Hosts on which the run may not work, and what is said of that: they are not asked again.
    refused: RefCell<HashMap<Endpoint, String>>,
    /// Hosts that are given another time to connect, in seconds.
    patience: RefCell<HashMap<Arc<str>, u64>>,
    /// What came of orders, and need not be kept by the nodes any longer: the tickets.
    noted: RefCell<HashMap<Endpoint, Vec<u64>>>,
    /// What speaks to nodes that are at work.
    asides: RefCell<HashMap<Endpoint, LinkControl>>,
}

impl Connections {
    /// Starts without any.
    pub fn new(options: &Options, contents: Arc<Contents>) -> Self {
        Self {
            slots: RefCell::default(),
            connector: Connector::default(),
            asked: Mutex::default(),
            contents,
            options: options.clone(),
            forks: Semaphore::new(options.forks.max(1)),
            traffic: Cell::default(),
            entries: RefCell::default(),
            refused: RefCell::default(),
            patience: RefCell::default(),
            noted: RefCell::default(),
            asides: RefCell::default(),
        }
    }

    /// Gives a host another time to connect; with `None`, that of the run.
    pub fn set_patience(&self, host: &Arc<str>, seconds: Option<u64>) {
        let mut all = self.patience.borrow_mut();
        match seconds {
            Some(seconds) => all.insert(host.clone(), seconds),
            None => all.remove(host),
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
        screen: &Screen,
    ) -> Result<Answer, Lost> {
        let mut pauses = RECONNECT.iter();
        let mut first: Option<String> = None;
        loop {
            let (why, may_pass) = match self.ask_told_apart(endpoint, steps.clone(), screen).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Cut(why)) => (why, true),
                Err(Lost::Unreachable(why)) => (why, first.is_some()),
                Err(refused @ Lost::Refused(_)) => return Err(refused),
            };
            let Some(pause) = pauses.next().filter(|_| may_pass) else {
                return Err(Lost::Unreachable(match first.filter(|first| *first != why) {
                    Some(first) => format!("{first}; and then: {why}"),
                    None => why,
                }));
            };
            if first.is_none() {
                let text = format!("{}: {why}: connecting again", endpoint.host);
                screen.borrow_mut().event(&RunEvent::Warning(text));
                first = Some(why);
            }
            sleep(*pause).await;
        }
    }

    /// Has steps done on a host, connecting first if there is no link yet: the first steps go out with the greeting.
    ///
    /// # Errors
    /// Why the host is lost, as the user sees it.
    pub async fn ask(&self, endpoint: &Endpoint, steps: Vec<Step>, screen: &Screen) -> Result<Answer, Lost> {
        self.ask_told_apart(endpoint, steps, screen).await.map_err(Lost::plain)
    }

    /// As [`ask`](Self::ask), and tells apart whether there was an agent.
    ///
    /// # Errors
    /// See [`Lost`].
    pub async fn ask_told_apart(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &Screen,
    ) -> Result<Answer, Lost> {
        let slot = self.slots.borrow_mut().entry(endpoint.clone()).or_default().clone();
        let _fork = self.forks.acquire().await.map_err(|error| Lost::Unreachable(error.to_string()))?;
        let mut connected = slot.lock().await;
        if let Some(why) = self.refused.borrow().get(endpoint) {
            return Err(Lost::Refused(why.clone()));
        }
        let answer = match &*connected {
            Some(there) => {
                self.pass_on(endpoint, &there.link);
                there.link.request(steps).await
            }
            None => {
                let opened = self.open(endpoint, steps, screen).await.map_err(Lost::Unreachable)?;
                let there = connected.insert(opened);
                self.asides.borrow_mut().insert(endpoint.clone(), there.link.control());
                there.link.first_answer().await.and_then(|answer| {
                    answer.ok_or_else(|| LinkError::Protocol("no answer to the first work".to_owned()))
                })
            }
        };
        self.tell_lost_records(endpoint, screen);
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(LinkError::Refused(refusal)) => {
                self.note(connected.take().as_ref());
                return Err(Lost::Refused(self.refuse(endpoint, &refusal)));
            }
            Err(error) => error,
        };
        tracing::debug!(host = %endpoint.host, %error, "link lost");
        let lost = connected.take();
        let stderr = lost.as_ref().and_then(|lost| lost.process.as_ref()).map(ssh::Process::stderr_tail);
        self.note(lost.as_ref());
        let said = stderr.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let told = said.map_or_else(|| error.to_string(), |said| format!("{error}; it said: {said}"));
        let was_there = lost.is_some_and(|lost| lost.link.was_greeted());
        Err(if was_there && error.is_transient() { Lost::Cut(told) } else { Lost::Unreachable(told) })
    }

    /// Takes note that the run may not work on a host; returns what is said of it.
    fn refuse(&self, endpoint: &Endpoint, refusal: &Refusal) -> String {
        let worked = self.entries.borrow().get(endpoint).is_some_and(|entries| entries.has_worked());
        let why = host_error::refusal(refusal, worked, self.options.command().as_deref());
        self.refused.borrow_mut().insert(endpoint.clone(), why.clone());
        why
    }

    fn tell_lost_records(&self, endpoint: &Endpoint, screen: &Screen) {
        let lost = self.entries.borrow().get(endpoint).map(|entries| entries.take_damage());
        for why in lost.into_iter().flatten() {
            let text = format!("{}: {}", endpoint.host, host_error::lost_record(&why));
            screen.borrow_mut().event(&RunEvent::Warning(text));
        }
    }

    /// Returns what is shown for the lock of a node, and where is noted what is told of it.
    fn entries(&self, endpoint: &Endpoint) -> (Arc<HeldLocks>, Option<Claim>) {
        let mut all = self.entries.borrow_mut();
        let returning = all.contains_key(endpoint);
        let entries = all.entry(endpoint.clone()).or_default().clone();
        let is_locked = !endpoint.unlocked && !self.options.run.is_empty();
        let claim = is_locked.then(|| entries.claim(returning));
        (entries, claim)
    }

    /// Returns what takes content that a host's outcomes have offered; `None` if there is no link to it any more.
    pub async fn puller(&self, endpoint: &Endpoint) -> Option<Puller> {
        let slot = self.slots.borrow().get(endpoint)?.clone();
        let connected = slot.lock().await;
        connected.as_ref().map(|there| there.link.puller())
    }

    async fn open(
        &self,
        endpoint: &Endpoint,
        steps: Vec<Step>,
        screen: &Screen,
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

    async fn connect(&self, endpoint: &Endpoint, screen: &Screen) -> Result<Session, Unreachable> {
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
    pub async fn target(&self, endpoint: &Endpoint, screen: &Screen) -> Result<Target, Unreachable> {
        let patience = self.patience.borrow().get(&endpoint.host).copied();
        let target = self.connector.target(&endpoint.wish(&self.options, patience)).await;
        for text in self.connector.take_warnings() {
            screen.borrow_mut().event(&RunEvent::Warning(text));
        }
        target
    }

    /// Returns what makes connections.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Asks for a key's passphrase, once a run; returns whether the key is open.
    async fn unlock(&self, file: &Path, screen: &Screen) -> bool {
        let mut asked = self.asked.lock().await;
        if let Some(opened) = asked.get(file) {
            return *opened;
        }
        screen.borrow_mut().hide();
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
        let slots: Vec<(Endpoint, Slot)> = self
            .slots
            .borrow()
            .iter()
            .filter(|(endpoint, _)| *endpoint.host == *host)
            .map(|(endpoint, slot)| (endpoint.clone(), slot.clone()))
            .collect();
        for (endpoint, slot) in slots {
            self.leave(&endpoint, &slot).await;
        }
    }

    /// Takes leave of all nodes; if the run is `finished` they need not keep anything of it.
    pub async fn close(&self, finished: bool) {
        let slots: Vec<(Endpoint, Slot)> = self.slots.borrow_mut().drain().collect();
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
        self.noted.borrow_mut().entry(endpoint.clone()).or_default().push(ticket);
    }

    fn pass_on(&self, endpoint: &Endpoint, link: &Link) {
        if let Some(tickets) = self.noted.borrow_mut().remove(endpoint) {
            link.acknowledge(tickets);
        }
    }

    /// Leaves in the middle of the work: nodes finish what they do.
    pub async fn detach(&self) {
        let asides = self.asides.take();
        futures::future::join_all(asides.values().map(LinkControl::detach)).await;
    }

    async fn leave(&self, endpoint: &Endpoint, slot: &Slot) {
        let Some(connected) = slot.lock().await.take() else { return };
        self.pass_on(endpoint, &connected.link);
        self.note(Some(&connected));
        connected.link.close().await;
        if let Some(session) = connected.session {
            session.close().await;
        }
    }

    fn note(&self, connected: Option<&Connected>) {
        let Some(connected) = connected else { return };
        let (trips, sent, received) = self.traffic.get();
        let (out, back) = connected.link.bytes();
        self.traffic.set((trips + connected.link.round_trips(), sent + out, received + back));
    }

    /// Asks all nodes to end what they look at ahead, so that their answers come soon.
    pub fn cancel(&self) {
        self.asides.borrow().values().for_each(LinkControl::cancel);
    }

    /// Returns round trips, bytes sent and bytes received of all links that are closed.
    pub fn traffic(&self) -> (u64, u64, u64) {
        self.traffic.get()
    }
}
