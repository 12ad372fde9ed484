//! The record of the run that holds the lock and of those that held it before, in a text format that people can read.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use convoy_protocol::lock::Holder;
use flate2::Crc;

use crate::dates::rfc3339;
use crate::os_error::reason;

/// The file's name, and the name of the new version until it is complete. Only the process that holds the gate writes it.
const FILE: &str = "holder";
const NEW: &str = ".holder.new";

/// The version of the format, in the first line. A file of another version is never changed.
const VERSION: &str = "1";

/// How many earlier holders are kept.
const BEFORE: usize = 16;

/// The maximum size of a record, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Who holds the lock, and who held it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The current or last holder.
    pub(super) holder: Holder,
    /// The process that took it.
    pub(super) process: u32,
    /// The earlier holders, the latest first.
    pub(super) before: Vec<Holder>,
}

/// Why there is no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordError {
    /// The file does not exist.
    Missing,
    /// It is damaged; with the reason.
    Damaged(String),
    /// It cannot be read or must not be replaced; with the reason.
    Closed(String),
}

impl Record {
    /// Reads the record of a directory.
    pub(super) fn read(directory: &Path) -> Result<Self, RecordError> {
        let path = directory.join(FILE);
        let text = fs::symlink_metadata(&path).and_then(|meta| match meta.len() {
            _ if !meta.is_file() => Err(io::Error::other("it is not a regular file")),
            LONGEST.. => Ok(Vec::new()),
            _ => fs::read(&path),
        });
        match text {
            Ok(text) => Self::parse(&String::from_utf8_lossy(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RecordError::Missing),
            Err(error) => Err(RecordError::Closed(format!("{}: {}", path.display(), reason(&error)))),
        }
    }

    /// Replaces the record of a directory. It is on disk when this returns.
    ///
    /// # Errors
    /// Fails if it cannot be written. The old record is kept then.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let new = directory.join(NEW);
        fs::remove_file(&new).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, directory.join(FILE))?;
        File::open(directory)?.sync_all()
    }

    /// Returns the record for when `holder` takes the lock after the holder in `last`.
    pub(super) fn after(last: Option<Self>, holder: Holder, process: u32) -> Self {
        let mut before: Vec<Holder> =
            last.map_or_else(Vec::new, |last| [vec![last.holder], last.before].concat());
        before.truncate(BEFORE);
        Self { holder, process, before }
    }

    fn text(&self) -> String {
        let Self { holder, process, before } = self;
        let mut text = format!(
            "convoy-lock {VERSION}\ngeneration {}\nrun {}\nby {}\nsince {} {}\nprocess {process}\n",
            holder.generation,
            holder.run,
            one_line(&holder.by),
            holder.since,
            rfc3339(holder.since)
        );
        for Holder { generation, run, since, by } in before {
            let (by, at) = (one_line(by), rfc3339(*since));
            // Writing to a string does not fail.
            let _ = writeln!(text, "before {generation} {run} {since} {at} {by}");
        }
        let sum = checksum(&text);
        text + &format!("check {sum}\n")
    }

    fn parse(text: &str) -> Result<Self, RecordError> {
        let version = text.split_once('\n').and_then(|(first, _)| first.strip_prefix("convoy-lock "));
        if version.is_some_and(|version| version != VERSION && version.parse::<u32>().is_ok()) {
            return Err(RecordError::Closed("it was written by another version of convoy".into()));
        }
        let damaged = |why: &str| RecordError::Damaged(why.into());
        let (body, sum) = text.rsplit_once("check ").ok_or_else(|| damaged("it is incomplete"))?;
        if !body.starts_with(&format!("convoy-lock {VERSION}\n")) || sum != format!("{}\n", checksum(body)) {
            return Err(damaged("its checksum does not match"));
        }
        Self::fields(body).ok_or_else(|| damaged("it has invalid fields"))
    }

    fn fields(body: &str) -> Option<Self> {
        let mut lines = body.lines().skip(1);
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let generation = field("generation")?.parse().ok()?;
        let (run, by) = (field("run")?.to_owned(), field("by")?.to_owned());
        let since = field("since")?.split(' ').next()?.parse().ok()?;
        let process = field("process")?.parse().ok()?;
        let before = lines.map(|line| {
            let mut words = line.strip_prefix("before ")?.splitn(5, ' ');
            let generation = words.next()?.parse().ok()?;
            let run = words.next()?.to_owned();
            let since = words.next()?.parse().ok()?;
            let by = words.nth(1)?.to_owned();
            Some(Holder { run, by, since, generation })
        });
        let before = before.collect::<Option<_>>()?;
        Some(Self { holder: Holder { run, by, since, generation }, process, before })
    }
}

fn checksum(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

/// Replaces characters that would start a new line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(generation: u64, run: &str, by: &str) -> Holder {
        Holder { run: run.into(), by: by.into(), since: 1_795_874_587, generation }
    }

    fn record() -> Record {
        let first = Record::after(None, holder(7, "20261128-1", "alice@ws"), 12);
        Record::after(Some(first), holder(8, "20261128-2", "bob as root@ws2"), 13)
    }

    #[test]
    fn a_record_is_readable_and_round_trips() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(directory.path()), Err(RecordError::Missing));
        fs::write(directory.path().join(NEW), "left by a killed process").unwrap();
        record().write(directory.path()).unwrap();
        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        let expected = "convoy-lock 1\ngeneration 8\nrun 20261128-2\nby bob as root@ws2\n\
            since 1795874587 2026-11-28T14:03:07Z\nprocess 13\n\
            before 7 20261128-1 1795874587 2026-11-28T14:03:07Z alice@ws\ncheck ";
        assert_eq!(text.rsplit_once("check ").map(|(body, _)| format!("{body}check ")).unwrap(), expected);
        assert_eq!(Record::read(directory.path()), Ok(record()));
        let odd = Record::after(None, holder(1, "a", "x\ncheck y"), 1);
        assert_eq!(Record::parse(&odd.text()).unwrap().holder.by, "x?check y");
    }

    #[test]
    fn old_holders_are_dropped() {
        let mut last = None;
        for generation in 1..=40 {
            last = Some(Record::after(last, holder(generation, "a", "b"), 1));
        }
        let generations: Vec<u64> = last.unwrap().before.iter().map(|one| one.generation).collect();
        assert_eq!(generations, (24..40).rev().collect::<Vec<_>>());
    }

    #[test]
    fn every_damage_is_detected() {
        let text = record().text();
        for end in 0..text.len() {
            let cut = Record::parse(&text[..end]);
            assert!(matches!(cut, Err(RecordError::Damaged(_))), "{end}: {cut:?}");
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'5' { b'6' } else { b'5' };
            assert!(Record::parse(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
        }
        let later = "convoy-lock 2\nall is different\n";
        let closed = RecordError::Closed("it was written by another version of convoy".into());
        assert_eq!(Record::parse(later), Err(closed));
    }

    #[test]
    fn a_directory_in_its_place_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::create_dir(&path).unwrap();
        let why = format!("{}: it is not a regular file", path.display());
        assert_eq!(Record::read(directory.path()), Err(RecordError::Closed(why)));
    }
}
