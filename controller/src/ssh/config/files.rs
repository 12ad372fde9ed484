//! Our own reader of ssh configuration files, for where ssh is not there to be asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::{self, Line};
use super::options::{HostConfig, SAYS_NOTHING};
use super::query::Query;
use super::tokens::Tokens;
use crate::paths::{expand_user, home};
use crate::ssh::error::Reason;
use crate::ssh::pattern;

/// How deep files may include each other.
const DEEPEST: usize = 16;

/// The files, in the order in which they count.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    problem: Option<String>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    lines: Vec<(Line, Vec<File>)>,
}

impl Files {
    /// Reads the user's file and the system's, or the one given in their place.
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
            Ok(None) if required => self.problem = Some(format!("there is no {}", path.display())),
            Ok(None) => {}
            Err(problem) => self.problem = self.problem.take().or(Some(problem)),
        }
    }

    /// Returns whether no line is about how a host is reached.
    pub(super) fn say_nothing(&self) -> bool {
        self.problem.is_none() && !self.any(&|line| !SAYS_NOTHING.contains(&line.keyword.as_str()))
    }

    /// Returns whether names would be looked up to make them canonical.
    pub(super) fn canonicalize(&self) -> bool {
        let none =
            |line: &Line| matches!(line.words[0].to_ascii_lowercase().as_str(), "no" | "none" | "false");
        self.any(&|line| {
            matches!(line.keyword.as_str(), "canonicalizehostname" | "canonicalizepermittedcnames")
                && !none(line)
        })
    }

    fn any(&self, is: &dyn Fn(&Line) -> bool) -> bool {
        fn within(file: &File, is: &dyn Fn(&Line) -> bool) -> bool {
            let mut lines = file.lines.iter();
            lines.any(|(line, included)| is(line) || included.iter().any(|file| within(file, is)))
        }
        self.files.iter().any(|file| within(file, is))
    }

    /// Returns what is said of a host.
    ///
    /// # Errors
    /// [`Reason::Configuration`] with the file and line that is not understood.
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
            take(file, &query.host, true, &mut config).map_err(failed)?;
        }
        if let Some(name) = config.hostname.take() {
            let tokens = Tokens { host: query.host.clone(), ..Tokens::default() };
            config.hostname = Some(tokens.expand(&name).map_err(failed)?);
        }
        Ok(config)
    }
}

/// Takes what the lines for this host say; `active` tells whether those before the first `Host` count.
fn take(file: &File, host: &str, active: bool, config: &mut HostConfig) -> Result<(), String> {
    let mut here = active;
    for (line, included) in &file.lines {
        let at = |what: String| format!("{} line {}: {what}", file.path.display(), line.number);
        match line.keyword.as_str() {
            "host" => here = active && pattern::is_in_list(line.words.iter().map(String::as_str), host),
            "match" if line.words.iter().map(|word| word.to_ascii_lowercase()).eq(["all"]) => here = active,
            "match" => {
                return Err(at("`Match` needs OpenSSH's own client, which is not installed".to_owned()));
            }
            "include" => included.iter().try_for_each(|file| take(file, host, here, config))?,
            "proxycommand" if here => config.set("proxycommand", &line.rest).map_err(at)?,
            keyword if here => config.set(keyword, &line.words.join(" ")).map_err(at)?,
            _ => {}
        }
    }
    Ok(())
}

/// Reads a file and those it includes; `None` if it is not there.
fn load(path: &Path, folder: &Path, depth: usize) -> Result<Option<File>, String> {
    if depth > DEEPEST {
        return Err(format!("{}: files include each other more than {DEEPEST} deep", path.display()));
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

/// Returns the files that a path with wildcards names, in the order of their names.
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
            .flat_map(|folder| {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                let names = entries.map(|entry| entry.file_name());
                let fits = |entry: &std::ffi::OsString| {
                    let entry = entry.to_string_lossy();
                    (hidden || !entry.starts_with('.')) && pattern::matches(&name, &entry)
                };
                let mut paths: Vec<_> = names.filter(fits).map(|entry| folder.join(entry)).collect();
                paths.sort();
                paths
            })
            .collect();
    }
    found.retain(|path| path.is_file());
    found
}
