//! Merges variables that several sources define, as `hash_behaviour = merge` asks.

use convoy_protocol::Value;

/// Merges two maps key by key, at every depth. Where one of the two is not a map, `high` replaces `low`.
pub fn merge_hash(low: &Value, high: &Value) -> Value {
    let (Some(below), Some(above)) = (low.as_map(), high.as_map()) else { return high.clone() };
    let mut all = below.clone();
    for (key, value) in above {
        let value = all.get(key).map_or_else(|| value.clone(), |old| merge_hash(old, value));
        all.insert(key.clone(), value);
    }
    Value::from(all).tainted(low.taint | high.taint)
}
