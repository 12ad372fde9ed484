//! Archives that are cut off, damaged or contradict themselves.

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
fn what_is_no_archive() {
    let unknown = "it is neither a zip archive nor a tar archive, plain or packed by gzip, bzip2, xz or zstd";
    assert_eq!(error(b""), unknown);
    assert_eq!(error(b"just some text"), unknown);
    assert_eq!(error(&[0; 10_240]), unknown);
    assert_eq!(error(b"Rar!\x1a\x07\x01\0"), unknown);
    assert_eq!(
        error(b"$ANSIBLE_VAULT;1.1;AES256\n3132"),
        "an archive that a vault encrypts is not supported"
    );
}

#[test]
fn cut_off_anywhere() {
    let cut = "it is cut off: it ends before its end";
    let whole = zip();
    for length in 4..whole.len() {
        assert_eq!(error(&whole[..length]), cut, "{length}");
    }
    // The last block but one ends a tar archive.
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
fn what_contradicts_itself() {
    let lies = |lies| Zip::default().member(&Record { lies, ..Record::new("a") }, b"content").done();
    assert_eq!(error(&lies((1, 0))), "'a' does not have the checksum that the archive says");
    assert_eq!(error(&lies((0, 1))), "'a' does not have the length that the archive says");
    assert_eq!(error(&lies((0, u32::MAX))), "'a' does not have the length that the archive says");
    let names = Zip::default().member(&Record { local_name: Some(b"b"), ..Record::new("a") }, b"").done();
    assert_eq!(error(&names), "'a' has another name where it is packed than in the list of members");
    // The second member's header is said to be where the first one's is.
    let mut shared = Zip::default().file("a", "x").file("a", "x").done();
    let second = shared.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    shared[second + 42..second + 46].fill(0);
    assert_eq!(error(&shared), "'a' overlaps another member");
    let mut header = tar().done();
    header[0] = b'b';
    assert_eq!(error(&header), super::error(b""));
    let mut header = tar().done();
    header[512] = b'b';
    assert_eq!(error(&header), "it is damaged: a header does not have its checksum");
    let mut packed = tar().gz();
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    assert_eq!(error(&packed), "it is damaged: corrupt gzip stream does not have a matching checksum");
}

proptest! {
    /// Whatever bytes are changed, it is read or refused, and what is read stays inside.
    #[test]
    fn changed_bytes_never_lead_out(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), which in 0..3) {
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
fn untouched_it_is_read() {
    assert_eq!(read(&zip()).entries.len(), 3);
    assert_eq!(read(&tar().gz()).entries.len(), 3);
}
