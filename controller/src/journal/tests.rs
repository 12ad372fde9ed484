//! Journals written, damaged, read and continued.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tempfile::TempDir;

use super::file::FILE_NAME;
use super::record::Record;
use super::*;
use crate::events::{Reporter, RunEvent, object};
use crate::report::Options;
use crate::report::plain::Plain;
use crate::report::sample::{self, Capture};

/// Returns a directory of runs in a temporary directory.
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

/// Begins a run. Its lock is held as long as the writer lives.
fn begin(runs: &Runs) -> (RunId, Writer) {
    let id = runs.new_name(Timestamp::from_second(1_800_000_000).unwrap());
    let writer = runs.begin(&header(id.clone())).unwrap();
    (id, writer)
}

/// Returns the entries of the journal in a directory, and its tail.
fn read(folder: &Path) -> (Vec<Entry>, Option<Tail>) {
    let (_, mut reader) = Reader::open(folder).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry);
    }
    (entries, reader.tail().unwrap())
}

/// Returns the entry that is read back for an event.
fn written(event: &RunEvent) -> Entry {
    let value = crate::text::json::lossless::encode(&object::of(event).into());
    let value = crate::text::json::lossless::decode(&value);
    Entry::Event(object::event(value.as_map().unwrap()).unwrap())
}

#[test]
fn a_run_is_replayed_as_it_was_shown() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    let options = header(id.clone()).shown;
    let (out, err) = (Capture::default(), Capture::default());
    let shown = Box::new(Plain::new(&options, out.sink(), err.sink()));
    let mut recorder = Recorder::new(writer, runs.folder_of(&id), shown);
    let events = sample::each_event();
    events.iter().for_each(|event| recorder.event(event));

    let (entries, tail) = read(&runs.folder_of(&id));
    assert_eq!(entries, events.iter().map(written).collect::<Vec<_>>());
    assert_eq!(tail, None);
    let (again, err_again) = (Capture::default(), Capture::default());
    let mut plain = Plain::new(&options, again.sink(), err_again.sink());
    for entry in entries {
        let Entry::Event(event) = entry else { panic!("{entry:?}") };
        plain.event(&event);
    }
    assert_eq!((again.text(), err_again.text()), (out.text(), err.text()));
    let (read, _) = Reader::open(&runs.folder_of(&id)).unwrap();
    assert_eq!(read, header(id.clone()));
    let journal = fs::read_to_string(runs.folder_of(&id).join(FILE_NAME)).unwrap();
    assert!(!journal.contains("hunter2"), "{journal}");
    assert!(matches!(runs.run(&id).state, RunState::Running));
    drop(recorder);
    let RunState::Ended(end) = runs.run(&id).state else { panic!("the run has not ended") };
    assert_eq!(Some(&end), events.last());
}

/// Damage to a journal. Places are in thousandths of its length.
#[derive(Debug, Clone)]
enum Damage {
    /// The journal ends at this place.
    Truncated(usize),
    /// Bits of the byte at this place are flipped.
    Flipped(usize, u8),
    /// The line with this number is missing.
    LineMissing(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0..1000_usize).prop_map(Damage::Truncated),
        (0..1000_usize, 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flipped(at, bits)),
        (1..10_usize).prop_map(Damage::LineMissing),
    ]
}

