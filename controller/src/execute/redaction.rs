//! Redacts the result of an order that was given secrets.

use std::collections::HashSet;
use std::sync::Arc;

use convoy_protocol::message::Order;
use convoy_protocol::{Diff, DiffSide, Digest, Key, Kind, Map, Taint, Value};

use crate::prepare::keywords::CallKeywords;
use crate::secrets::{Secrets, Vault};

/// What an order was given.
pub(super) struct OrderSecrets {
    /// Whether any of it is secret.
    pub(super) secret: bool,
    known: Secrets,
    /// Texts that are no secret, such as a path: they may be repeated.
    clear: HashSet<Arc<str>>,
    /// Whether output is shown; of a secret file it is not known what a program may quote.
    shows_output: bool,
}

impl OrderSecrets {
    pub(super) fn of(order: &Order, flags: &CallKeywords, vault: &Vault) -> Self {
        let mut secrets = Secrets::of(order.args.values());
        secrets.join(&flags.secrets);
        let secret = |value: &Value| value.deep_taint().is_secret();
        let content = |value: &Value| value.get("digest").or_else(|| value.get("tree")).is_some_and(secret);
        let file = order.args.values().any(content);
        let mut clear = HashSet::new();
        order.args.values().for_each(|value| texts(value, &mut clear));
        let any = !secrets.is_empty() || order.args.values().any(secret);
        if any {
            secrets.join(&vault.known());
        }
        Self { secret: any, known: secrets, clear, shows_output: flags.shows_output && !file }
    }

    /// Returns whether a value tells how it went, and nothing of what was given.
    pub(super) fn tells(&self, key: &Key, value: &Value) -> bool {
        let repeats = |text: &str| self.clear.contains(text) || text.is_empty();
        !self.secret
            || match &value.kind {
                Kind::Null | Kind::Bool(_) | Kind::Int(_) => true,
                Kind::Text(text) => repeats(text) || (key.as_str() == Some("state") && is_word(text)),
                _ => false,
            }
    }

    /// Returns a value that the module has marked, with what quotes a secret marked as well.
    pub(super) fn marked(&self, value: Value) -> Value {
        if !self.secret {
            return value;
        }
        let Value { kind, taint, origin } = value;
        let kind = match kind {
            Kind::Text(text) if self.known.are_in(&text) => {
                return Value { kind: Kind::Text(text), taint: taint | Taint::SECRET, origin };
            }
            Kind::List(items) => {
                Kind::List(Arc::new(items.iter().map(|item| self.marked(item.clone())).collect()))
            }
            Kind::Map(map) => Kind::Map(Arc::new(
                map.iter().map(|(key, item)| (key.clone(), self.marked(item.clone()))).collect(),
            )),
            other => other,
        };
        Value { kind, taint, origin }
    }

    /// Returns a difference that the module has made without its secrets, without any that is known here.
    pub(super) fn scrubbed(&self, diff: &Diff) -> Diff {
        let side = |side: &DiffSide| DiffSide {
            header: self.known.scrub(&side.header),
            text: self.known.scrub(&side.text),
        };
        match diff {
            Diff::Prepared(text) => Diff::Prepared(self.known.scrub(text)),
            Diff::Text { before, after } => Diff::Text { before: side(before), after: side(after) },
        }
    }

    /// Returns what can be shown of the values that are secret: the message, and the output where the playbook says
    /// so, without what was given.
    pub(super) fn said(&self, values: &Map) -> Map {
        let shown = |key: &Key| self.shows_output || key.as_str() == Some("msg");
        let mut said = Map::new();
        for (key, value) in values.iter().filter(|(key, value)| shown(key) && !self.tells(key, value)) {
            said.insert(key.clone(), self.known.scrubbed(value));
        }
        said
    }
}

fn is_word(text: &str) -> bool {
    ["file", "directory", "link", "hard", "absent"].contains(&text)
}

/// Collects the texts in a value that are no secret.
fn texts(value: &Value, found: &mut HashSet<Arc<str>>) {
    if value.taint.is_secret() {
        return;
    }
    match &value.kind {
        Kind::Text(text) => {
            found.insert(text.clone());
        }
        Kind::List(list) => list.iter().for_each(|item| texts(item, found)),
        Kind::Map(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// Returns a difference in numbers: its text holds secrets.
pub(super) fn difference(diff: &Diff) -> Diff {
    let Diff::Text { before, after } = diff else {
        return Diff::Prepared("the difference is not shown: it holds secrets\n".to_owned());
    };
    let side = |word: &str, side: &DiffSide| {
        let name = if side.header.is_empty() { String::new() } else { format!(": {}", side.header) };
        let digest = Digest::of(side.text.as_bytes()).to_string();
        let lines = side.text.lines().count();
        let plural = if lines == 1 { "" } else { "s" };
        format!("{word}{name} ({lines} line{plural}, sha256 {}…)", &digest[..12])
    };
    let (before, after) = (side("before", before), side("after", after));
    Diff::Prepared(format!("--- {before}\n+++ {after}\nthe text is not shown: it holds secrets\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_in_numbers() {
        let side = |header: &str, text: &str| DiffSide { header: header.to_owned(), text: text.to_owned() };
        let diff = Diff::Text { before: side("/etc/app", ""), after: side("", "a\nhunter2\n") };
        let Diff::Prepared(text) = difference(&diff) else { panic!("not prepared") };
        assert_eq!(
            text,
            "--- before: /etc/app (0 lines, sha256 e3b0c44298fc…)\n+++ after (2 lines, sha256 db6b82f3a074…)\n\
             the text is not shown: it holds secrets\n\n"
        );
        let Diff::Prepared(text) = difference(&Diff::Prepared("hunter2".to_owned())) else {
            panic!("no text")
        };
        assert_eq!(text, "the difference is not shown: it holds secrets\n");
    }
}
