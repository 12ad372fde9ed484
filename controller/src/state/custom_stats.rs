//! What `set_stats` collects for the end of the run.

use std::sync::Arc;

use convoy_protocol::{Key, Kind, Map, Value};

use crate::merge::merge_hash;

/// The key of what is not of one host.
const OF_THE_RUN: &str = "_run";

/// The statistics, by host and name.
#[derive(Debug, Default)]
pub struct CustomStats {
    of: Map,
}

impl CustomStats {
    /// Adds what a result of these hosts says under `ansible_stats`.
    pub fn add(&mut self, stats: &Map, hosts: &[Arc<str>]) {
        let is = |name: &str, otherwise: bool| stats.get(name).and_then(Value::as_bool).unwrap_or(otherwise);
        let (per_host, aggregate) = (is("per_host", true), is("aggregate", false));
        let of: Vec<&str> =
            if per_host { hosts.iter().map(|host| &**host).collect() } else { vec![OF_THE_RUN] };
        for name in of {
            for (key, value) in stats.get("data").and_then(Value::as_map).into_iter().flatten() {
                self.one(name, key, value, aggregate);
            }
        }
    }

    fn one(&mut self, name: &str, key: &Key, value: &Value, aggregate: bool) {
        let known = self.of.get(name).and_then(Value::as_map).and_then(|stats| stats.get(key));
        let Some(value) = known.filter(|_| aggregate).map_or(Some(value.clone()), |known| sum(known, value))
        else {
            return;
        };
        let mut stats = self.of.get(name).and_then(Value::as_map).cloned().unwrap_or_default();
        stats.insert(key.clone(), value);
        self.of.insert(name.into(), stats.into());
    }

    /// Returns them, and begins anew.
    pub fn take(&mut self) -> Map {
        std::mem::take(&mut self.of)
    }
}

/// Puts two values together as Python's `+` does, maps key by key; nothing, if they are of different kinds.
fn sum(known: &Value, value: &Value) -> Option<Value> {
    let whole = |value: &Value| match value.kind {
        Kind::Int(i) => Some(i),
        Kind::Bool(b) => Some(i64::from(b)),
        _ => None,
    };
    let kind = match (&known.kind, &value.kind) {
        (Kind::Map(_), Kind::Map(_)) => return Some(merge_hash(known, value)),
        (Kind::Text(a), Kind::Text(b)) => Kind::Text(format!("{a}{b}").into()),
        (Kind::List(a), Kind::List(b)) => Kind::List(Arc::new([&a[..], &b[..]].concat())),
        (Kind::Float(a), Kind::Float(b)) => Kind::Float(a + b),
        // A boolean is a number, but a number is no boolean.
        (Kind::Bool(_), Kind::Int(_)) => return None,
        _ => Kind::Int(whole(known)?.checked_add(whole(value)?)?),
    };
    Some(Value::from(kind).tainted(known.taint | value.taint))
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;

    fn added(all: &[(bool, bool, Value)]) -> Map {
        let mut stats = CustomStats::default();
        for (per_host, aggregate, value) in all {
            let one = map! {
                "data" => map! { "x" => value.clone() }, "per_host" => *per_host, "aggregate" => *aggregate
            };
            stats.add(&one, &["a".into(), "b".into()]);
        }
        stats.take()
    }

    #[test]
    fn values_of_one_kind_are_put_together() {
        let list = |items: &[i64]| items.iter().map(|item| Value::from(*item)).collect::<Value>();
        for (first, second, expected) in [
            (1.into(), 2.into(), 3.into()),
            (1.5.into(), 2.5.into(), 4.0.into()),
            ("a".into(), "b".into(), "ab".into()),
            (list(&[1]), list(&[2]), list(&[1, 2])),
            (true.into(), true.into(), 2.into()),
            (1.into(), "b".into(), 1.into()),
            (map! { "a" => 1 }.into(), map! { "b" => 2 }.into(), Value::from(map! { "a" => 1, "b" => 2 })),
            (i64::MAX.into(), 1.into(), i64::MAX.into()),
        ] {
            let found = added(&[(false, true, first), (false, true, second)]);
            assert_eq!(found, map! { "_run" => map! { "x" => expected } });
        }
    }

    #[test]
    fn hosts_have_their_own() {
        let one = |x: i64| map! { "x" => x };
        let found = added(&[
            (true, true, 1.into()),
            (true, true, 2.into()),
            (false, false, 5.into()),
            (false, false, 6.into()),
        ]);
        assert_eq!(found, map! { "a" => one(3), "b" => one(3), "_run" => one(6) });
    }
}
