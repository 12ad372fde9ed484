//! What dpkg and apt know of packages.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::get::{plain, without_caches};
use crate::failure::Failure;
use crate::files::glob;
use crate::system::SystemView;

/// A package as a task names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// Its name, with its architecture if that is another one.
    pub(super) name: String,
    /// What its version shall be.
    pub(super) version: Option<Version>,
}

/// What a version shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// As this pattern.
    Like(String),
    /// This or a newer one.
    AtLeast(String),
}

impl Spec {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.matches('=').count() > 1 {
            return Err(Failure::new(format!("invalid package spec: {text}")));
        }
        let (name, version) = match (text.split_once(">="), text.split_once('=')) {
            (Some((name, version)), _) => (name, Some(Version::AtLeast(version.to_owned()))),
            (None, Some((name, version))) => (name, Some(Version::Like(version.to_owned()))),
            (None, None) => (text, None),
        };
        Ok(Self { name: name.to_owned(), version })
    }

    fn is_pattern(&self) -> bool {
        self.name.contains(['*', '?', '[', ']', '!'])
    }
}

/// What is installed.
#[derive(Debug, Default)]
pub(super) struct Installed {
    versions: HashMap<String, String>,
    /// Removed, but not their configuration.
    remains: HashSet<String>,
    /// What installed packages stand in for.
    provided: HashSet<String>,
}

impl Installed {
    /// Reads dpkg's records. They are read whole: a name may be what another package provides.
    pub(super) fn read(view: &SystemView) -> Result<Self, Failure> {
        let program = view.require_program("dpkg-query")?.to_string_lossy().into_owned();
        let format = "${Package}\t${Architecture}\t${db:Status-Status}\t${Version}\t${Provides}\n";
        let output = view.query(&plain(vec![program, "-W".into(), format!("-f={format}")]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let fields = || text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        // dpkg itself is of the node's own architecture.
        let native =
            fields().find(|fields| fields[0] == "dpkg").and_then(|fields| Some((*fields.get(1)?).to_owned()));
        let mut all = Self::default();
        for line in fields() {
            let [name, arch, status, version, provides] = line[..] else { continue };
            let is_native = arch == "all" || native.as_deref() == Some(arch);
            let names = [format!("{name}:{arch}"), name.to_owned()];
            let names = names.into_iter().take(if is_native { 2 } else { 1 });
            match status {
                "installed" => {
                    all.versions.extend(names.map(|name| (name, version.to_owned())));
                    let words = provides.split(',').filter_map(|word| word.split_whitespace().next());
                    all.provided.extend(words.map(str::to_owned));
                }
                "config-files" => all.remains.extend(names),
                _ => {}
            }
        }
        Ok(all)
    }

    pub(super) fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name).map(String::as_str)
    }

    pub(super) fn has_remains(&self, name: &str) -> bool {
        self.remains.contains(name)
    }

    /// Returns whether the package is there as the task wants it, or another stands in for it.
    pub(super) fn satisfies(&self, spec: &Spec, view: &SystemView) -> Result<bool, Failure> {
        match (self.version(&spec.name), &spec.version) {
            (None, None) => Ok(self.provided.contains(&spec.name)),
            (None, Some(_)) => Ok(false),
            (Some(_), None) => Ok(true),
            (Some(version), Some(Version::Like(pattern))) => Ok(glob::matches(pattern, version)),
            (Some(version), Some(Version::AtLeast(least))) => is_at_least(version, least, view),
        }
    }
}

/// Returns whether one version is another or newer.
pub(super) fn is_at_least(version: &str, least: &str, view: &SystemView) -> Result<bool, Failure> {
    let program = view.require_program("dpkg")?.to_string_lossy().into_owned();
    let words = ["--compare-versions", version, "ge", least].map(str::to_owned);
    Ok(view.query(&plain(std::iter::once(program).chain(words).collect()))?.rc == 0)
}

/// Returns the packages with patterns replaced by the names that they match.
pub(super) fn expanded(specs: Vec<Spec>, view: &SystemView) -> Result<Vec<Spec>, Failure> {
    if !specs.iter().any(Spec::is_pattern) {
        return Ok(specs);
    }
    let program = view.require_program("apt-cache")?.to_string_lossy().into_owned();
    let mut argv = vec![program];
    argv.extend(without_caches().chain(["pkgnames".to_owned()]));
    let output = view.query(&plain(argv))?;
    let text = output.stdout_text();
    let mut known: Vec<&str> = text.lines().collect();
    known.sort_unstable();
    let mut all = Vec::new();
    for spec in specs {
        if !spec.is_pattern() {
            all.push(spec);
            continue;
        }
        let before = all.len();
        let found = known.iter().filter(|name| glob::matches(&spec.name, name));
        all.extend(found.map(|name| Spec { name: (*name).to_owned(), version: None }));
        if all.len() == before {
            return Err(Failure::new(format!("No package(s) matching '{}' available", spec.name)));
        }
    }
    Ok(all)
}

/// What can be had of the packages that apt knows: the version, or `None` of one that others only stand in for.
pub(super) fn candidates(
    names: &[&str],
    release: Option<&str>,
    view: &SystemView,
) -> Result<HashMap<String, Option<String>>, Failure> {
    let program = view.require_program("apt-cache")?.to_string_lossy().into_owned();
    let mut argv = vec![program];
    argv.extend(without_caches());
    argv.extend(release.into_iter().flat_map(|release| ["-t".to_owned(), release.to_owned()]));
    argv.extend(["policy".to_owned(), "--".to_owned()]);
    argv.extend(names.iter().map(|name| (*name).to_owned()));
    let output = view.query(&plain(argv))?;
    if output.rc != 0 {
        return Err(output.failure(output.error_output()));
    }
    let mut all = HashMap::new();
    let mut name = "";
    let text = output.stdout_text();
    for line in text.lines() {
        if let Some(title) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            name = title;
        } else if let Some(version) = line.trim_start().strip_prefix("Candidate: ") {
            let version = (version != "(none)").then(|| version.to_owned());
            all.insert(name.to_owned(), version);
        }
    }
    Ok(all)
}

/// Returns the packages that were installed only because others need them.
pub(super) fn automatic(view: &SystemView) -> Result<HashSet<String>, Failure> {
    let file = Path::new("/var/lib/apt/extended_states");
    if view.stat(file)?.is_none() {
        return Ok(HashSet::new());
    }
    let bytes = view.read(file)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut all = HashSet::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Package: ") {
            name = rest;
        } else if line == "Auto-Installed: 1" {
            all.insert(name.to_owned());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_as_tasks_name_them() {
        let of = |name: &str, version| Spec { name: name.into(), version };
        for (text, expected) in [
            ("curl", of("curl", None)),
            (" libc6:i386 ", of("libc6:i386", None)),
            ("curl=7.*", of("curl", Some(Version::Like("7.*".into())))),
            ("curl>=7.88", of("curl", Some(Version::AtLeast("7.88".into())))),
        ] {
            assert_eq!(Spec::parse(text), Ok(expected));
        }
        assert_eq!(Spec::parse("a=b=c").unwrap_err().msg, "invalid package spec: a=b=c");
    }
}
