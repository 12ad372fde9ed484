//! Isolated machines without virtualization: network, processes and file system in Linux namespaces.
//!
//! A [`Machine`] has its own addresses and an overlay of this machine's files, with an empty `/root`, `/tmp` and
//! `/run`: it cannot change the files below. Machines reach each other only through the [`Switch`]es they are plugged
//! into. Dropping a machine kills its processes and discards the rest with them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::program::wrap;
use crate::sshd::{descendants, output, poll};

/// Sets up the file system of a machine, then sleeps. `$1` is an empty directory.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount --rbind /dev dev
mount -t proc proc proc
for own in root tmp run; do mount -t tmpfs tmpfs $own; done
chmod 700 root
chmod 1777 tmp
mkdir run/sshd
rm -rf etc/ssh/ssh_host_* etc/ssh/ssh_known_hosts
ip link set lo up
touch run/booted
exec chroot . sleep infinity
"#;

/// Returns why machines cannot be created here, or `None` if they can.
pub fn unavailable_reason() -> Option<String> {
    let attempt = tempfile::tempdir().and_then(|dir| {
        let script = r#"mount -t tmpfs t "$1" && mkdir "$1/u" "$1/w" "$1/m" &&
            mount -t overlay o -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$1/m" &&
            ip link add type veth && ip link add name bridge type bridge"#;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "sh", "-c", script, "sh"]);
        output(command.arg(dir.path()))
    });
    attempt.err().map(|error| format!("cannot create namespaces: {error}"))
}

/// A process that keeps namespaces alive. Dropping it kills everything that runs in them.
struct Namespaces {
    child: Child,
    /// The process id of the first process inside.
    init: u32,
}

impl Namespaces {
    fn new(kinds: &[&str], script: &str, argument: &Path) -> io::Result<Self> {
        // If this program is killed, the kernel kills the namespaces.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", "--pid"])
            .args(kinds)
            .args(["sh", "-c", script, "sh"])
            .arg(argument)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(argument.with_extension("log"))?)
            .spawn()?;
        let mut namespaces = Self { child, init: 0 };
        namespaces.init = poll(|| {
            if let Some(status) = namespaces.child.try_wait()? {
                let log = fs::read_to_string(argument.with_extension("log")).unwrap_or_default();
                return Err(io::Error::other(format!("cannot create namespaces: {status}: {log}")));
            }
            Ok(descendants(namespaces.child.id()).first().copied())
        })?;
        Ok(namespaces)
    }

    fn enter(&self, kinds: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string()]).args(kinds).arg("--");
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The first process inside dies with its parent, and all others with the first.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network that machines can be plugged into.
pub struct Switch {
    namespaces: Namespaces,
    _dir: TempDir,
}

impl Switch {
    /// Creates a switch without machines.
    ///
    /// # Errors
    /// If this user may not create namespaces.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let namespaces = Namespaces::new(&["--net"], "exec sleep infinity", &dir.path().join("switch"))?;
        let switch = Self { namespaces, _dir: dir };
        output(
            switch
                .namespaces
                .enter(&["--net"])
                .args(["ip", "link", "add", "name", "bridge", "type", "bridge"]),
        )?;
        output(switch.namespaces.enter(&["--net"]).args(["ip", "link", "set", "bridge", "up"]))?;
        Ok(switch)
    }
}

/// An isolated machine.
pub struct Machine {
    namespaces: Namespaces,
    sshd: Option<Child>,
    dir: TempDir,
    /// Whether it has its own file system.
    has_file_system: bool,
    /// The number of network interfaces so far.
    interfaces: u32,
}

