//! OpenSSH's own sshd, keys and agent, private to one test and on loopback.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::state_of;

const SSHD: &str = "/usr/sbin/sshd";
/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(20);
/// How often another port is tried if someone took the free one meanwhile.
const PORTS: usize = 5;

/// What an sshd is like.
#[derive(Debug, Clone)]
pub struct SshdOptions {
    /// `HOME` of the commands it runs; without one the server's own folder, or the account's if it has [`Accounts`]. It is
    /// never the user's own: shells read their start-up files there. Their working directory is the user's in any case.
    pub home: Option<PathBuf>,
    /// The public keys that may log in, one line each.
    pub authorized: Vec<String>,
    /// The types of its host keys, as `ssh-keygen -t` names them.
    pub host_key_types: Vec<&'static str>,
    /// Further lines of its configuration, which go before its own; `{folder}` stands for its folder.
    pub configuration: Vec<String>,
    /// Accounts that the machine has for this sshd alone.
    pub accounts: Option<Accounts>,
}

/// Accounts in a copy of `/etc` that one sshd sees, in place of the machine's, with what it starts. `/home` has nothing
/// but their homes there. All is gone when the sshd ends, however it ends.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Who logs in.
    pub login: &'static str,
    /// Lines of shell that make them, with the functions of `accounts.sh`.
    pub lines: &'static str,
}

impl SshdOptions {
    /// Returns the options of an sshd with an ed25519 host key that admits one key.
    pub fn new(key: &ClientKey) -> Self {
        Self {
            home: None,
            authorized: vec![key.public.clone()],
            host_key_types: vec!["ed25519"],
            configuration: Vec::new(),
            accounts: None,
        }
    }
}

/// A running sshd. Dropping it kills it with all that it started.
pub struct Sshd {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// The user who may log in: the one who runs the test, unless there are other accounts.
    pub user: String,
    folder: TempDir,
    process: Child,
}

impl Sshd {
    /// Starts an sshd and waits until it listens.
    ///
    /// # Errors
    /// If sshd is not installed or does not start; the message says why.
    pub fn start(options: &SshdOptions) -> io::Result<Self> {
        if !Path::new(SSHD).exists() {
            return Err(io::Error::other(format!(
                "there is no {SSHD}: run make test, which installs openssh-server"
            )));
        }
        let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
        if user == "root" {
            // The package's service makes it at boot; sshd does not start without it.
            fs::create_dir_all("/run/sshd")?;
        }
        let folder = tempfile::tempdir()?;
        for kind in &options.host_key_types {
            generate(&host_key(folder.path(), kind), kind, "")?;
        }
        fs::write(folder.path().join("authorized_keys"), options.authorized.join("\n"))?;
        let mut sshd = None;
        for _ in 0..PORTS {
            let port = free_port()?;
            fs::write(folder.path().join("sshd_config"), configuration(options, folder.path(), port))?;
            if let Some(process) = spawn(folder.path(), port, options.accounts.as_ref())? {
                sshd = Some((port, process));
                break;
            }
        }
        match sshd {
            Some((port, process)) => {
                let user = options.accounts.as_ref().map_or(user, |accounts| accounts.login.to_owned());
                Ok(Self { port, user, folder, process })
            }
            None => Err(io::Error::other(format!("sshd does not start: {}", log_of(folder.path())))),
        }
    }

