//! Arguments of `file`.

use crate::args::NodePath;
use crate::files::attributes::FileArgs;

crate::choices! {
    /// What shall be there.
    pub enum State {
        /// Nothing.
        Absent = "absent",
        /// A directory.
        Directory = "directory",
        /// The file that is there, with these attributes.
        File = "file",
        /// Another name of the file `src`.
        Hard = "hard",
        /// A symbolic link to `src`.
        Link = "link",
        /// A file, made empty if it is missing, with these times.
        Touch = "touch",
    }
}

crate::arguments! {
    /// Arguments of `file`.
    pub struct Args {
        /// The path.
        path: NodePath [required, aliases("dest", "name")],
        /// What shall be there. Without it: what is there, else a file.
        state: Option<State>,
        /// What a link leads to.
        src: Option<NodePath>,
        /// Whether the attributes are those of all that a directory holds.
        recurse: bool [default("false")],
        /// Whether a link may lead nowhere and replace a file or an empty directory.
        force: bool [default("false")],
        /// Whether symbolic links are followed for attributes.
        follow: bool [default("true")],
        /// `preserve`, `now`, or a time in `modification_time_format`.
        modification_time: Option<String>,
        /// How `modification_time` is written.
        modification_time_format: String [default("%Y%m%d%H%M.%S")],
        /// `preserve`, `now`, or a time in `access_time_format`.
        access_time: Option<String>,
        /// How `access_time` is written.
        access_time_format: String [default("%Y%m%d%H%M.%S")],
    }
    including [file: FileArgs]
}
