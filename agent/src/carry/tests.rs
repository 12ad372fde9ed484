//! Properties of the comparison, on small files with every kind of difference.

use convoy_protocol::{Map, Value, map};
use proptest::prelude::*;

use super::*;
use crate::formats::toml::KeyPath;

const DIALECT: Dialect = Dialect { equivalent, display: |value| scalar_text(value).unwrap_or_default() };

/// A file in which each of some keys has one of some values, or is not there.
fn files() -> impl Strategy<Value = Flat> {
    prop::collection::vec(prop::option::of(0_i64..4), 6).prop_map(|values| {
        let names = ["a", "b.c", "b.d", "l[name=\"x\"].k", "l[name=\"y\"].k", "secrets.s"];
        let keys =
            names.iter().zip(values).filter_map(|(name, value)| Some((path(name), Value::from(value?))));
        Flat::new(keys.collect())
    })
}

fn path(name: &str) -> KeyPath {
    KeyPath::parse(name).unwrap()
}

/// Carries out the findings.
fn applied(flat: &Flat, findings: &[Finding]) -> Flat {
    let mut keys = flat.keys().to_vec();
    for finding in findings {
        match &finding.verdict {
            Verdict::Set(value) => {
                keys.retain(|(key, _)| *key != finding.to);
                keys.push((finding.to.clone(), value.clone()));
            }
            Verdict::Remove => keys.retain(|(key, _)| *key != finding.to),
            _ => {}
        }
    }
    Flat::new(keys)
}

fn choices(rules: usize, answers: &[Option<usize>]) -> Choices {
    let all = [
        map! { "key" => "a", "do" => "rename", "to" => "b.c" },
        map! { "key" => "b.*", "do" => "drop" },
        map! { "key" => "l[*].k", "do" => "carry", "when" => map! { "yours" => vec![Value::from(1), 2.into()] } },
        map! { "key" => "**", "do" => "ask" },
        map! { "key" => "b.c", "do" => "replace", "value" => 3 },
        map! { "key" => "l[name=\"x\"]", "do" => "rename", "to" => "l[name=\"y\"]" },
    ];
    let given = all.iter().enumerate().filter(|(at, _)| rules & (1 << at) != 0);
    let rules = given.map(|(_, rule)| Rule::read(rule).unwrap()).collect();
    let kinds =
        [Value::from("mine"), "new".into(), map! { "value" => 7 }.into(), map! { "value" => 1 }.into()];
    let mut decisions = Map::new();
    for (key, answer) in ["a", "b.c", "b", "l[name='x'].k"].iter().zip(answers) {
        if let Some(answer) = answer {
            decisions.insert((*key).into(), kinds[*answer].clone());
        }
    }
    Choices { rules, answers: Answers::read(Some(&decisions)).unwrap(), ..Choices::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the files, the rules and the answers are: what is carried once is found so, and nothing else becomes
    /// different by it.
    #[test]
    fn what_is_carried_is_carried_once(
        old in prop::option::of(files()), yours in files(), now in files(), pristine in prop::option::of(files()),
        rules in 0_usize..64, answers in prop::collection::vec(prop::option::of(0_usize..4), 4),
    ) {
        let choices = choices(rules, &answers);
        let first = Sides { old, yours, new: pristine, now };
        let (findings, _) = compare(&first, &choices, DIALECT).unwrap();
        let after = applied(&first.now, &findings);
        // What is carried to one place is not undone by what stood there.
        let second = Sides { now: after.clone(), ..first };
        let (again, _) = compare(&second, &choices, DIALECT).unwrap();
        for finding in &again {
            let changes = matches!(finding.verdict, Verdict::Set(_) | Verdict::Remove);
            prop_assert!(!changes, "{:?}\nthen {:?}", findings, finding);
        }
    }

    /// Without rules and answers nothing is carried that the new version has changed or that the user has not.
    #[test]
    fn only_what_is_certain_is_carried(old in files(), yours in files(), new in files()) {
        let sides = Sides { old: Some(old), yours, new: None, now: new };
        let (findings, _) = compare(&sides, &Choices::default(), DIALECT).unwrap();
        let old = sides.old.as_ref().unwrap();
        for finding in &findings {
            prop_assert_ne!(old.get(&finding.key), sides.yours.get(&finding.key));
            if let Verdict::Set(value) = &finding.verdict {
                prop_assert_eq!(Some(value), sides.yours.get(&finding.key));
                prop_assert_eq!(old.get(&finding.key), sides.now.get(&finding.key));
            }
            prop_assert_ne!(&finding.verdict, &Verdict::Remove);
        }
        // Each key that is different has a verdict.
        for (key, value) in sides.yours.keys() {
            let is_told = findings.iter().any(|finding| finding.key == *key);
            prop_assert_eq!(is_told, old.get(key) != Some(value), "{}", key);
        }
    }
}

#[test]
fn patterns_fit_keys_and_what_is_in_tables() {
    for (pattern, key, fits) in [
        ("a.b", "a.b", true),
        ("a.b", "a.b.c", true),
        ("a.b", "a.bc", false),
        ("a.b", "a", false),
        ("a.*", "a.b", true),
        ("a.*", "a.b.c", false),
        ("a.*.c", "a.b.c.d", true),
        ("a.**", "a.b.c", true),
        ("a.*.**", "a.b.c", true),
        ("**", "a", true),
        ("l[*].k", "l[name=\"x\"].k", true),
        ("l[*]", "l[name=\"x\"].k", true),
        ("l[*].k", "l.x.k", false),
        ("l.*.k", "l[name=\"x\"].k", false),
        ("l[id=1].k", "l[id=\"1\"].k", true),
        ("\"a.b\".c", "\"a.b\".c", true),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().fits(&path(key)), fits, "{pattern} {key}");
    }
    for (pattern, to, key, expected) in [
        ("a.*.c", "x.*", "a.b.c", "x.b"),
        ("a.**", "x.y.**", "a.b.c", "x.y.b.c"),
        ("a", "x", "a.b.c", "x.b.c"),
        ("l[*].k", "m[*].*", "l[name=\"x\"].k", "m[name=\"x\"]"),
    ] {
        let captures = Pattern::parse(pattern).unwrap().captures(&path(key)).unwrap();
        assert_eq!(Pattern::parse(to).unwrap().filled(&captures).to_string(), expected);
    }
}

#[test]
fn values_are_alike_however_they_are_written() {
    let list = |items: &[Value]| Value::from(items.to_vec());
    assert!(equivalent(&3.into(), &"3".into()) && equivalent(&true.into(), &"true".into()));
    assert!(equivalent(&list(&[1.into(), "b".into()]), &list(&["1".into(), "b".into()])));
    assert!(equivalent(&map! { "a" => 1 }.into(), &map! { "a" => "1" }.into()));
    assert!(!equivalent(&list(&[1.into()]), &1.into()) && !equivalent(&"a".into(), &"A".into()));
}
