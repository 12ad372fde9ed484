//! The lock on real files, alone and against a model.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::state::record::Record;

/// Returns the lock of a run, in one of these directories.
fn lock(places: &[&Path], run: &str, claim: Claim) -> Lock {
    let mut lock = Lock::at(places.iter().map(|place| (*place).to_owned()).collect());
    let by = format!("{run}@ws");
    lock.begin_run(&Hello { run: run.into(), by, claim: Some(claim), records: false, silence_seconds: 30 });
    lock
}

fn given(generation: u64) -> Claim {
    let uid = rustix::process::geteuid().as_raw();
    Claim { returning: true, held: vec![HeldLock { uid, generation }] }
}

fn take(lock: &mut Lock) -> Result<u64, RefusalReason> {
    lock.take(Duration::ZERO, "me", || false)
        .map(|entry| entry.held.generation)
        .map_err(|refusal| refusal.why)
}

/// Returns a state directory that does not exist yet, and its parent.
fn state() -> (tempfile::TempDir, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("convoy");
    (above, directory)
}

/// Returns a refusal's kind, the run or reason that it names, and its generation.
fn summary(why: RefusalReason) -> (&'static str, String, u64) {
    match why {
        RefusalReason::Busy { holder: Some(holder), .. } => ("busy", holder.run, holder.generation),
        RefusalReason::Intervened { holder, .. } => ("intervened", holder.run, holder.generation),
        RefusalReason::RecordLost { given, why } => ("lost", why, given),
        RefusalReason::Busy { holder: None, .. } => ("busy", String::new(), 0),
        RefusalReason::Unavailable(why) => ("unavailable", why, 0),
    }
}

#[test]
fn a_refusal_names_the_run_that_holds_the_lock() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    assert_eq!(take(&mut first), Ok(1));
    let refusal = lock(&[&directory], "b", Claim::default())
        .take(Duration::ZERO, "me", || false)
        .map_err(|refusal| *refusal)
        .unwrap_err();
    let since = Record::read(&directory).unwrap().holder.since;
    let holder = Holder { run: "a".into(), by: "a@ws".into(), since, generation: 1 };
    let expected = Refusal {
        user: "me".into(),
        lock: directory.join("lock").display().to_string(),
        // This process holds it, but is not listed because it is the one that asks.
        why: RefusalReason::Busy { holder: Some(holder), processes: Vec::new() },
    };
    assert_eq!(refusal, expected);
    drop(first);
    assert_eq!(take(&mut lock(&[&directory], "b", Claim::default())), Ok(2));
}

#[test]
fn taking_the_lock_is_retried_until_the_holder_leaves() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    assert_eq!(take(&mut first), Ok(1));
    let (asked, first) = (std::cell::Cell::new(0), std::cell::RefCell::new(Some(first)));
    let leaves = || {
        asked.set(asked.get() + 1);
        // It leaves after the third failed attempt.
        first.borrow_mut().take_if(|_| asked.get() == 3);
        false
    };
    let entry =
        lock(&[&directory], "b", Claim::default()).take(Duration::from_secs(600), "me", leaves).unwrap();
    assert_eq!((entry.held.generation, asked.get()), (2, 3));
    let mut third = lock(&[&directory], "c", Claim::default());
    assert_eq!(take(&mut third), Ok(3));
    let refused = lock(&[&directory], "d", Claim::default()).take(Duration::from_secs(600), "me", || true);
    assert!(refused.is_err(), "an agent without a controller does not wait");
}

