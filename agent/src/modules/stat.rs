//! `stat`: what is at a path.

use std::path::Path;

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::status;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Algorithm, Process, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Tells what is at a path",
    description: "Returns `stat`, of which `stat.exists` is always there. Changes nothing.",
    example: "- name: Look for the old home\n  stat:\n    path: /opt/wso2am-3.1.0\n  register: old\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

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
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<std::convert::Infallible>, Failure> {
    let path = view.expand(&args.path);
    let meta = if args.follow { view.stat(&path)? } else { view.lstat(&path)? };
    let Some(meta) = meta else {
        return Ok(Checked::Same(map! { "stat" => map! { "exists" => false } }));
    };
    let mut stat = map! { "exists" => true, "path" => path.to_string_lossy().as_ref() };
    stat.extend(status::of(view, &meta));
    // Unlike `find`, `stat` leaves out the names that there are none for.
    for name in ["pw_name", "gr_name"] {
        if stat.get(name).and_then(Value::as_str) == Some("") {
            stat.shift_remove(name);
        }
    }
    stat.extend(map! {
        "blocks" => status::whole(meta.blocks),
        "block_size" => status::whole(meta.block_size),
        "device_type" => status::whole(meta.rdev),
        "readable" => view.can_read(&path),
        "writeable" => view.can_write(&path),
        "executable" => view.can_execute(&path),
    });
    if meta.is_link() {
        stat.insert("lnk_source".into(), view.real_path(&path).to_string_lossy().as_ref().into());
        stat.insert("lnk_target".into(), view.read_link(&path)?.to_string_lossy().as_ref().into());
    }
    if args.get_checksum && meta.is_file() && view.can_read(&path) {
        stat.insert("checksum".into(), view.checksum(&path, args.checksum_algorithm)?.into());
    }
    if args.get_mime {
        let (kind, charset) = mime(view, &path).unwrap_or(("unknown".into(), "unknown".into()));
        stat.extend(map! { "mimetype" => kind, "charset" => charset });
    }
    if args.get_attributes {
        stat.extend(flags(view, &path));
    }
    Ok(Checked::Same(map! { "stat" => stat }))
}

fn answer(view: &SystemView, process: &Process) -> Option<String> {
    let output = view.query(process).ok().filter(|output| output.rc == 0)?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn mime(view: &SystemView, path: &Path) -> Option<(String, String)> {
    let program = view.program("file")?;
    let options = ["--mime-type", "--mime-encoding"].map(Path::new);
    let said = answer(view, &Process::new([&program, options[0], options[1], path]))?;
    let (kind, charset) = said.rsplit_once(':')?.1.split_once(';')?;
    Some((kind.trim().to_owned(), charset.split_once('=')?.1.trim().to_owned()))
}

/// Returns what `lsattr` says, under Ansible's names.
fn flags(view: &SystemView, path: &Path) -> Map {
    let mut values = map! { "version" => (), "attributes" => Vec::<Value>::new(), "attr_flags" => "" };
    let said = view
        .program("lsattr")
        .and_then(|program| answer(view, &Process::new([&program, Path::new("-vd"), path])));
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
