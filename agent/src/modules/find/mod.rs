//! `find`: the files and directories below a path that fit.

mod args;
mod filter;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use convoy_protocol::{Map, Value, map};

pub use args::{AgeStamp, Args, FileType};

use crate::failure::Failure;
use crate::files::status;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::os_error;
use crate::stat::Meta;
use crate::system::{System, SystemView};

use filter::Filter;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Finds files and directories",
    description: "Returns `files`, in the order of their names: first what is in a directory, then what is in its \
        directories. What cannot be looked at is in `skipped_paths`. Changes nothing.",
    example: "- name: Find logs older than four weeks\n  find:\n    paths: /opt/wso2/repository/logs\n    patterns: '*.log'\n    age: 4w\n  register: old\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::ReadTree);

/// Looks.
///
/// # Errors
/// If an argument has no meaning. What cannot be looked at is told in the answer.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<std::convert::Infallible>, Failure> {
    if let Some(limit) = args.limit.filter(|limit| *limit <= 0) {
        return Err(Failure::new(format!("limit cannot be {limit} (use None for unlimited)")));
    }
    let mut search = Search {
        args,
        view,
        filter: Filter::new(args, view)?,
        found: Vec::new(),
        examined: 0,
        skipped: Map::new(),
        warnings: Vec::new(),
        limited: false,
    };
    for path in &args.paths {
        search.root(&view.expand(path));
    }
    Ok(Checked::Same(search.answer()))
}

/// Why a path is not searched any further.
struct Skipped(String);

struct Search<'a> {
    args: &'a Args,
    view: &'a SystemView,
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
        let searched = match self.view.stat(path) {
            Ok(Some(meta)) if meta.is_dir() => {
                let mut above = HashSet::from([(meta.dev, meta.ino)]);
                self.directory(path, 1, &mut above)
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

    /// Looks at what is in `directory`, then in its directories. `above` are the directories that led here: a link to one of them
    /// is not followed for ever.
    fn directory(
        &mut self,
        directory: &Path,
        depth: i64,
        above: &mut HashSet<(u64, u64)>,
    ) -> Result<(), Skipped> {
        let paths = match self.list(directory) {
            Ok(paths) => paths,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let why = os_error(&error, directory);
                self.skipped.insert(directory.to_string_lossy().as_ref().into(), why.into());
                return Ok(());
            }
            Err(error) => return Err(Skipped(os_error(&error, directory))),
        };
        self.examined += paths.len() as i64;
        let is_directory = |path: &PathBuf| self.view.stat(path).ok().flatten().filter(Meta::is_dir);
        let (mut directories, mut others) = (Vec::new(), Vec::new());
        for path in paths {
            match is_directory(&path) {
                Some(meta) => directories.push((path, (meta.dev, meta.ino))),
                None => others.push(path),
            }
        }
        if self.args.depth.is_some_and(|limit| limit > 0 && depth > limit) {
            return Ok(());
        }
        for path in others.iter().chain(directories.iter().map(|(path, _)| path)) {
            self.entry(path)?;
            if self.is_full() {
                self.limited = true;
                return Ok(());
            }
        }
        for (path, id) in directories {
            let is_link = || self.view.lstat(&path).is_ok_and(|meta| meta.is_some_and(|meta| meta.is_link()));
            if !self.args.recurse || self.is_full() || (!self.args.follow && is_link()) {
                continue;
            }
            if above.insert(id) {
                self.directory(&path, depth + 1, above)?;
                above.remove(&id);
            }
        }
        Ok(())
    }

    fn list(&self, directory: &Path) -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
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
        if !self.filter.fits(&path, &name, &meta, self.view).map_err(Skipped)? {
            return Ok(());
        }
        let mut values = map! { "path" => path.to_string_lossy().as_ref() };
        values.extend(status::of(self.view, &meta));
        if self.args.get_checksum && meta.is_file() {
            let sum = self.view.checksum(&path, self.args.checksum_algorithm);
            // As in `stat`: what may not be read has no digest.
            values.insert("checksum".into(), sum.ok().map_or(Value::null(), Value::from));
        }
        self.found.push(values.into());
        Ok(())
    }
}

/// Returns an error as Python prints an `OSError` of a path that is text.
fn os_error(error: &std::io::Error, path: &Path) -> String {
    os_error::as_python(error, path).replacen(": b'", ": '", 1)
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
