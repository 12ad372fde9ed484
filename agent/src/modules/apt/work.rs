//! What `apt-get` is to do, and what it would come to.

use convoy_protocol::Map;

use super::args::{Args, State, Upgrade};
use super::get::{AptGet, plain};
use super::packages::{Installed, Spec, Version, automatic, candidates, expanded, is_at_least};
use crate::failure::Failure;
use crate::system::{Output, System, SystemView};

/// What `apt-get` says if there is nothing to do.
const NOTHING: &str = "\n0 upgraded, 0 newly installed, 0 to remove";

/// A call of `apt-get`, and what it would do.
#[derive(Debug)]
pub(super) struct Work {
    words: Vec<String>,
    /// What it said when it was simulated.
    pub(super) simulated: Output,
    /// Packages that are no longer to count as installed for others.
    marked: Vec<String>,
}

impl Work {
    /// Returns whether anything is different afterwards, but for marks.
    pub(super) fn changes(&self) -> bool {
        !self.words.is_empty()
    }

    /// Returns what it would do, for people.
    pub(super) fn summary(&self) -> String {
        let text = self.simulated.stdout_text();
        let lines: Vec<&str> = text.lines().collect();
        let begin =
            lines.iter().position(|line| *line == "Reading state information...").map_or(0, |at| at + 1);
        let is_count =
            |line: &&str| line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" upgraded, ");
        let end = lines.iter().position(is_count).map_or(lines.len(), |at| at + 1);
        lines.get(begin..end).unwrap_or(&lines).join("\n") + "\n"
    }

    /// Does it; returns what was said.
    pub(super) fn carry_out(&self, get: &AptGet, node: &mut System) -> Result<Map, Failure> {
        let mut said = Map::new();
        if self.changes() {
            said = get.run(&self.words, node)?.nonempty_values();
        }
        if let (false, Some(program)) = (self.marked.is_empty(), node.program("apt-mark")) {
            let mut argv = vec![program.to_string_lossy().into_owned(), "manual".into(), "--".into()];
            argv.extend(self.marked.iter().cloned());
            node.run_checked(&plain(argv))?;
        }
        Ok(said)
    }
}

/// Returns the call that the task comes to, if there is anything to do.
pub(super) fn decide(args: &Args, get: &AptGet, view: &SystemView) -> Result<Option<Work>, Failure> {
    let all = args.package.iter().any(|name| name.trim() == "*");
    let names = args.package.iter().map(|name| name.trim()).filter(|name| *name != "*" && !name.is_empty());
    let specs = names.map(Spec::parse).collect::<Result<Vec<_>, _>>()?;
    if all && args.state == State::Latest {
        if !specs.is_empty() {
            return Err(Failure::new(
                "unable to install additional packages when upgrading all installed packages",
            ));
        }
        return simulated(vec!["upgrade".into(), "--with-new-pkgs".into()], Vec::new(), get, view);
    }
    let autoremove = || args.autoremove.then(|| "--auto-remove".to_owned());
    match args.upgrade {
        Upgrade::No => {}
        Upgrade::Yes | Upgrade::Safe => {
            let words = ["upgrade".to_owned(), "--with-new-pkgs".to_owned()];
            return simulated(words.into_iter().chain(autoremove()).collect(), Vec::new(), get, view);
        }
        Upgrade::Full | Upgrade::Dist => {
            let words = std::iter::once("dist-upgrade".to_owned()).chain(autoremove()).collect();
            return simulated(words, Vec::new(), get, view);
        }
    }
    if let Some(deb) = &args.deb {
        return file(&view.expand(deb).to_string_lossy(), get, view);
    }
    if specs.is_empty() {
        return cleanup(args, get, view);
    }
    let specs = expanded(specs, view)?;
    match args.state {
        State::Absent => removal(args, &specs, autoremove(), get, view),
        State::BuildDep => {
            let words =
                std::iter::once("build-dep".to_owned()).chain(specs.into_iter().map(|spec| spec.name));
            simulated(words.collect(), Vec::new(), get, view)
        }
        State::Present | State::Latest | State::Fixed => installation(args, &specs, autoremove(), get, view),
    }
}

/// Asks what would be done; nothing may be to do.
fn simulated(
    words: Vec<String>,
    marked: Vec<String>,
    get: &AptGet,
    view: &SystemView,
) -> Result<Option<Work>, Failure> {
    let simulated = get.simulate(&words, view)?;
    let is_nothing = String::from_utf8_lossy(&simulated.stdout).contains(NOTHING);
    let words = if is_nothing { Vec::new() } else { words };
    Ok((!is_nothing || !marked.is_empty()).then_some(Work { words, simulated, marked }))
}

fn silent() -> Output {
    Output { rc: 0, stdout: Vec::new(), stderr: Vec::new() }
}

fn cleanup(args: &Args, get: &AptGet, view: &SystemView) -> Result<Option<Work>, Failure> {
    let purge = args.purge.then(|| "--purge".to_owned());
    if args.autoclean {
        let words = vec!["autoclean".to_owned()];
        let simulated = get.simulate(&words, view)?;
        if simulated.stdout_text().lines().any(|line| line.starts_with("Del ")) {
            return Ok(Some(Work { words, simulated, marked: Vec::new() }));
        }
        return Ok(None);
    }
    if args.autoremove {
        let words = std::iter::once("autoremove".to_owned()).chain(purge).collect();
        return simulated(words, Vec::new(), get, view);
    }
    Ok(None)
}

