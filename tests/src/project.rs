//! A project to run `convoy` in: playbooks, an inventory, an empty `HOME`, and nodes. Nothing of the user's is read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::machine::SystemdMachine;
use crate::program::{self, RunOutput};
use crate::proxy::Proxy;
use crate::sshd::{ClientKey, Sshd, SshdOptions};

/// A directory with playbooks, an inventory, and an empty `HOME`.
///
/// Everything is below one temporary directory, which normalized output shows as `[folder]`.
pub struct Project {
    dir: TempDir,
    key: ClientKey,
    /// Texts that differ from run to run, and what normalized output shows instead.
    substitutions: RefCell<Vec<(String, String)>>,
}

/// A node: sshd with a `HOME` of its own.
pub struct Node {
    /// The server.
    pub sshd: Sshd,
    /// The directory in which tests write: `{{ place }}` in playbooks.
    pub place: PathBuf,
    /// The `HOME` of the login user.
    pub home: PathBuf,
}

impl Project {
    /// Creates an empty project.
    ///
    /// # Errors
    /// If its directory or its key cannot be created.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        for name in ["home/.ssh", "site", "nodes"] {
            fs::create_dir_all(dir.path().join(name))?;
        }
        let key = ClientKey::generate(dir.path(), "ed25519")?;
        let substitutions = vec![
            (program::convoy().display().to_string(), "convoy".to_owned()),
            (dir.path().display().to_string(), "[folder]".to_owned()),
        ];
        Ok(Self { dir, key, substitutions: RefCell::new(substitutions) })
    }

    /// Returns the path of a file in the directory of the playbooks.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("site").join(name)
    }

    /// Returns the `HOME` of the command, which is empty at first.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Returns the key that nodes accept.
    pub fn key(&self) -> &ClientKey {
        &self.key
    }

    /// Writes a file beside the playbooks, creating directories as needed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<&Self> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, content)?;
        Ok(self)
    }

    /// Appends a line to the inventory `hosts`.
    ///
    /// # Errors
    /// If the inventory cannot be written.
    pub fn host(&self, line: &str) -> io::Result<&Self> {
        append(&self.path("hosts"), &format!("{line}\n"))?;
        Ok(self)
    }

    /// Replaces `text` by `placeholder` in normalized output.
    pub fn substitute(&self, text: impl Into<String>, placeholder: impl Into<String>) {
        self.substitutions.borrow_mut().push((text.into(), placeholder.into()));
    }

    /// Starts a node that the command can log in to and adds it to the inventory under this name.
    ///
    /// # Errors
    /// If sshd does not start.
    pub fn node(&self, name: &str) -> io::Result<Node> {
        self.node_with(name, SshdOptions::new(&self.key))
    }

    /// Starts a node with these options and adds it to the inventory under this name.
    ///
    /// # Errors
    /// If sshd does not start.
    pub fn node_with(&self, name: &str, options: SshdOptions) -> io::Result<Node> {
        let dir = self.dir.path().join("nodes").join(name);
        let (home, place) = (dir.join("home"), dir.join("place"));
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&place)?;
        // Other accounts have homes of their own and cannot enter the directory of this project.
        let own_home = options.accounts.is_none().then(|| home.clone());
        let sshd = Sshd::start(&SshdOptions { home: own_home, ..options })?;
        append(&self.home().join(".ssh/known_hosts"), &sshd.known_hosts("ed25519")?)?;
        self.host(&format!(
            "{name} ansible_host=127.0.0.1 ansible_port={} ansible_user={} ansible_ssh_private_key_file={} place={}",
            sshd.port,
            sshd.user,
            self.key.path.display(),
            place.display(),
        ))?;
        self.substitute(format!("127.0.0.1:{}", sshd.port), format!("[address of {name}]"));
        self.substitute(format!("port {}", sshd.port), format!("[port of {name}]"));
        Ok(Node { sshd, place, home })
    }

    /// Starts a proxy in front of a node; the inventory and `known_hosts` then name the proxy's port.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn proxy(&self, node: &Node, delay: Duration) -> io::Result<Proxy> {
        let proxy = Proxy::start(node.sshd.port, delay)?;
        let (node_port, proxy_port) = (node.sshd.port.to_string(), proxy.port.to_string());
        let known_hosts = self.home().join(".ssh/known_hosts");
        fs::write(&known_hosts, fs::read_to_string(&known_hosts)?.replace(&node_port, &proxy_port))?;
        let hosts = fs::read_to_string(self.path("hosts"))?;
        let (node_port, proxy_port) =
            (format!("ansible_port={node_port}"), format!("ansible_port={proxy_port}"));
        fs::write(self.path("hosts"), hosts.replace(&node_port, &proxy_port))?;
        Ok(proxy)
    }

    /// Boots a machine with systemd that the command can log in to as root and adds it to the inventory under this name.
    ///
    /// # Errors
    /// If it does not boot.
    pub fn machine(&self, name: &str) -> io::Result<SystemdMachine> {
        let dir = self.dir.path().join("nodes").join(name);
        fs::create_dir_all(&dir)?;
        let machine = SystemdMachine::boot(&dir, &self.key)?;
        let line = format!("[127.0.0.1]:{} {}\n", machine.port, machine.host_key()?);
        append(&self.home().join(".ssh/known_hosts"), &line)?;
        self.host(&format!(
            "{name} ansible_host=127.0.0.1 ansible_port={} ansible_user=root ansible_ssh_private_key_file={}",
            machine.port,
            self.key.path.display(),
        ))?;
        self.substitute(format!("127.0.0.1:{}", machine.port), format!("[address of {name}]"));
        self.substitute(format!("port {}", machine.port), format!("[port of {name}]"));
        Ok(machine)
    }

    /// Adds a host with a local connection to the inventory and returns its `{{ place }}`.
    ///
    /// # Errors
    /// If its directory cannot be created.
    pub fn local(&self, name: &str) -> io::Result<PathBuf> {
        let place = self.dir.path().join("nodes").join(name).join("place");
        fs::create_dir_all(&place)?;
        self.host(&format!("{name} ansible_connection=local place={}", place.display()))?;
        Ok(place)
    }

    /// Returns `convoy` with these arguments, not started. Its output is piped and its standard input is empty.
    pub fn command<I: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(program::convoy());
        command
            .args(args)
            .current_dir(self.path("."))
            .env_clear()
            .env("HOME", self.home())
            .env("XDG_STATE_HOME", program::state_home(&self.home()))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        capture_output(&mut command);
        command
    }

    /// Returns `convoy` with these arguments, as [`command`](Self::command) does, run by way of a program such as
    /// `["setsid", "--wait"]`.
    pub fn command_under<I: AsRef<std::ffi::OsStr>>(
        &self,
        wrapper: &[&str],
        args: impl IntoIterator<Item = I>,
    ) -> Command {
        let mut outer = Command::new(wrapper[0]);
        outer.args(&wrapper[1..]);
        let mut command = program::wrap(outer, &self.command(args));
        capture_output(&mut command);
        command
    }

    /// Runs `convoy` with these arguments.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run<I: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = I>) -> io::Result<RunOutput> {
        self.wait(self.command(args).spawn()?)
    }

    /// Runs `convoy apply -i hosts site.yml` with these further arguments.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn apply<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> io::Result<RunOutput> {
        self.run(["apply", "-i", "hosts", "site.yml"].into_iter().chain(args))
    }

    /// Waits for a started command and returns its output, normalized.
    ///
    /// # Errors
    /// If its output cannot be read.
    pub fn wait(&self, child: Child) -> io::Result<RunOutput> {
        Ok(RunOutput::new(&child.wait_with_output()?, |text| self.normalize(text)))
    }

    /// Returns `text` with placeholders for what differs from run to run.
    pub fn normalize(&self, text: &str) -> String {
        let substitutions = self.substitutions.borrow();
        let text = substitutions.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        without_run_names(&text)
    }
}

