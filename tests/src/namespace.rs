//! Machines of their own without virtual machines: network, processes and file system in Linux namespaces.
//!
//! A [`Machine`] has its own addresses, its own `/etc`, `/root`, `/tmp` and `/run`, above those of this machine, which
//! it cannot change. Machines see each other through the [`Switch`]es that they are plugged into, and nothing else.
//! When one is dropped its processes are killed, and with them goes all else.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::sshd::{descendants, output, poll};

/// Makes the file system of a machine, and stays. `$1` is an empty folder.
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

/// Returns why there can be no machines here, if so.
pub fn unavailable() -> Option<String> {
    let tried = tempfile::tempdir().and_then(|folder| {
        let script = r#"mount -t tmpfs t "$1" && mkdir "$1/u" "$1/w" "$1/m" &&
            mount -t overlay o -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$1/m" &&
            ip link add type veth && ip link add name bridge type bridge"#;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "sh", "-c", script, "sh"]);
        output(command.arg(folder.path()))
    });
    tried.err().map(|error| format!("no namespaces of our own: {error}"))
}

/// A process that keeps namespaces, with all that runs in them.
struct Namespaces {
    child: Child,
    /// The first process within.
    init: u32,
}

impl Namespaces {
    fn new(kinds: &[&str], script: &str, argument: &Path) -> io::Result<Self> {
        // Should this program be killed, the kernel kills the namespaces.
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
                return Err(io::Error::other(format!("no namespaces: {status}: {log}")));
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
        // The first process within dies with it, and all others with that one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network that machines can be plugged into.
pub struct Switch {
    namespaces: Namespaces,
    _folder: TempDir,
}

impl Switch {
    /// Makes one without machines.
    ///
    /// # Errors
    /// If that is not permitted.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let namespaces = Namespaces::new(&["--net"], "exec sleep infinity", &folder.path().join("switch"))?;
        let switch = Self { namespaces, _folder: folder };
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

/// A machine of its own.
pub struct Machine {
    namespaces: Namespaces,
    sshd: Option<Child>,
    folder: TempDir,
    /// Whether it has a file system of its own.
    whole: bool,
    plugs: u32,
}

impl Machine {
    /// Starts one with a file system of its own.
    ///
    /// # Errors
    /// If that is not permitted.
    pub fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("machine");
        fs::create_dir(&place)?;
        let namespaces = Namespaces::new(&["--net", "--mount", "--uts"], BOOT, &place)?;
        let mut machine = Self { namespaces, sshd: None, folder, whole: true, plugs: 0 };
        poll(|| {
            if let Some(status) = machine.namespaces.child.try_wait()? {
                let log = fs::read_to_string(place.with_extension("log")).unwrap_or_default();
                return Err(io::Error::other(format!("the machine does not start: {status}: {log}")));
            }
            Ok(machine.path("run/booted").exists().then_some(()))
        })?;
        Ok(machine)
    }

    /// Starts one that has a network of its own and shares the files: for programs of the test itself.
    ///
    /// # Errors
    /// If that is not permitted.
    pub fn workstation() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let script = "ip link set lo up; exec sleep infinity";
        let namespaces = Namespaces::new(&["--net"], script, &folder.path().join("workstation"))?;
        Ok(Self { namespaces, sshd: None, folder, whole: false, plugs: 0 })
    }

    /// Plugs it into a network, with an address such as `10.1.0.2/24`.
    ///
    /// # Errors
    /// If the address is none.
    pub fn plug(&mut self, switch: &Switch, address: &str) -> io::Result<()> {
        let (name, port) = (format!("eth{}", self.plugs), format!("port{}", self.namespaces.init));
        self.plugs += 1;
        let inside = self.namespaces.init.to_string();
        let hub = || switch.namespaces.enter(&["--net"]);
        let pair = ["type", "veth", "peer", "name", &name, "netns", &inside];
        output(hub().args(["ip", "link", "add", "name", &port]).args(pair))?;
        output(hub().args(["ip", "link", "set", &port, "master", "bridge", "up"]))?;
        let here = || self.namespaces.enter(&["--net"]);
        output(here().args(["ip", "address", "add", address, "dev", &name]))?;
        output(here().args(["ip", "link", "set", &name, "up"])).map(drop)
    }

    /// Returns the path by which this machine sees a file of that one.
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.namespaces.init.to_string())
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// Writes a file there.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        fs::write(self.path(path), text)
    }

    /// Runs a line of shell there and returns what it printed.
    ///
    /// # Errors
    /// If it fails; the message has its standard error.
    pub fn run(&self, script: &str) -> io::Result<String> {
        output(self.inside().args(["sh", "-c", script]))
    }

    /// Returns the command as it would run there, with the same environment and folder.
    pub fn command(&self, command: &Command) -> Command {
        let mut inside = self.inside();
        inside.arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    fn inside(&self) -> Command {
        if self.whole {
            self.namespaces.enter(&["--net", "--mount", "--pid", "--uts", "--root", "--wd"])
        } else {
            self.namespaces.enter(&["--net"])
        }
    }

    /// Starts sshd on port 22 of all its addresses; `authorized` may log in as root. Returns its host key.
    ///
    /// # Errors
    /// If sshd does not start; the message says why.
    pub fn sshd(&mut self, authorized: &[&str], configuration: &[&str]) -> io::Result<String> {
        self.run("mkdir -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/host_key")?;
        self.write("root/.ssh/authorized_keys", &authorized.join("\n"))?;
        // Of several values sshd takes the first.
        let lines = [configuration.join("\n").as_str(), SSHD].join("\n");
        self.write("etc/ssh/test_config", &lines)?;
        let log = self.folder.path().join("sshd.log");
        self.sshd = Some(
            self.inside()
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

    /// Returns what its sshd has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("sshd.log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the namespaces all that runs in them is killed; the program that entered them is our own child.
        let _ = self.namespaces.child.kill();
        if let Some(sshd) = &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
    }
}

/// What every sshd of a machine has.
const SSHD: &str = "HostKey /etc/ssh/host_key
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
