//! `blockinfile`: lines of a text file between two marks.

mod args;
mod block;

use convoy_protocol::map;

pub use crate::files::edit::Plan;
pub use args::Args;

use crate::args::State;
use crate::failure::Failure;
use crate::files::edit::{self, Edit};
use crate::files::encoding;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a block of lines is, or is not, in a text file",
    description: "The block stands between two lines that mark it; several blocks in one file need different \
        `marker`s. An empty block is none.",
    example: "- name: Name the nodes\n  blockinfile:\n    path: /etc/hosts\n    marker: '# {mark} wso2 cluster'\n    block: |\n      10.0.0.11 gw1\n      10.0.0.12 gw2\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

/// Compares the file with what is asked for.
///
/// # Errors
/// If there is no file, or a regular expression is none.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let path = view.expand(&args.path);
    edit::refuse_directory(view, &path)?;
    let shown = path.display().to_string();
    let old = match view.stat(&path)? {
        Some(_) => Some(view.read(&path)?),
        None if !args.create => {
            return Err(Failure::new(format!("Path {shown} does not exist !")).with("rc", 257));
        }
        None if args.state == State::Absent => {
            return Ok(Checked::Same(map! { "msg" => format!("File {shown} not present") }));
        }
        None => None,
    };
    let told = |fault: encoding::EncodingError| fault.failure(&format!("what {shown} holds"), &args.encoding);
    let text =
        old.as_deref().map(|old| encoding::decode(view, old, &args.encoding)).transpose().map_err(told)?;
    let (text, msg) = block::edit(args, text.as_deref())?;
    let new = encoding::encode(view, &text, &args.encoding).map_err(told)?;
    let new = Some((new, msg.to_owned())).filter(|(new, _)| old.as_ref() != Some(new));
    let inspected = Edit { path, old, new, wanted: args.file.wanted() }.inspect(view)?;
    let values = map! { "msg" => inspected.msg };
    Ok(match inspected.plan {
        None => Checked::Same(values),
        Some(plan) => Checked::Differs { plan, diff: inspected.diff, values },
    })
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    edit::apply(plan, args.validate.as_deref(), args.backup.then_some("backup_file"), node)
}
