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

use crate::program::state_home;

const SSHD: &str = "/usr/sbin/sshd";
/// How long [`poll`] waits.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How many ports to try: another process may take a free one before sshd does.
const PORT_ATTEMPTS: usize = 5;

/// Options of an [`Sshd`].
#[derive(Debug, Clone)]
pub struct SshdOptions {
    /// The `HOME` of the commands it runs. Without one it is the server's own directory, or with [`Accounts`] the home of
    /// the account, never the user's own: shells read start-up files there. The working directory is the user's home in
    /// any case.
    pub home: Option<PathBuf>,
    /// The public keys that may log in, one line each.
    pub authorized: Vec<String>,
    /// The types of its host keys, as `ssh-keygen -t` names them.
    pub host_key_types: Vec<&'static str>,
    /// Further lines of its configuration, which take precedence over the usual ones. `{dir}` stands for the server's
    /// directory.
    pub configuration: Vec<String>,
    /// Accounts that exist for this sshd only.
    pub accounts: Option<Accounts>,
}

/// Accounts in a copy of `/etc` that replaces the machine's for one sshd and its children. `/home` contains only their
/// homes. Everything disappears when the sshd ends, for whatever reason.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// The name of the account that logs in.
    pub login: &'static str,
    /// Shell commands that create the accounts, with the functions of `accounts.sh`.
    pub script: &'static str,
}

