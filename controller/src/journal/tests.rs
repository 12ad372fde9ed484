//! The journal of a run written, damaged, read and continued.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::events::{Reporter, RunEvent, object};
use crate::report::Options;
use crate::report::plain::Plain;
use crate::report::sample::{self, Capture};

/// A folder of runs in a temporary one.
fn runs() -> (TempDir, Runs) {
    let dir = tempfile::tempdir().unwrap();
    let runs = Runs::below(dir.path().join(".convoy"));
    (dir, runs)
}

fn header(id: RunId) -> Header {
    Header {
        at: id.time(),
        id,
        by: "ann@desk".to_owned(),
        process: 7,
        version: "0.1.0".to_owned(),
        folder: "/srv/site".to_owned(),
        command: vec!["convoy".to_owned(), "apply".to_owned(), "site.yml".to_owned()],
        playbooks: vec!["site.yml".to_owned()],
        undoes: RunId::parse("20261124-191530-abcde"),
        inventory: vec!["hosts".to_owned()],
        check: true,
        shown: Options { verbosity: 2, columns: 120, skipped_hosts: false, ..Options::default() },
    }
}

/// Begins a run; its lock is held as long as the writer lives.
fn begin(runs: &Runs) -> (RunId, Writer) {
    let id = runs.next(Timestamp::from_second(1_800_000_000).unwrap());
    let writer = runs.begin(&header(id.clone())).unwrap();
    (id, writer)
}

/// Returns what the journal in a folder holds, and what stands behind that.
fn read(folder: &Path) -> (Vec<Found>, Option<Rest>) {
    let (_, mut reader) = Reader::open(folder).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.take().unwrap() {
        found.push(record);
    }
    (found, reader.rest().unwrap())
}

/// What is written of an event comes back so.
fn written(event: &RunEvent) -> Found {
    let value = crate::json::lossless::encode(&object::of(event).into());
    let value = crate::json::lossless::decode(&value);
    Found::Event(object::event(value.as_map().unwrap()).unwrap())
}

#[test]
fn what_was_shown_is_shown_again() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    let options = header(id.clone()).shown;
    let (out, err) = (Capture::default(), Capture::default());
    let shown = Box::new(Plain::new(&options, out.sink(), err.sink()));
    let mut recorder = Recorder::new(writer, runs.folder_of(&id), shown);
    let events = sample::each_event();
    events.iter().for_each(|event| recorder.event(event));

    let (found, rest) = read(&runs.folder_of(&id));
    assert_eq!(found, events.iter().map(written).collect::<Vec<_>>());
    assert_eq!(rest, None);
    let (again, err_again) = (Capture::default(), Capture::default());
    let mut plain = Plain::new(&options, again.sink(), err_again.sink());
    for record in found {
        let Found::Event(event) = record else { panic!("{record:?}") };
        plain.event(&event);
    }
    assert_eq!((again.text(), err_again.text()), (out.text(), err.text()));
    let (read, _) = Reader::open(&runs.folder_of(&id)).unwrap();
    assert_eq!(read, header(id.clone()));
    let journal = fs::read_to_string(runs.folder_of(&id).join(FILE)).unwrap();
    assert!(!journal.contains("hunter2"), "{journal}");
    assert!(matches!(runs.run(&id).state, State::Running));
    drop(recorder);
    let State::Ended(end) = runs.run(&id).state else { panic!("it has not ended") };
    assert_eq!(Some(&end), events.last());
}

/// What becomes of a journal that nobody wrote to the end.
#[derive(Debug, Clone)]
enum Harm {
    /// Cut off there, counted in thousandths of its length.
    Cut(usize),
    /// The byte there is changed.
    Flip(usize, u8),
    /// The line with this number is gone.
    Gone(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (0..1000_usize).prop_map(Harm::Cut),
        (0..1000_usize, 1..=u8::MAX).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        (1..10_usize).prop_map(Harm::Gone),
    ]
}