fn removal(
    args: &Args,
    specs: &[Spec],
    autoremove: Option<String>,
    get: &AptGet,
    view: &SystemView,
) -> Result<Option<Work>, Failure> {
    let installed = Installed::read(view)?;
    let mut words = vec!["remove".to_owned()];
    words.extend(args.purge.then(|| "--purge".to_owned()));
    words.extend(autoremove);
    let flags = words.len();
    for spec in specs {
        let is_there = installed.version(&spec.name).is_some() && installed.satisfies(spec, view)?;
        if is_there || args.purge && installed.has_remains(&spec.name) {
            words.push(spec.name.clone());
        }
    }
    if words.len() == flags {
        return Ok(None);
    }
    let simulated = get.simulate(&words, view)?;
    Ok(Some(Work { words, simulated, marked: Vec::new() }))
}

fn installation(
    args: &Args,
    specs: &[Spec],
    autoremove: Option<String>,
    get: &AptGet,
    view: &SystemView,
) -> Result<Option<Work>, Failure> {
    let installed = Installed::read(view)?;
    let mut open = Vec::new();
    for spec in specs {
        let is_there = installed.satisfies(spec, view)?;
        let is_left = args.only_upgrade && installed.version(&spec.name).is_none();
        if !is_left && (!is_there || args.state == State::Latest) {
            open.push(spec);
        }
    }
    let automatic = automatic(view)?;
    let is_marked = |spec: &&Spec| installed.version(&spec.name).is_some() && automatic.contains(&spec.name);
    let marked: Vec<String> = specs.iter().filter(is_marked).map(|spec| spec.name.clone()).collect();
    let mut words = vec!["install".to_owned()];
    words.extend(autoremove);
    words.extend(args.only_upgrade.then(|| "--only-upgrade".to_owned()));
    words.extend((args.state == State::Fixed).then(|| "--fix-broken".to_owned()));
    let flags = words.len();
    if !open.is_empty() {
        words.extend(wanted(args, &open, &installed, view)?);
    }
    if words.len() > flags || args.state == State::Fixed {
        return simulated(words, marked, get, view).map_err(|failure| explained(failure, &open));
    }
    Ok((!marked.is_empty()).then(|| Work { words: Vec::new(), simulated: silent(), marked }))
}

/// Returns the packages as `apt-get` is to install them.
fn wanted(
    args: &Args,
    open: &[&Spec],
    installed: &Installed,
    view: &SystemView,
) -> Result<Vec<String>, Failure> {
    let names: Vec<&str> = open.iter().map(|spec| spec.name.as_str()).collect();
    let known = candidates(&names, args.default_release.as_deref(), view)?;
    let mut words = Vec::new();
    for spec in open {
        let Some(candidate) = known.get(&spec.name) else {
            return Err(Failure::new(format!("No package matching '{}' is available", spec.name)));
        };
        match (&spec.version, candidate) {
            (Some(Version::Like(version)), _) => words.push(format!("{}={version}", spec.name)),
            (Some(Version::AtLeast(least)), Some(candidate)) if is_at_least(candidate, least, view)? => {
                if installed.version(&spec.name) != Some(candidate) {
                    words.push(format!("{}={candidate}", spec.name));
                }
            }
            (Some(Version::AtLeast(_)), _) => return Err(no_candidate(spec)),
            // What others stand in for is `apt-get`'s to choose.
            (None, None) if installed.satisfies(spec, view)? => {}
            (None, None) => words.push(spec.name.clone()),
            (None, Some(candidate)) if installed.version(&spec.name) == Some(candidate) => {}
            (None, Some(_)) => words.push(spec.name.clone()),
        }
    }
    Ok(words)
}

fn no_candidate(spec: &Spec) -> Failure {
    let version = match &spec.version {
        Some(Version::Like(version)) => format!("={version}"),
        Some(Version::AtLeast(version)) => format!(">={version}"),
        None => String::new(),
    };
    Failure::new(format!("no available installation candidate for {}{version}", spec.name))
}

/// Says in Ansible's words that a version cannot be had.
fn explained(failure: Failure, open: &[&Spec]) -> Failure {
    let lacks = |spec: &&&Spec| {
        let Some(Version::Like(version)) = &spec.version else { return false };
        failure.msg.contains(&format!("Version '{version}' for '{}' was not found", spec.name))
    };
    open.iter().find(lacks).map_or(failure.clone(), |spec| no_candidate(spec))
}

/// Returns the call that installs the file of a package.
fn file(path: &str, get: &AptGet, view: &SystemView) -> Result<Option<Work>, Failure> {
    let path = std::path::absolute(path)
        .map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned());
    let program = view.require_program("dpkg-deb")?.to_string_lossy().into_owned();
    let format = "--showformat=${Package}\t${Version}\t${Architecture}".to_owned();
    let output = view.query(&plain(vec![program, "--show".into(), format, path.clone()]))?;
    if output.rc != 0 {
        return Err(output.failure(format!("Unable to install package: {}", output.error_output())));
    }
    let text = output.stdout_text();
    let [name, version, arch] = text.split('\t').collect::<Vec<_>>()[..] else {
        return Err(Failure::new(format!("Unable to install package: {path} does not say what it is")));
    };
    let installed = Installed::read(view)?;
    let there = installed.version(&format!("{name}:{arch}"));
    if there == Some(version) {
        return Ok(None);
    }
    simulated(vec!["install".into(), path], Vec::new(), get, view)
}
