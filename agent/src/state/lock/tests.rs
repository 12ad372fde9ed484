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

/// Returns a new directory of state and what it lies in.
fn state() -> (tempfile::TempDir, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("convoy");
    (above, directory)
}

/// Returns whom a refusal names, its generation, and in a word why.
fn named(why: RefusalReason) -> (&'static str, String, u64) {
    match why {
        RefusalReason::Busy { holder: Some(holder), .. } => ("busy", holder.run, holder.generation),
        RefusalReason::Intervened { holder, .. } => ("between", holder.run, holder.generation),
        RefusalReason::RecordLost { given, why } => ("lost", why, given),
        RefusalReason::Busy { holder: None, .. } => ("busy", String::new(), 0),
        RefusalReason::Unavailable(why) => ("unable", why, 0),
    }
}

#[test]
fn another_run_is_told_who_works() {
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
        // This process, which has it, is the one that asks.
        why: RefusalReason::Busy { holder: Some(holder), processes: Vec::new() },
    };
    assert_eq!(refusal, expected);
    drop(first);
    assert_eq!(take(&mut lock(&[&directory], "b", Claim::default())), Ok(2));
}

#[test]
fn one_that_leaves_is_waited_for() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    assert_eq!(take(&mut first), Ok(1));
    let (asked, first) = (std::cell::Cell::new(0), std::cell::RefCell::new(Some(first)));
    let leaves = || {
        asked.set(asked.get() + 1);
        // It goes when the third attempt was in vain.
        first.borrow_mut().take_if(|_| asked.get() == 3);
        false
    };
    let entry =
        lock(&[&directory], "b", Claim::default()).take(Duration::from_secs(600), "me", leaves).unwrap();
    assert_eq!((entry.held.generation, asked.get()), (2, 3));
    let mut third = lock(&[&directory], "c", Claim::default());
    assert_eq!(take(&mut third), Ok(3));
    let refused = lock(&[&directory], "d", Claim::default()).take(Duration::from_secs(600), "me", || true);
    assert!(refused.is_err(), "whose controller is gone does not wait");
}

#[test]
fn a_process_that_gets_the_descriptor_holds_the_lock_and_no_other() {
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
    assert_eq!(take(&mut lock(&[&directory], "a", given(1))), Ok(1), "its own run enters");
    job.kill().unwrap();
    job.wait().unwrap();
    assert_eq!(take(&mut lock(&[&directory], "b", Claim::default())), Ok(2));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn who_was_away_is_told_who_came_between() {
    let (_above, directory) = state();
    for (run, generation) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(take(&mut lock(&[&directory], run, Claim::default())), Ok(generation));
    }
    let refused = |run, claim| named(take(&mut lock(&[&directory], run, claim)).unwrap_err());
    assert_eq!(refused("a", given(1)), ("between", "c".into(), 3));
    // Its controller was cut off before it was told its generation.
    let returning = Claim { returning: true, held: Vec::new() };
    assert_eq!(refused("b", returning.clone()), ("between", "c".into(), 3));
    assert_eq!(take(&mut lock(&[&directory], "c", returning.clone())), Ok(3));
    assert_eq!(take(&mut lock(&[&directory], "d", returning)), Ok(4), "it never had the lock");
    // Begun again by another controller, and as another inventory's host.
    assert_eq!(take(&mut lock(&[&directory], "a", Claim::default())), Ok(5));
    assert_eq!(refused("a", given(1)), ("between", "d".into(), 4));
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
        assert_eq!(named(why), ("between", "b".into(), generation + 1));
        drop(other);
        assert_eq!(take(&mut lock(&[&directory], "a", Claim::default())), Ok(generation + 2));
    }
}