impl Harm {
    /// Harms the bytes; returns how many of them are certainly as they were.
    fn inflict(&self, bytes: &mut Vec<u8>, from: usize) -> usize {
        let place = |at: usize| from + at * (bytes.len() - from) / 1000;
        match *self {
            Self::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
                at
            }
            Self::Flip(at, bits) => {
                let at = place(at);
                bytes[at] ^= bits;
                at
            }
            Self::Gone(line) => {
                let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let at = lines[..line].concat().len();
                let left = [&lines[..line], &lines[line + 1..]].concat().concat();
                *bytes = left;
                at
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    /// All that is whole before the harm is read, nothing from there on, and it is said; whoever goes on writes behind it.
    #[test]
    fn harm_is_seen_and_cut_off(harm in harm()) {
        let (_dir, runs) = runs();
        let (id, mut writer) = begin(&runs);
        let events = sample::each_event();
        for event in &events {
            writer.append(object::of(event)).unwrap();
        }
        let folder = runs.folder_of(&id);
        let path = folder.join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        // The first record tells whose journal it is: without it there is none.
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let sound = harm.inflict(&mut bytes, first);
        fs::write(&path, &bytes).unwrap();

        let whole = bytes[..sound].iter().filter(|byte| **byte == b'\n').count() - 1;
        let (found, rest) = read(&folder);
        let expected: Vec<Found> = events[..whole].iter().map(written).collect();
        prop_assert_eq!(&found, &expected);
        let length = bytes[..sound].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        match rest {
            None => prop_assert_eq!(length, bytes.len()),
            Some(rest) => {
                prop_assert_eq!((rest.intact, rest.records), (length as u64, whole as u64 + 1));
                prop_assert_eq!(rest.bytes, (bytes.len() - length) as u64);
                prop_assert_eq!(rest.torn, !bytes[length..].contains(&b'\n'));
            }
        }

        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut writer = Writer::behind(file, length as u64, whole as u64 + 1, Timestamp::now()).unwrap();
        let more = RunEvent::Warning("more".to_owned());
        writer.append(object::of(&more)).unwrap();
        let (found, rest) = read(&folder);
        prop_assert_eq!(found, [expected, vec![written(&more)]].concat());
        prop_assert_eq!(rest, None);
    }
}

#[test]
fn the_page_says_what_is_written() {
    let page = include_str!("../../../docs/journal.md");
    let line = page.lines().find(|line| line.contains(" {\"n\": ")).unwrap().to_owned() + "\n";
    let record = record::Record::read(line.as_bytes()).unwrap().unwrap();
    assert_eq!(String::from_utf8(record.line()).unwrap(), line);
    let play = RunEvent::PlayStart { name: "Web servers".into(), check: false };
    assert_eq!(object::event(&record.body).unwrap(), play);
    let body = header(RunId::new(None, Timestamp::UNIX_EPOCH)).body();
    let shown = body.get("shown").unwrap().as_map().unwrap();
    for name in body.keys().chain(shown.keys()) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    assert_eq!(body.get("journal").unwrap().as_str(), Some("1.0"));
}

#[test]
fn what_is_no_journal_is_said() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    drop(writer);
    let folder = runs.folder_of(&id);
    let path = folder.join(FILE);
    let line = fs::read(&path).unwrap();
    let later = |version: &str| {
        let mut body = header(id.clone()).body();
        body.insert("journal".into(), version.into());
        record::Record { number: 0, at: id.time(), body }.line()
    };
    for (bytes, error) in [
        (later("2.0"), "the journal is of format 2.0; this convoy reads 1.x"),
        (line[..30].to_vec(), "the first record of the journal is damaged"),
        (Vec::new(), "the first record of the journal is damaged"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(Reader::open(&folder).unwrap_err().to_string(), error);
        assert!(matches!(runs.run(&id).state, State::Unreadable(_)));
    }
    // A later version that only adds something can be read.
    let strange =
        record::Record { number: 1, at: id.time(), body: convoy_protocol::map! { "event" => "later" } };
    fs::write(&path, [later("1.7"), strange.line()].concat()).unwrap();
    assert_eq!(read(&folder), (vec![Found::Strange("no event is called `later`".to_owned())], None));
    fs::remove_file(&path).unwrap();
    let error = format!("cannot open {}: No such file or directory (os error 2)", path.display());
    assert_eq!(Reader::open(&folder).unwrap_err().to_string(), error);
}

#[test]
fn runs_of_the_same_second_have_folders_of_their_own() {
    let (dir, runs) = runs();
    let begun: Vec<(RunId, Writer)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| begin(&runs))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut names: Vec<RunId> = begun.iter().map(|(id, _)| id.clone()).collect();
    names.sort();
    assert_eq!(runs.names().unwrap(), names);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let own = dir.path().join(".convoy");
    let folder = runs.folder_of(&names[0]);
    assert_eq!(
        [mode(&own), mode(runs.folder()), mode(&folder), mode(&folder.join(FILE))],
        [0o700, 0o700, 0o700, 0o600]
    );
    assert_eq!(fs::read_to_string(own.join(".gitignore")).unwrap(), "*\n");
    // Nothing else is left.
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 8);
    // The same one cannot begin twice, and nothing is left of the attempt.
    let again = runs.begin(&header(names[0].clone())).unwrap_err().to_string();
    assert_eq!(again, format!("cannot make {}: Directory not empty (os error 39)", folder.display()));
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 8);
}

