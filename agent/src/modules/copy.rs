//! `copy`: a file, a directory or some text comes to be on the node.

use std::path::{Path, PathBuf};

use convoy_protocol::{Kind, Map, Value, map};

use crate::args::{Arg, Mode, NodePath};
use crate::content::{Content, EntryKind, StagedSource, Tree};
use crate::failure::Failure;
use crate::files::attributes::{self, FileArgs, RequestedAttributes};
use crate::files::mode::Base;
use crate::files::put::{self, Put, Source};
use crate::files::tree::{self, Item};
use crate::files::{ends_with_slash, json, with_directory};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Attributes, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Copies files, directories or text to the node",
    description: "Compares by digest and sends only what the node lacks. A file is replaced whole or not at all.\n\n\
        A source that ends with a slash means what is in the directory; without it the directory itself is copied. \
        A destination that ends with a slash is a directory, made if it is missing.",
    example: "- name: Install the driver\n  copy:\n    src: mysql-connector.jar\n    dest: /opt/wso2/lib/\n    mode: '0644'\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::ByArguments(|args| {
    let tree = |src: &Value| src.as_str().is_some() || src.get("tree").is_some();
    if args.get("src").is_some_and(tree) { Access::WriteTree } else { Access::Write }
}));

crate::arguments! {
    /// Arguments of `copy`.
    pub struct Args {
        /// The file or directory on the workstation; with `remote_src`, on the node.
        src: Option<StagedSource> [controller_file],
        /// The content itself, instead of `src`.
        content: Option<Value> [no_log],
        /// Where it shall be.
        dest: NodePath [required],
        /// Whether `src` is on the node.
        remote_src: bool [default("false")],
        /// Whether a file with other content is replaced.
        force: bool [default("true")],
        /// Whether a symbolic link at `dest` is followed, not replaced.
        follow: bool [default("false")],
        /// Whether symbolic links in the source are followed, not copied as links. Without it they are, but for
        /// directories that are on the node already.
        local_follow: Option<bool>,
        /// Whether files of the workstation that a vault encrypts are decrypted.
        decrypt: bool [default("true")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
        /// The SHA-1 that the content must have.
        checksum: Option<String>,
        /// The mode of directories that are made.
        directory_mode: Option<Mode>,
    }
    including [file: FileArgs]
    missing: "dest is required"
}

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// One file.
    One(Box<put::Plan>),
    /// A directory, and what the answer says of it.
    Many(Box<tree::Plan>),
}

/// Compares what is there with what is asked for.
///
/// # Errors
/// If the arguments contradict each other, or something is in the way.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let dest = with_directory(view.expand(&args.dest));
    if args.dest.0.as_os_str().is_empty() {
        return Err(Failure::new("dest is required"));
    }
    match (&args.src, &args.content) {
        (None, None) => Err(Failure::new("src (or content) is required")),
        (Some(_), Some(_)) => Err(Failure::new("src and content are mutually exclusive")),
        (None, Some(content)) => {
            if ends_with_slash(&dest) || view.stat(&dest)?.is_some_and(|meta| meta.is_dir()) {
                return Err(Failure::new("can not use content with a dir as dest"));
            }
            let header = dest.display().to_string();
            one(args, view, dest, Source::Memory(bytes(content)?), header, None)
        }
        (Some(StagedSource::File(content)), None) => from_controller(args, view, dest, content),
        (Some(StagedSource::Tree(tree)), None) => {
            many(view, controller_items(args, view, &dest, tree)?, dest, &tree.name)
        }
        (Some(StagedSource::Node(path)), None) if args.remote_src => from_node(args, view, dest, path),
        (Some(StagedSource::Node(path)), None) => Err(Failure::new(format!(
            "{} is a file of the workstation, but its content was not sent with the task",
            path.0.display()
        ))),
    }
}

fn bytes(content: &Value) -> Result<Vec<u8>, Failure> {
    match &content.kind {
        Kind::Map(_) | Kind::List(_) => Ok(json::compact(content).into_bytes()),
        Kind::Bytes(bytes) => Ok(bytes.to_vec()),
        _ => String::convert(content).map(String::into_bytes).map_err(Failure::new),
    }
}

fn wanted(args: &Args) -> RequestedAttributes<'_> {
    RequestedAttributes {
        mode: args.file.mode.as_ref().filter(|_| !args.file.keeps_mode()),
        ..args.file.wanted()
    }
}

fn directory_wanted(args: &Args) -> RequestedAttributes<'_> {
    RequestedAttributes { mode: args.directory_mode.as_ref(), ..args.file.wanted() }
}

fn put<'a>(args: &'a Args, dest: PathBuf, source: Source, header: String) -> Put<'a> {
    let mut put = Put::new(dest, source, wanted(args));
    put.header = header;
    put.force = args.force;
    put.follow = args.follow;
    put.backup = args.backup;
    put.validate = args.validate.as_deref();
    put
}

/// Returns the file that is meant by `dest`, and the directories to be made for it.
fn file_in(
    args: &Args,
    view: &SystemView,
    dest: PathBuf,
    name: &Path,
) -> Result<(PathBuf, Vec<(PathBuf, Attributes)>), Failure> {
    if !ends_with_slash(&dest) {
        let is_dir = view.stat(&dest)?.is_some_and(|meta| meta.is_dir());
        return Ok((if is_dir { dest.join(name) } else { dest }, Vec::new()));
    }
    let umask = view.umask();
    let base = Base { mode: 0o777 & !umask, is_dir: true, umask };
    let parents = tree::missing_directories(view, &crate::files::dirname(&dest))?.into_iter();
    let parents = parents.map(|path| {
        let attributes = directory_wanted(args).resolve(view, &path, base)?;
        Ok((path, attributes))
    });
    Ok((dest.join(name), parents.collect::<Result<_, Failure>>()?))
}

