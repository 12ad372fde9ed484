//! Files that are cut off, changed and made by strange programs: each is refused for what it is.

use convoy_agent::formats::keystore::{Keystore, KeystoreError};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sha1::Digest as _;

use super::*;

/// Returns a JKS file without its checksum, with one.
pub(super) fn seal(mut content: Vec<u8>) -> Vec<u8> {
    let mut hash = sha1::Sha1::new();
    hash.update(PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    hash.update(b"Mighty Aphrodite");
    hash.update(&content);
    content.extend_from_slice(&hash.finalize());
    content
}

fn files(node: &Node) -> [Vec<u8>; 2] {
    key(node, "jks", "a", "-storetype jks");
    let few = "keyPbeIterationCount certPbeIterationCount macIterationCount";
    let few: Vec<String> = few.split(' ').map(|name| format!("-J-Dkeystore.pkcs12.{name}=2")).collect();
    key(node, "pkcs12", "a", &few.join(" "));
    ["jks", "pkcs12"].map(|file| std::fs::read(node.path(file)).unwrap())
}

#[test]
fn what_is_cut_off_is_said_to_be() {
    let node = Node::new();
    for file in files(&node) {
        assert!(Keystore::open(&file, PASSWORD).is_ok());
        for length in 1..file.len() {
            let error = Keystore::open(&file[..length], PASSWORD).unwrap_err();
            assert_eq!(error, KeystoreError::Truncated(length));
        }
        // What stands behind is not looked at, as Java does not.
        assert!(Keystore::open(&[&file, &b"more"[..]].concat(), PASSWORD).is_ok());
    }
}

#[test]
fn no_change_goes_unseen_or_panics() {
    let node = Node::new();
    let files = files(&node);
    for file in &files {
        let mut runner = TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() });
        let change = (0..file.len(), 1..=255_u8);
        let ran = runner.run(&change, |(at, with)| {
            let mut changed = file.clone();
            changed[at] ^= with;
            let opened = Keystore::open(&changed, PASSWORD);
            // The kind of an element within the wrapping of PKCS12 is all that no checksum covers.
            prop_assert!(opened.is_err() || file[0] == 0x30, "{at} {with}");
            Ok(())
        });
        ran.unwrap();
    }
    // Behind the checksum too nothing panics.
    let jks = &files[0];
    let mut runner = TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() });
    let change = (0..jks.len() - 20, any::<u8>());
    let ran = runner.run(&change, |(at, with)| {
        let mut changed = jks[..jks.len() - 20].to_vec();
        changed[at] = with;
        if let Ok(keystore) = Keystore::open(&seal(changed), PASSWORD) {
            for entry in &keystore.entries {
                drop(entry.open_key(PASSWORD));
            }
        }
        Ok(())
    });
    ran.unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() });
    let bytes = (
        prop::sample::select(vec![vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], vec![0x30], vec![]]),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    let ran = runner.run(&bytes, |(begin, rest)| {
        prop_assert!(Keystore::open(&[begin, rest].concat(), PASSWORD).is_err());
        Ok(())
    });
    ran.unwrap();
}

/// Some programs tell where an element ends by a mark, and have strings in pieces.
#[test]
fn lengths_may_be_told_by_a_mark() {
    let mut node = Node::new();
    let [_, file] = files(&node);
    let endless = |tag: u8, content: &[u8]| [&[tag, 0x80], content, &[0, 0]].concat();
    let (_, all, _) = element(&file);
    let (version, _, rest) = element(all);
    let (content, inside, mac) = element(rest);
    assert_eq!(content[0], 0x30);
    let (name, _, wrapped) = element(inside);
    let (_, string, _) = element(wrapped);
    let (_, bytes, _) = element(string);
    let pieces: Vec<u8> =
        bytes.chunks(100).flat_map(|piece| [&[0x04, piece.len() as u8], piece].concat()).collect();
    let content = endless(0x30, &[name, &endless(0xa0, &endless(0x24, &pieces))].concat());
    let endless = endless(0x30, &[version, &content, mac].concat());
    std::fs::write(node.path("endless"), endless).unwrap();
    keytool(&node, &format!("-list -keystore endless -storepass {PASSWORD} -alias a"));
    passes(&mut node, "endless", map! { "alias" => "a" });
}

/// Returns the first element whole, what is in it, and what is behind it.
fn element(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (start, length) = match bytes[1] {
        0x82 => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
        0x81 => (3, usize::from(bytes[2])),
        length => (2, usize::from(length)),
    };
    let (whole, rest) = bytes.split_at(start + length);
    (whole, &whole[start..], rest)
}
