//! Archives that are made to escape, or to fill a disk.

use convoy_archive::{HARMLESS, RATIO};

use super::builder::{Header, Record, Tar, Zip};
use super::error;

#[test]
fn members_that_lead_out() {
    for (name, why) in [
        ("../x", "leads out of the directory that it would be unpacked into"),
        ("a/../../x", "leads out of the directory that it would be unpacked into"),
        ("a/..", "leads out of the directory that it would be unpacked into"),
        ("/etc/passwd", "has an absolute name"),
        ("//x", "has an absolute name"),
        ("", "has no name"),
    ] {
        assert_eq!(error(&Tar::default().file(name, "x").done()), format!("'{name}' {why}"));
        assert_eq!(error(&Zip::default().file(name, "x").done()), format!("'{name}' {why}"));
    }
}

#[test]
fn names_that_are_none() {
    let long = "x".repeat(256);
    for (name, shown, why) in [
        (&b"a\nb"[..], "a\\nb", "has a control character in its name"),
        (b"a\x1b[2Jb", "a\\u{1b}[2Jb", "has a control character in its name"),
        (b"a\xffb", "a\u{fffd}b", "has a name that is not UTF-8"),
    ] {
        let tar = Tar::default().member(&Header { name, ..Header::new("", b'0') }, b"").done();
        assert_eq!(error(&tar), format!("'{shown}' {why}"));
        let zip = Zip::default().member(&Record { name, ..Record::new("") }, b"").done();
        assert_eq!(error(&zip), format!("'{shown}' {why}"));
    }
    assert_eq!(error(&Zip::default().file("a\0b", "").done()), "'a\\0b' has a control character in its name");
    assert_eq!(
        error(&Zip::default().file(&long, "").done()),
        format!("'{long}' has a name that is too long")
    );
    let deep = "d/".repeat(2048) + "x";
    assert_eq!(
        error(&Zip::default().file(&deep, "").done()),
        format!("'{deep}' has a name that is too long")
    );
}

#[test]
fn links_that_others_go_through() {
    let beyond = "'a/x' lies beyond the symbolic link 'a' of the same archive";
    assert_eq!(error(&Tar::default().link("a", "/etc").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().link("a", "b").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().file("a/x", "").link("a", "/etc").done()), beyond);
    assert_eq!(
        error(&Tar::default().link("./a", "/etc").file("a//x", "").done()),
        beyond.replace("a/x", "a//x")
    );
    assert_eq!(error(&Zip::default().link("a", "..").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().link("a", "/etc").file("a", "").done()), "'a' is in it twice");
    let hostile = Tar::default().hard("a", "\x1b[2J").done();
    assert!(error(&hostile).starts_with("'a' is a hard link to '\\u{1b}[2J', which"));
    for target in ["/etc/passwd", "../x", "later", "link"] {
        let tar = Tar::default().link("link", "/etc/passwd").hard("a", target).file("later", "").done();
        let why =
            format!("'a' is a hard link to '{target}', which is no file that comes before it in the archive");
        assert_eq!(error(&tar), why);
    }
}

#[test]
fn kinds_that_are_not_unpacked() {
    for (kind, why) in [
        (b'3', "is a device, which is not unpacked"),
        (b'4', "is a device, which is not unpacked"),
        (b'6', "is a named pipe, which is not unpacked"),
        (b'S', "is a sparse file, which is not unpacked"),
        (b'M', "is a part of a file that began in another volume, which is not unpacked"),
        (b'Q', "is of the kind 'Q', which is not known"),
    ] {
        assert_eq!(error(&Tar::default().special("a", kind).done()), format!("'a' {why}"));
    }
    for (mode, why) in [
        (0o010_644, "is a named pipe, which is not unpacked"),
        (0o020_644, "is a device, which is not unpacked"),
        (0o060_644, "is a device, which is not unpacked"),
        (0o140_644, "is a socket, which is not unpacked"),
    ] {
        let zip = Zip::default().member(&Record { mode, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), format!("'a' {why}"));
    }
    for (method, packer) in [(12, "bzip2"), (14, "LZMA"), (93, "zstd"), (77, "method 77")] {
        let zip = Zip::default().member(&Record { method, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), format!("'a' is packed by {packer}, which is not supported"));
    }
    for (flags, method) in [(1, 8), (0x41, 8), (0x2000, 8), (0, 99)] {
        let zip = Zip::default().member(&Record { flags, method, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), "'a' is encrypted");
    }
}

#[test]
fn names_that_clash() {
    let cases = [
        (Zip::default().file("a", "").file("a", ""), "'a' is in it twice"),
        (Zip::default().file("a", "").file("./a", ""), "'./a' is in it twice"),
        (Zip::default().file("a", "").dir("a/"), "'a/' is in it twice"),
        (
            Zip::default().file("Read", "").file("READ", ""),
            "'READ' differs from 'Read' in upper and lower case alone",
        ),
        (
            Zip::default().file("Lib/a", "").file("lib/b", ""),
            "'lib/b' differs from 'Lib' in upper and lower case alone",
        ),
        (Zip::default().file("É", "").file("é", ""), "'é' differs from 'É' in upper and lower case alone"),
        (
            Zip::default().file("a", "").file("a/b", ""),
            "'a/b' lies in 'a', which is a file in the same archive",
        ),
        (
            Zip::default().file("a/b", "").file("a", ""),
            "'a/b' lies in 'a', which is a file in the same archive",
        ),
    ];
    for (zip, why) in cases {
        assert_eq!(error(&zip.done()), why);
    }
    // A directory may be named as often as one likes.
    let directories = Zip::default().dir("a/").dir("a/").file("a/b", "").dir("a/").done();
    assert_eq!(super::read(&directories).entries.len(), 4);
}

#[test]
fn bombs() {
    let zeros = vec![0; 1 << 20];
    let declared =
        Zip::default().member(&Record { lies: (0, u32::MAX - (1 << 20)), ..Record::new("a") }, &zeros).done();
    assert_eq!(RATIO * declared.len() as u64 / HARMLESS, 0);
    assert_eq!(
        error(&declared),
        "it unpacks to more than 1073741824 bytes, too much for its own size to be honest"
    );
    let lying =
        Zip::default().member(&Record { lies: (0, 1u32.wrapping_sub(1 << 20)), ..Record::new("a") }, &zeros);
    assert_eq!(error(&lying.done()), "'a' does not have the length that the archive says");
}
