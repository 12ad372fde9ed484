//! `stat`: what is at a path.

use std::path::Path;

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::module::{Checked, Doc, Done, Failure};
use crate::system::{Algorithm, FileKind, Look, Meta, Process, System};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Tells what is at a path",
    description: "Returns `stat`, of which `stat.exists` is always there. Changes nothing.",
    example: "- name: Look for the old home\n  stat:\n    path: /opt/wso2am-3.1.0\n  register: old\n",
};

crate::arguments! {
    /// Arguments of `stat`.
    pub struct Args {
        /// The path.
        path: NodePath [required, aliases("dest", "name")],
        /// Whether a symbolic link is followed.
        follow: bool [default("false")],
        /// Whether the digest of a file is wanted.
        get_checksum: bool [default("true")],
        /// Whether `file` is asked for type and character set; `unknown` where there is no such program.
        get_mime: bool [default("true"), aliases("mime", "mime_type", "mime-type")],
        /// Whether `lsattr` is asked for flags; none where there is no such program.
        get_attributes: bool [default("true"), aliases("attr", "attributes")],
        /// Which digest.
        checksum_algorithm: Algorithm [default("sha1"), aliases("checksum", "checksum_algo")],
    }
}

/// Looks.
///
/// # Errors
/// If that is not permitted.
pub fn check(args: &Args, look: &Look) -> Result<Checked<std::convert::Infallible>, Failure> {
    let path = look.expand(&args.path);
    let meta = if args.follow { look.stat(&path)? } else { look.lstat(&path)? };
    let Some(meta) = meta else {
        return Ok(Checked::Same(map! { "stat" => map! { "exists" => false } }));
    };
    let mut stat = format(&path, &meta);
    stat.extend(map! {
        "readable" => look.can_read(&path),
        "writeable" => look.can_write(&path),
        "executable" => look.can_execute(&path),
    });
    if meta.is_link() {
        stat.insert("lnk_source".into(), look.real_path(&path).to_string_lossy().as_ref().into());
        stat.insert("lnk_target".into(), look.read_link(&path)?.to_string_lossy().as_ref().into());
    }
    if let Some(user) = look.user_by_id(meta.uid) {
        stat.insert("pw_name".into(), user.name.into());
    }
    if let Some(group) = look.group_name(meta.gid) {
        stat.insert("gr_name".into(), group.into());
    }
    if args.get_checksum && meta.is_file() && look.can_read(&path) {
        stat.insert("checksum".into(), look.checksum(&path, args.checksum_algorithm)?.into());
    }
    if args.get_mime {
        let (kind, charset) = mime(look, &path).unwrap_or(("unknown".into(), "unknown".into()));
        stat.extend(map! { "mimetype" => kind, "charset" => charset });
    }
    if args.get_attributes {
        stat.extend(flags(look, &path));
    }
    Ok(Checked::Same(map! { "stat" => stat }))
}

fn whole(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn format(path: &Path, meta: &Meta) -> Map {
    let bit = |mask: u32| meta.mode & mask != 0;
    map! {
        "exists" => true,
        "path" => path.to_string_lossy().as_ref(),
        "mode" => format!("{:04o}", meta.mode),
        "isdir" => meta.is_dir(),
        "ischr" => meta.kind == FileKind::CharDevice,
        "isblk" => meta.kind == FileKind::BlockDevice,
        "isreg" => meta.is_file(),
        "isfifo" => meta.kind == FileKind::Fifo,
        "islnk" => meta.is_link(),
        "issock" => meta.kind == FileKind::Socket,
        "uid" => meta.uid,
        "gid" => meta.gid,
        "size" => whole(meta.size),
        "inode" => whole(meta.ino),
        "dev" => whole(meta.dev),
        "nlink" => whole(meta.nlink),
        "atime" => meta.atime.as_f64(),
        "mtime" => meta.mtime.as_f64(),
        "ctime" => meta.ctime.as_f64(),
        "wusr" => bit(0o200),
        "rusr" => bit(0o400),
        "xusr" => bit(0o100),
        "wgrp" => bit(0o020),
        "rgrp" => bit(0o040),
        "xgrp" => bit(0o010),
        "woth" => bit(0o002),
        "roth" => bit(0o004),
        "xoth" => bit(0o001),
        "isuid" => bit(0o4000),
        "isgid" => bit(0o2000),
        "blocks" => whole(meta.blocks),
        "block_size" => whole(meta.block_size),
        "device_type" => whole(meta.rdev),
    }
}

fn answer(look: &Look, process: &Process) -> Option<String> {
    let output = look.ask(process).ok().filter(|output| output.rc == 0)?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn mime(look: &Look, path: &Path) -> Option<(String, String)> {
    let program = look.program("file")?;
    let options = ["--mime-type", "--mime-encoding"].map(Path::new);
    let said = answer(look, &Process::new([&program, options[0], options[1], path]))?;
    let (kind, charset) = said.rsplit_once(':')?.1.split_once(';')?;
    Some((kind.trim().to_owned(), charset.split_once('=')?.1.trim().to_owned()))
}

/// Returns what `lsattr` says, under Ansible's names.
fn flags(look: &Look, path: &Path) -> Map {
    let mut values = map! { "version" => (), "attributes" => Vec::<Value>::new(), "attr_flags" => "" };
    let said = look
        .program("lsattr")
        .and_then(|program| answer(look, &Process::new([&program, Path::new("-vd"), path])));
    let mut words = said.as_deref().unwrap_or_default().split_whitespace();
    if let (Some(version), Some(flags)) = (words.next(), words.next()) {
        let flags = flags.replace('-', "");
        let names = flags.chars().filter_map(flag_name).map(Value::from);
        values.insert("attributes".into(), names.collect());
        values.insert("version".into(), version.into());
        values.insert("attr_flags".into(), flags.into());
    }
    values
}

fn flag_name(flag: char) -> Option<&'static str> {
    Some(match flag {
        'A' => "noatime",
        'a' => "append",
        'c' => "compressed",
        'C' => "nocow",
        'd' => "nodump",
        'D' => "dirsync",
        'e' => "extents",
        'E' => "encrypted",
        'h' => "blocksize",
        'i' => "immutable",
        'I' => "indexed",
        'j' => "journalled",
        'N' => "inline",
        's' => "zero",
        'S' => "synchronous",
        't' => "notail",
        'T' => "blockroot",
        'u' => "undelete",
        'X' => "compressedraw",
        'Z' => "compresseddirty",
        _ => return None,
    })
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: std::convert::Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