impl Damage {
    /// Damages the bytes from `from` on; returns how many bytes are certainly intact.
    fn inflict(&self, bytes: &mut Vec<u8>, from: usize) -> usize {
        let place = |at: usize| from + at * (bytes.len() - from) / 1000;
        match *self {
            Self::Truncated(at) => {
                let at = place(at);
                bytes.truncate(at);
                at
            }
            Self::Flipped(at, bits) => {
                let at = place(at);
                bytes[at] ^= bits;
                at
            }
            Self::LineMissing(line) => {
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

    /// All records before the damage are read, none after it, and the tail is reported. A writer continues there.
    #[test]
    fn damage_is_detected_and_truncated(damage in damage()) {
        let (_dir, runs) = runs();
        let (id, mut writer) = begin(&runs);
        let events = sample::each_event();
        for event in &events {
            writer.append(object::of(event)).unwrap();
        }
        let folder = runs.folder_of(&id);
        let path = folder.join(FILE_NAME);
        let mut bytes = fs::read(&path).unwrap();
        // Without its first record a journal cannot be opened at all: that one stays intact.
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let intact = damage.inflict(&mut bytes, first);
        fs::write(&path, &bytes).unwrap();

        let whole = bytes[..intact].iter().filter(|byte| **byte == b'\n').count() - 1;
        let (entries, tail) = read(&folder);
        let expected: Vec<Entry> = events[..whole].iter().map(written).collect();
        prop_assert_eq!(&entries, &expected);
        let length = bytes[..intact].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        match tail {
            None => prop_assert_eq!(length, bytes.len()),
            Some(tail) => {
                prop_assert_eq!((tail.intact, tail.records), (length as u64, whole as u64 + 1));
                prop_assert_eq!(tail.bytes, (bytes.len() - length) as u64);
                prop_assert_eq!(tail.torn, !bytes[length..].contains(&b'\n'));
            }
        }

        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut writer = Writer::after(file, length as u64, whole as u64 + 1, Timestamp::now()).unwrap();
        let more = RunEvent::Warning("more".to_owned());
        writer.append(object::of(&more)).unwrap();
        let (entries, tail) = read(&folder);
        prop_assert_eq!(entries, [expected, vec![written(&more)]].concat());
        prop_assert_eq!(tail, None);
    }
}

#[test]
fn the_documentation_shows_a_record_and_names_all_fields() {
    let page = include_str!("../../../docs/journal.md");
    let line = page.lines().find(|line| line.contains(" {\"n\": ")).unwrap().to_owned() + "\n";
    let record = Record::read(line.as_bytes()).unwrap().unwrap();
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
fn a_journal_that_cannot_be_read_is_reported() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    drop(writer);
    let folder = runs.folder_of(&id);
    let path = folder.join(FILE_NAME);
    let line = fs::read(&path).unwrap();
    let later = |version: &str| {
        let mut body = header(id.clone()).body();
        body.insert("journal".into(), version.into());
        Record { number: 0, at: id.time(), body }.line()
    };
    for (bytes, error) in [
        (later("2.0"), "the journal has format 2.0; this convoy reads 1.x"),
        (line[..30].to_vec(), "the first record of the journal is damaged"),
        (Vec::new(), "the first record of the journal is damaged"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(Reader::open(&folder).unwrap_err().to_string(), error);
        assert!(matches!(runs.run(&id).state, RunState::Unreadable(_)));
    }
    // A later minor version can be read.
    let unknown = Record { number: 1, at: id.time(), body: convoy_protocol::map! { "event" => "later" } };
    fs::write(&path, [later("1.7"), unknown.line()].concat()).unwrap();
    assert_eq!(read(&folder), (vec![Entry::Unknown("no event is called `later`".to_owned())], None));
    fs::remove_file(&path).unwrap();
    let error = format!("cannot open {}: No such file or directory (os error 2)", path.display());
    assert_eq!(Reader::open(&folder).unwrap_err().to_string(), error);
}

#[test]
fn runs_of_the_same_second_have_separate_directories() {
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
        [mode(&own), mode(runs.folder()), mode(&folder), mode(&folder.join(FILE_NAME))],
        [0o700, 0o700, 0o700, 0o600]
    );
    assert_eq!(fs::read_to_string(own.join(".gitignore")).unwrap(), "*\n");
    // Nothing else is there.
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 8);
    // The same run cannot begin twice, and the attempt leaves nothing behind.
    let again = runs.begin(&header(names[0].clone())).unwrap_err().to_string();
    assert_eq!(again, format!("cannot create {}: Directory not empty (os error 39)", folder.display()));
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 8);
}

#[test]
fn a_run_in_progress_is_not_removed() {
    let (_dir, runs) = runs();
    let (id, writer) = begin(&runs);
    assert!(matches!(runs.run(&id).state, RunState::Running));
    assert!(!runs.remove(&id).unwrap());
    drop(writer);
    assert!(matches!(runs.run(&id).state, RunState::BrokenOff));
    assert!(runs.remove(&id).unwrap());
    assert_eq!(runs.names().unwrap(), []);
    assert_eq!(fs::read_dir(runs.folder()).unwrap().count(), 0);
}

/// Records that are longer than the part of the file that is read first.
#[test]
fn the_last_record_is_found_even_if_it_is_long() {
    let (_dir, runs) = runs();
    let (id, mut writer) = begin(&runs);
    writer.append(object::of(&RunEvent::Warning("x".repeat(100_000)))).unwrap();
    let folder = runs.folder_of(&id);
    let file = File::open(folder.join(FILE_NAME)).unwrap();
    assert!(matches!(reader::last_entry(&file).unwrap(), Some(Entry::Event(RunEvent::Warning(_)))));
    let errors = vec!["y".repeat(50_000)];
    let end = RunEvent::End { ending: None, code: 1, hosts: crate::events::Tally::default(), errors };
    writer.append(object::of(&end)).unwrap();
    assert_eq!(reader::last_entry(&file).unwrap(), Some(Entry::Event(end)));
}

#[test]
fn times_of_records_never_go_back() {
    let (_dir, runs) = runs();
    let (id, mut writer) = begin(&runs);
    for _ in 0..3 {
        writer.append(object::of(&RunEvent::NoHostsMatched)).unwrap();
    }
    let text = fs::read_to_string(runs.folder_of(&id).join(FILE_NAME)).unwrap();
    let records = text.split_inclusive('\n').map(|line| Record::read(line.as_bytes()).unwrap().unwrap());
    let times: Vec<Timestamp> = records.map(|record| record.at).collect();
    assert!(times.is_sorted() && times[0] == id.time(), "{times:?}");
    assert!(times[3].duration_since(times[0]) < SignedDuration::from_mins(1), "{times:?}");
}

#[test]
fn runs_are_found_by_last_name_or_unique_prefix() {
    let (_dir, runs) = runs();
    let error = |word: &str| {
        let text = runs.find(word).unwrap_err().to_string();
        text.replace(&runs.folder().display().to_string(), "[runs]")
    };
    let none = "error: there are no runs in [runs]\n\
                hint: `convoy apply` keeps a journal of each run in the directory where it is started";
    assert_eq!((error("last"), error("2027")), (none.to_owned(), none.to_owned()));
    let names: Vec<RunId> = (0..10).map(|_| begin(&runs).0).collect();
    assert_eq!(runs.find("last").unwrap(), names[9]);
    assert_eq!(runs.find(names[3].as_str()).unwrap(), names[3]);
    assert_eq!(runs.find("20270115-080003").unwrap(), names[3]);
    let listed: String = names[..8].iter().map(|id| format!("  = note: {id}\n")).collect();
    let expected = format!(
        "error: 10 runs begin with `2027`\n{listed}  = note: …\nhint: type more of the name, or use `last`"
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
