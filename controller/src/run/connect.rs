//! How hosts are reached: one link to each, opened with the first work and kept to the end of the run.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use convoy_agent::args::Arg;
use convoy_protocol::Value;
use convoy_protocol::message::{Answer, Hello, Step};
use tokio::sync::{Mutex, Semaphore};

use super::job::View;
use super::options::Options;
use crate::link::content::Contents;
use crate::link::{Link, LinkError, Opening, Puller, local};
use crate::paths::expand_user;
use crate::settings::Settings;
use crate::ssh::{self, HostKeyChecking, Target};
use crate::template::Error;

/// After so many seconds without a sign of life a node, or the controller, is given up.
const SILENCE_SECONDS: u32 = 30;

/// How one host is reached. Two tasks that reach it in the same way share one link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The name in the inventory.
    pub host: Arc<str>,
    /// Not by SSH, but on this machine.
    pub local: bool,
    /// `ansible_host`.
    pub address: String,
    /// `ansible_port`.
    pub port: Option<u16>,
    /// `ansible_user`.
    pub user: Option<String>,
    /// `ansible_password`.
    pub password: Option<String>,
    /// `ansible_ssh_private_key_file`.
    pub key: Option<PathBuf>,
    /// Options of `ansible_ssh_common_args` and its like.
    pub ssh: SshOptions,
}

/// The options of `ssh -o` that can be honoured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SshOptions {
    /// `UserKnownHostsFile`.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// `StrictHostKeyChecking`; `None`: as the run's options say.
    pub checking: Option<Checking>,
    /// `IdentitiesOnly`.
    pub identities_only: bool,
}

/// `StrictHostKeyChecking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checking {
    /// `yes` and `ask`.
    Strict,
    /// `accept-new`.
    AcceptNew,
    /// `no` and `off`.
    Off,
}

