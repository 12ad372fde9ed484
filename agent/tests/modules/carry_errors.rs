//! What `toml_carry` refuses.

use convoy_protocol::{Map, Value, map};

use super::harness::Node;
use super::toml_carry::{asked, prepared};

#[test]
fn files_that_cannot_be_compared_are_told_and_nothing_is_written() {
    let mut node = prepared(&[("retries = 1", "retries = 2")]);
    node.write("broken", "[a]\nx = 1\ny = = 2\n");
    node.write("twice", "[a]\nx = 1\n[a]\n");
    node.write("same", "[[env]]\nname = 1\n[[env]]\nname = 1\n");
    node.write("nameless", "[[env]]\ntype = 1\n");
    let path = |name: &str| node.text(name);
    let [gone, directory, broken, twice, same, nameless] =
        ["gone", "", "broken", "twice", "same", "nameless"].map(path);
    let cases = [
        (map! { "src" => gone.as_str() }, format!("src: {gone} does not exist")),
        (map! { "src" => directory.as_str() }, format!("src: {directory} is a directory")),
        (map! { "base" => gone.as_str() }, format!("base: {gone} does not exist")),
        (map! { "path" => gone.as_str() }, format!("{gone} does not exist")),
        (map! { "src" => broken.as_str() }, format!("{broken}:3:5: extra `=`, expected nothing")),
        (map! { "path" => twice.as_str() }, format!("{twice}:3:2: duplicate key")),
        (
            map! { "base" => Value::null(), "base_content" => "x\n" },
            "base_content:1:2: key with no value, expected `=`".into(),
        ),
        (map! { "base_content" => "" }, "parameters are mutually exclusive: base|base_content".into()),
        (map! { "src" => same.as_str() }, format!("{same}: env[name=1] fits more than one table")),
        (
            map! { "src" => nameless.as_str() },
            format!("{nameless}: env: one of the tables has no `name`, by which they are known"),
        ),
    ];
    refused(&mut node, cases);
}

#[test]
fn decisions_and_keys_without_a_meaning_are_told() {
    let mut node = prepared(&[("retries = 1", "retries = 2")]);
    let decision = |answer: Value| map! { "decisions" => map! { "a.b" => answer } };
    let cases = [
        (map! { "only" => "a..b" }, "only: `a..b` is no TOML key: a key is missing".into()),
        (
            map! { "except" => "a.**.b" },
            "except: `a.**.b` is no TOML key: `**` stands only at the end".into(),
        ),
        (
            decision("yes".into()),
            "decisions: a.b: `yes` is no answer: write mine, new, or a map with the key `value`".into(),
        ),
        (
            decision(Value::null()),
            "decisions: a.b: null is no answer: write mine, new, or a map with the key `value`".into(),
        ),
    ];
    refused(&mut node, cases);
}

#[test]
fn rules_without_a_meaning_are_told() {
    let mut node = prepared(&[]);
    let rule = |entries: Map| map! { "rules" => vec![Value::from(entries)] };
    let cases = [
        (rule(map! { "do" => "drop" }), "rules: a rule without a key: `key` is missing".into()),
        (
            rule(map! { "key" => "a", "od" => "drop" }),
            "rules: a: `od` is not known: key, do, to, from, value, when, reason".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "keep" }),
            "rules: a: `keep` is nothing to do: carry, drop, rename, ask or replace".into(),
        ),
        (
            rule(map! { "key" => "a" }),
            "rules: a: `do` is missing: carry, drop, rename, ask or replace".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "rename" }),
            "rules: a: `rename` needs `to`, the key's new name".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "rename", "to" => "*" }),
            "rules: a: `*` has more wildcards than the key".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "replace", "to" => "b", "value" => 1 }),
            "rules: a: `to` is the key that `rename` leads to; what takes the place of `from` is `value`"
                .into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "replace", "from" => "b" }),
            "rules: a: `value` is missing: what takes the place".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "drop", "from" => "b" }),
            "rules: a: `from` goes with `rename` and `replace`".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "ask", "value" => 1 }),
            "rules: a: `value` goes with `replace`, or with `from`".into(),
        ),
        (
            rule(map! { "key" => "a", "do" => "drop", "when" => map! { "mine" => 1 } }),
            "rules: a: when: `mine` is not known: old, yours, new".into(),
        ),
    ];
    refused(&mut node, cases);
}

fn refused<const N: usize>(node: &mut Node, cases: [(Map, String); N]) {
    for (more, expected) in cases {
        let args = asked(node, more.clone());
        assert_eq!(node.fails("toml_carry", args), expected, "{more:?}");
    }
}
