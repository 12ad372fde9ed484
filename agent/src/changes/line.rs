//! The lines of a record of changes.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use super::state::{ContentState, Ownership, PathKind, PathState};
use crate::stat::Time;

/// The first line: the version of the format.
pub(super) const HEADING: &str = "convoy-changes 1\n";

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordLine {
    /// A path is about to be changed for the first time.
    Change { id: String, path: PathBuf, was: PathState, left: PathState },
    /// It is about to be changed again. `was` is given if the original state becomes known, or is kept, only now.
    ChangeAgain { id: String, was: Option<PathState>, left: PathState },
    /// Its last change was not made.
    Cancelled { id: String },
    /// A module is about to do something irreversible, for the order with this ticket.
    Irreversible { module: String, why: String, ticket: Option<u64> },
    /// The changes of the path were undone by the run `by`.
    Undone { id: String, by: String },
}

impl RecordLine {
    /// Returns the line with its checksum and line end.
    pub(super) fn text(&self) -> String {
        let mut body = String::new();
        match self {
            Self::Change { id, path, was, left } => {
                body.push_str("change ");
                word(id.as_bytes(), &mut body);
                body.push(' ');
                word(path.as_os_str().as_bytes(), &mut body);
                state(was, &mut body);
                body.push_str(" >");
                state(left, &mut body);
            }
            Self::ChangeAgain { id, was, left } => {
                body.push_str("again ");
                word(id.as_bytes(), &mut body);
                if let Some(was) = was {
                    state(was, &mut body);
                    body.push_str(" >");
                }
                state(left, &mut body);
            }
            Self::Cancelled { id } => {
                body.push_str("void ");
                word(id.as_bytes(), &mut body);
            }
            Self::Undone { id, by } => {
                body.push_str("undone ");
                word(id.as_bytes(), &mut body);
                body.push(' ');
                word(by.as_bytes(), &mut body);
            }
            Self::Irreversible { module, why, ticket } => {
                body.push_str("cannot ");
                word(module.as_bytes(), &mut body);
                body.push(' ');
                word(why.as_bytes(), &mut body);
                if let Some(ticket) = ticket {
                    // Writing to a string cannot fail.
                    let _ = write!(body, " {ticket}");
                }
            }
        }
        format!("{:08x} {body}\n", sum(body.as_bytes()))
    }

    /// Parses a line without its line end; `None` if it is damaged.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (wanted, body) = text.split_once(' ')?;
        if u32::from_str_radix(wanted, 16).ok()? != sum(body.as_bytes()) {
            return None;
        }
        let mut words = body.split(' ');
        let verb = words.next()?;
        let first = utf8(words.next()?)?;
        let path = (verb == "change").then(|| words.next().and_then(path));
        let rest: Vec<&str> = words.collect();
        let mut sides = rest.split(|word| *word == ">");
        let id = first;
        Some(match verb {
            "change" => Self::Change {
                id,
                path: path??,
                was: read_state(sides.next()?)?,
                left: read_state(sides.next()?)?,
            },
            "again" => match (read_state(sides.next()?)?, sides.next()) {
                (left, None) => Self::ChangeAgain { id, was: None, left },
                (was, Some(left)) => Self::ChangeAgain { id, was: Some(was), left: read_state(left)? },
            },
            "void" => Self::Cancelled { id },
            "undone" => Self::Undone { id, by: utf8(rest.first()?)? },
            "cannot" => {
                let ticket = rest.get(1).map(|ticket| ticket.parse()).transpose().ok()?;
                Self::Irreversible { module: id, why: utf8(rest.first()?)?, ticket }
            }
            _ => return None,
        })
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Writes bytes as one word, with all but a few characters percent-encoded.
fn word(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/._-:,@+".contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02x}");
        }
    }
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            found.push(*first);
            continue;
        }
        let digits = str::from_utf8(rest.get(..2)?).ok()?;
        found.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(found)
}

fn utf8(word: &str) -> Option<String> {
    String::from_utf8(bytes(word)?).ok()
}

fn path(word: &str) -> Option<PathBuf> {
    Some(OsString::from_vec(bytes(word)?).into())
}

fn time(time: Time) -> String {
    format!("{}.{:09}", time.seconds, time.nanos)
}

fn read_time(text: &str) -> Option<Time> {
    let (seconds, nanos) = text.split_once('.')?;
    Some(Time { seconds: seconds.parse().ok()?, nanos: nanos.parse().ok()? })
}

/// Writes a state as words, each preceded by a blank.
fn state(state: &PathState, out: &mut String) {
    let mut add = |name: &str, value: &[u8]| {
        out.push(' ');
        out.push_str(name);
        word(value, out);
    };
    match &state.kind {
        PathKind::Absent => add("nothing", b""),
        PathKind::File => add("file", b""),
        PathKind::Directory => add("folder", b""),
        PathKind::Tree => add("tree", b""),
        PathKind::Link(target) => add("link=", target.as_os_str().as_bytes()),
    }
    if let Some(Ownership { mode, uid, gid }) = state.ownership {
        add("mode=", format!("{mode:04o}").as_bytes());
        add("owner=", format!("{uid}:{gid}").as_bytes());
    }
    if let Some(mtime) = state.mtime {
        add("mtime=", time(mtime).as_bytes());
    }
    match &state.content {
        ContentState::Any => {}
        ContentState::Digest(digest) => add("sha256=", digest.to_string().as_bytes()),
        ContentState::Stamp(device, inode, at) => {
            add("stamp=", format!("{device}:{inode}:{}", time(*at)).as_bytes());
        }
        ContentState::Secret => add("secret", b""),
        ContentState::Unreadable => add("unreadable", b""),
    }
    if let Some(kept) = &state.kept {
        add("kept=", kept.as_os_str().as_bytes());
    }
    for (name, value) in &state.xattrs {
        out.push_str(" xattr=");
        word(name, out);
        out.push('=');
        word(value, out);
    }
}