impl SshdOptions {
    /// Returns options for an sshd with an ed25519 host key that accepts one client key.
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

/// A running sshd. Dropping it kills it and everything it started.
pub struct Sshd {
    /// The port on 127.0.0.1 where it listens.
    pub port: u16,
    /// The user who can log in: the one who runs the test, unless there are [`Accounts`].
    pub user: String,
    dir: TempDir,
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
            // The package's service creates it at boot; sshd does not start without it.
            fs::create_dir_all("/run/sshd")?;
        }
        let dir = tempfile::tempdir()?;
        for key_type in &options.host_key_types {
            generate_key(&host_key(dir.path(), key_type), key_type, "")?;
        }
        fs::write(dir.path().join("authorized_keys"), options.authorized.join("\n"))?;
        let mut sshd = None;
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            fs::write(dir.path().join("sshd_config"), configuration(options, dir.path(), port))?;
            if let Some(process) = spawn(dir.path(), port, options.accounts.as_ref())? {
                sshd = Some((port, process));
                break;
            }
        }
        match sshd {
            Some((port, process)) => {
                let user = options.accounts.as_ref().map_or(user, |accounts| accounts.login.to_owned());
                Ok(Self { port, user, dir, process })
            }
            None => Err(io::Error::other(format!("sshd does not start: {}", read_log(dir.path())))),
        }
    }

    /// Kills it and its session processes, but nothing that the sessions started, and starts it again on the same port.
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
        let started = spawn(self.dir.path(), self.port, None)?;
        self.process = started.ok_or_else(|| io::Error::other("sshd does not start again"))?;
        Ok(())
    }

    /// Returns its directory, with its configuration, keys and log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns its log so far. With `LogLevel DEBUG1` the standard error of commands contains log lines, too.
    pub fn log(&self) -> String {
        read_log(self.dir.path())
    }

    /// Returns the public host key of a type, as `type base64`.
    ///
    /// # Errors
    /// If it has no host key of that type.
    pub fn host_key(&self, key_type: &str) -> io::Result<String> {
        let path = host_key(self.dir.path(), key_type).with_extension("pub");
        Ok(fs::read_to_string(path)?.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    /// Returns the known_hosts line of one of its host keys.
    ///
    /// # Errors
    /// If it has no host key of that type.
    pub fn known_hosts(&self, key_type: &str) -> io::Result<String> {
        Ok(format!("[127.0.0.1]:{} {}\n", self.port, self.host_key(key_type)?.trim_end()))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Sessions have process groups of their own, so they are found by parent.
        for process in descendants(self.process.id()) {
            kill(process);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A key pair for logging in.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// The file of the private key.
    pub path: PathBuf,
    /// The line of the public key.
    pub public: String,
}

impl ClientKey {
    /// Generates a key in a file named after its type.
    ///
    /// # Errors
    /// If `ssh-keygen` fails.
    pub fn generate(dir: &Path, key_type: &str) -> io::Result<Self> {
        Self::encrypted(dir, key_type, "")
    }

    /// Generates a key as [`generate`](Self::generate) does, encrypted unless the passphrase is empty.
    ///
    /// # Errors
    /// If `ssh-keygen` fails.
    pub fn encrypted(dir: &Path, key_type: &str, passphrase: &str) -> io::Result<Self> {
        let path = dir.join(format!("id_{key_type}"));
        generate_key(&path, key_type, passphrase)?;
        let public = fs::read_to_string(path.with_extension("pub"))?.trim_end().to_owned();
        Ok(Self { path, public })
    }
}

/// A running ssh-agent. Dropping it kills it.
pub struct SshAgent {
    /// The socket where it listens.
    pub socket: PathBuf,
    process: Child,
    _dir: TempDir,
}

impl SshAgent {
    /// Starts an agent that holds these keys.
    ///
    /// # Errors
    /// If `ssh-agent` or `ssh-add` fails.
    pub fn start(keys: &[&ClientKey]) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("agent");
        let process =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn()?;
        let agent = Self { socket, process, _dir: dir };
        // The socket file exists before the agent listens.
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

/// Runs a program to its end and returns its standard output.
///
/// # Errors
/// If it cannot be started or fails; the message includes its standard error.
pub fn output(command: &mut Command) -> io::Result<String> {
    let done = command.stdin(Stdio::null()).output()?;
    if !done.status.success() {
        let stderr = String::from_utf8_lossy(&done.stderr);
        return Err(io::Error::other(format!("{command:?}: {}: {stderr}", done.status)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Calls `attempt` until it returns a value.
///
/// # Errors
/// If `attempt` fails, or after 20 seconds.
pub fn poll<T>(mut attempt: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "what the test waits for did not happen"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn generate_key(path: &Path, key_type: &str, passphrase: &str) -> io::Result<()> {
    let mut command = Command::new("ssh-keygen");
    output(command.args(["-q", "-t", key_type, "-N", passphrase, "-C", "convoy test", "-f"]).arg(path))
        .map(drop)
}

fn host_key(dir: &Path, key_type: &str) -> PathBuf {
    dir.join(format!("host_{key_type}"))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn configuration(options: &SshdOptions, dir: &Path, port: u16) -> String {
    let path = dir.display().to_string();
    // sshd uses the first of several values.
    let mut lines: Vec<String> =
        options.configuration.iter().map(|line| line.replace("{dir}", &path)).collect();
    lines.extend([
        "ListenAddress 127.0.0.1".to_owned(),
        format!("Port {port}"),
        "PidFile none".to_owned(),
        "LogLevel VERBOSE".to_owned(),
        format!("AuthorizedKeysFile {path}/authorized_keys"),
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
        options
            .host_key_types
            .iter()
            .map(|key_type| format!("HostKey {}", host_key(dir, key_type).display())),
    );
    let own_home = || options.accounts.is_none().then(|| dir.to_owned());
    lines.extend(options.home.clone().or_else(own_home).map(|home| {
        format!("SetEnv HOME={} XDG_STATE_HOME={}", home.display(), state_home(&home).display())
    }));
    lines.join("\n") + "\n"
}

/// Starts sshd and waits until it listens. Returns `None` if it exits instead, usually because the port is taken.
fn spawn(dir: &Path, port: u16, accounts: Option<&Accounts>) -> io::Result<Option<Child>> {
    let log = File::create(dir.join("log"))?;
    let mut process = accounts
        .map_or_else(|| Ok(Command::new(SSHD)), |accounts| command_with_accounts(accounts, dir))?
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
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

/// Returns a command that creates the accounts and then becomes sshd.
fn command_with_accounts(accounts: &Accounts, dir: &Path) -> io::Result<Command> {
    let (script, etc) = (dir.join("accounts.sh"), dir.join("etc"));
    fs::create_dir_all(&etc)?;
    // Not private: commands of the accounts start in this directory.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    let lines = [include_str!("accounts.sh"), accounts.script, "shift; exec \"$@\""];
    fs::write(&script, lines.join("\n"))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh"]).arg(script).arg(etc).arg(SSHD);
    Ok(command)
}

fn read_log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// Returns the descendants of a process, children before grandchildren.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses can contain anything; state and parent follow it.
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
        // It may have ended already.
        let _ = kill_process(process, Signal::KILL);
    }
}
