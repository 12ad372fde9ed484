//! Archives that are made to escape the destination or to fill a disk.

use convoy_archive::{HARMLESS, RATIO};

use super::builder::{Header, Record, Tar, Zip};
use super::error;

#[test]
fn members_that_lead_out_are_refused() {
    for (name, why) in [
        ("../x", "leads out of the destination directory"),
        ("a/../../x", "leads out of the destination directory"),
        ("a/..", "leads out of the destination directory"),
        ("/etc/passwd", "has an absolute name"),
        ("//x", "has an absolute name"),
        ("", "has no name"),
    ] {
        assert_eq!(error(&Tar::default().file(name, "x").done()), format!("'{name}' {why}"));
        assert_eq!(error(&Zip::default().file(name, "x").done()), format!("'{name}' {why}"));
    }
}

#[test]
fn invalid_names_are_refused() {
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
fn members_below_a_link_are_refused() {
    let beyond = "'a/x' would be unpacked through the symbolic link 'a' of the same archive";
    assert_eq!(error(&Tar::default().link("a", "/etc").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().link("a", "b").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().file("a/x", "").link("a", "/etc").done()), beyond);
    assert_eq!(
        error(&Tar::default().link("./a", "/etc").file("a//x", "").done()),
        beyond.replace("a/x", "a//x")
    );
    assert_eq!(error(&Zip::default().link("a", "..").file("a/x", "").done()), beyond);
    assert_eq!(error(&Tar::default().link("a", "/etc").file("a", "").done()), "'a' occurs twice");
    let hostile = Tar::default().hard("a", "\x1b[2J").done();
    assert!(error(&hostile).starts_with("'a' is a hard link to '\\u{1b}[2J', which"));
    for target in ["/etc/passwd", "../x", "later", "link"] {
        let tar = Tar::default().link("link", "/etc/passwd").hard("a", target).file("later", "").done();
        let why = format!("'a' is a hard link to '{target}', which is not an earlier file of the archive");
        assert_eq!(error(&tar), why);
    }
}

#[test]
fn special_files_are_refused() {
    for (kind, why) in [
        (b'3', "is a device, which cannot be unpacked"),
        (b'4', "is a device, which cannot be unpacked"),
        (b'6', "is a named pipe, which cannot be unpacked"),
        (b'S', "is a sparse file, which cannot be unpacked"),
        (b'M', "is a continuation of a file from another volume, which cannot be unpacked"),
        (b'Q', "has the unknown type 'Q'"),
    ] {
        assert_eq!(error(&Tar::default().special("a", kind).done()), format!("'a' {why}"));
    }
    for (mode, why) in [
        (0o010_644, "is a named pipe, which cannot be unpacked"),
        (0o020_644, "is a device, which cannot be unpacked"),
        (0o060_644, "is a device, which cannot be unpacked"),
        (0o140_644, "is a socket, which cannot be unpacked"),
    ] {
        let zip = Zip::default().member(&Record { mode, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), format!("'a' {why}"));
    }
    for (method, packer) in [(12, "bzip2"), (14, "LZMA"), (93, "zstd"), (77, "method 77")] {
        let zip = Zip::default().member(&Record { method, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), format!("'a' is compressed with {packer}, which is not supported"));
    }
    for (flags, method) in [(1, 8), (0x41, 8), (0x2000, 8), (0, 99)] {
        let zip = Zip::default().member(&Record { flags, method, ..Record::new("a") }, b"").done();
        assert_eq!(error(&zip), "'a' is encrypted");
    }
}

#[test]
fn conflicting_names_are_refused() {
    let cases = [
        (Zip::default().file("a", "").file("a", ""), "'a' occurs twice"),
        (Zip::default().file("a", "").file("./a", ""), "'./a' occurs twice"),
        (Zip::default().file("a", "").dir("a/"), "'a/' occurs twice"),
        (Zip::default().file("Read", "").file("READ", ""), "'READ' differs from 'Read' only in case"),
        (Zip::default().file("Lib/a", "").file("lib/b", ""), "'lib/b' differs from 'Lib' only in case"),
        (Zip::default().file("É", "").file("é", ""), "'é' differs from 'É' only in case"),
        (
            Zip::default().file("a", "").file("a/b", ""),
            "'a/b' lies below 'a', which is a file in the same archive",
        ),
        (
            Zip::default().file("a/b", "").file("a", ""),
            "'a/b' lies below 'a', which is a file in the same archive",
        ),
    ];
    for (zip, why) in cases {
        assert_eq!(error(&zip.done()), why);
    }
    // A directory may occur any number of times.
    let directories = Zip::default().dir("a/").dir("a/").file("a/b", "").dir("a/").done();
    assert_eq!(super::read(&directories).entries.len(), 4);
}

#[test]
fn decompression_bombs_are_refused() {
    let zeros = vec![0; 1 << 20];
    let declared =
        Zip::default().member(&Record { lies: (0, u32::MAX - (1 << 20)), ..Record::new("a") }, &zeros).done();
    assert_eq!(RATIO * declared.len() as u64 / HARMLESS, 0);
    assert_eq!(error(&declared), "it unpacks to more than 1073741824 bytes, implausibly many for its size");
    let lying =
        Zip::default().member(&Record { lies: (0, 1u32.wrapping_sub(1 << 20)), ..Record::new("a") }, &zeros);
    assert_eq!(error(&lying.done()), "'a' does not match its declared size");
}
