//! A trust store as large as they come, beside keytool's list of it.

use super::*;

const CACERTS: &str = "/etc/ssl/certs/java/cacerts";

/// Returns the value of a line of keytool's.
fn field<'t>(block: &'t str, name: &str) -> &'t str {
    let line = block.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name}: {block}")).trim()
}

/// Returns a time of keytool's, such as `Fri May 20 13:24:58 UTC 2022`, as ours.
fn iso(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, time, "UTC", year] = words[..] else { panic!("{text}") };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).unwrap() / 3 + 1;
    format!("{year}-{month:02}-{day}T{time}Z")
}

#[test]
fn a_trust_store_is_listed_as_keytool_lists_it() {
    let mut node = Node::new();
    let list = keytool(&node, &format!("-list -v -keystore {CACERTS} -storepass changeit"));
    let blocks: Vec<&str> = list.split("\nAlias name: ").skip(1).collect();
    let seen = passes(&mut node, CACERTS, map! { "password" => "changeit" });
    assert_eq!(seen["entries"].as_list().map(<[Value]>::len), Some(blocks.len()));
    assert!(blocks.len() > 100, "{}", blocks.len());
    for block in blocks {
        let alias = block.lines().next().unwrap();
        let entry = entry(&seen, alias);
        let (begin, end) = field(block, "Valid from:").split_once(" until: ").unwrap();
        for (name, value) in [
            ("entry", "certificate".to_owned()),
            ("subject", field(block, "Owner:").to_owned()),
            ("issuer", field(block, "Issuer:").to_owned()),
            ("not_before", iso(begin)),
            ("not_after", iso(end)),
            ("sha256", field(block, "SHA256:").replace(':', "").to_lowercase()),
        ] {
            assert_eq!(entry[name], value.into(), "{alias}: {name}");
        }
    }
    // A name that is not there: only the nearest are told.
    let first =
        entry(&seen, seen["entries"].as_list().unwrap()[0].get("alias").and_then(Value::as_str).unwrap());
    let alias = first["alias"].as_str().unwrap();
    let ask = map! { "password" => "changeit", "alias" => format!("{alias}x") };
    let said = node.fails("keystore", args(&node, CACERTS, ask));
    let begin = format!("{CACERTS} has no alias {alias}x: it holds {alias}, ");
    assert!(said.starts_with(&begin) && said.ends_with(" more"), "{said}");
}