impl Machine {
    /// Starts a machine with its own file system.
    ///
    /// # Errors
    /// If this user may not create namespaces.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("machine");
        fs::create_dir(&path)?;
        let namespaces = Namespaces::new(&["--net", "--mount", "--uts"], BOOT, &path)?;
        let mut machine = Self { namespaces, sshd: None, dir, has_file_system: true, interfaces: 0 };
        poll(|| {
            if let Some(status) = machine.namespaces.child.try_wait()? {
                let log = fs::read_to_string(path.with_extension("log")).unwrap_or_default();
                return Err(io::Error::other(format!("the machine does not start: {status}: {log}")));
            }
            Ok(machine.path("run/booted").exists().then_some(()))
        })?;
        Ok(machine)
    }

    /// Starts a machine with its own network that shares this machine's files: for the commands that a test runs.
    ///
    /// # Errors
    /// If this user may not create namespaces.
    pub fn workstation() -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let script = "ip link set lo up; exec sleep infinity";
        let namespaces = Namespaces::new(&["--net"], script, &dir.path().join("workstation"))?;
        Ok(Self { namespaces, sshd: None, dir, has_file_system: false, interfaces: 0 })
    }

    /// Plugs it into a network, with an address such as `10.1.0.2/24`.
    ///
    /// # Errors
    /// If the address is invalid.
    pub fn plug(&mut self, switch: &Switch, address: &str) -> io::Result<()> {
        let (name, port) = (format!("eth{}", self.interfaces), format!("port{}", self.namespaces.init));
        self.interfaces += 1;
        let namespace = self.namespaces.init.to_string();
        let in_switch = || switch.namespaces.enter(&["--net"]);
        let pair = ["type", "veth", "peer", "name", &name, "netns", &namespace];
        output(in_switch().args(["ip", "link", "add", "name", &port]).args(pair))?;
        output(in_switch().args(["ip", "link", "set", &port, "master", "bridge", "up"]))?;
        let in_machine = || self.namespaces.enter(&["--net"]);
        output(in_machine().args(["ip", "address", "add", address, "dev", &name]))?;
        output(in_machine().args(["ip", "link", "set", &name, "up"])).map(drop)
    }

    /// Returns the path under which this machine sees a file of the isolated one.
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.namespaces.init.to_string())
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// Writes a file on it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        fs::write(self.path(path), text)
    }

    /// Runs a shell command on it and returns the standard output.
    ///
    /// # Errors
    /// If the command fails; the message includes its standard error.
    pub fn run(&self, script: &str) -> io::Result<String> {
        output(self.enter().args(["sh", "-c", script]))
    }

    /// Returns a command that runs `command` on it, with the same environment and directory.
    pub fn command(&self, command: &Command) -> Command {
        wrap(self.enter(), command)
    }

    /// Returns a command that runs the program and arguments appended to it on this machine.
    fn enter(&self) -> Command {
        if self.has_file_system {
            self.namespaces.enter(&["--net", "--mount", "--pid", "--uts", "--root", "--wd"])
        } else {
            self.namespaces.enter(&["--net"])
        }
    }

    /// Starts sshd on port 22 of all its addresses and returns its host key. The keys in `authorized` may log in as root.
    ///
    /// # Errors
    /// If sshd does not start; the message says why.
    pub fn sshd(&mut self, authorized: &[&str], configuration: &[&str]) -> io::Result<String> {
        self.run("mkdir -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key")?;
        self.write("root/.ssh/authorized_keys", &authorized.join("\n"))?;
        // sshd uses the first of several values.
        let lines = [configuration.join("\n").as_str(), SSHD_CONFIG].join("\n");
        self.write("etc/ssh/test_config", &lines)?;
        let log = self.dir.path().join("sshd.log");
        self.sshd = Some(
            self.enter()
                .args(["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/test_config"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(log)?)
                .spawn()?,
        );
        poll(|| {
            if let Some(Ok(Some(status))) = self.sshd.as_mut().map(Child::try_wait) {
                return Err(io::Error::other(format!("sshd does not start: {status}: {}", self.log())));
            }
            Ok(self.log().contains("Server listening").then_some(()))
        })?;
        let key = fs::read_to_string(self.path("etc/ssh/host_key.pub"))?;
        Ok(key.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    /// Returns the log of its sshd so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("sshd.log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Everything in the namespaces dies with them, except the program that entered them, a child of this process.
        let _ = self.namespaces.child.kill();
        if let Some(sshd) = &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

/// The configuration that all sshds have in common.
const SSHD_CONFIG: &str = "HostKey /etc/ssh/host_key
PidFile none
LogLevel VERBOSE
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintLastLog no
MaxStartups 200
";