fn read_state(words: &[&str]) -> Option<PathState> {
    let (first, rest) = words.split_first()?;
    let mut state = PathState::new(match *first {
        "nothing" => PathKind::Absent,
        "file" => PathKind::File,
        "folder" => PathKind::Directory,
        "tree" => PathKind::Tree,
        link => PathKind::Link(path(link.strip_prefix("link=")?)?),
    });
    let (mut mode, mut owner) = (None, None);
    for word in rest {
        match word.split_once('=') {
            None if *word == "secret" => state.content = ContentState::Secret,
            None if *word == "unreadable" => state.content = ContentState::Unreadable,
            Some(("mode", digits)) => mode = Some(u32::from_str_radix(digits, 8).ok()?),
            Some(("owner", text)) => {
                let (uid, gid) = text.split_once(':')?;
                owner = Some((uid.parse().ok()?, gid.parse().ok()?));
            }
            Some(("mtime", text)) => state.mtime = Some(read_time(text)?),
            Some(("sha256", text)) => state.content = ContentState::Digest(text.parse::<Digest>().ok()?),
            Some(("stamp", text)) => {
                let mut parts = text.splitn(3, ':');
                let mut part = || parts.next();
                state.content =
                    ContentState::Stamp(part()?.parse().ok()?, part()?.parse().ok()?, read_time(part()?)?);
            }
            Some(("kept", text)) => state.kept = Some(path(text)?),
            Some(("xattr", text)) => {
                let (name, value) = text.split_once('=')?;
                state.xattrs.push((bytes(name)?, bytes(value)?));
            }
            _ => return None,
        }
    }
    state.ownership = mode.zip(owner).map(|(mode, (uid, gid))| Ownership { mode, uid, gid });
    Some(state)
}

/// Formats a state as in the record.
pub(crate) fn state_text(of: &PathState) -> String {
    let mut text = String::new();
    state(of, &mut text);
    text.trim_start().to_owned()
}

/// Formats words as a line.
pub(super) fn words(words: &[&str]) -> String {
    let mut line = String::new();
    for (index, text) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        word(text.as_bytes(), &mut line);
    }
    line.push('\n');
    line
}

/// Parses a line formatted by [`words`], without its line end.
pub(super) fn read_words(line: &str) -> Option<Vec<String>> {
    line.split(' ').map(utf8).collect()
}

/// Formats a path as a line.
pub(super) fn path_line(path: &Path) -> String {
    let mut line = String::new();
    word(path.as_os_str().as_bytes(), &mut line);
    line.push('\n');
    line
}

/// Parses a line formatted by [`path_line`], without its line end.
pub(super) fn read_path_line(line: &str) -> Option<PathBuf> {
    path(line).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = PathState> {
        let bytes = || proptest::collection::vec(1..=255u8, 1..9);
        let path = move || bytes().prop_map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
        let time =
            || (any::<i32>(), 0..1_000_000_000i64).prop_map(|(s, nanos)| Time { seconds: s.into(), nanos });
        let kind = prop_oneof![
            Just(PathKind::Absent),
            Just(PathKind::File),
            Just(PathKind::Directory),
            Just(PathKind::Tree),
            path().prop_map(PathKind::Link)
        ];
        let ownership = (0..0o7777u32, any::<u32>(), any::<u32>());
        let ownership =
            proptest::option::of(ownership.prop_map(|(mode, uid, gid)| Ownership { mode, uid, gid }));
        let content = prop_oneof![
            Just(ContentState::Any),
            Just(ContentState::Secret),
            Just(ContentState::Unreadable),
            bytes().prop_map(|bytes| ContentState::Digest(Digest::of(&bytes))),
            (any::<u64>(), any::<u64>(), time()).prop_map(|(d, i, at)| ContentState::Stamp(d, i, at)),
        ];
        let xattrs = proptest::collection::vec((bytes(), proptest::collection::vec(any::<u8>(), 0..5)), 0..3);
        (kind, ownership, proptest::option::of(time()), content, proptest::option::of(path()), xattrs)
            .prop_map(|(kind, ownership, mtime, content, kept, xattrs)| PathState {
                kind,
                ownership,
                mtime,
                content,
                kept,
                xattrs,
            })
    }

    proptest! {
        #[test]
        fn lines_are_parsed_as_they_were_formatted(was in any_state(), left in any_state(), name in "\\PC{1,9}") {
            let id = || "7.1".to_owned();
            for line in [
                RecordLine::Change { id: id(), path: name.clone().into(), was: was.clone(), left: left.clone() },
                RecordLine::ChangeAgain { id: id(), was: Some(was), left: left.clone() },
                RecordLine::ChangeAgain { id: id(), was: None, left },
                RecordLine::Cancelled { id: id() },
                RecordLine::Undone { id: id(), by: "r".to_owned() },
                RecordLine::Irreversible { module: name.clone(), why: name.clone(), ticket: None },
                RecordLine::Irreversible { module: name.clone(), why: name, ticket: Some(7) },
            ] {
                let text = line.text();
                let body = text.strip_suffix('\n').unwrap();
                assert!(!body.contains('\n'));
                assert_eq!(RecordLine::read(body.as_bytes()), Some(line));
                let damaged = body.replacen(' ', "  ", 1);
                assert_eq!(RecordLine::read(damaged.as_bytes()), None);
            }
        }
    }
}
