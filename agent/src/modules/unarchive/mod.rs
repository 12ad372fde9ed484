//! `unarchive`: what is in an archive comes to be in a directory of the node.

mod args;
mod compare;
mod extract;
mod job;
mod options;
mod select;
mod source;

use std::path::{Path, PathBuf};

use convoy_archive::Manifest;
use convoy_protocol::{Diff, Map, Value, map};

pub use args::Args;

use crate::failure::Failure;
use crate::files::attributes;
use crate::files::with_directory;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

use compare::Comparison;
use job::Job;
use options::Options;
use source::Source;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Unpacks an archive",
    description: "Reads zip, tar, and tar packed by gzip, bzip2, xz or zstd; which of them an archive is, its bytes \
        tell and not its name. Nothing of it is needed on the node. An archive on the workstation is read there: what \
        is on the node is compared with the list of its members, and the archive itself is sent only if something \
        differs. Then only that is unpacked.\n\n\
        A file is the same if it has the member's content, by digest, and its mode; its time is set, but not compared. \
        A symbolic `mode`, such as `u+rwX,g=rX,o=`, starts from that of the archive. The owner is that of the task. Without one, root unpacks files of a tar archive for whom the archive says, \
        and all others are of the running user and not compared. Set-user-id, set-group-id and sticky bits of an \
        archive are set only with `extra_opts: --same-permissions`, or by `mode`.\n\n\
        Refused before anything is written: archives that are damaged or cut off; members that lead out of `dest`, by \
        `..`, by an absolute name, through a symbolic link of the archive or through one on the node; hard links to \
        what is not in the archive; devices and pipes; names that are in it twice, that differ in case alone, that \
        are not UTF-8 or have control characters; encrypted members; what unpacks to more than 1 GiB and 250 times \
        its own size; what does not fit on the file system. If it is interrupted, every file is there whole or not at all, \
        and the next run does the rest.",
    example: "- name: Unpack the product\n  unarchive:\n    src: wso2am-4.1.0.zip\n    dest: /opt/wso2\n    owner: wso2\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::WriteTree);

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// This differs.
    Unpack(Box<Work>),
    /// The archive is to be fetched from this address first, and then compared.
    Fetch(String, PathBuf),
}

/// What differs, and where the archive is.
#[derive(Debug)]
pub struct Work {
    source: Source,
    dest: PathBuf,
    differs: Comparison,
}

/// Compares what is there with what is in the archive.
///
/// # Errors
/// If there is no archive or no directory, if the archive must not be unpacked, or something is in the way.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    if let Some(creates) = args.creates.as_ref().map(|path| view.expand(path))
        && view.stat(&creates)?.is_some()
    {
        let msg = format!("skipped, since {} exists", creates.display());
        return Ok(Checked::Same(map! { "skipped" => true, "msg" => msg }));
    }
    let given = with_directory(view.expand(&args.dest));
    let dest = std::path::absolute(&given).unwrap_or_else(|_| given.clone());
    if !view.stat(&dest)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!(
            "dest '{}' must be an existing dir",
            view.expand(&args.dest).display()
        )));
    }
    let on_node = args.remote_src.unwrap_or(args.copy == Some(false));
    if let Some(address) = Source::address(&args.src, on_node) {
        let why = "the archive would have been fetched, and compared";
        return Ok(Checked::Unknown { plan: Plan::Fetch(address, dest), why, values: Map::new() });
    }
    let source = Source::find(&args.src, on_node, view)?;
    let (mut work, values) = compared(args, view, source, dest)?;
    if work.differs.is_empty() {
        return Ok(Checked::Same(values));
    }
    let lines = std::mem::take(&mut work.differs.itemized).concat();
    let diff = if view.wants_diff() { vec![Diff::Prepared(lines)] } else { Vec::new() };
    Ok(Checked::Differs { plan: Plan::Unpack(Box::new(work)), diff, values })
}

/// Compares, and returns what differs and the return values.
fn compared(args: &Args, view: &SystemView, source: Source, dest: PathBuf) -> Result<(Work, Map), Failure> {
    let manifest = source.manifest(view)?;
    let mut values = answer(args, view, &source, &manifest, &dest)?;
    let job = Job { src: source.shown(), dest: &dest };
    let options = Options::new(args, manifest.format, view)?;
    let selected = select::select(&manifest, &options, job)?;
    if args.list_files {
        values.insert("files".into(), selected.names.iter().map(|name| Value::from(*name)).collect());
    }
    let differs = compare::compare(&args.file, &options, &selected, job, view)?;
    differs.fits(job, view)?;
    attributes::describe(view, &dest, &mut values)?;
    Ok((Work { source, dest, differs }, values))
}

fn answer(
    args: &Args,
    view: &SystemView,
    source: &Source,
    manifest: &Manifest,
    dest: &Path,
) -> Result<Map, Failure> {
    let given = view.expand(&args.dest).display().to_string();
    let mut values =
        map! { "dest" => given.as_str(), "src" => source.shown(), "handler" => manifest.format.handler() };
    let mut warnings = Vec::new();
    if !given.starts_with('/') {
        let dest = dest.display();
        warnings.push(format!("Relative destination path '{given}' was resolved to absolute path '{dest}'."));
    }
    let special = |mode: u32| mode & 0o7000 != 0;
    let options = Options::new(args, manifest.format, view)?;
    let dropped: Vec<_> = manifest.entries.iter().filter(|entry| entry.mode.is_some_and(special)).collect();
    if let (Some(first), false) = (dropped.first(), options.same_permissions) {
        warnings.push(format!(
            "{} members of {} have a set-user-id, set-group-id or sticky bit, such as {}; it is not set without extra_opts: --same-permissions",
            dropped.len(),
            source.shown(),
            first.name
        ));
    }
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into_iter().map(Value::from).collect());
    }
    Ok(values)
}

/// Unpacks what differs.
///
/// # Errors
/// If something cannot be read or written; what was unpacked until then is whole.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    match plan {
        Plan::Unpack(work) => unpack(*work, node, Map::new()),
        Plan::Fetch(address, dest) => {
            let (source, _download) = Source::fetch(&address, args.validate_certs, node)?;
            let (work, values) = compared(args, node, source, dest)?;
            if work.differs.is_empty() {
                return Ok(Done { changed: false, values });
            }
            unpack(work, node, values)
        }
    }
}

fn unpack(work: Work, node: &mut System, mut values: Map) -> Result<Done, Failure> {
    let Work { source, dest, differs } = work;
    let job = Job { src: source.shown(), dest: &dest };
    extract::extract(differs, &source, job, node)?;
    attributes::describe(node, &dest, &mut values)?;
    Ok(Done { changed: true, values })
}
