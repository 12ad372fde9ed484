//! Convoy's own reader of ssh configuration files.
//!
//! It decides whether the files matter at all, and answers queries if ssh is not installed. It supports everything but
//! `Match` (except `Match all`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::{self, Line};
use super::options::{HostConfig, IRRELEVANT};
use super::query::Query;
use super::tokens::Tokens;
use crate::paths::{expand_user, home};
use crate::ssh::error::Reason;
use crate::ssh::pattern;

/// How deeply includes may be nested.
const MAX_DEPTH: usize = 16;

/// The configuration files, in the order of their precedence.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    /// Why a file could not be read.
    problem: Option<String>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// The lines, each with the files that it includes.
    lines: Vec<(Line, Vec<File>)>,
}

impl Files {
    /// Reads the user's file and the system's, or only the given file.
    pub(super) fn read(file: Option<&Path>) -> Self {
        let mut all = Self::default();
        if let Some(file) = file {
            all.add(file, &home().map(|home| home.join(".ssh")).unwrap_or_default(), true);
            return all;
        }
        if let Some(folder) = home().map(|home| home.join(".ssh")) {
            all.add(&folder.join("config"), &folder, false);
        }
        all.add(Path::new("/etc/ssh/ssh_config"), Path::new("/etc/ssh"), false);
        all
    }

    fn add(&mut self, path: &Path, folder: &Path, required: bool) {
        match load(path, folder, 0) {
            Ok(Some(file)) => self.files.push(file),
            Ok(None) if required => self.problem = Some(format!("{} does not exist", path.display())),
            Ok(None) => {}
            Err(problem) => self.problem = self.problem.take().or(Some(problem)),
        }
    }

    /// Returns whether no line affects how a host is reached.
    pub(super) fn are_irrelevant(&self) -> bool {
        self.problem.is_none() && !self.any(&|line| !IRRELEVANT.contains(&line.keyword.as_str()))
    }

    /// Returns whether ssh would look names up to make them canonical.
    pub(super) fn canonicalize(&self) -> bool {
        let none =
            |line: &Line| matches!(line.words[0].to_ascii_lowercase().as_str(), "no" | "none" | "false");
        self.any(&|line| {
            matches!(line.keyword.as_str(), "canonicalizehostname" | "canonicalizepermittedcnames")
                && !none(line)
        })
    }

    /// Returns whether the predicate holds for any line, those of included files among them.
    fn any(&self, predicate: &dyn Fn(&Line) -> bool) -> bool {
        fn any_in(file: &File, predicate: &dyn Fn(&Line) -> bool) -> bool {
            let mut lines = file.lines.iter();
            lines.any(|(line, included)| {
                predicate(line) || included.iter().any(|file| any_in(file, predicate))
            })
        }
        self.files.iter().any(|file| any_in(file, predicate))
    }

    /// Returns the configuration of a host.
    ///
    /// # Errors
    /// [`Reason::Configuration`] with the file and line that is not valid.
    pub(super) fn answer(&self, query: &Query) -> Result<HostConfig, Reason> {
        let failed = |detail| Reason::Configuration { detail };
        if let Some(problem) = &self.problem {
            return Err(failed(problem.clone()));
        }
        let mut config = HostConfig::default();
        for (name, value) in &query.options {
            config.set(&name.to_ascii_lowercase(), value.trim_matches('"')).map_err(failed)?;
        }
        for file in &self.files {
            apply(file, &query.host, true, &mut config).map_err(failed)?;
        }
        if let Some(name) = config.hostname.take() {
            let tokens = Tokens { host: query.host.clone(), ..Tokens::default() };
            config.hostname = Some(tokens.expand(&name).map_err(failed)?);
        }
        Ok(config)
    }
}

/// Applies the lines for this host; `active` is whether the lines before the first `Host` apply.
fn apply(file: &File, host: &str, active: bool, config: &mut HostConfig) -> Result<(), String> {
    let mut applies = active;
    for (line, included) in &file.lines {
        let at = |what: String| format!("{} line {}: {what}", file.path.display(), line.number);
        match line.keyword.as_str() {
            "host" => applies = active && pattern::is_in_list(line.words.iter().map(String::as_str), host),
            "match" if line.words.iter().map(|word| word.to_ascii_lowercase()).eq(["all"]) => {
                applies = active;
            }
            "match" => {
                return Err(at("`Match` requires OpenSSH's client, which is not installed".to_owned()));
            }
            "include" => included.iter().try_for_each(|file| apply(file, host, applies, config))?,
            "proxycommand" if applies => config.set("proxycommand", &line.rest).map_err(at)?,
            keyword if applies => config.set(keyword, &line.words.join(" ")).map_err(at)?,
            _ => {}
        }
    }
    Ok(())
}

/// Reads a file and the files that it includes; `None` if it does not exist.
fn load(path: &Path, folder: &Path, depth: usize) -> Result<Option<File>, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{}: includes are nested more than {MAX_DEPTH} levels deep", path.display()));
    }
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let read =
        lines::read(&text).map_err(|(number, why)| format!("{} line {number}: {why}", path.display()))?;
    let mut lines = Vec::new();
    for line in read {
        let mut included = Vec::new();
        if line.keyword == "include" {
            for name in &line.words {
                for path in glob(&folder.join(expand_user(name))) {
                    included.extend(load(&path, folder, depth + 1)?);
                }
            }
        }
        lines.push((line, included));
    }
    Ok(Some(File { path: path.to_owned(), lines }))
}

/// Returns the files that match a path with wildcards, in the order of their names.
fn glob(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let hidden = name.starts_with('.');
        found = found
            .iter()
            .flat_map(|dir| {
                let entries = fs::read_dir(dir).into_iter().flatten().flatten();
                let names = entries.map(|entry| entry.file_name());
                let matches = |entry: &std::ffi::OsString| {
                    let entry = entry.to_string_lossy();
                    (hidden || !entry.starts_with('.')) && pattern::matches(&name, &entry)
                };
                let mut paths: Vec<_> = names.filter(matches).map(|entry| dir.join(entry)).collect();
                paths.sort();
                paths
            })
            .collect();
    }
    found.retain(|path| path.is_file());
    found
}