#[test]
fn only_a_process_with_the_descriptor_holds_the_lock() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    assert!(first.descriptor().unwrap().is_none());
    take(&mut first).unwrap();
    let mut other = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let descriptor = first.descriptor().unwrap().unwrap();
    let mut job = Command::new("sleep").arg("600").stdin(Stdio::from(descriptor)).spawn().unwrap();
    drop(first);
    let Err(RefusalReason::Busy { processes, .. }) = take(&mut lock(&[&directory], "b", Claim::default()))
    else {
        panic!("the job has the lock")
    };
    assert_eq!(processes, [Process { pid: job.id(), name: "sleep".into() }]);
    assert_eq!(take(&mut lock(&[&directory], "a", given(1))), Ok(1), "its own run is admitted");
    job.kill().unwrap();
    job.wait().unwrap();
    assert_eq!(take(&mut lock(&[&directory], "b", Claim::default())), Ok(2));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_returning_run_is_refused_if_another_run_intervened() {
    let (_above, directory) = state();
    for (run, generation) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(take(&mut lock(&[&directory], run, Claim::default())), Ok(generation));
    }
    let refused = |run, claim| summary(take(&mut lock(&[&directory], run, claim)).unwrap_err());
    assert_eq!(refused("a", given(1)), ("intervened", "c".into(), 3));
    // Its controller lost the connection before it learned its generation.
    let returning = Claim { returning: true, held: Vec::new() };
    assert_eq!(refused("b", returning.clone()), ("intervened", "c".into(), 3));
    assert_eq!(take(&mut lock(&[&directory], "c", returning.clone())), Ok(3));
    assert_eq!(take(&mut lock(&[&directory], "d", returning)), Ok(4), "it never held the lock");
    // Started again by another controller, and as a host of another inventory.
    assert_eq!(take(&mut lock(&[&directory], "a", Claim::default())), Ok(5));
    assert_eq!(refused("a", given(1)), ("intervened", "d".into(), 4));
    assert_eq!(take(&mut lock(&[&directory], "a", given(5))), Ok(5));
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let (_above, directory) = state();
    take(&mut lock(&[&directory], "a", Claim::default())).unwrap();
    for since in [i64::MIN / 2, -1, 0, i64::MAX / 2] {
        let mut record = Record::read(&directory).unwrap();
        record.holder.since = since;
        record.before.iter_mut().for_each(|one| one.since = since);
        record.write(&directory).unwrap();
        let generation = record.holder.generation;
        assert_eq!(take(&mut lock(&[&directory], "a", given(generation))), Ok(generation));
        let mut other = lock(&[&directory], "b", Claim::default());
        assert_eq!(take(&mut other), Ok(generation + 1));
        let why = take(&mut lock(&[&directory], "a", given(generation))).unwrap_err();
        assert_eq!(summary(why), ("intervened", "b".into(), generation + 1));
        drop(other);
        assert_eq!(take(&mut lock(&[&directory], "a", Claim::default())), Ok(generation + 2));
    }
}

#[test]
fn a_run_that_was_here_is_refused_when_the_record_is_lost() {
    let (_above, directory) = state();
    let holder = directory.join("holder");
    for (run, generation) in [("a", 1), ("b", 2)] {
        assert_eq!(take(&mut lock(&[&directory], run, Claim::default())), Ok(generation));
    }
    let old = fs::read(&holder).unwrap();
    assert_eq!(take(&mut lock(&[&directory], "c", Claim::default())), Ok(3));
    let damage: [(&dyn Fn(), &str); 3] = [
        (&|| fs::remove_file(&holder).unwrap(), "it does not exist"),
        (&|| fs::write(&holder, "convoy-lock 1\nrun c\n").unwrap(), "it is incomplete"),
        (&|| fs::write(&holder, &old).unwrap(), "it is older than the lock, whose generation is "),
    ];
    for (generation, (damage, why)) in (3..).zip(damage) {
        damage();
        let refused = summary(take(&mut lock(&[&directory], "c", given(generation))).unwrap_err());
        assert_eq!((refused.0, refused.2), ("lost", generation));
        assert!(refused.1.starts_with(why), "{refused:?}");
        // The next holder is warned; the generation keeps counting.
        let mut next = lock(&[&directory], "c", Claim::default());
        let entry = next.take(Duration::ZERO, "me", || false).unwrap();
        assert_eq!(entry.held.generation, generation + 1);
        assert!(entry.record_lost.as_ref().is_some_and(|lost| lost.starts_with(why)), "{entry:?}");
    }
}

