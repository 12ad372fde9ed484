//! `find`: the files and folders below a path that fit.

mod filter;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::{python_os_error, status};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Algorithm, Look, Meta, System};

use filter::Filter;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Finds files and folders",
    description: "Returns `files`, in the order of their names: first what is in a folder, then what is in its \
        folders. What cannot be looked at is in `skipped_paths`. Changes nothing.",
    example: "- name: Find logs older than four weeks\n  find:\n    paths: /opt/wso2/repository/logs\n    patterns: '*.log'\n    age: 4w\n  register: old\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::ReadTree);

crate::choices! {
    /// What is looked for.
    pub enum FileType {
        /// Everything.
        Any = "any",
        /// Folders.
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
        /// The folders to look in.
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
        /// Whether the folders within are looked in too.
        recurse: bool [default("false")],
        /// How deep at most; 1 is the folder itself.
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
        /// Whether links to folders are followed.
        follow: bool [default("false")],
        /// Whether the digest of each file is wanted.
        get_checksum: bool [default("false")],
        /// Which digest.
        checksum_algorithm: Algorithm [default("sha1"), aliases("checksum", "checksum_algo")],
        /// How many are found at most.
        limit: Option<i64>,
    }
}

/// Looks.
///
/// # Errors
/// If an argument has no meaning. What cannot be looked at is told in the answer.
pub fn check(args: &Args, look: &Look) -> Result<Checked<std::convert::Infallible>, Failure> {
    if let Some(limit) = args.limit.filter(|limit| *limit <= 0) {
        return Err(Failure::new(format!("limit cannot be {limit} (use None for unlimited)")));
    }
    let mut search = Search {
        args,
        look,
        filter: Filter::new(args, look)?,
        found: Vec::new(),
        examined: 0,
        skipped: Map::new(),
        warnings: Vec::new(),
        limited: false,
    };
    for path in &args.paths {
        search.root(&look.expand(path));
    }
    Ok(Checked::Same(search.answer()))
}

/// Why a path is not searched any further.
struct Skipped(String);

struct Search<'a> {
    args: &'a Args,
    look: &'a Look,
    filter: Filter<'a>,
    found: Vec<Value>,
    examined: i64,
    skipped: Map,
    warnings: Vec<Value>,
    limited: bool,
}

impl Search<'_> {
    fn answer(self) -> Map {
        let msg = match (self.warnings.is_empty(), self.limited) {
            (false, _) => "Not all paths examined, check warnings for details",
            (true, true) => "Limit of matches reached",
            (true, false) => "All paths examined",
        };
        let mut values = map! {
            "matched" => status::whole(self.found.len() as u64),
            "files" => self.found,
            "msg" => msg,
            "examined" => self.examined,
            "skipped_paths" => self.skipped,
        };
        if !self.warnings.is_empty() {
            values.insert("warnings".into(), self.warnings.into());
        }
        values
    }

    fn skip(&mut self, path: &Path, what: &str, why: &str) {
        let shown = path.to_string_lossy();
        self.skipped.insert(shown.as_ref().into(), why.into());
        let warning = match what {
            "path" => format!("Skipped '{shown}' path due to this access issue: {why}\n"),
            what => format!("Skipped {what} '{shown}' due to this access issue: {why}\n"),
        };
        self.warnings.push(warning.into());
    }

    fn root(&mut self, path: &Path) {
        let searched = match self.look.stat(path) {
            Ok(Some(meta)) if meta.is_dir() => {
                let mut above = HashSet::from([(meta.dev, meta.ino)]);
                self.folder(path, 1, &mut above)
            }
            _ => Err(Skipped(format!("'{}' is not a directory", path.display()))),
        };
        if let Err(Skipped(why)) = searched {
            self.skip(path, "path", &why);
        }
    }

    fn is_full(&self) -> bool {
        self.args.limit.is_some_and(|limit| self.found.len() as i64 >= limit)
    }

    /// Looks at what is in `folder`, then in its folders. `above` are the folders that led here: a link to one of them
    /// is not followed for ever.
    fn folder(&mut self, folder: &Path, depth: i64, above: &mut HashSet<(u64, u64)>) -> Result<(), Skipped> {
        let paths = match self.list(folder) {
            Ok(paths) => paths,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let why = os_error(&error, folder);
                self.skipped.insert(folder.to_string_lossy().as_ref().into(), why.into());
                return Ok(());
            }
            Err(error) => return Err(Skipped(os_error(&error, folder))),
        };
        self.examined += paths.len() as i64;
        let is_folder = |path: &PathBuf| self.look.stat(path).ok().flatten().filter(Meta::is_dir);
        let (mut folders, mut others) = (Vec::new(), Vec::new());
        for path in paths {
            match is_folder(&path) {
                Some(meta) => folders.push((path, (meta.dev, meta.ino))),
                None => others.push(path),
            }
        }
        if self.args.depth.is_some_and(|limit| limit > 0 && depth > limit) {
            return Ok(());
        }
        for path in others.iter().chain(folders.iter().map(|(path, _)| path)) {
            self.entry(path)?;
            if self.is_full() {
                self.limited = true;
                return Ok(());
            }
        }
        for (path, id) in folders {
            let is_link = || self.look.lstat(&path).is_ok_and(|meta| meta.is_some_and(|meta| meta.is_link()));
            if !self.args.recurse || self.is_full() || (!self.args.follow && is_link()) {
                continue;
            }
            if above.insert(id) {
                self.folder(&path, depth + 1, above)?;
                above.remove(&id);
            }
        }
        Ok(())
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
        paths.sort_unstable();
        Ok(paths)
    }

    fn entry(&mut self, path: &Path) -> Result<(), Skipped> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && !self.args.hidden {
            return Ok(());
        }
        let path = normal(path);
        let meta = match std::fs::symlink_metadata(&path) {
            Ok(meta) => Meta::from(&meta),
            Err(error) => {
                self.skip(&path, "entry", &os_error(&error, &path));
                return Ok(());
            }
        };
        if !self.filter.fits(&path, &name, &meta, self.look).map_err(Skipped)? {
            return Ok(());
        }
        let mut values = map! { "path" => path.to_string_lossy().as_ref() };
        values.extend(status::of(self.look, &meta));
        if self.args.get_checksum && meta.is_file() {
            let sum = self.look.checksum(&path, self.args.checksum_algorithm);
            // As in `stat`: what may not be read has no digest.
            values.insert("checksum".into(), sum.ok().map_or(Value::null(), Value::from));
        }
        self.found.push(values.into());
        Ok(())
    }
}

/// Returns an error as Python prints an `OSError` of a path that is text.
fn os_error(error: &std::io::Error, path: &Path) -> String {
    python_os_error(error, path).replacen(": b'", ": '", 1)
}

/// Returns `path` without `.`, `..` and doubled slashes, as Python's `normpath` does.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if normal.file_name().is_some_and(|name| name != "..") => {
                normal.pop();
            }
            std::path::Component::ParentDir if normal.is_absolute() => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: std::convert::Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
