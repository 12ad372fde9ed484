//! Arguments of `lineinfile`.

use crate::args::{NodePath, State};
use crate::files::attributes::FileArgs;

crate::arguments! {
    /// Arguments of `lineinfile`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("dest", "destfile", "name")],
        /// Whether the line shall be there.
        state: State [default("present")],
        /// Finds the line to replace (the last one found), or all to remove.
        regexp: Option<String> [aliases("regex")],
        /// As `regexp`, but plain text.
        search_string: Option<String>,
        /// The line, without its end.
        line: Option<String> [aliases("value")],
        /// Where a new line goes: after the last line that this finds, or `EOF`.
        insertafter: Option<String>,
        /// Where a new line goes: before the last line that this finds, or `BOF`.
        insertbefore: Option<String>,
        /// Whether `\1` and `\g<name>` in `line` stand for what `regexp` has found.
        backrefs: bool [default("false")],
        /// Whether a missing file is made.
        create: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// Whether the first line found counts, not the last.
        firstmatch: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
    }
    including [file: FileArgs]
    mutually_exclusive ["insertbefore", "insertafter"] ["regexp", "search_string"] ["backrefs", "search_string"]
}
