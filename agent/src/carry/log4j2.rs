//! What must hold within a `log4j2.properties`: a definition counts only if a list names it, a reference only if an
//! appender has that name.

use super::{Finding, Verdict};
use crate::formats::properties::{Properties, members};
use crate::formats::toml::{KeyPath, Part};

/// The lists of such a file, with what the definitions of their members begin with.
pub const LISTS: [(&str, &str); 2] = [("appenders", "appender"), ("loggers", "logger")];

/// Returns the key by which a file is seen to be one of log4j 1.
pub fn old_syntax(file: &Properties) -> Option<String> {
    let begins =
        ["log4j.rootLogger", "log4j.rootCategory", "log4j.appender.", "log4j.logger.", "log4j.category."];
    file.pairs().into_iter().map(|(key, _)| key).find(|key| begins.iter().any(|begin| key.starts_with(begin)))
}

/// Returns the definitions that no list names: they have no effect.
pub fn dead(file: &Properties) -> Vec<String> {
    let mut dead = Vec::new();
    for (list, begin) in LISTS {
        // Without the list every definition counts.
        let Some(listed) = file.get(list) else { continue };
        for (key, _) in file.pairs() {
            let name = key.strip_prefix(begin).and_then(|rest| rest.strip_prefix('.'));
            let Some((name, _)) = name.and_then(|rest| rest.split_once('.')) else { continue };
            let definition = format!("{begin}.{name}");
            if !members(listed).any(|member| member == name) && !dead.contains(&definition) {
                dead.push(definition);
            }
        }
    }
    dead
}

/// Returns the references among the carried keys that no appender answers to.
pub fn broken(file: &Properties, findings: &[Finding]) -> Vec<String> {
    let pairs = file.pairs();
    let listed =
        |key: &str| file.get("appenders").is_none_or(|list| members(list).any(|member| member == key));
    let is_appender = |name: &str| {
        pairs.iter().any(|(key, value)| {
            let own = key.strip_prefix("appender.").and_then(|rest| rest.strip_suffix(".name"));
            own.is_some_and(|own| !own.contains('.') && listed(own)) && value.trim() == name
        })
    };
    let is_carried = |finding: &&Finding| matches!(finding.verdict, Verdict::Set(_) | Verdict::Same);
    findings
        .iter()
        .filter(is_carried)
        .filter(|finding| is_reference(&finding.to))
        .filter_map(|finding| {
            let (key, _) = super::property(&finding.to);
            let name = file.get(&key)?.trim();
            (!is_appender(name)).then(|| format!("{key} = {name}"))
        })
        .collect()
}

/// Returns whether a key ends with `appenderRef.KEY.ref`.
fn is_reference(key: &KeyPath) -> bool {
    let part = |from_end: usize| {
        key.0.iter().rev().nth(from_end).and_then(|part| match part {
            Part::Key(key) => Some(key.as_str()),
            _ => None,
        })
    };
    part(0) == Some("ref") && part(2) == Some("appenderRef")
}
