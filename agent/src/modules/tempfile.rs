//! `tempfile`: a new file or directory under a name of its own.

use std::path::PathBuf;

use convoy_protocol::map;

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::attributes;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Makes a temporary file or directory",
    description: "Only its owner can use it. Every run makes another one, so the task is always changed; \
        remove it with `file` when it is no longer needed.",
    example: "- name: Make a directory to unpack into\n  tempfile:\n    state: directory\n  register: work\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::WriteTree);

crate::choices! {
    /// What is made.
    pub enum State {
        /// A directory.
        Directory = "directory",
        /// A file.
        File = "file",
    }
}

crate::arguments! {
    /// Arguments of `tempfile`.
    pub struct Args {
        /// What is made.
        state: State [default("file")],
        /// The directory to make it in. Without it: the node's own for temporary files.
        path: Option<NodePath>,
        /// What its name begins with.
        prefix: String [default("ansible.")],
        /// What its name ends with.
        suffix: String [default("")],
    }
}

/// Looks whether there is the directory to make it in.
///
/// # Errors
/// If there is no such directory, or the name would lead out of it.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<PathBuf>, Failure> {
    let directory = args.path.as_ref().map_or_else(|| view.temporary_directory(), |path| view.expand(path));
    if let Some(part) = [&args.prefix, &args.suffix].into_iter().find(|part| part.contains('/')) {
        return Err(Failure::new(format!("prefix and suffix are parts of a name, not of a path: {part}")));
    }
    if !view.stat(&directory)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!("No such file or directory: {}", directory.display())));
    }
    let why = "remote module (tempfile) does not support check mode";
    Ok(Checked::Unknown { plan: directory, why, values: map! {} })
}

/// Makes it.
///
/// # Errors
/// If it cannot be made.
pub fn apply(args: &Args, directory: PathBuf, node: &mut System) -> Result<Done, Failure> {
    let path = match args.state {
        State::File => node.make_temporary_file(&directory, &args.prefix, &args.suffix)?,
        State::Directory => node.make_temporary_directory(&directory, &args.prefix, &args.suffix)?,
    };
    let mut values = map! { "path" => path.to_string_lossy().as_ref() };
    attributes::describe(node, &path, &mut values)?;
    Ok(Done { changed: true, values })
}