fn one(
    args: &Args,
    view: &SystemView,
    dest: PathBuf,
    source: Source,
    header: String,
    preserve: Option<u32>,
) -> Result<Checked<Plan>, Failure> {
    let mut put = put(args, dest, source, header);
    put.preserve = preserve;
    put.checksum = args.checksum.as_deref();
    boxed(put::check(put, view, Map::new())?)
}

fn boxed(checked: Checked<put::Plan>) -> Result<Checked<Plan>, Failure> {
    Ok(match checked {
        Checked::Same(values) => Checked::Same(values),
        Checked::Differs { plan, diff, values } => {
            Checked::Differs { plan: Plan::One(Box::new(plan)), diff, values }
        }
        Checked::Unknown { plan, why, values } => {
            Checked::Unknown { plan: Plan::One(Box::new(plan)), why, values }
        }
    })
}

fn from_controller(
    args: &Args,
    view: &SystemView,
    dest: PathBuf,
    content: &Content,
) -> Result<Checked<Plan>, Failure> {
    let (dest, parents) = file_in(args, view, dest, Path::new(&content.name))?;
    let mut put = put(args, dest, Source::Controller(content.clone()), content.name.clone());
    put.parents = parents;
    put.preserve = args.file.keeps_mode().then_some(content.mode);
    put.checksum = args.checksum.as_deref();
    boxed(put::check(put, view, Map::new())?)
}

fn controller_items<'a>(
    args: &'a Args,
    view: &SystemView,
    dest: &Path,
    tree: &Tree,
) -> Result<Vec<Item<'a>>, Failure> {
    let root = if tree.slash { dest.to_owned() } else { dest.join(&tree.name) };
    let mut items = Vec::new();
    // What is asked of directories is asked of those in the tree; the destination itself only has to be there.
    if view.stat(&root)?.is_none() || !tree.slash {
        items.push(Item::Dir { path: root.clone(), wanted: directory_wanted(args), new: None });
    }
    for entry in &tree.entries {
        let path = root.join(&entry.path);
        items.push(match &entry.kind {
            EntryKind::Dir(_) => Item::Dir { path, wanted: directory_wanted(args), new: None },
            EntryKind::Link(target) => Item::Link { path, target: target.clone(), wanted: wanted(args) },
            EntryKind::File(content) => {
                let header = entry.path.display().to_string();
                let mut put = put(args, path, Source::Controller(content.clone()), header);
                put.follow = false;
                put.preserve = args.file.keeps_mode().then_some(content.mode);
                Item::File(put)
            }
        });
    }
    Ok(items)
}

fn from_node(
    args: &Args,
    view: &SystemView,
    dest: PathBuf,
    path: &NodePath,
) -> Result<Checked<Plan>, Failure> {
    let source = view.expand(path);
    let Some(meta) = view.stat(&source)? else {
        return Err(Failure::new(format!("Source {} not found", source.display())));
    };
    if !view.can_read(&source) {
        return Err(Failure::new(format!("Source {} not readable", source.display())));
    }
    if meta.is_dir() {
        let root = if ends_with_slash(&source) {
            dest.clone()
        } else {
            dest.join(source.file_name().unwrap_or_default())
        };
        let contents = RequestedAttributes { mode: None, ..args.file.wanted() };
        let mut items = tree::items_of_node(view, &source, &root, contents, args.local_follow == Some(true))?;
        // The mode is that of the destination alone, as Ansible has it.
        if args.file.mode.is_some() && !args.file.keeps_mode() {
            items.push(Item::Dir { path: dest.clone(), wanted: wanted(args), new: None });
        }
        return many(view, items, dest, &source.to_string_lossy());
    }
    if !meta.is_file() {
        return Err(Failure::new(format!("Cannot copy invalid source '{}': not a file", source.display())));
    }
    let (dest, parents) = file_in(args, view, dest, Path::new(source.file_name().unwrap_or_default()))?;
    let mut put = put(args, dest, Source::Node(source.clone()), source.display().to_string());
    put.parents = parents;
    put.preserve = args.file.keeps_mode().then_some(meta.mode);
    put.written = Attributes { mode: Some(meta.mode), uid: Some(view.uid()), gid: Some(view.gid()) };
    put.checksum = args.checksum.as_deref();
    boxed(put::check(put, view, map! { "src" => source.to_string_lossy().as_ref() })?)
}

fn many(
    view: &SystemView,
    items: Vec<Item<'_>>,
    dest: PathBuf,
    source: &str,
) -> Result<Checked<Plan>, Failure> {
    let mut plan = tree::Plan::default();
    for item in items {
        plan.add(item, view)?;
    }
    let mut values = map! { "dest" => dest.join("").to_string_lossy().as_ref(), "src" => source };
    if plan.is_empty() {
        attributes::describe(view, &dest, &mut values)?;
        return Ok(Checked::Same(values));
    }
    let diff = std::mem::take(&mut plan.diff);
    Ok(Checked::Differs { plan: Plan::Many(Box::new(plan)), diff, values })
}

/// Copies.
///
/// # Errors
/// If something cannot be written; a file that was there is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    match plan {
        Plan::One(plan) => put::apply(*plan, node),
        Plan::Many(plan) => {
            plan.perform(node)?;
            let mut values = Map::new();
            attributes::describe(node, &with_directory(node.expand(&args.dest)), &mut values)?;
            Ok(Done { changed: true, values })
        }
    }
}
