//! The command `convoy` itself, built from this tree.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Returns the command, built if it is not up to date: a package cannot name another's binary.
///
/// # Panics
/// If it does not build.
pub fn convoy() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // A test runs from TARGET/PROFILE/deps.
        let test = std::env::current_exe().unwrap_or_default();
        let folder = |up: usize| test.ancestors().nth(up).unwrap_or(&test);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "-p", "convoy", "--bin", "convoy", "--target-dir"])
            .arg(folder(3))
            .args(folder(2).ends_with("release").then_some("--release"))
            .current_dir(repository())
            .status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "convoy does not build: {status:?}"
        );
        folder(2).join("convoy")
    })
}

/// Returns the root of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Returns the folder of the product's own files, which are not part of this tree. Tests that need it are ignored where
/// it is missing: `has_wso2_data` of the build script.
pub fn wso2_data() -> PathBuf {
    repository().join(std::env::var_os("CONVOY_WSO2_DATA").unwrap_or_else(|| "../shared/wso2/data".into()))
}

/// Returns where agents keep their state that run with this `HOME`, also those of the superuser: no test's run is in the way
/// of another's.
pub fn state_of(home: &Path) -> PathBuf {
    home.join(".local/state")
}

/// Runs `convoy` with these words in the folder, which is its `HOME` and `TMPDIR` too, and in no other environment.
///
/// # Panics
/// If it cannot be started.
pub fn run(folder: &Path, words: &[&str]) -> Outcome {
    let output = Command::new(convoy())
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs([("HOME", folder), ("TMPDIR", folder), ("XDG_STATE_HOME", &state_of(folder))])
        .output();
    match output {
        Ok(output) => Outcome::of(&output),
        Err(error) => panic!("cannot run convoy: {error}"),
    }
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Returns the recaps of the runs in it: for each host its numbers by name.
    pub fn recaps(&self) -> Vec<Vec<Host<'_>>> {
        let recaps = self.stdout.split("PLAY RECAP").skip(1);
        recaps.map(|text| text.lines().skip(1).map_while(Host::of).collect()).collect()
    }
}

/// A host's line of the recap.
#[derive(Debug)]
pub struct Host<'t> {
    /// The host.
    pub name: &'t str,
    numbers: &'t str,
}

impl<'t> Host<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let (name, numbers) = line.split_once(" : ")?;
        Some(Self { name: name.trim_end(), numbers })
    }

    /// Returns one of the numbers, such as `changed`.
    ///
    /// # Panics
    /// If the line has no such number.
    pub fn number(&self, name: &str) -> u32 {
        let found =
            self.numbers.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match found.map(str::parse) {
            Some(Ok(number)) => number,
            _ => panic!("{}: no number {name} in {}", self.name, self.numbers),
        }
    }
}
