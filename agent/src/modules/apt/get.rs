//! How `apt-get` is called.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::Args;
use crate::failure::Failure;
use crate::system::{Output, Process, System, SystemView};
use crate::words;

/// What `apt-get` and dpkg say while someone else is at work.
const LOCKED: [&str; 3] =
    ["Could not get lock", "Unable to lock", "Unable to acquire the dpkg frontend lock"];

/// `apt-get` with the options of a task.
pub(super) struct AptGet {
    program: PathBuf,
    options: Vec<String>,
    patience: Duration,
}

/// A process whose messages are read, and which asks nothing.
pub(super) fn plain(argv: Vec<String>) -> Process {
    let settings = [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("DEBIAN_PRIORITY", "critical"),
        ("LANG", "C"),
        ("LC_ALL", "C"),
        ("LANGUAGE", "C"),
    ];
    settings.iter().fold(Process::new(argv), |process, (name, value)| process.env(name, value))
}

/// Returns the options that keep apt from writing caches and logs of its own while it is only asked.
pub(super) fn without_caches() -> impl Iterator<Item = String> {
    let settings = ["Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=", "Dir::Log::Planner=/dev/null"];
    settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting.to_owned()])
}

impl AptGet {
    pub(super) fn new(args: &Args, view: &SystemView) -> Result<Self, Failure> {
        let mut options = vec!["-y".to_owned()];
        for option in args.dpkg_options.split(',').filter(|option| !option.is_empty()) {
            options.extend(["-o".to_owned(), format!("Dpkg::Options::=--{option}")]);
        }
        options.extend(["-o".to_owned(), format!("DPkg::Lock::Timeout={}", args.lock_timeout.max(0))]);
        let flags = [
            (args.force, "--force-yes"),
            (args.fail_on_autoremove, "--no-remove"),
            (args.allow_unauthenticated, "--allow-unauthenticated"),
            (args.allow_downgrade, "--allow-downgrades"),
            (args.allow_change_held_packages, "--allow-change-held-packages"),
        ];
        options.extend(flags.iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, flag)| (*flag).to_owned()));
        if let Some(release) = &args.default_release {
            options.extend(["-t".to_owned(), release.clone()]);
        }
        if let Some(wanted) = args.install_recommends {
            let word = if wanted { "yes" } else { "no" };
            options.extend(["-o".to_owned(), format!("APT::Install-Recommends={word}")]);
        }
        let patience = Duration::from_secs(u64::try_from(args.lock_timeout).unwrap_or_default());
        Ok(Self { program: view.require_program("apt-get")?, options, patience })
    }

    fn argv<T: AsRef<str>>(&self, words: &[T]) -> Vec<String> {
        let program = self.program.to_string_lossy().into_owned();
        let words = words.iter().map(|word| word.as_ref().to_owned());
        std::iter::once(program).chain(self.options.iter().cloned()).chain(words).collect()
    }

    /// Asks what would be done.
    pub(super) fn simulate<T: AsRef<str>>(&self, words: &[T], view: &SystemView) -> Result<Output, Failure> {
        let mut argv = self.argv(words);
        argv.splice(1..1, std::iter::once("--simulate".to_owned()).chain(without_caches()));
        let output = view.query(&plain(argv))?;
        if output.rc == 0 { Ok(output) } else { Err(self.failed(words, &output)) }
    }

    /// Does it; waits while someone else is at work on the packages.
    pub(super) fn run<T: AsRef<str>>(&self, words: &[T], node: &mut System) -> Result<Output, Failure> {
        let end = Instant::now() + self.patience;
        loop {
            let output = node.run(&plain(self.argv(words)))?;
            if output.rc == 0 {
                return Ok(output);
            }
            let error = output.stderr_text();
            let is_locked = LOCKED.iter().any(|words| error.contains(words));
            if !is_locked || Instant::now() >= end {
                return Err(self.failed(words, &output));
            }
            node.sleep(Duration::from_secs(1))?;
        }
    }

    fn failed<T: AsRef<str>>(&self, words: &[T], output: &Output) -> Failure {
        let command = words::join(&self.argv(words));
        output.failure(format!("'{command}' failed: {}", output.error_output()))
    }
}
