//! `blockinfile`: lines of a text file between two marks.

mod block;

use convoy_protocol::map;

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::attributes::FileArgs;
use crate::files::edit::{self, Edit};
use crate::files::encoding;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Look, System};

pub use crate::files::edit::Plan;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a block of lines is, or is not, in a text file",
    description: "The block stands between two lines that mark it; several blocks in one file need different \
        `marker`s. An empty block is none.",
    example: "- name: Name the nodes\n  blockinfile:\n    path: /etc/hosts\n    marker: '# {mark} wso2 cluster'\n    block: |\n      10.0.0.11 gw1\n      10.0.0.12 gw2\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::choices! {
    /// Whether the block shall be there.
    pub enum State {
        /// It shall not.
        Absent = "absent",
        /// It shall.
        Present = "present",
    }
}

crate::arguments! {
    /// Arguments of `blockinfile`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("dest", "destfile", "name")],
        /// Whether the block shall be there.
        state: State [default("present")],
        /// The line that marks the block; `{mark}` becomes `marker_begin` and `marker_end`.
        marker: String [default("# {mark} ANSIBLE MANAGED BLOCK")],
        /// What `{mark}` becomes before the block.
        marker_begin: String [default("BEGIN")],
        /// What `{mark}` becomes behind the block.
        marker_end: String [default("END")],
        /// The lines.
        block: String [default(""), aliases("content")],
        /// Where a new block goes: after the last line that this finds, or `EOF`.
        insertafter: Option<String>,
        /// Where a new block goes: before the last line that this finds, or `BOF`.
        insertbefore: Option<String>,
        /// Whether a missing file is made.
        create: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
        /// Whether an empty line stands between the block and what follows.
        append_newline: bool [default("false")],
        /// Whether an empty line stands between the block and what is before it.
        prepend_newline: bool [default("false")],
        /// The file's encoding. Others than UTF-8 need `iconv` on the node.
        encoding: String [default("utf-8")],
    }
    including [file: FileArgs]
    mutually_exclusive ["insertbefore", "insertafter"]
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If there is no file, or a regular expression is none.
pub fn check(args: &Args, look: &Look) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_foreign(look)?;
    let path = look.expand(&args.path);
    edit::refuse_folder(look, &path)?;
    let shown = path.display().to_string();
    let old = match look.stat(&path)? {
        Some(_) => Some(look.read(&path)?),
        None if !args.create => {
            return Err(Failure::new(format!("Path {shown} does not exist !")).with("rc", 257));
        }
        None if args.state == State::Absent => {
            return Ok(Checked::Same(map! { "msg" => format!("File {shown} not present") }));
        }
        None => None,
    };
    let told = |fault: encoding::NoText| fault.failure(&format!("what {shown} holds"), &args.encoding);
    let text =
        old.as_deref().map(|old| encoding::decode(look, old, &args.encoding)).transpose().map_err(told)?;
    let (text, msg) = block::edit(args, text.as_deref())?;
    let new = encoding::encode(look, &text, &args.encoding).map_err(told)?;
    let new = Some((new, msg.to_owned())).filter(|(new, _)| old.as_ref() != Some(new));
    let inspected = Edit { path, old, new, wanted: args.file.wanted() }.inspect(look)?;
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