#[test]
fn a_record_of_another_version_is_not_changed() {
    let (_above, directory) = state();
    take(&mut lock(&[&directory], "a", Claim::default())).unwrap();
    fs::write(directory.join("holder"), "convoy-lock 2\n").unwrap();
    let why = take(&mut lock(&[&directory], "b", Claim::default())).unwrap_err();
    assert_eq!(summary(why), ("unavailable", "it was written by another version of convoy".into(), 0));
    assert_eq!(fs::read_to_string(directory.join("holder")).unwrap(), "convoy-lock 2\n");
}

#[test]
fn a_damaged_record_does_not_admit_a_second_run() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    take(&mut first).unwrap();
    fs::write(directory.join("holder"), "x").unwrap();
    let why = take(&mut lock(&[&directory], "b", Claim::default())).unwrap_err();
    assert_eq!(why, RefusalReason::Busy { holder: None, processes: Vec::new() });
}

#[test]
fn a_gate_that_stays_locked_is_reported() {
    let (_above, directory) = state();
    take(&mut lock(&[&directory], "a", Claim::default())).unwrap();
    let _gate = LockedGate::acquire(&directory, true).map_err(|error| error.why).unwrap();
    let why = take(&mut lock(&[&directory], "a", Claim::default())).unwrap_err();
    let text = format!("{}/gate: another process holds it and does not release it", directory.display());
    assert_eq!(summary(why), ("unavailable", text, 0));
}

#[test]
fn a_run_without_a_valid_name_is_refused() {
    let (_above, directory) = state();
    let why = take(&mut lock(&[&directory], "../x", Claim::default())).unwrap_err();
    assert_eq!(summary(why), ("unavailable", "the controller does not name the run".into(), 0));
    assert!(!directory.exists());
}

/// The preferred directory may be unusable for a while.
#[test]
fn all_places_are_checked() {
    let (_one, best) = state();
    let (_two, last) = state();
    let places = [best.as_path(), last.as_path()];
    // No directory can be created there for a while.
    fs::write(&best, "").unwrap();
    let mut first = lock(&places, "a", Claim::default());
    assert_eq!(take(&mut first), Ok(1));
    fs::remove_file(&best).unwrap();
    let refused = summary(take(&mut lock(&places, "b", Claim::default())).unwrap_err());
    assert_eq!(refused, ("busy", "a".into(), 1));
    assert_eq!(take(&mut lock(&places, "a", given(1))), Ok(1), "the run continues where it started");
    drop(first);
    assert_eq!(take(&mut lock(&places, "b", Claim::default())), Ok(1));
    assert_eq!(Record::read(&best).unwrap().holder.run, "b");
    fs::remove_dir_all(&best).unwrap();
    fs::write(&best, "").unwrap();
    fs::remove_dir_all(&last).unwrap();
    fs::write(&last, "").unwrap();
    let (what, why, _) = summary(take(&mut lock(&places, "c", Claim::default())).unwrap_err());
    let expected = format!("{}: not a directory that only this user can write to", best.display());
    assert_eq!((what, why), ("unavailable", expected));
}

#[test]
fn the_lock_is_due_before_a_write_or_if_the_run_held_it() {
    let directory = Path::new("/nowhere");
    for (claim, looks, writes) in [
        (Some(Claim::default()), false, true),
        (Some(Claim { returning: true, held: Vec::new() }), false, true),
        (Some(given(1)), true, true),
        (None, false, false),
    ] {
        let mut lock = lock(&[directory], "a", Claim::default());
        lock.claim = claim;
        assert_eq!((lock.is_due(false), lock.is_due(true)), (looks, writes));
    }
}

/// What happens on a node.
#[derive(Debug, Clone)]
enum Act {
    /// A run's controller connects, claims what it holds and sends an order.
    Enter { run: usize },
    /// An agent ends; `reported` is whether its controller learned its generation.
    End { agent: usize, reported: bool },
    /// An agent starts a job that outlives it.
    Detach { agent: usize },
    /// A job ends.
    Finish { job: usize },
    /// A new controller, which knows nothing, resumes a run.
    Resume { run: usize },
    /// The record is damaged.
    Damage,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize).prop_map(|run| Act::Enter { run }),
        4 => (0..8_usize, any::<bool>()).prop_map(|(agent, reported)| Act::End { agent, reported }),
        2 => (0..8_usize).prop_map(|agent| Act::Detach { agent }),
        2 => (0..8_usize).prop_map(|job| Act::Finish { job }),
        1 => (0..3_usize).prop_map(|run| Act::Resume { run }),
        1 => Just(Act::Damage),
    ]
}

