//! `slurp`: what a small file of the node holds.

use std::convert::Infallible;
use std::fs::File;
use std::io::{ErrorKind, Read};

use convoy_protocol::frame::MAX_FRAME;
use convoy_protocol::{base64, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::os_error::reason;
use crate::system::{System, SystemView};

/// The largest file that is returned: in Base64 it takes half a message, so that something else fits in beside it.
const LIMIT: usize = MAX_FRAME / 8 * 3;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Returns what a file holds",
    description: "In Base64, since it may be anything; read it with the filter `b64decode`. A file of more than \
        12 MiB is refused: bring it home with `fetch`. Changes nothing.",
    example: "- name: Read the version\n  slurp:\n    src: /opt/wso2/bin/version.txt\n  register: version\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

crate::arguments! {
    /// Arguments of `slurp`.
    pub struct Args {
        /// The file.
        src: NodePath [required, aliases("path")],
    }
}

/// Reads the file.
///
/// # Errors
/// If there is no such file, or it cannot be read or is too large.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let path = view.expand(&args.src);
    let shown = path.display();
    let mut bytes = Vec::new();
    // Of what is no regular file, such as those in /proc, nobody can tell beforehand how long it is.
    let read = File::open(&path).and_then(|file| file.take(LIMIT as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(Failure::new(match error.kind() {
            ErrorKind::NotFound => format!("file not found: {shown}"),
            ErrorKind::PermissionDenied => format!("file is not readable: {shown}"),
            ErrorKind::IsADirectory => format!("source is a directory and must be a file: {shown}"),
            _ => format!("unable to slurp file: {shown}: {}", reason(&error)),
        }));
    }
    if bytes.len() > LIMIT {
        return Err(Failure::new(format!(
            "{shown} is larger than the {LIMIT} bytes that slurp returns: use fetch for it"
        )));
    }
    let source = path.to_string_lossy().into_owned();
    Ok(Checked::Same(
        map! { "content" => base64::encode(&bytes), "source" => source, "encoding" => "base64" },
    ))
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
