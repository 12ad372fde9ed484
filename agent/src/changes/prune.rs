//! Removes the old files of earlier runs when they are too old or take too much space.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::line::read_path_line;
use super::{KEPT, PLACES, RECORD, USERS};
use crate::state::is_private;

/// How long the old files of a run are kept.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many runs of one user are kept at most.
const RUNS: usize = 20;

/// All old files together may take this share of the file system, as a divisor; then those of the oldest runs are removed.
const SHARE: u64 = 10;

/// Old files of this age are never removed.
const IN_USE: Duration = Duration::from_secs(24 * 3600);

/// A run that has kept old files.
#[derive(Debug)]
struct Run {
    directory: PathBuf,
    age: Duration,
    places: Vec<PathBuf>,
}

/// Starts a thread that removes old files of runs other than the current one.
pub(super) fn in_background(current: &Path) {
    let current = current.to_owned();
    // Without the thread, the next run removes them.
    std::thread::Builder::new().name("prune".into()).spawn(move || prune(&current, SystemTime::now())).ok();
}

fn prune(current: &Path, now: SystemTime) {
    let Some(all) = current.parent() else { return };
    let mut runs: Vec<Run> = fs::read_dir(all)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path() != current)
        .filter_map(|entry| run(entry.path(), now))
        .collect();
    // The youngest first; the current run is younger than all of them.
    runs.sort_by_key(|run| run.age);
    let room = rustix::fs::statvfs(all).map_or(u64::MAX, |stat| stat.f_blocks * stat.f_frsize / SHARE);
    let mut total = bytes(&current.join(KEPT));
    for (index, run) in runs.iter().enumerate() {
        let takes: u64 = run.places.iter().map(|place| bytes(place)).sum();
        total = total.saturating_add(takes);
        if run.age > IN_USE && (run.age > KEEP || index + 1 >= RUNS || total > room) {
            remove(run);
            total -= takes;
        }
    }
}

fn run(directory: PathBuf, now: SystemTime) -> Option<Run> {
    let changed = fs::symlink_metadata(directory.join(RECORD)).ok()?.modified().ok()?;
    let age = now.duration_since(changed).unwrap_or_default();
    let name = directory.file_name()?.to_owned();
    let others = fs::read_to_string(directory.join(PLACES)).unwrap_or_default();
    // Listed directories are removed only if their names show that this user created them.
    let user = format!(".convoy-{}", rustix::process::geteuid().as_raw());
    let ours = |place: &PathBuf| {
        place.file_name() == Some(&name)
            && place.parent().is_some_and(|above| above.ends_with(&user) && is_private(above))
    };
    let others = others.lines().filter_map(read_path_line).filter(ours);
    let places = std::iter::once(directory.join(KEPT)).chain(others).collect();
    Some(Run { directory, age, places })
}

/// Removes everything that undo keeps of a run, and its directory if nothing else is in it.
fn remove(run: &Run) {
    // Once the record is gone, the remaining files can only be removed.
    for name in [RECORD, USERS] {
        fs::remove_file(run.directory.join(name)).ok();
    }
    for place in &run.places {
        fs::remove_dir_all(place).ok();
        if !place.starts_with(&run.directory)
            && let Some(above) = place.parent()
        {
            fs::remove_dir(above).ok();
        }
    }
    fs::remove_file(run.directory.join(PLACES)).ok();
    fs::remove_dir(&run.directory).ok();
}

/// Returns the disk usage of a directory in bytes. Space that is shared with other hard links does not count fully.
fn bytes(directory: &Path) -> u64 {
    let mut total = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        total += if meta.is_dir() { bytes(&entry.path()) } else { meta.blocks() * 512 / meta.nlink().max(1) };
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(all: &Path, name: &str, days: u64, now: SystemTime) {
        let directory = all.join(name);
        fs::create_dir_all(directory.join(KEPT)).unwrap();
        fs::write(directory.join(KEPT).join("1.1"), "old").unwrap();
        let record = fs::File::create(directory.join(RECORD)).unwrap();
        record.set_modified(now - Duration::from_secs(days * 24 * 3600)).unwrap();
    }

    fn names(all: &Path) -> Vec<String> {
        let entries = fs::read_dir(all).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn old_runs_are_removed_but_not_other_files() {
        let (here, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let all = here.path();
        for (name, days) in [("now", 99), ("old", 31), ("older", 40), ("young", 29)] {
            keep(all, name, days, now);
        }
        fs::create_dir(all.join("older/jobs")).unwrap();
        prune(&all.join("now"), now);
        assert_eq!(names(all), ["now", "older", "young"]);
        assert_eq!(names(&all.join("older")), ["jobs"]);
    }

    #[test]
    fn the_latest_runs_are_kept() {
        let (here, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        for day in 2..27 {
            keep(here.path(), &format!("{day:02}"), day, now);
        }
        keep(here.path(), "now", 0, now);
        prune(&here.path().join("now"), now);
        assert_eq!(names(here.path()).len(), RUNS);
        assert!(here.path().join("20").exists() && !here.path().join("21").exists());
    }
}
