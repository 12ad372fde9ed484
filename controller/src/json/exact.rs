//! Values in JSON that come back as they were: for what convoy reads again itself.
//!
//! Most values are in JSON what they are elsewhere. The others are objects with one key that begins with `$`; so is a
//! map whose keys are not all text, or that has a key which begins with `$` itself.
//!
//! Of a secret only that there was one is written.

use convoy_protocol::{Key, Kind, Map, Taint, Value, base64, map};

const SECRET: &str = "$secret";
const FLOAT: &str = "$float";
const BYTES: &str = "$bytes";
const UNKNOWN: &str = "$unknown";
const VAULTED: &str = "$vaulted";
const MAP: &str = "$map";

/// Returns a value that is written as JSON without loss.
pub fn plain(value: &Value) -> Value {
    if value.taint.is_secret() {
        return map! { SECRET => () }.into();
    }
    match &value.kind {
        Kind::Float(x) if !x.is_finite() => map! { FLOAT => super::float_text(*x) }.into(),
        Kind::Bytes(bytes) => map! { BYTES => base64::encode(bytes) }.into(),
        Kind::Unknown(why) => map! { UNKNOWN => why.clone() }.into(),
        Kind::Vaulted(text) => map! { VAULTED => text.clone() }.into(),
        Kind::List(list) => list.iter().map(plain).collect(),
        Kind::Map(map) => plain_map(map),
        _ => value.clone(),
    }
}

fn plain_map(map: &Map) -> Value {
    if map.keys().all(|key| key.as_str().is_some_and(|key| !key.starts_with('$'))) {
        return map.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
    }
    let members = map.iter().map(|(key, value)| Value::from(vec![key.to_value(), plain(value)]));
    map! { MAP => members.collect::<Value>() }.into()
}

/// Returns the value that [`plain`] was made of, with a placeholder for what was secret; it is secret, too.
///
/// Whether it may be rendered was not written down. It may not: all of it is data now.
pub fn restored(value: &Value) -> Value {
    let value = match &value.kind {
        Kind::List(list) => list.iter().map(restored).collect(),
        Kind::Map(map) => match special(map) {
            Some(special) => special,
            None => map.iter().map(|(key, value)| (key.clone(), restored(value))).collect(),
        },
        _ => value.clone(),
    };
    Value { taint: value.taint | Taint::UNSAFE, ..value }
}

/// What an object with one special key stands for.
fn special(map: &Map) -> Option<Value> {
    let (key, value) = map.first().filter(|_| map.len() == 1)?;
    let text = value.as_str();
    Some(match key.as_str()? {
        SECRET => Value::from(super::SECRET).tainted(Taint::SECRET),
        FLOAT => text?.to_lowercase().parse::<f64>().ok()?.into(),
        BYTES => base64::decode(text?)?.into(),
        UNKNOWN => Kind::Unknown(text?.into()).into(),
        VAULTED => Kind::Vaulted(text?.into()).into(),
        MAP => value.as_list()?.iter().map(member).collect::<Option<Vec<_>>>()?.into_iter().collect(),
        _ => return None,
    })
}

fn member(pair: &Value) -> Option<(Key, Value)> {
    let [key, value] = pair.as_list()? else { return None };
    let key = match &key.kind {
        Kind::Null => Key::Null,
        Kind::Bool(b) => Key::Bool(*b),
        Kind::Int(i) => Key::Int(*i),
        Kind::Text(text) => Key::Text(text.clone()),
        _ => return None,
    };
    Some((key, restored(value)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Style, read, text};
    use super::*;

    fn again(value: &Value) -> Value {
        restored(&read(&text(&plain(value), Style::default())).unwrap())
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
            any::<f64>().prop_filter("unlike itself", |x| !x.is_nan()).prop_map(Value::from),
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
            let again = again(&value);
            prop_assert_eq!(&again, &value);
            // In the same order, which equality does not look at.
            prop_assert_eq!(text(&again, Style::default()), text(&value, Style::default()));
        }
    }

    #[test]
    fn no_number_is_known() {
        let Kind::Float(x) = again(&f64::NAN.into()).kind else { panic!("not a number of this kind") };
        assert!(x.is_nan());
    }

    #[test]
    fn of_a_secret_there_is_a_placeholder() {
        let secret = Value::from("hunter2").tainted(Taint::SECRET);
        let value = Value::from(map! { "user" => "admin", "password" => secret });
        let written = text(&plain(&value), Style::default());
        assert_eq!(written, r#"{"user": "admin", "password": {"$secret": null}}"#);
        let again = restored(&read(&written).unwrap());
        let password = again.get("password").unwrap();
        assert!(password.taint.is_secret());
        assert_eq!(password.as_str(), Some(super::super::SECRET));
        assert!(again.get("user").unwrap().taint.is_unsafe());
    }
}
