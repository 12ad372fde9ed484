//! The command `convoy`, built from this tree, and what it prints.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Returns the path of `convoy`, building it first if it is out of date: a package cannot name another's binary.
///
/// # Panics
/// If it does not build.
pub fn convoy() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // A test runs from TARGET/PROFILE/deps.
        let test = std::env::current_exe().unwrap_or_default();
        let ancestor = |levels: usize| test.ancestors().nth(levels).unwrap_or(&test);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // What cargo says of this package to its tests is not so of the packages that are built: their build scripts would run
        // again each time.
        let of_this_package = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR"
        });
        let mut command = Command::new(cargo);
        of_this_package.for_each(|name| {
            command.env_remove(name);
        });
        let status = command
            .args(["build", "--quiet", "--locked", "-p", "convoy", "--bin", "convoy", "--target-dir"])
            .arg(ancestor(3))
            .args(ancestor(2).ends_with("release").then_some("--release"))
            .current_dir(repository())
            .status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "convoy does not build: {status:?}"
        );
        ancestor(2).join("convoy")
    })
}

/// Returns the root of the repository.
pub fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Returns the directory of WSO2's product files, which are not part of this tree. Tests that need them are ignored
/// where they are missing: see `has_wso2_data` in the build script.
pub fn wso2_data() -> PathBuf {
    repository().join(std::env::var_os("CONVOY_WSO2_DATA").unwrap_or_else(|| "../shared/wso2/data".into()))
}

/// Returns the text of one of WSO2's product files.
///
/// # Panics
/// If it cannot be read.
pub fn wso2_file(name: &str) -> String {
    let path = wso2_data().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the `XDG_STATE_HOME` to set for agents whose `HOME` is `home`. Agents of root use it, too, so that tests that
/// run at the same time do not share state.
pub fn state_home(home: &Path) -> PathBuf {
    home.join(".local/state")
}

/// Runs `convoy` in `dir`, which is its `HOME` and `TMPDIR`, too. It inherits no environment variables.
///
/// # Panics
/// If it cannot be started.
pub fn run(dir: &Path, args: &[&str]) -> RunOutput {
    let output = Command::new(convoy())
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs([("HOME", dir), ("TMPDIR", dir), ("XDG_STATE_HOME", &state_home(dir))])
        .output();
    match output {
        Ok(output) => RunOutput::new(&output, str::to_owned),
        Err(error) => panic!("cannot run convoy: {error}"),
    }
}

/// Returns a command that runs `command` by way of `wrapper`, to which its program and arguments are appended. It has
/// the environment and the directory of `command`.
pub fn wrap(mut wrapper: Command, command: &Command) -> Command {
    wrapper.arg(command.get_program()).args(command.get_args()).env_clear();
    wrapper.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = command.get_current_dir() {
        wrapper.current_dir(dir);
    }
    wrapper
}

/// Returns a command as a line for `sh`, with each word in quotes.
pub fn shell_line(command: &Command) -> String {
    let quote = |word: &OsStr| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(quote).collect::<Vec<_>>().join(" ")
}

/// What `convoy` printed, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutput {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl RunOutput {
    /// Returns the output of a process, with both streams passed through `normalize`.
    pub(crate) fn new(output: &Output, normalize: impl Fn(&str) -> String) -> Self {
        let text = |bytes: &[u8]| normalize(&String::from_utf8_lossy(bytes));
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Returns the nonzero counts in a host's recap line, such as `ok=2 changed=1`; an empty text if it has no line.
    pub fn recap(&self, host: &str) -> String {
        let (_, recap) = self.stdout.split_once("PLAY RECAP").unwrap_or_default();
        let line = recap.lines().find(|line| line.split_whitespace().next() == Some(host));
        let words = line.unwrap_or_default().split_whitespace().skip(2);
        words.filter(|word| !word.ends_with("=0")).collect::<Vec<_>>().join(" ")
    }

    /// Returns the recap of each run in the output, as one line per host.
    pub fn recaps(&self) -> Vec<Vec<RecapLine<'_>>> {
        let recaps = self.stdout.split("PLAY RECAP").skip(1);
        recaps.map(|text| text.lines().skip(1).map_while(RecapLine::parse).collect()).collect()
    }

    /// Returns whether `line` is a line of standard output.
    pub fn has_line(&self, line: &str) -> bool {
        self.stdout.lines().any(|printed| printed == line)
    }
}

impl fmt::Display for RunOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- standard error\n{}", self.stderr)?;
        }
        match self.code {
            Some(code) => writeln!(f, "--- exit code {code}"),
            None => writeln!(f, "--- ended by a signal"),
        }
    }
}

/// A host's line of a recap.
#[derive(Debug)]
pub struct RecapLine<'t> {
    /// The name of the host.
    pub host: &'t str,
    counts: &'t str,
}

impl<'t> RecapLine<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let (host, counts) = line.split_once(" : ")?;
        Some(Self { host: host.trim_end(), counts })
    }

    /// Returns one of the counts, such as `changed`.
    ///
    /// # Panics
    /// If the line has no such count.
    pub fn count(&self, name: &str) -> u32 {
        let value =
            self.counts.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match value.map(str::parse) {
            Some(Ok(count)) => count,
            _ => panic!("{}: no count {name} in {}", self.host, self.counts),
        }
    }
}
