//! A folder of playbooks, nodes to run them on, and the command `convoy` with nothing of the user's around it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::machine::Machine;
use crate::program;
use crate::proxy::Proxy;
use crate::sshd::{ClientKey, Sshd, SshdOptions};

/// A folder of playbooks, an inventory, and an empty `HOME`.
///
/// Everything is below one temporary folder, which reports show as `[folder]`.
pub struct Project {
    folder: TempDir,
    key: ClientKey,
    /// What differs from run to run, and what is shown for it.
    normal: RefCell<Vec<(String, String)>>,
}

/// A node: sshd with a `HOME` of its own.
pub struct Node {
    /// The server.
    pub sshd: Sshd,
    /// The folder in which tests write, `{{ place }}` in playbooks.
    pub place: PathBuf,
    /// `HOME` of the login user.
    pub home: PathBuf,
}

/// What a run of the command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its standard output, normalised.
    pub stdout: String,
    /// Its standard error, normalised.
    pub stderr: String,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
}

impl Project {
    /// Makes an empty project.
    ///
    /// # Errors
    /// If the folder or its key cannot be made.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["home/.ssh", "site", "nodes"] {
            fs::create_dir_all(folder.path().join(name))?;
        }
        let key = ClientKey::generate(folder.path(), "ed25519")?;
        let shown = vec![
            (program::convoy().display().to_string(), "convoy".to_owned()),
            (folder.path().display().to_string(), "[folder]".to_owned()),
        ];
        Ok(Self { folder, key, normal: RefCell::new(shown) })
    }

    /// Returns the path of something in the folder of the playbooks.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("site").join(name)
    }

    /// Returns the empty `HOME` that the command has.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Returns the key that nodes admit.
    pub fn key(&self) -> &ClientKey {
        &self.key
    }

    /// Writes a file of the project.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<&Self> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, content)?;
        Ok(self)
    }

    /// Adds a line to the inventory `hosts`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn host(&self, line: &str) -> io::Result<&Self> {
        append(&self.path("hosts"), &format!("{line}\n"))?;
        Ok(self)
    }

    /// Shows `text` as `shown` in what runs report.
    pub fn normalise(&self, text: impl Into<String>, shown: impl Into<String>) {
        self.normal.borrow_mut().push((text.into(), shown.into()));
    }

    /// Starts a node that the command may log in to, known by this name.
    ///
    /// # Errors
    /// If sshd does not start.
    pub fn node(&self, name: &str) -> io::Result<Node> {
        self.node_with(name, SshdOptions::new(&self.key))
    }

    /// Starts a node of this kind, known by this name.
    ///
    /// # Errors
    /// If sshd does not start.
    pub fn node_with(&self, name: &str, options: SshdOptions) -> io::Result<Node> {
        let folder = self.folder.path().join("nodes").join(name);
        let (home, place) = (folder.join("home"), folder.join("place"));
        fs::create_dir_all(&home)?;
        fs::create_dir_all(&place)?;
        // Other accounts have homes of their own, and none of them may enter our folder.
        let own = options.accounts.is_none().then(|| home.clone());
        let sshd = Sshd::start(&SshdOptions { home: own, ..options })?;
        append(&self.home().join(".ssh/known_hosts"), &sshd.known_hosts("ed25519")?)?;
        self.host(&format!(
            "{name} ansible_host=127.0.0.1 ansible_port={} ansible_user={} ansible_ssh_private_key_file={} place={}",
            sshd.port,
            sshd.user,
            self.key.path.display(),
            place.display(),
        ))?;
        self.normalise(format!("127.0.0.1:{}", sshd.port), format!("[address of {name}]"));
        self.normalise(format!("port {}", sshd.port), format!("[port of {name}]"));
        Ok(Node { sshd, place, home })
    }

    /// Puts a proxy before a node.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn proxy(&self, node: &Node, delay: Duration) -> io::Result<Proxy> {
        let proxy = Proxy::start(node.sshd.port, delay)?;
        let (near, far) = (node.sshd.port.to_string(), proxy.port.to_string());
        let known = self.home().join(".ssh/known_hosts");
        fs::write(&known, fs::read_to_string(&known)?.replace(&near, &far))?;
        let hosts = fs::read_to_string(self.path("hosts"))?;
        let (near, far) = (format!("ansible_port={near}"), format!("ansible_port={far}"));
        fs::write(self.path("hosts"), hosts.replace(&near, &far))?;
        Ok(proxy)
    }

    /// Boots a machine with systemd that the command may log in to as root, known by this name.
    ///
    /// # Errors
    /// If it does not boot.
    pub fn machine(&self, name: &str) -> io::Result<Machine> {
        let folder = self.folder.path().join("nodes").join(name);
        fs::create_dir_all(&folder)?;
        let machine = Machine::boot(&folder, &self.key)?;
        let line = format!("[127.0.0.1]:{} {}\n", machine.port, machine.host_key()?);
        append(&self.home().join(".ssh/known_hosts"), &line)?;
        self.host(&format!(
            "{name} ansible_host=127.0.0.1 ansible_port={} ansible_user=root ansible_ssh_private_key_file={}",
            machine.port,
            self.key.path.display(),
        ))?;
        self.normalise(format!("127.0.0.1:{}", machine.port), format!("[address of {name}]"));
        self.normalise(format!("port {}", machine.port), format!("[port of {name}]"));
        Ok(machine)
    }

    /// Adds a host on which tasks are run by this machine's own agent, without SSH.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn local(&self, name: &str) -> io::Result<PathBuf> {
        let place = self.folder.path().join("nodes").join(name).join("place");
        fs::create_dir_all(&place)?;
        self.host(&format!("{name} ansible_connection=local place={}", place.display()))?;
        Ok(place)
    }

    /// Returns the command with these words, not started.
    pub fn command<I: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(program::convoy());
        command
            .args(words)
            .current_dir(self.path("."))
            .env_clear()
            .env("HOME", self.home())
            .env("XDG_STATE_HOME", program::state_of(&self.home()))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command with these words.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run<I: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = I>) -> io::Result<Ran> {
        self.wait(self.command(words).spawn()?)
    }

    /// Runs `site.yml` with the inventory `hosts`, and these further words.
    ///
    /// # Errors
    /// If the command cannot be started.
    pub fn apply<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> io::Result<Ran> {
        self.run(["apply", "-i", "hosts", "site.yml"].into_iter().chain(words))
    }

    /// Waits for a started command.
    ///
    /// # Errors
    /// If its output cannot be read.
    pub fn wait(&self, child: Child) -> io::Result<Ran> {
        let done = child.wait_with_output()?;
        let text = |bytes: &[u8]| self.normal(&String::from_utf8_lossy(bytes));
        Ok(Ran { stdout: text(&done.stdout), stderr: text(&done.stderr), code: done.status.code() })
    }

    /// Returns text without what differs from run to run.
    pub fn normal(&self, text: &str) -> String {
        let text =
            self.normal.borrow().iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        nameless(&text)
    }
}

