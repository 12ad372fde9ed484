//! The findings as a play sees them.

use convoy_protocol::{Map, Taint, Value, map};

use super::{Finding, Verdict};
use crate::files::secret::is_secret;
use crate::formats::toml::KeyPath;

/// Returns the return values. Values of keys that are secret are marked.
pub fn values(findings: &[Finding], unused: Vec<String>, has_base: bool) -> Map {
    let of = |entry: fn(&Finding) -> Option<Value>| findings.iter().filter_map(entry).collect::<Value>();
    map! {
        "carried" => of(carried),
        "undecided" => of(undecided),
        "dropped" => of(dropped),
        "same" => of(same),
        "unused_decisions" => unused.into_iter().map(Value::from).collect::<Value>(),
        "base" => if has_base { "found" } else { "missing" },
    }
}

fn carried(finding: &Finding) -> Option<Value> {
    let value = match &finding.verdict {
        Verdict::Set(value) => Some(value),
        Verdict::Remove => None,
        _ => return None,
    };
    let mut entry = sides(finding);
    if finding.to != finding.key {
        entry.insert("to".into(), finding.to.to_string().into());
    }
    entry.insert("value".into(), marked(&finding.to, value));
    Some(entry.into())
}

fn undecided(finding: &Finding) -> Option<Value> {
    let Verdict::Undecided(reason) = &finding.verdict else { return None };
    let mut entry = sides(finding);
    entry.insert("reason".into(), reason.as_str().into());
    Some(entry.into())
}

fn dropped(finding: &Finding) -> Option<Value> {
    let Verdict::Dropped(reason) = &finding.verdict else { return None };
    Some(map! { "key" => finding.key.to_string(), "reason" => reason.as_str() }.into())
}

fn same(finding: &Finding) -> Option<Value> {
    (finding.verdict == Verdict::Same).then(|| finding.key.to_string().into())
}

fn sides(finding: &Finding) -> Map {
    map! {
        "key" => finding.key.to_string(),
        "old" => marked(&finding.key, finding.old.as_ref()),
        "yours" => marked(&finding.key, finding.yours.as_ref()),
        "new" => marked(&finding.to, finding.new.as_ref()),
    }
}

/// Returns a value in which all that is secret is marked so.
fn marked(key: &KeyPath, value: Option<&Value>) -> Value {
    let Some(value) = value else { return Value::null() };
    match value.as_map() {
        Some(map) => map
            .iter()
            .map(|(name, item)| (name.clone(), marked(&key.child(&name.to_string()), Some(item))))
            .collect(),
        None if is_secret(key, value) => value.clone().tainted(Taint::SECRET),
        None => value.clone(),
    }
}
