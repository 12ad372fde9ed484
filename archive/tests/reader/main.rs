//! Which archives are read, and which are refused.

#![expect(
    clippy::unwrap_used,
    reason = "a panic fails the test; clippy exempts only the test functions themselves"
)]

mod builder;
mod damage;
mod programs;
mod refused;

use std::io::Cursor;

use convoy_archive::{Entry, Kind, Manifest, ModificationTime, Owner};
use convoy_protocol::Digest;

use builder::{Header, Record, Tar, Zip};

/// Reads an archive, and panics if it is refused.
fn read(bytes: &[u8]) -> Manifest {
    convoy_archive::read(&mut Cursor::new(bytes)).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns why an archive is refused.
fn error(bytes: &[u8]) -> String {
    convoy_archive::read(&mut Cursor::new(bytes)).unwrap_err().to_string()
}

fn file(name: &str, content: &str) -> (String, Kind<Digest>) {
    let kind = Kind::File { size: content.len() as u64, digest: Digest::of(content.as_bytes()) };
    (name.to_owned(), kind)
}

fn names(manifest: Manifest) -> Vec<(String, Kind<Digest>)> {
    manifest.entries.into_iter().map(|entry| (entry.name, entry.kind)).collect()
}

#[test]
fn all_fields_of_tar_are_read() {
    let owned = Header { uid: 7, mode: 0o4750, ..Header::new("a/x", b'0') };
    let bytes = Tar::default()
        .dir("a/", 0o755)
        .member(&owned, b"one")
        .link("a/l", "x")
        .hard("a/h", "a/x")
        .member(&Header::new("V", b'V'), b"")
        .file("./a//./y", "")
        .done();
    let manifest = read(&bytes);
    let [_, x, ..] = &manifest.entries[..] else { panic!("{manifest:?}") };
    let expected = Entry {
        name: "a/x".into(),
        kind: Kind::File { size: 3, digest: Digest::of(b"one") },
        mode: Some(0o4750),
        owner: Some(Owner { uid: 7, gid: 7, user: String::new(), group: String::new() }),
        mtime: ModificationTime::Utc(1_500_000_000),
    };
    assert_eq!(*x, expected);
    assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
    assert_eq!(
        names(manifest),
        [
            ("a/".into(), Kind::Dir),
            file("a/x", "one"),
            ("a/l".into(), Kind::Link("x".into())),
            ("a/h".into(), Kind::Hard("a/x".into())),
            file("./a//./y", "")
        ]
    );
}

#[test]
fn long_names_in_both_formats_are_read() {
    let long = "d/".repeat(100) + "name";
    let gnu = Tar::default()
        .member(&Header::new("././@LongLink", b'L'), format!("{long}\0").as_bytes())
        .file("d/cut", "gnu")
        .done();
    assert_eq!(names(read(&gnu)), [file(&long, "gnu")]);
    let record = |name: &str, value: &str| {
        let rest = format!(" {name}={value}\n");
        let length = (0..).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
        format!("{length}{rest}")
    };
    let records =
        record("path", &long) + &record("mtime", "17.5") + &record("uid", "70000") + &record("uname", "é");
    let posix = Tar::default()
        .member(&Header::new("pax_global_header", b'g'), record("comment", "of git").as_bytes())
        .member(&Header::new("PaxHeaders/x", b'x'), records.as_bytes())
        .file("d/cut", "posix")
        .file("next", "")
        .done();
    let manifest = read(&posix);
    assert_eq!(manifest.entries[0].mtime, ModificationTime::Utc(17));
    let owner = manifest.entries[0].owner.as_ref().unwrap();
    assert_eq!((owner.uid, owner.user.as_str()), (70_000, "é"));
    assert_eq!(names(manifest), [file(&long, "posix"), file("next", "")]);
}

#[test]
fn all_fields_of_zip_are_read() {
    let utc = [0x55, 0x54, 5, 0, 1, 4, 0, 0, 0];
    let zip = || {
        Zip::default()
            .dir("a/")
            .file("a/x", "one")
            .member(&Record { mode: 0, system: 0, ..Record::new("dos") }, b"two")
            .link("l", "a/x")
            .member(&Record { method: 0, extra: &utc, ..Record::new("stored") }, b"three")
    };
    let manifest = read(&zip().done());
    let modes: Vec<_> = manifest.entries.iter().map(|entry| entry.mode).collect();
    assert_eq!(modes, [Some(0o755), Some(0o644), None, Some(0o777), Some(0o644)]);
    assert_eq!(
        (manifest.entries[1].mtime, manifest.entries[4].mtime),
        (ModificationTime::WallClock(1_494_516_600), ModificationTime::Utc(4))
    );
    let expected = [
        ("a/".into(), Kind::Dir),
        file("a/x", "one"),
        file("dos", "two"),
        ("l".into(), Kind::Link("a/x".into())),
        file("stored", "three"),
    ];
    assert_eq!(names(manifest), expected);
    assert_eq!(names(read(&zip().done_large())), expected);
    // A self-extracting program.
    let shifted = [b"#!/bin/sh\n".repeat(100), zip().done()].concat();
    assert_eq!(names(read(&shifted)), expected);
    assert!(read(&Zip::default().done()).entries.is_empty());
}
