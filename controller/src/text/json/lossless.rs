//! JSON that decodes to the value it was made of: for files that only convoy reads, such as the journal.
//!
//! Most values are themselves in JSON. The others are objects with one key that begins with `$`; so is a map with a key
//! that is not text or begins with `$` itself. A secret is not written, only that there was one.

use convoy_protocol::{Key, Kind, Map, Taint, Value, base64, map};

const SECRET: &str = "$secret";
const FLOAT: &str = "$float";
const BYTES: &str = "$bytes";
const UNKNOWN: &str = "$unknown";
const VAULTED: &str = "$vaulted";
const MAP: &str = "$map";

/// Returns the form of a value that JSON can hold.
pub fn encode(value: &Value) -> Value {
    if value.taint.is_secret() {
        return map! { SECRET => () }.into();
    }
    match &value.kind {
        Kind::Float(x) if !x.is_finite() => map! { FLOAT => super::float_text(*x) }.into(),
        Kind::Bytes(bytes) => map! { BYTES => base64::encode(bytes) }.into(),
        Kind::Unknown(why) => map! { UNKNOWN => why.clone() }.into(),
        Kind::Vaulted(text) => map! { VAULTED => text.clone() }.into(),
        Kind::List(list) => list.iter().map(encode).collect(),
        Kind::Map(map) => encode_map(map),
        _ => value.clone(),
    }
}

fn encode_map(map: &Map) -> Value {
    if map.keys().all(|key| key.as_str().is_some_and(|key| !key.starts_with('$'))) {
        return map.iter().map(|(key, value)| (key.clone(), encode(value))).collect();
    }
    let members = map.iter().map(|(key, value)| Value::from(vec![key.to_value(), encode(value)]));
    map! { MAP => members.collect::<Value>() }.into()
}

/// Returns the value that [`encode`] was given. A placeholder, itself a secret, replaces each secret.
///
/// The result is unsafe: whether a text may be rendered was not written, and now it is data.
pub fn decode(value: &Value) -> Value {
    let value = match &value.kind {
        Kind::List(list) => list.iter().map(decode).collect(),
        Kind::Map(map) => match decode_tagged(map) {
            Some(value) => value,
            None => map.iter().map(|(key, value)| (key.clone(), decode(value))).collect(),
        },
        _ => value.clone(),
    };
    Value { taint: value.taint | Taint::UNSAFE, ..value }
}

/// Returns the value of an object with one key that begins with `$`; nothing if `map` is not one.
fn decode_tagged(map: &Map) -> Option<Value> {
    let (key, value) = map.first().filter(|_| map.len() == 1)?;
    let text = value.as_str();
    Some(match key.as_str()? {
        SECRET => Value::from(super::REDACTED).tainted(Taint::SECRET),
        FLOAT => text?.to_lowercase().parse::<f64>().ok()?.into(),
        BYTES => base64::decode(text?)?.into(),
        UNKNOWN => Kind::Unknown(text?.into()).into(),
        VAULTED => Kind::Vaulted(text?.into()).into(),
        MAP => value.as_list()?.iter().map(decode_member).collect::<Option<Vec<_>>>()?.into_iter().collect(),
        _ => return None,
    })
}

fn decode_member(pair: &Value) -> Option<(Key, Value)> {
    let [key, value] = pair.as_list()? else { return None };
    let key = match &key.kind {
        Kind::Null => Key::Null,
        Kind::Bool(b) => Key::Bool(*b),
        Kind::Int(i) => Key::Int(*i),
        Kind::Text(text) => Key::Text(text.clone()),
        _ => return None,
    };
    Some((key, decode(value)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Style, from_str, to_string};
    use super::*;

    fn round_trip(value: &Value) -> Value {
        decode(&from_str(&to_string(&encode(value), Style::default())).unwrap())
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Null),
            any::<bool>().prop_map(Key::Bool),
            any::<i64>().prop_map(Key::Int),
            "\\$?(map|float|[a-z]{0,2})".prop_map(Key::from),
            ".{0,4}".prop_map(Key::from),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::null()),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("NaN is not equal to itself", |x| !x.is_nan()).prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            any::<Vec<u8>>().prop_map(Value::from),
            ".{0,8}".prop_map(|why| Kind::Unknown(why.into()).into()),
            ".{0,8}".prop_map(|text| Kind::Vaulted(text.into()).into()),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key(), inner), 0..4)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_value_comes_back(value in value()) {
            let again = round_trip(&value);
            prop_assert_eq!(&again, &value);
            // Equality ignores the order.
            prop_assert_eq!(to_string(&again, Style::default()), to_string(&value, Style::default()));
        }
    }

    #[test]
    fn nan_comes_back() {
        let Kind::Float(x) = round_trip(&f64::NAN.into()).kind else { panic!("not a number of this kind") };
        assert!(x.is_nan());
    }

    #[test]
    fn a_placeholder_replaces_each_secret() {
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        let value = Value::from(map! { "user" => "admin", "password" => secret });
        let written = to_string(&encode(&value), Style::default());
        assert_eq!(written, r#"{"user": "admin", "password": {"$secret": null}}"#);
        let again = decode(&from_str(&written).unwrap());
        let password = again.get("password").unwrap();
        assert!(password.taint.is_secret());
        assert_eq!(password.as_str(), Some(super::super::REDACTED));
        assert!(again.get("user").unwrap().taint.is_unsafe());
    }
}