#[test]
fn a_record_that_is_lost_lets_nobody_pass() {
    let (_above, directory) = state();
    let holder = directory.join("holder");
    for (run, generation) in [("a", 1), ("b", 2)] {
        assert_eq!(take(&mut lock(&[&directory], run, Claim::default())), Ok(generation));
    }
    let old = fs::read(&holder).unwrap();
    assert_eq!(take(&mut lock(&[&directory], "c", Claim::default())), Ok(3));
    let spoil: [(&dyn Fn(), &str); 3] = [
        (&|| fs::remove_file(&holder).unwrap(), "it is not there"),
        (&|| fs::write(&holder, "convoy-lock 1\nrun c\n").unwrap(), "it has no end"),
        (&|| fs::write(&holder, &old).unwrap(), "it is older than the lock, of which "),
    ];
    for (generation, (spoil, why)) in (3..).zip(spoil) {
        spoil();
        let refused = named(take(&mut lock(&[&directory], "c", given(generation))).unwrap_err());
        assert_eq!((refused.0, refused.2), ("lost", generation));
        assert!(refused.1.starts_with(why), "{refused:?}");
        // It is said to who takes the lock next; the count goes on.
        let mut next = lock(&[&directory], "c", Claim::default());
        let entry = next.take(Duration::ZERO, "me", || false).unwrap();
        assert_eq!(entry.held.generation, generation + 1);
        assert!(entry.record_lost.as_ref().is_some_and(|lost| lost.starts_with(why)), "{entry:?}");
    }
}

#[test]
fn a_record_of_another_version_stays() {
    let (_above, directory) = state();
    take(&mut lock(&[&directory], "a", Claim::default())).unwrap();
    fs::write(directory.join("holder"), "convoy-lock 2\n").unwrap();
    let why = take(&mut lock(&[&directory], "b", Claim::default())).unwrap_err();
    assert_eq!(named(why), ("unable", "it was written by another version of convoy".into(), 0));
    assert_eq!(fs::read_to_string(directory.join("holder")).unwrap(), "convoy-lock 2\n");
}

#[test]
fn a_damaged_record_does_not_make_room_for_two() {
    let (_above, directory) = state();
    let mut first = lock(&[&directory], "a", Claim::default());
    take(&mut first).unwrap();
    fs::write(directory.join("holder"), "x").unwrap();
    let why = take(&mut lock(&[&directory], "b", Claim::default())).unwrap_err();
    assert_eq!(why, RefusalReason::Busy { holder: None, processes: Vec::new() });
}

#[test]
fn a_gate_that_stays_closed_is_told() {
    let (_above, directory) = state();
    take(&mut lock(&[&directory], "a", Claim::default())).unwrap();
    let _gate = LockedGate::gate(&directory, true).map_err(|error| error.why).unwrap();
    let why = take(&mut lock(&[&directory], "a", Claim::default())).unwrap_err();
    let text = format!("{}/gate: another process has it and does not go on", directory.display());
    assert_eq!(named(why), ("unable", text, 0));
}

#[test]
fn a_run_without_a_name_takes_nothing() {
    let (_above, directory) = state();
    let why = take(&mut lock(&[&directory], "../x", Claim::default())).unwrap_err();
    assert_eq!(named(why), ("unable", "the controller does not say which run it is for".into(), 0));
    assert!(!directory.exists());
}

/// A directory that could be had once may be full or gone, and come back.
#[test]
fn all_directories_are_looked_at() {
    let (_one, best) = state();
    let (_two, last) = state();
    let places = [best.as_path(), last.as_path()];
    // Nothing can be made there for a while.
    fs::write(&best, "").unwrap();
    let mut first = lock(&places, "a", Claim::default());
    assert_eq!(take(&mut first), Ok(1));
    fs::remove_file(&best).unwrap();
    let refused = named(take(&mut lock(&places, "b", Claim::default())).unwrap_err());
    assert_eq!(refused, ("busy", "a".into(), 1));
    assert_eq!(take(&mut lock(&places, "a", given(1))), Ok(1), "the run goes on where it began");
    drop(first);
    assert_eq!(take(&mut lock(&places, "b", Claim::default())), Ok(1));
    assert_eq!(Record::read(&best).unwrap().holder.run, "b");
    fs::remove_dir_all(&best).unwrap();
    fs::write(&best, "").unwrap();
    fs::remove_dir_all(&last).unwrap();
    fs::write(&last, "").unwrap();
    let (what, why, _) = named(take(&mut lock(&places, "c", Claim::default())).unwrap_err());
    let expected = format!("{}: not a directory that only this user can write to", best.display());
    assert_eq!((what, why), ("unable", expected));
}