#[test]
fn a_run_that_goes_on_is_not_removed() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    assert!(matches!(runs.run(&id).state, State::Running));
    assert!(!runs.remove(&id).unwrap());
    drop(writer);
    assert!(matches!(runs.run(&id).state, State::BrokenOff));
    assert!(runs.remove(&id).unwrap());
    assert_eq!(runs.names().unwrap(), []);
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 0);
}

/// A result that is longer than what is read of the end at first.
#[test]
fn the_end_is_found_behind_a_long_record() {
    let (_dir, runs) = runs();
    let (id, mut writer) = begin(&runs);
    writer.append(object::of(&RunEvent::Warning("x".repeat(100_000)))).unwrap();
    let folder = runs.folder_of(&id);
    let file = File::open(folder.join(FILE)).unwrap();
    assert!(matches!(reader::last(&file).unwrap(), Some(Found::Event(RunEvent::Warning(_)))));
    let errors = vec!["y".repeat(50_000)];
    let end = RunEvent::End { ending: None, code: 1, hosts: crate::events::Tally::default(), errors };
    writer.append(object::of(&end)).unwrap();
    assert_eq!(reader::last(&file).unwrap(), Some(Found::Event(end)));
}

#[test]
fn records_have_times_that_never_go_back() {
    let (_dir, runs) = runs();
    let (id, mut writer) = begin(&runs);
    for _ in 0..3 {
        writer.append(object::of(&RunEvent::NoHostsMatched)).unwrap();
    }
    let text = fs::read_to_string(runs.folder_of(&id).join(FILE)).unwrap();
    let records =
        text.split_inclusive('\n').map(|line| record::Record::read(line.as_bytes()).unwrap().unwrap());
    let times: Vec<Timestamp> = records.map(|record| record.at).collect();
    assert!(times.is_sorted() && times[0] == id.time(), "{times:?}");
    assert!(times[3].duration_since(times[0]) < SignedDuration::from_mins(1), "{times:?}");
}

#[test]
fn runs_are_found_by_what_the_user_types() {
    let (_dir, runs) = runs();
    let error = |word: &str| {
        let text = runs.find(word).unwrap_err().to_string();
        text.replace(&runs.folder().display().to_string(), "[runs]")
    };
    let none = "error: there are no runs in [runs]\n\
                hint: `convoy apply` keeps a journal of each run, in the folder in which it is started";
    assert_eq!((error("last"), error("2027")), (none.to_owned(), none.to_owned()));
    let names: Vec<RunId> = (0..10).map(|_| begin(&runs).0).collect();
    assert_eq!(runs.find("last").unwrap(), names[9]);
    assert_eq!(runs.find(names[3].as_str()).unwrap(), names[3]);
    assert_eq!(runs.find("20270115-080003").unwrap(), names[3]);
    let listed: String = names[..8].iter().map(|id| format!("  = note: {id}\n")).collect();
    let expected = format!(
        "error: 10 runs begin with `2027`\n{listed}  = note: …\nhint: name more of it, or say `last`"
    );
    assert_eq!(error("2027"), expected);
    let wrong = names[3].as_str().replace("2027", "2028");
    assert_eq!(
        error(&wrong),
        format!("error: there is no run `{wrong}`\nhint: did you mean `{}`?", names[3])
    );
    assert_eq!(error("lst"), "error: there is no run `lst`\nhint: did you mean `last`?");
    assert_eq!(error("8"), "error: there is no run `8`\nhint: `convoy runs` lists them");
}
