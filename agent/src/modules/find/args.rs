//! Arguments of `find`.

use convoy_protocol::Value;

use crate::args::NodePath;
use crate::system::Algorithm;

crate::choices! {
    /// What is looked for.
    pub enum FileType {
        /// Everything.
        Any = "any",
        /// Directories.
        Directory = "directory",
        /// Regular files.
        File = "file",
        /// Symbolic links.
        Link = "link",
    }
}

crate::choices! {
    /// The time that `age` is measured from.
    pub enum AgeStamp {
        /// When it was read.
        Atime = "atime",
        /// When anything of it was changed.
        Ctime = "ctime",
        /// When its content was changed.
        Mtime = "mtime",
    }
}

crate::arguments! {
    /// Arguments of `find`.
    pub struct Args {
        /// The directories to look in.
        paths: Vec<NodePath> [required, aliases("name", "path")],
        /// What the name must match: one of these, with `*`, `?` and `[…]`, or regular expressions.
        patterns: Vec<String> [aliases("pattern")],
        /// What the name must not match.
        excludes: Vec<String> [aliases("exclude")],
        /// Whether `patterns` and `excludes` are regular expressions, which match from the name's beginning.
        use_regex: bool [default("false")],
        /// A regular expression that must match from the beginning of a line of the file; only for files.
        contains: Option<String>,
        /// Whether `contains` is searched for in the file as a whole.
        read_whole_file: bool [default("false")],
        /// The encoding in which `contains` is searched for; UTF-8 without it. Others need `iconv` on the node.
        encoding: Option<String>,
        /// What is looked for.
        file_type: FileType [default("file")],
        /// Whether the directories within are looked in too.
        recurse: bool [default("false")],
        /// How deep at most; 1 is the directory itself.
        depth: Option<i64>,
        /// At least so old, or with `-` before it at most: a number with `s`, `m`, `h`, `d` or `w`.
        age: Option<String>,
        /// The time that `age` is measured from.
        age_stamp: AgeStamp [default("mtime")],
        /// At least so large, or with `-` before it at most: a number with `b`, `k`, `m`, `g` or `t`.
        size: Option<String>,
        /// Whether names that begin with a dot are found.
        hidden: bool [default("false")],
        /// The permission bits: octal digits in quotes, or symbolic such as `u=rw,g=r`.
        mode: Option<Value>,
        /// Whether the mode is exactly `mode`, or has one of its bits.
        exact_mode: bool [default("true")],
        /// Whether links to directories are followed.
        follow: bool [default("false")],
        /// Whether the digest of each file is wanted.
        get_checksum: bool [default("false")],
        /// Which digest.
        checksum_algorithm: Algorithm [default("sha1"), aliases("checksum", "checksum_algo")],
        /// How many are found at most.
        limit: Option<i64>,
    }
}
