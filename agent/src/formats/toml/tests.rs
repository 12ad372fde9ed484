//! Properties of edits: any edit of any file parses, changes what was asked and nothing else, and is done once.

use convoy_protocol::map;
use proptest::prelude::*;

use super::*;

/// Pieces of files; a file is some of them in any order, each table once.
const PIECES: [&str; 8] = [
    "[server] # the server\nhostname = \"localhost\" # name\n  offset = 0\n",
    "# above b\n\n# right above b\n[a.b]\nx.y = 1\nx.z = [1,\n  2, # two\n]\n",
    "[[list]]\nid = \"one\"\n# in one\n[list.properties]\n\"dotted.key\" = \"$ref{a.b}\"\n[[list]]\nid = \"two\"\n",
    "[inline]\nt = {a = 1, b.c = 'two, three'}\nempty = {}\n#none = 1\n",
    "[[rules]]\nname = \"r\"\n\n\n",
    "[a.b.c]\nvalue = 2020-01-02T03:04:05Z\n",
    "   [odd]   \n\tkey\t=\t'''\nlines\n'''\n",
    "[secrets]\nk = \"[plain]\"",
];

/// Names of places, of which a file has some.
const NAMES: [&str; 20] = [
    "server.hostname",
    "server.new",
    "a.b.x.y",
    "a.b.x.new",
    "a.b.x",
    "a.b.c.value",
    "a.b.c.d.e",
    "a.new",
    "list[id=\"one\"].properties.\"dotted.key\"",
    "list[id=\"two\"].properties.x",
    "list[id=\"three\"].type",
    "inline.t.a",
    "inline.t.b.d",
    "inline.t",
    "inline.empty.x",
    "rules[name=\"s\"].on",
    "odd.key",
    "secrets.k",
    "top",
    "new.table.key",
];

fn files() -> impl Strategy<Value = String> {
    let order = Just((0..PIECES.len()).collect::<Vec<_>>()).prop_shuffle();
    (order, 0..=PIECES.len(), any::<[bool; 3]>()).prop_map(|(order, count, [crlf, mark, end])| {
        let mut text: String = order[..count].iter().map(|piece| format!("{}\n", PIECES[*piece])).collect();
        if end {
            text.truncate(text.trim_end().len());
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if mark { format!("\u{feff}{text}") } else { text }
    })
}

fn values() -> impl Strategy<Value = convoy_protocol::Value> {
    prop_oneof![
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[ -~]{0,12}".prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
        Just(vec![convoy_protocol::Value::from("a"), 1.into()].into()),
    ]
}

fn comments(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_key_is_set_and_nothing_else(text in files(), name in 0..NAMES.len(), value in values()) {
        let merge = Merge { keep_last: vec!["secrets".into()], known_by: Vec::new() };
        let path = KeyPath::parse(NAMES[name]).unwrap();
        let old = Toml::parse(text).unwrap();
        let mut new = old.clone();
        match new.set(&path, &value, &merge) {
            Ok(()) => {}
            // A table is in its place, which is an error and no edit.
            Err(TomlError::NotAValue { .. }) => {
                prop_assert_eq!(old.text(), new.text());
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        prop_assert_eq!(new.get(&path).unwrap(), Some(value.clone()));
        let changed = changes(&old.data(), &new.data());
        // The key itself, and the one by which a new table of a list is known.
        let new_element = path.0.iter().any(|part| matches!(part, Part::Where(..)));
        prop_assert!(changed.len() <= if new_element { 2 } else { 1 }, "{:?}", changed);
        prop_assert_eq!(comments(old.text()), comments(new.text()));
        if old.text().contains("\r\n") {
            prop_assert_eq!(new.text().matches('\n').count(), new.text().matches("\r\n").count());
        }
        let mut again = new.clone();
        again.set(&path, &value, &merge).unwrap();
        prop_assert_eq!(again.text(), new.text());
        let last = new.headers().last().map(|header| header.steps.clone());
        let was_last = old.headers().last().map(|header| header.steps.clone());
        if was_last == Some(vec![layout::Step::Key("secrets".into())]) {
            prop_assert_eq!(last, was_last);
        }
    }

    #[test]
    fn a_removed_key_is_gone_and_nothing_else(text in files(), name in 0..NAMES.len()) {
        let path = KeyPath::parse(NAMES[name]).unwrap();
        let old = Toml::parse(text).unwrap();
        let mut new = old.clone();
        new.remove(&path).unwrap();
        prop_assert_eq!(new.get(&path).unwrap(), None);
        let there = old.get(&path).unwrap();
        let gone = changes(&old.data(), &new.data()).len();
        let expected = there.map_or(0, |value| changes(&map! {}.into(), &map! { "x" => value }.into()).len());
        prop_assert_eq!(gone, expected);
        let mut again = new.clone();
        again.remove(&path).unwrap();
        prop_assert_eq!(again.text(), new.text());
    }
}