#[test]
fn it_is_due_when_something_may_be_written_or_the_run_was_here() {
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
    /// A run's controller opens a link, shows what it knows and has an order done.
    Enter { run: usize },
    /// An agent ends; `told` is whether its controller heard of its generation.
    End { agent: usize, told: bool },
    /// An agent starts a job that outlives it.
    Detach { agent: usize },
    /// A job ends.
    Finish { job: usize },
    /// A run is taken up by a new controller, which knows nothing.
    Resume { run: usize },
    /// The record is spoilt.
    Spoil,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..3_usize).prop_map(|run| Act::Enter { run }),
        4 => (0..8_usize, any::<bool>()).prop_map(|(agent, told)| Act::End { agent, told }),
        2 => (0..8_usize).prop_map(|agent| Act::Detach { agent }),
        2 => (0..8_usize).prop_map(|job| Act::Finish { job }),
        1 => (0..3_usize).prop_map(|run| Act::Resume { run }),
        1 => Just(Act::Spoil),
    ]
}

/// What is known without looking at a file.
#[derive(Default)]
struct Model {
    /// Who had the lock, in order; the index is the generation, less one.
    history: Vec<usize>,
    /// What each controller was told.
    told: [Option<u64>; 3],
    /// Which controllers had a link.
    returning: [bool; 3],
    agents: Vec<(usize, u64, Lock)>,
    jobs: Vec<(usize, OwnedFd)>,
    /// From which generation on there is a record.
    recorded: usize,
}

impl Model {
    /// Returns the generation a run gets, or the word for why it gets none.
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
        match (self.told[run], last) {
            (Some(_), None) => Err("lost"),
            (Some(told), Some((owner, generation))) if owner == run && generation == told => Ok(told),
            (Some(_), Some(_)) => Err("between"),
            (None, Some((owner, generation))) if owner == run => Ok(generation),
            (None, Some(_)) if self.returning[run] && known.contains(&run) => Err("between"),
            (None, _) => next,
        }
    }

    fn enter(&mut self, directory: &Path, run: usize) {
        let expected = self.expected(run);
        let held = self.told[run].map_or_else(Vec::new, |generation| given(generation).held);
        let claim = Claim { returning: self.returning[run], held };
        let mut lock = lock(&[directory], &run.to_string(), claim);
        let got = take(&mut lock).map_err(|why| named(why).0);
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
            Act::End { agent, told } if !self.agents.is_empty() => {
                let (run, generation, _) = self.agents.remove(agent % self.agents.len());
                if *told {
                    self.told[run] = Some(generation);
                }
            }
            Act::Detach { agent } if !self.agents.is_empty() => {
                let (run, _, lock) = &self.agents[agent % self.agents.len()];
                self.jobs.push((*run, lock.descriptor().unwrap().unwrap()));
            }
            Act::Finish { job } if !self.jobs.is_empty() => {
                self.jobs.remove(job % self.jobs.len());
            }
            Act::Resume { run } => (self.told[*run], self.returning[*run]) = (None, false),
            Act::Spoil if !self.history.is_empty() => {
                fs::write(directory.join("holder"), "spoilt").unwrap();
                self.recorded = self.history.len();
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever runs, controllers and jobs do: two runs never work at once, and who was away does not pass.
    #[test]
    fn as_the_model_says(acts in vec(act(), 1..40)) {
        let (_above, directory) = state();
        let mut model = Model::default();
        for act in &acts {
            model.step(&directory, act);
        }
    }
}