    /// Kills it and the processes of its sessions, but nothing that these have started, and starts it again on the same
    /// port.
    ///
    /// # Errors
    /// If it does not start again.
    pub fn restart(&mut self) -> io::Result<()> {
        let is_sshd = |process: &u32| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            name.starts_with("sshd")
        };
        let sessions: Vec<u32> = descendants(self.process.id()).into_iter().filter(is_sshd).collect();
        self.process.kill()?;
        self.process.wait()?;
        sessions.into_iter().for_each(kill);
        let started = spawn(self.folder.path(), self.port, None)?;
        self.process = started.ok_or_else(|| io::Error::other("sshd does not start again"))?;
        Ok(())
    }

    /// Returns its folder, which has its configuration, keys and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns what it has logged so far. With `LogLevel DEBUG1` the standard error of commands has log lines, too.
    pub fn log(&self) -> String {
        log_of(self.folder.path())
    }

    /// Returns the public host key of a type, as `type base64`.
    ///
    /// # Errors
    /// If it has none of that type.
    pub fn host_key(&self, kind: &str) -> io::Result<String> {
        let path = host_key(self.folder.path(), kind).with_extension("pub");
        Ok(fs::read_to_string(path)?.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    /// Returns the known_hosts line of one of its host keys.
    ///
    /// # Errors
    /// If it has none of that type.
    pub fn known_hosts(&self, kind: &str) -> io::Result<String> {
        Ok(format!("[127.0.0.1]:{} {}\n", self.port, self.host_key(kind)?.trim_end()))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Sessions are process groups of their own, so they are found by their parents.
        for process in descendants(self.process.id()) {
            kill(process);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A key pair to log in with.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// The private key.
    pub path: PathBuf,
    /// The line of the public key.
    pub public: String,
}

impl ClientKey {
    /// Makes a key named after its type.
    ///
    /// # Errors
    /// If `ssh-keygen` fails.
    pub fn generate(folder: &Path, kind: &str) -> io::Result<Self> {
        Self::encrypted(folder, kind, "")
    }

    /// Makes a key that is encrypted, unless the passphrase is empty.
    ///
    /// # Errors
    /// If `ssh-keygen` fails.
    pub fn encrypted(folder: &Path, kind: &str, passphrase: &str) -> io::Result<Self> {
        let path = folder.join(format!("id_{kind}"));
        generate(&path, kind, passphrase)?;
        let public = fs::read_to_string(path.with_extension("pub"))?.trim_end().to_owned();
        Ok(Self { path, public })
    }
}

/// A running ssh-agent. Dropping it kills it.
pub struct SshAgent {
    /// Where it listens.
    pub socket: PathBuf,
    process: Child,
    _folder: TempDir,
}

impl SshAgent {
    /// Starts an agent that holds these keys.
    ///
    /// # Errors
    /// If `ssh-agent` or `ssh-add` fails.
    pub fn start(keys: &[&ClientKey]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("agent");
        let process =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn()?;
        let agent = Self { socket, process, _folder: folder };
        // The socket has its name before anybody listens.
        poll(|| Ok(UnixStream::connect(&agent.socket).is_ok().then_some(())))?;
        for key in keys {
            output(Command::new("ssh-add").arg("-q").arg(&key.path).env("SSH_AUTH_SOCK", &agent.socket))?;
        }
        Ok(agent)
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// If it cannot be started or fails; the message has its standard error.
pub fn output(command: &mut Command) -> io::Result<String> {
    let done = command.stdin(Stdio::null()).output()?;
    if !done.status.success() {
        let stderr = String::from_utf8_lossy(&done.stderr);
        return Err(io::Error::other(format!("{command:?}: {}: {stderr}", done.status)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// If asking fails, or after 20 seconds.
pub fn poll<T>(mut ask: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    let deadline = Instant::now() + READY;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "what the test waits for does not happen"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn generate(path: &Path, kind: &str, passphrase: &str) -> io::Result<()> {
    let mut command = Command::new("ssh-keygen");
    output(command.args(["-q", "-t", kind, "-N", passphrase, "-C", "convoy test", "-f"]).arg(path)).map(drop)
}

fn host_key(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("host_{kind}"))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn configuration(options: &SshdOptions, folder: &Path, port: u16) -> String {
    let place = folder.display().to_string();
    // Of several values sshd takes the first.
    let mut lines: Vec<String> =
        options.configuration.iter().map(|line| line.replace("{folder}", &place)).collect();
    lines.extend([
        "ListenAddress 127.0.0.1".to_owned(),
        format!("Port {port}"),
        "PidFile none".to_owned(),
        "LogLevel VERBOSE".to_owned(),
        format!("AuthorizedKeysFile {place}/authorized_keys"),
        "StrictModes no".to_owned(),
        "UsePAM no".to_owned(),
        "UseDNS no".to_owned(),
        "PasswordAuthentication no".to_owned(),
        "KbdInteractiveAuthentication no".to_owned(),
        "PermitRootLogin yes".to_owned(),
        "PrintLastLog no".to_owned(),
        "MaxStartups 200".to_owned(),
    ]);
    lines.extend(
        options.host_key_types.iter().map(|kind| format!("HostKey {}", host_key(folder, kind).display())),
    );
    let own = || options.accounts.is_none().then(|| folder.to_owned());
    lines.extend(
        options.home.clone().or_else(own).map(|home| {
            format!("SetEnv HOME={} XDG_STATE_HOME={}", home.display(), state_of(&home).display())
        }),
    );
    lines.join("\n") + "\n"
}

/// Returns `None` if it did not come up, which is most often because the port was taken.
fn spawn(folder: &Path, port: u16, accounts: Option<&Accounts>) -> io::Result<Option<Child>> {
    let log = File::create(folder.join("log"))?;
    let mut process = accounts
        .map_or_else(|| Ok(Command::new(SSHD)), |accounts| with(accounts, folder))?
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    poll(|| {
        if process.try_wait()?.is_some() {
            return Ok(Some(false));
        }
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(true))
    })
    .map(|listens| listens.then_some(process))
}

/// Returns a command that makes the accounts and goes on as sshd.
fn with(accounts: &Accounts, folder: &Path) -> io::Result<Command> {
    let (script, etc) = (folder.join("accounts.sh"), folder.join("etc"));
    fs::create_dir_all(&etc)?;
    // Not private: commands of the accounts stand in its folder when they begin.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let lines = [include_str!("accounts.sh"), accounts.lines, "shift; exec \"$@\""];
    fs::write(&script, lines.join("\n"))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh"]).arg(script).arg(etc).arg(SSHD);
    Ok(command)
}

fn log_of(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Returns all processes that descend from one, children before grandchildren.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may contain anything; state and parent follow it.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        found.extend(children.remove(process).into_iter().flatten());
        next += 1;
    }
    found.remove(0);
    found
}

fn kill(process: u32) {
    if let Some(process) = Pid::from_raw(process.cast_signed()) {
        // Gone already is what we want.
        let _ = kill_process(process, Signal::KILL);
    }
}
