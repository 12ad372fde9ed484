//! What is read, and properties of edits.

use proptest::prelude::*;

use super::*;

#[test]
fn files_are_read_as_java_reads_them() {
    let text = "\
# comment \\
a=1
 b : two words \n\
c\td
e
!no
f\\ g\\:=x\\
   y \\
! not a comment
h=\\u0041\\ud83d\\ude00\\q\\t|
=empty
i = \r
a = again
";
    let pairs = Properties::parse(text.to_owned()).pairs();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("a", "again"),
            ("b", "two words "),
            ("c", "d"),
            ("e", ""),
            ("f g:", "xy ! not a comment"),
            ("h", "A😀q\t|"),
            ("", "empty"),
            ("i", ""),
        ]
    );
}

/// Pieces of files.
const PIECES: [&str; 9] = [
    "a=1\n",
    "# comment\n",
    "\n",
    "  b.c : two \\\n    lines\n",
    "b.d value\n",
    "list = A, B,C\n",
    "bare\n",
    "! x=y \\\n",
    "sp\\ ace\\u0041=\\u00e9 é\n",
];

const KEYS: [&str; 9] = ["a", "b.c", "b.new", "bare", "list", "sp aceA", "new key", "#odd:", "é"];

fn files() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..8);
    (pieces, any::<[bool; 2]>()).prop_map(|(pieces, [crlf, end])| {
        let mut text = pieces.concat();
        if end {
            text.truncate(text.trim_end().len());
        }
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

fn others(properties: &Properties, but: &str) -> Vec<(String, String)> {
    properties.pairs().into_iter().filter(|(key, _)| key != but).collect()
}

fn comments(properties: &Properties) -> Vec<&str> {
    properties.text().lines().map(str::trim).filter(|line| line.starts_with(['#', '!'])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_do_what_is_asked_once_and_nothing_else(
        text in files(), key in prop::sample::select(&KEYS[..]), value in "\\PC{0,6}|[ -~\t\n]{0,9}", edit in 0..4,
    ) {
        let old = Properties::parse(text);
        let member = format!("m{}", value.replace(',', "").trim());
        let apply = |properties: &mut Properties| match edit {
            0 => properties.set(key, &value),
            1 => properties.remove(key),
            2 => properties.add_member("list", &member),
            _ => properties.remove_member("list", "B"),
        };
        let mut new = old.clone();
        apply(&mut new);
        let list = || members(new.get("list").unwrap_or_default()).map(str::to_owned).collect::<Vec<_>>();
        match edit {
            0 => prop_assert_eq!(new.get(key), Some(value.as_str())),
            1 => prop_assert_eq!(new.get(key), None),
            2 => prop_assert!(list().contains(&member), "{:?}", new.text()),
            _ => prop_assert!(!list().contains(&"B".to_owned()), "{:?}", new.text()),
        }
        let but = if edit < 2 { key } else { "list" };
        prop_assert_eq!(others(&old, but), others(&new, but));
        prop_assert_eq!(comments(&old), comments(&new));
        let mut again = new.clone();
        apply(&mut again);
        prop_assert_eq!(again.text(), new.text());
    }
}

#[test]
fn latin_1_is_kept() {
    let (text, utf8) = decoded(b"a=\xe9\nb=1\n".to_vec());
    let mut properties = Properties::parse(text);
    assert_eq!((properties.get("a"), utf8), (Some("é"), false));
    properties.set("b", "é€");
    assert_eq!(encoded(properties.text(), utf8), b"a=\xe9\nb=\\u00E9\\u20AC\n");
}
