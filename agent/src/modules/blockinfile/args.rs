//! Arguments of `blockinfile`.

use crate::args::{NodePath, State};
use crate::files::attributes::FileArgs;

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
