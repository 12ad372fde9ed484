//! Writes values as YAML that YAML 1.1 and YAML 1.2 readers read alike.
//!
//! This is the YAML that convoy writes itself. The filters `to_yaml` and `to_nice_yaml`, which write what PyYAML would,
//! are in `template::jinja::filters::yaml`.

use std::ops::RangeInclusive;

use convoy_protocol::{Key, Kind, Map, Value};
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};

use super::scalar;

/// Returns `value` as YAML in block style, ending in a line feed.
///
/// Text that YAML 1.1 would read as something else (`yes`, `0644`, `1:30`) is quoted. The underlying writer only knows
/// YAML 1.2 and would not quote it, so such scalars are formatted here and passed to it as plain text between two
/// marks. The mark is a character that does not occur in `value`; all marks are removed at the end.
///
/// # Errors
///
/// If `value` contains bytes, encrypted text or a value that is unknown until run.
pub fn write(value: &Value) -> Result<String, serde_yaml::Error> {
    let mark = unused_character(value);
    let text = serde_yaml::to_string(&Marked { value, mark })?;
    Ok(text.replace(mark, ""))
}

/// Returns the private use area, the characters that can serve as a mark.
fn private_use() -> RangeInclusive<char> {
    '\u{e000}'..='\u{f8ff}'
}

/// Returns a character of the private use area that does not occur in `value`.
fn unused_character(value: &Value) -> char {
    let mut used = Vec::new();
    collect_private_use(value, &mut used);
    // Nobody writes text that contains all 6,400 of them.
    private_use().find(|c| !used.contains(c)).unwrap_or('\u{f0000}')
}

fn collect_private_use(value: &Value, used: &mut Vec<char>) {
    let mut add = |text: &str| used.extend(text.chars().filter(|c| private_use().contains(c)));
    match &value.kind {
        Kind::Text(text) => add(text),
        Kind::List(list) => list.iter().for_each(|item| collect_private_use(item, used)),
        Kind::Map(map) => {
            map.keys().filter_map(Key::as_str).for_each(&mut add);
            map.values().for_each(|item| collect_private_use(item, used));
        }
        _ => {}
    }
}

/// A value to write, with the mark around the scalars formatted here.
struct Marked<'v> {
    value: &'v Value,
    mark: char,
}

impl Serialize for Marked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mark = self.mark;
        match &self.value.kind {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool(b) => serializer.serialize_bool(*b),
            Kind::Int(i) => serializer.serialize_i64(*i),
            Kind::Float(x) => serializer.serialize_str(&format!("{mark}{}{mark}", float(*x))),
            Kind::Text(text) => match quoted(text) {
                Some(quoted) => serializer.serialize_str(&format!("{mark}{quoted}{mark}")),
                None => serializer.serialize_str(text),
            },
            Kind::List(list) => serializer.collect_seq(list.iter().map(|value| Marked { value, mark })),
            Kind::Map(map) => write_map(map, mark, serializer),
            Kind::Bytes(_) => Err(S::Error::custom("bytes cannot be written as YAML")),
            Kind::Vaulted(_) => Err(S::Error::custom("encrypted text cannot be written as YAML")),
            Kind::Unknown(why) => Err(S::Error::custom(format!("the value is unknown until run: {why}"))),
        }
    }
}

fn write_map<S: Serializer>(map: &Map, mark: char, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries = serializer.serialize_map(Some(map.len()))?;
    for (key, value) in map {
        let key = key.to_value();
        entries.serialize_entry(&Marked { value: &key, mark }, &Marked { value, mark })?;
    }
    entries.end()
}

/// Returns text in quotes, or `None` if the underlying writer can be trusted with it.
fn quoted(text: &str) -> Option<String> {
    // YAML 1.1 reads these as line breaks, YAML 1.2 as ordinary characters.
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\r']) {
        return Some(escaped(text));
    }
    let special = scalar::is_special(text)
        || scalar::is_timestamp(text)
        || matches!(text, "=" | "<<" | "y" | "Y" | "n" | "N");
    let simple = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\'');
    (special && simple).then(|| format!("'{text}'"))
}

/// Returns text in double quotes, with everything but letters and digits escaped so that the underlying writer passes
/// it through unchanged.
fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match u32::from(c) {
            _ if c.is_ascii_alphanumeric() => out.push(c),
            code @ ..0x100 => out.push_str(&format!("\\x{code:02x}")),
            code @ ..0x1_0000 => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out + "\""
}

/// Returns a float in the form that YAML 1.1 requires: with a point, and with a sign in the exponent.
fn float(x: f64) -> String {
    if x.is_nan() {
        return ".nan".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{x:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let plus = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{plus}{exponent}")
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use convoy_protocol::map;
    use proptest::prelude::*;

    fn read_back(text: &str) -> Value {
        read("t.yml", text).unwrap().map_or_else(Value::null, |node| node.to_value().unwrap())
    }

    #[test]
    fn text_that_yaml_1_1_reads_as_another_type_is_quoted() {
        let value = Value::from(map! {
            "yes" => "no", "mode" => "0644", "at" => "1:30", "day" => "2024-01-02", "empty" => "", "null" => (),
            "list" => vec![Value::from(1), Value::from(1e20), Value::from(true), Value::from(" x ")],
            "lines" => "a\nb\n", "n" => "1_000",
        });
        assert_eq!(
            write(&value).unwrap(),
            "'yes': 'no'\nmode: '0644'\nat: '1:30'\nday: '2024-01-02'\nempty: ''\n'null': null\n\
             list:\n- 1\n- 1.0e+20\n- true\n- ' x '\nlines: |\n  a\n  b\n'n': '1_000'\n"
        );
    }

    #[test]
    fn bytes_are_refused() {
        let error = write(&Value::from(vec![Value::from(&b"x"[..])])).unwrap_err();
        assert_eq!(error.to_string(), "bytes cannot be written as YAML");
    }

    /// Text that is likely to be misread without quotes.
    fn ambiguous_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[ \t\n\r:#'\"{}\\[\\],&*!|>%@`~=<y0-9._+\u{e000}\u{85}\u{2028}\u{feff}-]{0,12}",
            proptest::sample::select(vec![
                "yes",
                "off",
                "~",
                "null",
                "0644",
                "0o7",
                "1e3",
                ".inf",
                "1:30",
                "2024-01-02",
                "=",
                "<<",
                "---",
                "...",
                "- a",
                "a: b",
                "a #b",
                "#",
                "\n",
                "\n\n a\n",
                " a\nb",
                "a\n\n",
                "a\n ",
                "\ta\n",
                "0x_",
                "!x",
                "99999999999999999999",
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::null()),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("NaN is not equal to itself", |x| !x.is_nan()).prop_map(Value::from),
            ambiguous_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            let key = prop_oneof![
                ambiguous_text().prop_map(Key::from),
                any::<i64>().prop_map(Key::Int),
                any::<bool>().prop_map(Key::Bool),
                Just(Key::Null)
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((key, inner), 0..6)
                    .prop_map(|entries| entries.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_values_read_back_equal(value in values()) {
            let text = write(&value).unwrap();
            prop_assert_eq!(read_back(&text), value, "{}", text);
        }
    }
}
