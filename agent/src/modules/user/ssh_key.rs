//! A key for SSH in the account's home.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use convoy_protocol::{Map, map};

use super::args::Args;
use super::home::home_of;
use crate::failure::Failure;
use crate::system::{Attributes, Bytes, Process, System, SystemView, User};

/// Returns where the key is.
pub(super) fn path(args: &Args, view: &SystemView, home: &Path) -> PathBuf {
    let default = || PathBuf::from(format!(".ssh/id_{}", args.ssh_key_type));
    home.join(args.ssh_key_file.as_ref().map_or_else(default, |file| view.expand(file)))
}

/// Returns whether one has to be made.
pub(super) fn is_wanted(args: &Args, view: &SystemView, home: &Path) -> Result<bool, Failure> {
    Ok(args.force || view.stat(&path(args, view, home))?.is_none())
}

/// Returns what there is to tell of the key.
pub(super) fn describe(args: &Args, view: &SystemView, user: &User) -> Map {
    let file = path(args, view, &home_of(args, view, user));
    let public = with_pub(&file);
    let text =
        |path: &Path| view.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let fingerprint = view.program("ssh-keygen").filter(|_| file.is_file()).and_then(|program| {
        let argv = [program.as_os_str(), "-l".as_ref(), "-f".as_ref(), file.as_os_str()];
        let output = view.query(&Process::new(argv)).ok()?;
        Some(if output.rc == 0 { output.stdout_text() } else { output.stderr_text() })
    });
    map! {
        "ssh_fingerprint" => fingerprint.unwrap_or_default(),
        "ssh_key_file" => file.to_string_lossy().as_ref(),
        "ssh_public_key" => text(&public),
    }
}

fn with_pub(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Makes a key in a directory that only root sees, and puts its two files in their places, whole and owned.
pub(super) fn generate(args: &Args, user: &User, node: &mut System) -> Result<(), Failure> {
    let home = home_of(args, node, user);
    let file = path(args, node, &home);
    if !file.starts_with(&home) || node.stat(&home)?.is_some() {
        if let Some(directory) = file.parent().filter(|directory| !directory.is_dir()) {
            let cannot =
                |e: Failure| Failure::new(format!("Failed to create {}: {}", directory.display(), e.msg));
            node.make_dir(directory).map_err(cannot)?;
            node.chmod(directory, 0o700)?;
            node.lchown(directory, Some(user.uid), Some(user.gid))?;
        }
    } else {
        return Err(Failure::new(format!("User {} home directory does not exist", args.name)));
    }
    let work = node.make_temporary_directory(&node.temporary_directory(), "convoy-key-", "")?;
    let result = generate_in(&work, args, user, &file, node);
    node.remove(&work)?;
    result
}

fn generate_in(work: &Path, args: &Args, user: &User, file: &Path, node: &mut System) -> Result<(), Failure> {
    let key = work.join("key");
    let default = || format!("ansible-generated on {}", node.host_name());
    let comment = args.ssh_key_comment.clone().unwrap_or_else(default);
    let mut argv: Vec<OsString> = vec![node.require_program("ssh-keygen")?.into(), "-q".into()];
    argv.extend(["-t".into(), args.ssh_key_type.as_str().into()]);
    if args.ssh_key_bits > 0 {
        argv.extend(["-b".into(), args.ssh_key_bits.to_string().into()]);
    }
    argv.extend(["-C".into(), comment.into(), "-f".into(), key.as_os_str().into()]);
    let process = match &args.ssh_key_passphrase {
        None => {
            argv.extend(["-N".into(), "".into()]);
            Process::new(argv)
        }
        Some(passphrase) => with_passphrase(argv, passphrase),
    };
    node.run_checked(&process)?;
    let owner = Attributes { mode: None, uid: Some(user.uid), gid: Some(user.gid) };
    for (from, to, mode) in [(with_pub(&key), with_pub(file), 0o644), (key.clone(), file.to_owned(), 0o600)] {
        let expected = node.lstat(&to)?;
        let attributes = Attributes { mode: Some(mode), ..owner };
        node.replace(&to, expected.as_ref(), Bytes::File(&from), attributes)?;
    }
    Ok(())
}

/// Has a passphrase read from standard input, where no other user sees it. `ssh-keygen` would ask on the terminal
/// of the session, if it had one: it gets a session of its own.
fn with_passphrase(argv: Vec<OsString>, passphrase: &str) -> Process {
    let script = "unset DISPLAY SSH_ASKPASS; setsid \"$@\"; exit $?";
    let shell = ["/bin/sh", "-c", script, "sh"].map(OsString::from);
    Process::new(shell.into_iter().chain(argv)).stdin(format!("{passphrase}\n{passphrase}\n").into_bytes())
}
