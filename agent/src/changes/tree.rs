//! Directory trees as units.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use sha2::{Digest as _, Sha256};

use super::state::xattrs;

/// A summary of a directory tree.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The digest of all metadata, except for those that change when the tree is moved. Any change in the tree changes it.
    pub(crate) digest: Digest,
    /// The disk usage of its files in bytes.
    pub(super) bytes: u64,
    /// Whether everything is on one file system.
    pub(super) one_system: bool,
}

/// Summarizes a directory tree without reading files.
///
/// # Errors
/// If something is not accessible.
pub(crate) fn survey(top: &Path) -> io::Result<Survey> {
    let device = fs::symlink_metadata(top)?.dev();
    let mut survey = Survey { digest: Digest::of(b""), bytes: 0, one_system: true };
    let mut hasher = Sha256::new();
    walk(top, Path::new(""), &mut |below, path, meta| {
        survey.bytes += meta.blocks() * 512;
        survey.one_system &= meta.dev() == device;
        let mut numbers = vec![u64::from(meta.mode()), meta.uid().into(), meta.gid().into()];
        if !below.as_os_str().is_empty() {
            numbers.extend([
                meta.ino(),
                meta.size(),
                meta.mtime().cast_unsigned(),
                meta.mtime_nsec().cast_unsigned(),
            ]);
            numbers.extend([meta.ctime().cast_unsigned(), meta.ctime_nsec().cast_unsigned()]);
        }
        hasher.update((below.as_os_str().len() as u64).to_le_bytes());
        hasher.update(below.as_os_str().as_bytes());
        numbers.iter().for_each(|number| hasher.update(number.to_le_bytes()));
        if meta.is_symlink() {
            let target = fs::read_link(path)?;
            hasher.update((target.as_os_str().len() as u64).to_le_bytes());
            hasher.update(target.as_os_str().as_bytes());
        }
        Ok(())
    })?;
    survey.digest = Digest::from(<[u8; 32]>::from(hasher.finalize()));
    Ok(survey)
}

/// Calls `each` with `top` and everything below it, sorted by name, each directory before its entries.
fn walk(
    top: &Path,
    below: &Path,
    each: &mut impl FnMut(&Path, &Path, &Metadata) -> io::Result<()>,
) -> io::Result<()> {
    let path = if below.as_os_str().is_empty() { top.to_owned() } else { top.join(below) };
    let meta = fs::symlink_metadata(&path)?;
    each(below, &path, &meta)?;
    if meta.is_dir() {
        let mut names =
            fs::read_dir(&path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        for name in names {
            walk(top, &below.join(name), each)?;
        }
    }
    Ok(())
}

/// Copies the directory tree `from` to `to`, which must not exist, with owners, modes, times, links and extended
/// attributes. Sockets are left out.
///
/// # Errors
/// If something cannot be copied; the copy is removed then.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut directories: Vec<(PathBuf, Metadata)> = Vec::new();
    let mut names: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    let done = walk(from, Path::new(""), &mut |below, source, meta| {
        let target = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        if meta.file_type().is_socket() {
            return Ok(());
        }
        if meta.is_dir() {
            DirBuilder::new().mode(0o700).create(&target)?;
            directories.push((target, meta.clone()));
            return Ok(());
        }
        if meta.nlink() > 1
            && let Some(first) = names.insert((meta.dev(), meta.ino()), target.clone())
        {
            return fs::hard_link(first, &target);
        }
        copy_one(source, &target, meta)?;
        copy_attributes(source, &target, meta)
    });
    // Inner directories first: adding entries changes the times of a directory.
    let done = done.and_then(|()| {
        directories.iter().rev().try_for_each(|(directory, meta)| {
            let below = directory.strip_prefix(to).unwrap_or(Path::new(""));
            let source = if below.as_os_str().is_empty() { from.to_owned() } else { from.join(below) };
            copy_attributes(&source, directory, meta)
        })
    });
    let done = done.and_then(|()| Ok(rustix::fs::syncfs(File::open(to.parent().unwrap_or(to))?)?));
    if done.is_err() {
        remove(to).ok();
    }
    done
}

fn copy_one(source: &Path, target: &Path, meta: &Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    if kind.is_symlink() {
        return symlink(fs::read_link(source)?, target);
    }
    if kind.is_file() {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
        return io::copy(&mut File::open(source)?, &mut file).map(drop);
    }
    let kind = match () {
        () if kind.is_fifo() => FileType::Fifo,
        () if kind.is_char_device() => FileType::CharacterDevice,
        () => FileType::BlockDevice,
    };
    Ok(rustix::fs::mknodat(CWD, target, kind, Mode::RUSR | Mode::WUSR, meta.rdev())?)
}

/// Copies the attributes of the original.
pub(super) fn copy_attributes(source: &Path, target: &Path, meta: &Metadata) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(meta.uid()), rustix::fs::Gid::from_raw(meta.gid()));
    rustix::fs::chownat(CWD, target, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if !meta.is_symlink() {
        fs::set_permissions(target, Permissions::from_mode(meta.mode() & 0o7777))?;
    }
    for (name, value) in xattrs(source) {
        set_xattr(target, &name, &value)?;
    }
    let time = Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, target, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets an extended attribute of `path` itself, unless it is set already.
///
/// # Errors
/// If it cannot be set.
pub(crate) fn set_xattr(path: &Path, name: &[u8], value: &[u8]) -> io::Result<()> {
    if xattrs(path).iter().any(|(known, there)| known == name && there == value) {
        return Ok(());
    }
    Ok(rustix::fs::lsetxattr(path, OsStr::from_bytes(name), value, XattrFlags::empty())?)
}

/// Removes a file or a directory tree.
///
/// # Errors
/// If something cannot be removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
