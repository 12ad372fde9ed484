//! `file`: what is at a path, and its attributes.

mod args;
mod attributes;
mod plan;
mod states;
mod times;

use convoy_protocol::Value;

pub use args::{Args, State};
pub use plan::Plan;

use crate::args::Arg;
use crate::failure::Failure;
use crate::files::attributes as shared;
use crate::files::difference;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Bytes, System, SystemView};

use plan::{Action, refuse};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Makes, changes and removes files, directories and links",
    description: "Symbolic links are followed for attributes unless `follow` is false; what is removed never is. \
        Links are replaced in one step.",
    example: "- name: Make the directory for backups\n  file:\n    path: /var/backups/wso2\n    state: directory\n    owner: wso2\n    mode: '0750'\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::ByArguments(|args| {
    let recurse = args.get("recurse").is_some_and(|flag| bool::convert(flag).unwrap_or(true));
    let state = args.get("state").and_then(Value::as_str);
    // What is removed, or replaced by a link, is gone with all that is below it.
    if recurse || matches!(state, Some("absent" | "link" | "hard")) {
        Access::WriteTree
    } else {
        Access::Write
    }
}));

/// Compares what is there with what is asked for.
///
/// # Errors
/// If something is in the way, or the arguments contradict each other.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let mut path = view.expand(&args.path);
    let src = args.src.as_ref().map(|src| view.expand(src));
    if !matches!(args.state, Some(State::Link | State::Absent))
        && let Some(name) = src.as_ref().and_then(|src| src.file_name())
        && view.stat(&path)?.is_some_and(|meta| meta.is_dir())
    {
        path = path.join(name);
    }
    let there = view.lstat(&path)?;
    let state = args.state.unwrap_or(match shared::state(there.as_ref()) {
        "absent" if args.recurse => State::Directory,
        "directory" => State::Directory,
        "link" => State::Link,
        "hard" => State::Hard,
        _ => State::File,
    });
    if args.recurse && state != State::Directory {
        return Err(refuse("recurse option requires state to be 'directory'".into(), &path));
    }
    if src.is_some() && !matches!(state, State::Link | State::Hard) {
        return Err(refuse("src option requires state to be 'link' or 'hard'".into(), &path));
    }
    let task = states::Task { args, view, times: times::Times::read(args, state, view)? };
    let plan = match state {
        State::Absent => task.absent(&path, there)?,
        State::Directory => task.directory(path, there)?,
        State::File => task.file(path, there)?,
        State::Hard => task.hard(&path, src, there)?,
        State::Link => task.link(&path, src, there)?,
        State::Touch => task.touch(&path, there)?,
    };
    let mut values = plan.values.clone();
    shared::describe(view, &plan.shown, &mut values)?;
    if plan.actions.is_empty() {
        return Ok(Checked::Same(values));
    }
    let diff =
        if view.wants_diff() { vec![difference::of_maps(&plan.before, &plan.after)] } else { Vec::new() };
    Ok(Checked::Differs { plan, diff, values })
}

/// Does it.
///
/// # Errors
/// If something cannot be done; what came before it is done.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    for action in &plan.actions {
        perform(action, node)?;
    }
    let mut values = plan.values;
    shared::describe(node, &plan.shown, &mut values)?;
    Ok(Done { changed: true, values })
}

fn perform(action: &Action, node: &mut System) -> Result<(), Failure> {
    match action {
        Action::MakeDir(path, attributes) => {
            node.make_dir(path).map_err(|failure| {
                let msg =
                    format!("There was an issue creating {} as requested: {}", path.display(), failure.msg);
                refuse(msg, path)
            })?;
            shared::set(node, path, *attributes)
        }
        Action::Create(path, attributes) => node
            .replace(path, None, Bytes::Memory(b""), *attributes)
            .map_err(|failure| refuse(format!("Error, could not touch target: {}", failure.msg), path)),
        Action::Symlink { path, target, expected } => node.symlink(target, path, expected.as_ref()),
        Action::HardLink { path, target, expected } => node.hard_link(target, path, expected.as_ref()),
        Action::Set(path, attributes) => shared::set(node, path, *attributes),
        Action::Times(path, atime, mtime) => node.set_times(path, *atime, *mtime),
        Action::Remove(path) => node.remove(path),
    }
}
