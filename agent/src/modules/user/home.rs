//! A home directory that `useradd` did not make.

use std::path::{Path, PathBuf};

use super::args::Args;
use crate::failure::Failure;
use crate::files::tree;
use crate::system::{Attributes, Bytes, System, SystemView, User};

/// Makes the home directory with what is in the skeleton, all of it the account's own. Links are copied as they are.
pub(super) fn create(args: &Args, home: &Path, user: &User, node: &mut System) -> Result<(), Failure> {
    // A move, or the program itself, may have made it since it was looked for.
    if node.stat(home)?.is_some() {
        return Ok(());
    }
    let parents = home.parent().map(|parent| tree::missing_directories(node, parent)).transpose()?;
    for directory in parents.unwrap_or_default() {
        node.make_dir(&directory)?;
    }
    let skeleton = Path::new(args.skeleton.as_deref().unwrap_or("/etc/skel"));
    let mode = mode(args, node)?;
    if node.stat(skeleton)?.is_some_and(|meta| meta.is_dir()) {
        copy(skeleton, home, user, node)?;
    } else {
        node.make_dir(home)?;
    }
    node.lchown(home, Some(user.uid), Some(user.gid))?;
    node.chmod(home, mode)
}

/// Returns the mode of a new home directory: of the task, else as `login.defs` says.
fn mode(args: &Args, view: &SystemView) -> Result<u32, Failure> {
    if let Some(text) = &args.umask {
        let umask = u32::from_str_radix(text, 8)
            .map_err(|_| Failure::new(format!("umask is {text}, not octal digits such as 077")))?;
        return Ok(0o777 & !umask);
    }
    let file = Path::new("/etc/login.defs");
    let text = if view.stat(file)?.is_some() { view.read(file)? } else { Vec::new() };
    let text = String::from_utf8_lossy(&text).into_owned();
    let setting = |name: &str| {
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let value = (words.next() == Some(name)).then(|| words.next())??;
            u32::from_str_radix(value, 8).ok()
        })
    };
    Ok(setting("HOME_MODE").unwrap_or_else(|| 0o777 & !setting("UMASK").unwrap_or(0o022)))
}

fn copy(from: &Path, to: &Path, user: &User, node: &mut System) -> Result<(), Failure> {
    node.make_dir(to)?;
    for source in node.list(from)? {
        let Some(target) = source.file_name().map(|name| to.join(name)) else { continue };
        let Some(meta) = node.lstat(&source)? else { continue };
        let attributes =
            Attributes { mode: Some(meta.mode & 0o7777), uid: Some(user.uid), gid: Some(user.gid) };
        if meta.is_link() {
            node.symlink(&node.read_link(&source)?, &target, None)?;
            node.lchown(&target, attributes.uid, attributes.gid)?;
        } else if meta.is_dir() {
            copy(&source, &target, user, node)?;
            node.lchown(&target, attributes.uid, attributes.gid)?;
            node.chmod(&target, meta.mode & 0o7777)?;
        } else if meta.is_file() {
            node.replace(&target, None, Bytes::File(&source), attributes)?;
        }
    }
    Ok(())
}

/// Returns where the home directory shall be.
pub(super) fn home_of(args: &Args, view: &SystemView, user: &User) -> PathBuf {
    args.home.as_ref().map_or_else(|| PathBuf::from(&user.home), |home| view.expand(home))
}
