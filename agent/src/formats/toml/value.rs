//! Values between TOML and our own.

use convoy_protocol::{Kind, Map, Value};
use toml_edit::{Item, Table};

/// Returns an item as data. TOML's times become text.
pub fn data(item: &Item) -> Value {
    match item {
        Item::None => Value::null(),
        Item::Value(value) => of(value),
        Item::Table(table) => table_data(table),
        Item::ArrayOfTables(tables) => tables.iter().map(table_data).collect(),
    }
}

fn table_data(table: &Table) -> Value {
    table.iter().map(|(key, item)| (key.into(), data(item))).collect::<Map>().into()
}

fn of(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(truth) => (*truth.value()).into(),
        toml_edit::Value::Datetime(time) => time.value().to_string().into(),
        toml_edit::Value::Array(items) => items.iter().map(of).collect(),
        toml_edit::Value::InlineTable(table) => {
            table.iter().map(|(key, value)| (key.into(), of(value))).collect::<Map>().into()
        }
    }
}

/// Returns a value as it is written in a file, tables inline.
///
/// # Errors
/// What TOML has no notion of.
pub fn text(value: &Value) -> Result<String, &'static str> {
    Ok(match &value.kind {
        Kind::Bool(truth) => truth.to_string(),
        Kind::Int(number) => number.to_string(),
        Kind::Float(number) if number.is_nan() => "nan".to_owned(),
        Kind::Float(number) if number.is_infinite() => if *number > 0.0 { "inf" } else { "-inf" }.to_owned(),
        Kind::Float(number) => format!("{number:?}"),
        Kind::Text(text) => quoted(text),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(text).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(", "))
        }
        Kind::Map(map) if map.is_empty() => "{}".to_owned(),
        Kind::Map(map) => {
            let entry = |(key, value): (&convoy_protocol::Key, &Value)| {
                Ok(format!("{} = {}", key_text(&key.to_string()), text(value)?))
            };
            format!("{{ {} }}", map.iter().map(entry).collect::<Result<Vec<_>, &str>>()?.join(", "))
        }
        Kind::Null => return Err("null; remove the key instead"),
        Kind::Bytes(_) => return Err("bytes"),
        Kind::Unknown(_) => return Err("value that is known only when the play is run"),
        Kind::Vaulted(_) => return Err("encrypted text"),
    })
}

/// Returns a key as it is written in a file.
pub(super) fn key_text(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

/// Returns text as a basic string: the one form that every reader of TOML understands.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn values_are_read_back_as_they_were() {
        for (value, written) in [
            (Value::from("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\n\\u0001é\""),
            (1.0.into(), "1.0"),
            (1e300.into(), "1e300"),
            ((-5_i64).into(), "-5"),
            (vec![Value::from(1), true.into()].into(), "[1, true]"),
            (map! { "a.b" => 1, "c" => map! {} }.into(), "{ \"a.b\" = 1, c = {} }"),
        ] {
            assert_eq!(text(&value).unwrap(), written);
            let read: toml_edit::Value = written.parse().unwrap();
            assert_eq!(of(&read), value);
        }
    }
}