impl Endpoint {
    /// Reads how `host` is reached from the variables of `view`.
    ///
    /// # Errors
    /// If a variable cannot be rendered or is of the wrong type, or names a connection that convoy does not have.
    pub fn of(host: &Arc<str>, view: View<'_>) -> Result<Self, Error> {
        let keywords = &view.task.keywords;
        let options = &view.engine.options;
        let text = |names: &[&str]| -> Result<Option<String>, Error> {
            let Some(value) = names.iter().find_map(|name| view.scope.raw(name)) else { return Ok(None) };
            Ok(Some(crate::python::str(&view.render(&value)?)))
        };
        let keyword = |value: &Option<Value>| -> Result<Option<String>, Error> {
            value.as_ref().map(|value| Ok(crate::python::str(&view.render(value)?))).transpose()
        };
        let connection = match text(&["ansible_connection"])? {
            Some(connection) => Some(connection),
            None => keyword(&keywords.connection)?.or_else(|| options.connection.clone()),
        };
        let implicit =
            || if &**host == "localhost" && !view.engine.knows(host) { "local" } else { "ssh" }.to_owned();
        let local = match connection.unwrap_or_else(implicit).rsplit('.').next() {
            Some("local") => true,
            Some("ssh" | "smart" | "paramiko" | "paramiko_ssh") => false,
            other => {
                let other = other.unwrap_or_default();
                return Err(Error::other(format!(
                    "connection `{other}` is not supported: there are ssh and local"
                )));
            }
        };
        if local {
            return Ok(Self { host: host.clone(), local, ..Self::default() });
        }
        let port = match text(&["ansible_port", "ansible_ssh_port"])? {
            Some(port) => Some(port),
            None => keyword(&keywords.port)?,
        };
        let user = match text(&["ansible_user", "ansible_ssh_user"])? {
            Some(user) => Some(user),
            None => keyword(&keywords.remote_user)?.or_else(|| options.remote_user.clone()),
        };
        let key = text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?;
        Ok(Self {
            host: host.clone(),
            local,
            address: text(&["ansible_host", "ansible_ssh_host"])?.unwrap_or_else(|| host.to_string()),
            port: port.map(|port| number(&port)).transpose()?.or(options.settings.remote_port),
            user,
            password: text(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?,
            key: key.map(|key| expand_user(&key)).or_else(|| options.private_key.clone()),
            ssh: ssh_options(&text, &options.settings)?,
        })
    }

    fn target(&self, options: &Options) -> Target {
        let mut target = Target::new(&*self.host, &*self.address);
        target.port = self.port.unwrap_or(target.port);
        target.user = self.user.clone();
        target.password = self.password.clone();
        target.identity_files = self.key.iter().cloned().collect();
        target.identities_only = self.ssh.identities_only;
        target.known_hosts = self.ssh.known_hosts.clone();
        let default = if options.host_key_checking { Checking::Strict } else { Checking::Off };
        target.host_key_checking = match self.ssh.checking.unwrap_or(default) {
            Checking::Strict => HostKeyChecking::Strict,
            Checking::AcceptNew => HostKeyChecking::AcceptNew,
            Checking::Off => HostKeyChecking::Off,
        };
        target.connect_timeout = Duration::from_secs(options.timeout_seconds.max(1));
        target
    }
}

fn number(port: &str) -> Result<u16, Error> {
    let number = i64::convert(&port.into()).ok().and_then(|port| u16::try_from(port).ok());
    number.ok_or_else(|| Error::other(format!("ansible_port must be a port number, not `{port}`")))
}

/// Looks up the first of several variables that is set, as text.
type Lookup<'a> = &'a dyn Fn(&[&str]) -> Result<Option<String>, Error>;

/// Reads `-o` options from the variables in which Ansible has them; one that cannot be honoured is an error, not
/// dropped.
fn ssh_options(text: Lookup<'_>, settings: &Settings) -> Result<SshOptions, Error> {
    let mut options = SshOptions::default();
    if let Some(checking) = text(&["ansible_ssh_host_key_checking", "ansible_host_key_checking"])? {
        let check = bool::convert(&checking.as_str().into()).map_err(Error::other)?;
        options.checking = Some(if check { Checking::Strict } else { Checking::Off });
    }
    for (name, set) in [
        ("ansible_ssh_common_args", &settings.ssh_common_args),
        ("ansible_ssh_extra_args", &settings.ssh_extra_args),
        ("ansible_ssh_args", &settings.ssh_args),
    ] {
        let Some(args) = text(&[name])?.or_else(|| set.clone()) else { continue };
        let mut words = args.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
        while let Some(word) = words.next() {
            let option = match word.strip_prefix("-o") {
                Some("") => words.next().unwrap_or_default(),
                Some(option) => option,
                // Compression costs more than it gains between agents; everybody's `ssh_args` begin with it.
                None if word == "-C" => continue,
                None => {
                    return Err(Error::other(format!(
                        "{name}: `{word}` is not supported: only `-o` options are"
                    )));
                }
            };
            options.set(name, option)?;
        }
    }
    Ok(options)
}

impl SshOptions {
    fn set(&mut self, variable: &str, option: &str) -> Result<(), Error> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name.to_lowercase().as_str(), value) {
            ("stricthostkeychecking", "yes" | "ask") => self.checking = Some(Checking::Strict),
            ("stricthostkeychecking", "accept-new") => self.checking = Some(Checking::AcceptNew),
            ("stricthostkeychecking", "no" | "off") => self.checking = Some(Checking::Off),
            ("userknownhostsfile", files) => {
                self.known_hosts = Some(files.split(' ').map(expand_user).collect());
            }
            ("identitiesonly", value) => self.identities_only = value == "yes",
            // One connection is kept for the whole run as it is.
            ("controlmaster" | "controlpersist" | "controlpath", _) => {}
            _ => return Err(Error::other(format!("{variable}: option `{option}` is not supported"))),
        }
        Ok(())
    }
}

/// A link with what it hangs on.
struct Connected {
    link: Link,
    session: Option<ssh::Session>,
    process: Option<ssh::Process>,
}

type Slot = Arc<Mutex<Option<Connected>>>;

/// The links of a run.
pub struct Connections {
    slots: RefCell<HashMap<Endpoint, Slot>>,
    contents: Arc<Contents>,
    options: Options,
    forks: Semaphore,
    /// Round trips, bytes sent, bytes received of links that are closed.
    traffic: Cell<(u64, u64, u64)>,
}

