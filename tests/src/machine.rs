//! A machine that can be rebooted: systemd with sshd, on an overlay of this machine's file system.
//!
//! For machines with networks of their own, see [`namespace`](crate::namespace).

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::sshd::{ClientKey, generate_key, poll};

/// A running machine. Dropping it powers it off and discards everything it has written.
///
/// It has its own processes, mounts and host name, and shares the network of this machine: it is reached on loopback.
pub struct SystemdMachine {
    /// The port on 127.0.0.1 where its sshd listens.
    pub port: u16,
    dir: PathBuf,
    process: Child,
}

impl SystemdMachine {
    /// Boots a machine in an empty directory and waits until its sshd accepts connections. Root logs in with `key`.
    ///
    /// # Errors
    /// If the machine does not boot.
    pub fn boot(dir: &Path, key: &ClientKey) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        generate_key(&dir.join("host_ed25519"), "ed25519", "")?;
        fs::write(dir.join("authorized_keys"), &key.public)?;
        let path = dir.display();
        let sshd = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {path}/host_ed25519\n\
             AuthorizedKeysFile {path}/authorized_keys\nStrictModes no\nUsePAM no\nUseDNS no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        );
        fs::write(dir.join("sshd_config"), sshd)?;
        let unit = format!(
            "[Service]\nRuntimeDirectory=sshd\nExecStart=/usr/sbin/sshd -D -e -f {path}/sshd_config\nRestart=no\n"
        );
        fs::write(dir.join("sshd.service"), unit)?;
        fs::write(dir.join("machine.sh"), include_str!("machine.sh"))?;
        let log = fs::File::create(dir.join("log"))?;
        // The kernel kills it with the test, even if the test is killed and drops nothing.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh"])
            .arg(dir.join("machine.sh"))
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let mut machine = Self { port, dir: dir.to_owned(), process };
        poll(|| match machine.process.try_wait()? {
            Some(status) => {
                Err(io::Error::other(format!("the machine does not boot: {status}: {}", machine.log())))
            }
            None => Ok(machine.listens().then_some(())),
        })?;
        Ok(machine)
    }

    /// Returns the output of the script that sets it up and boots it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Returns whether its sshd accepts connections.
    pub fn listens(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// Returns its public host key, as `type base64`.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn host_key(&self) -> io::Result<String> {
        let text = fs::read_to_string(self.dir.join("host_ed25519.pub"))?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim_end().to_owned())
    }

    /// Makes the next reboot a power-off.
    ///
    /// # Errors
    /// If the marker file cannot be written.
    pub fn stay_off(&self) -> io::Result<()> {
        fs::write(self.dir.join("off"), "")
    }
}

impl Drop for SystemdMachine {
    fn drop(&mut self) {
        // The first process of the machine dies with the script that started it, and all others with the first.
        if let Some(group) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
