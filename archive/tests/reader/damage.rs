//! Archives that are truncated, damaged or inconsistent.

use std::io::Cursor;

use proptest::prelude::*;

use super::builder::{Record, Tar, Zip};
use super::{error, read};

fn zip() -> Vec<u8> {
    Zip::default().dir("a/").file("a/x", &"one two three ".repeat(50)).link("l", "a/x").done()
}

fn tar() -> Tar {
    Tar::default().dir("a/", 0o755).file("a/x", &"one two three ".repeat(50)).link("l", "a/x")
}

#[test]
fn other_files_are_not_archives() {
    let unknown =
        "it is neither a zip archive nor a tar archive, plain or compressed with gzip, bzip2, xz or zstd";
    assert_eq!(error(b""), unknown);
    assert_eq!(error(b"just some text"), unknown);
    assert_eq!(error(&[0; 10_240]), unknown);
    assert_eq!(error(b"Rar!\x1a\x07\x01\0"), unknown);
    assert_eq!(error(b"$ANSIBLE_VAULT;1.1;AES256\n3132"), "a vault-encrypted archive is not supported");
}

#[test]
fn an_archive_truncated_anywhere_is_refused() {
    let cut = "it is truncated";
    let whole = zip();
    for length in 4..whole.len() {
        assert_eq!(error(&whole[..length]), cut, "{length}");
    }
    // A tar archive ends at its last block but one.
    let whole = tar().done();
    for length in (512..whole.len() - 1024).step_by(100) {
        assert_eq!(error(&whole[..length]), cut, "{length}");
    }
    let whole = tar().gz();
    for length in 20..whole.len() {
        assert_eq!(error(&whole[..length]), cut, "{length}");
    }
}

#[test]
fn inconsistent_archives_are_refused() {
    let lies = |lies| Zip::default().member(&Record { lies, ..Record::new("a") }, b"content").done();
    assert_eq!(error(&lies((1, 0))), "'a' does not match its checksum");
    assert_eq!(error(&lies((0, 1))), "'a' does not match its declared size");
    assert_eq!(error(&lies((0, u32::MAX))), "'a' does not match its declared size");
    let names = Zip::default().member(&Record { local_name: Some(b"b"), ..Record::new("a") }, b"").done();
    assert_eq!(error(&names), "'a' has a different name in its own header");
    // The second member's header is said to be at the position of the first one's.
    let mut shared = Zip::default().file("a", "x").file("a", "x").done();
    let second = shared.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    shared[second + 42..second + 46].fill(0);
    assert_eq!(error(&shared), "'a' overlaps another member");
    let mut header = tar().done();
    header[0] = b'b';
    assert_eq!(error(&header), super::error(b""));
    let mut header = tar().done();
    header[512] = b'b';
    assert_eq!(error(&header), "it is damaged: a header does not match its checksum");
    let mut packed = tar().gz();
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    assert_eq!(error(&packed), "it is damaged: corrupt gzip stream does not have a matching checksum");
}

proptest! {
    /// Whatever bytes are changed: the archive is read or refused, and no member leads out of the destination.
    #[test]
    fn changed_bytes_never_lead_out_of_the_destination(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), which in 0..3) {
        let mut bytes = match which {
            0 => zip(),
            1 => tar().done(),
            _ => Zip::default().file("a", "b").done_large(),
        };
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        if let Ok(manifest) = convoy_archive::read(&mut Cursor::new(&bytes)) {
            for entry in manifest.entries {
                prop_assert!(!entry.name.starts_with('/') && !entry.name.split('/').any(|part| part == ".."));
            }
        }
    }
}

#[test]
fn the_unchanged_archives_are_read() {
    assert_eq!(read(&zip()).entries.len(), 3);
    assert_eq!(read(&tar().gz()).entries.len(), 3);
}