impl Connections {
    /// Starts without any.
    pub fn new(options: &Options, contents: Arc<Contents>) -> Self {
        Self {
            slots: RefCell::default(),
            contents,
            options: options.clone(),
            forks: Semaphore::new(options.forks.max(1)),
            traffic: Cell::default(),
        }
    }

    /// Has steps done on a host, connecting first if there is no link yet: the first steps go out with the greeting.
    ///
    /// # Errors
    /// Why the host cannot be reached, as the user sees it.
    pub async fn ask(&self, endpoint: &Endpoint, steps: Vec<Step>) -> Result<Answer, String> {
        let slot = self.slots.borrow_mut().entry(endpoint.clone()).or_default().clone();
        let _fork = self.forks.acquire().await.map_err(|error| error.to_string())?;
        let mut connected = slot.lock().await;
        let answer = match &*connected {
            Some(there) => there.link.ask(steps).await,
            None => {
                let there = connected.insert(self.open(endpoint, steps).await?);
                there.link.first().await.and_then(|answer| {
                    answer.ok_or_else(|| LinkError::Nonsense("no answer to the first work".to_owned()))
                })
            }
        };
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                tracing::debug!(host = %endpoint.host, %error, "link lost");
                let lost = connected.take();
                let stderr =
                    lost.as_ref().and_then(|lost| lost.process.as_ref()).map(ssh::Process::stderr_tail);
                self.note(lost.as_ref());
                let said = stderr.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                Err(said.map_or_else(|| error.to_string(), |said| format!("{error}; it said: {said}")))
            }
        }
    }

    /// Returns what takes content that a host's outcomes have offered; `None` if there is no link to it any more.
    pub async fn puller(&self, endpoint: &Endpoint) -> Option<Puller> {
        let slot = self.slots.borrow().get(endpoint)?.clone();
        let connected = slot.lock().await;
        connected.as_ref().map(|there| there.link.puller())
    }

    async fn open(&self, endpoint: &Endpoint, steps: Vec<Step>) -> Result<Connected, String> {
        tracing::debug!(host = %endpoint.host, address = %endpoint.address, local = endpoint.local, "connecting");
        let hello = Hello { run: self.options.run.clone(), silence_seconds: SILENCE_SECONDS };
        let opening = Opening::new(hello, Some(steps)).map_err(|error| error.to_string())?;
        if endpoint.local {
            let stream = local::start(&opening).map_err(|error| format!("cannot start sh: {error}"))?;
            let link = Link::open(stream, opening, self.contents.clone());
            return Ok(Connected { link, session: None, process: None });
        }
        let session =
            ssh::connect(&endpoint.target(&self.options)).await.map_err(|error| error.to_string())?;
        let running = session.exec(&opening.command()).await.map_err(|error| error.to_string())?;
        let link = Link::open(running.stream, opening, self.contents.clone());
        Ok(Connected { link, session: Some(session), process: Some(running.process) })
    }

    /// Closes the links to a host; the next work opens one again.
    pub async fn reset(&self, host: &str) {
        let slots: Vec<Slot> = self
            .slots
            .borrow()
            .iter()
            .filter(|(endpoint, _)| *endpoint.host == *host)
            .map(|(_, slot)| slot.clone())
            .collect();
        for slot in slots {
            self.leave(&slot).await;
        }
    }

    /// Takes leave of all nodes.
    pub async fn close(&self) {
        let slots: Vec<Slot> = self.slots.borrow_mut().drain().map(|(_, slot)| slot).collect();
        futures::future::join_all(slots.iter().map(|slot| self.leave(slot))).await;
    }

    async fn leave(&self, slot: &Slot) {
        let Some(connected) = slot.lock().await.take() else { return };
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
        for slot in self.slots.borrow().values() {
            if let Some(link) =
                slot.try_lock().ok().as_ref().and_then(|slot| slot.as_ref()).map(|there| &there.link)
            {
                link.cancel();
            }
        }
    }

    /// Returns round trips, bytes sent and bytes received of all links that are closed.
    pub fn traffic(&self) -> (u64, u64, u64) {
        self.traffic.get()
    }
}
