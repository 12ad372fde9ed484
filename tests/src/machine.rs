//! A machine that can be started anew: systemd on a layer over this machine's own files, with sshd.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::sshd::{ClientKey, generate, poll};

/// A running machine. Dropping it takes its power away, and all that it has written.
///
/// It has processes, mounts and a name of its own, but the network of this machine: it is reached on loopback.
pub struct Machine {
    /// Where its sshd listens on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
    process: Child,
}

impl Machine {
    /// Boots a machine in an empty folder that root may log in to with a key, and waits until that is so.
    ///
    /// # Errors
    /// If it does not start.
    pub fn boot(folder: &Path, key: &ClientKey) -> io::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        generate(&folder.join("host_ed25519"), "ed25519", "")?;
        fs::write(folder.join("authorized_keys"), &key.public)?;
        let place = folder.display();
        let sshd = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nHostKey {place}/host_ed25519\n\
             AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\nUseDNS no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        );
        fs::write(folder.join("sshd_config"), sshd)?;
        let unit = format!(
            "[Service]\nRuntimeDirectory=sshd\nExecStart=/usr/sbin/sshd -D -e -f {place}/sshd_config\nRestart=no\n"
        );
        fs::write(folder.join("sshd.service"), unit)?;
        fs::write(folder.join("machine.sh"), include_str!("machine.sh"))?;
        let log = fs::File::create(folder.join("log"))?;
        // It goes with the test, also if that is killed and drops nothing.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh"])
            .arg(folder.join("machine.sh"))
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let mut machine = Self { port, folder: folder.to_owned(), process };
        poll(|| match machine.process.try_wait()? {
            Some(status) => {
                Err(io::Error::other(format!("the machine does not boot: {status}: {}", machine.log())))
            }
            None => Ok(machine.listens().then_some(())),
        })?;
        Ok(machine)
    }

    /// Returns what it has said while it was made ready.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Returns whether its sshd answers.
    pub fn listens(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// Returns its public host key, as `type base64`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn host_key(&self) -> io::Result<String> {
        let text = fs::read_to_string(self.folder.join("host_ed25519.pub"))?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim_end().to_owned())
    }

    /// Lets it stay off when it goes down the next time.
    ///
    /// # Errors
    /// If that cannot be noted.
    pub fn stay_off(&self) -> io::Result<()> {
        fs::write(self.folder.join("off"), "")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the program that started it, the first process of the machine ends, and with that all others.
        if let Some(group) = Pid::from_raw(self.process.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.wait();
    }
}