impl Ran {
    /// Returns the line of a host in the recap without the padding, or nothing.
    pub fn recap(&self, host: &str) -> String {
        let (_, recap) = self.stdout.split_once("PLAY RECAP").unwrap_or_default();
        let line = recap.lines().find(|line| line.split_whitespace().next() == Some(host));
        let words = line.unwrap_or_default().split_whitespace().skip(2);
        words.filter(|word| !word.ends_with("=0")).collect::<Vec<_>>().join(" ")
    }

    /// Returns whether standard output has this line.
    pub fn says(&self, line: &str) -> bool {
        self.stdout.lines().any(|said| said == line)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- standard error\n{}", self.stderr)?;
        }
        match self.code {
            Some(code) => writeln!(f, "--- exit code {code}"),
            None => writeln!(f, "--- ended by a signal"),
        }
    }
}

/// Returns text in which the command that goes on with a run does not say with which.
fn nameless(text: &str) -> String {
    const COMMAND: &str = "convoy resume ";
    let mut parts = text.split(COMMAND);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let named = part.starts_with(|c: char| c.is_ascii_digit());
        let end = part.find(['`', ' ', '\n', '"']).filter(|_| named).unwrap_or(0);
        plain.push_str(COMMAND);
        plain.push_str(if named { "[run]" } else { "" });
        plain.push_str(&part[end..]);
    }
    plain
}

/// Returns every file below a folder, one line each: path, kind, mode, size, time of change and content's digest.
///
/// # Errors
/// If something there cannot be read.
pub fn listing(folder: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(&inside)? {
            let path = entry?.path();
            let data = path.symlink_metadata()?;
            let what = if data.is_file() {
                convoy_protocol::Digest::of(&fs::read(&path)?).to_string()
            } else if data.is_symlink() {
                format!("-> {}", fs::read_link(&path)?.display())
            } else {
                String::new()
            };
            let place = path.strip_prefix(folder).unwrap_or(&path).display();
            let (mode, size, time) = (data.mode(), data.size(), (data.mtime(), data.mtime_nsec()));
            lines.push(format!("{place} {mode:o} {}:{} {size} {time:?} {what}", data.uid(), data.gid()));
            if data.is_dir() {
                folders.push(path);
            }
        }
    }
    lines.sort();
    Ok(lines.join("\n"))
}

/// Returns all files below a folder with what they hold, by their paths in it.
///
/// # Errors
/// If something there cannot be read.
pub fn contents(folder: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), fs::read(&path)?);
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