/// The expected state, kept without reading any file.
#[derive(Default)]
struct Model {
    /// The runs that held the lock, in order. The index is the generation minus one.
    history: Vec<usize>,
    /// The generation that each controller knows.
    reported: [Option<u64>; 3],
    /// Which controllers were connected before.
    returning: [bool; 3],
    agents: Vec<(usize, u64, Lock)>,
    jobs: Vec<(usize, OwnedFd)>,
    /// The number of generations that the record has lost.
    recorded: usize,
}

impl Model {
    /// Returns the generation that a run gets, or the kind of its refusal.
    fn expected(&self, run: usize) -> Result<u64, &'static str> {
        let known = &self.history[self.recorded..];
        let last = known.last().map(|last| (*last, self.history.len() as u64));
        let busy = self
            .agents
            .iter()
            .map(|(other, ..)| other)
            .chain(self.jobs.iter().map(|(other, _)| other))
            .any(|other| *other != run || last.is_none());
        let next = if busy { Err("busy") } else { Ok(self.history.len() as u64 + 1) };
        match (self.reported[run], last) {
            (Some(_), None) => Err("lost"),
            (Some(held), Some((owner, generation))) if owner == run && generation == held => Ok(held),
            (Some(_), Some(_)) => Err("intervened"),
            (None, Some((owner, generation))) if owner == run => Ok(generation),
            (None, Some(_)) if self.returning[run] && known.contains(&run) => Err("intervened"),
            (None, _) => next,
        }
    }

    fn enter(&mut self, directory: &Path, run: usize) {
        let expected = self.expected(run);
        let held = self.reported[run].map_or_else(Vec::new, |generation| given(generation).held);
        let claim = Claim { returning: self.returning[run], held };
        let mut lock = lock(&[directory], &run.to_string(), claim);
        let got = take(&mut lock).map_err(|why| summary(why).0);
        assert_eq!(got, expected, "run {run}");
        self.returning[run] = true;
        let Ok(generation) = got else { return };
        if generation > self.history.len() as u64 {
            self.history.push(run);
        }
        self.agents.push((run, generation, lock));
        let all = self.agents.iter().map(|(other, ..)| other).chain(self.jobs.iter().map(|(other, _)| other));
        assert!(all.into_iter().all(|other| *other == run), "two runs work at once");
    }

    fn step(&mut self, directory: &Path, act: &Act) {
        match act {
            Act::Enter { run } => self.enter(directory, *run),
            Act::End { agent, reported } if !self.agents.is_empty() => {
                let (run, generation, _) = self.agents.remove(agent % self.agents.len());
                if *reported {
                    self.reported[run] = Some(generation);
                }
            }
            Act::Detach { agent } if !self.agents.is_empty() => {
                let (run, _, lock) = &self.agents[agent % self.agents.len()];
                self.jobs.push((*run, lock.descriptor().unwrap().unwrap()));
            }
            Act::Finish { job } if !self.jobs.is_empty() => {
                self.jobs.remove(job % self.jobs.len());
            }
            Act::Resume { run } => (self.reported[*run], self.returning[*run]) = (None, false),
            Act::Damage if !self.history.is_empty() => {
                fs::write(directory.join("holder"), "damaged").unwrap();
                self.recorded = self.history.len();
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever runs, controllers and jobs do, two runs never work at once, and a run that was away is refused if another
    /// one intervened.
    #[test]
    fn the_lock_behaves_like_the_model(acts in vec(act(), 1..40)) {
        let (_above, directory) = state();
        let mut model = Model::default();
        for act in &acts {
            model.step(&directory, act);
        }
    }
}