fn capture_output(command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// Returns text with `convoy resume [run]` in the place of `convoy resume` with the name of a run.
fn without_run_names(text: &str) -> String {
    const COMMAND: &str = "convoy resume ";
    let mut parts = text.split(COMMAND);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let has_name = part.starts_with(|c: char| c.is_ascii_digit());
        let end = part.find(['`', ' ', '\n', '"']).filter(|_| has_name).unwrap_or(0);
        out.push_str(COMMAND);
        out.push_str(if has_name { "[run]" } else { "" });
        out.push_str(&part[end..]);
    }
    out
}

/// Lists everything below a directory, sorted, one line each: path, mode, owner, size, modification time, and the
/// digest of a file or the target of a link.
///
/// # Errors
/// If a file or directory cannot be read.
pub fn listing(dir: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current)? {
            let path = entry?.path();
            let data = path.symlink_metadata()?;
            let content = if data.is_file() {
                convoy_protocol::Digest::of(&fs::read(&path)?).to_string()
            } else if data.is_symlink() {
                format!("-> {}", fs::read_link(&path)?.display())
            } else {
                String::new()
            };
            let relative = path.strip_prefix(dir).unwrap_or(&path).display();
            let (mode, size, time) = (data.mode(), data.size(), (data.mtime(), data.mtime_nsec()));
            lines.push(format!(
                "{relative} {mode:o} {}:{} {size} {time:?} {content}",
                data.uid(),
                data.gid()
            ));
            if data.is_dir() {
                pending.push(path);
            }
        }
    }
    lines.sort();
    Ok(lines.join("\n"))
}

/// Returns the content of all files below a directory, by their paths relative to it.
///
/// # Errors
/// If a file or directory cannot be read.
pub fn contents(dir: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(&current)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.strip_prefix(dir).unwrap_or(&path).to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::read_to_string(path).or_else(|error| {
        if error.kind() == io::ErrorKind::NotFound { Ok(String::new()) } else { Err(error) }
    })?;
    fs::write(path, old + text)
}
