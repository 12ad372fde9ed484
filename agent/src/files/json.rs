//! JSON, formatted like Python's `json.dumps`, and a parser for it.

use convoy_protocol::{Kind, Value};

/// Formats `value` on one line, with keys in insertion order.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    write(value, None, &mut out);
    out
}

/// Formats `value` on several lines, indented by four spaces, with sorted keys.
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, Some(0), &mut out);
    out
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

fn separate(first: bool, level: Option<usize>, out: &mut String) {
    match (first, level) {
        (true, None) => {}
        (false, None) => out.push_str(", "),
        (first, Some(level)) => {
            out.push_str(if first { "\n" } else { ",\n" });
            out.push_str(&" ".repeat(4 * (level + 1)));
        }
    }
}

fn close(bracket: char, empty: bool, level: Option<usize>, out: &mut String) {
    if let (Some(level), false) = (level, empty) {
        out.push('\n');
        out.push_str(&" ".repeat(4 * level));
    }
    out.push(bracket);
}

fn write(value: &Value, level: Option<usize>, out: &mut String) {
    let deeper = level.map(|level| level + 1);
    match &value.kind {
        Kind::Map(map) => {
            let mut entries: Vec<(String, &Value)> = map.iter().map(|(k, v)| (k.to_string(), v)).collect();
            if level.is_some() {
                entries.sort_by(|a, b| a.0.cmp(&b.0));
            }
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                separate(i == 0, level, out);
                quoted(key, out);
                out.push_str(": ");
                write(value, deeper, out);
            }
            close('}', entries.is_empty(), level, out);
        }
        Kind::List(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                separate(i == 0, level, out);
                write(value, deeper, out);
            }
            close(']', list.is_empty(), level, out);
        }
        Kind::Text(text) | Kind::Unknown(text) | Kind::Vaulted(text) => quoted(text, out),
        Kind::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes), out),
        Kind::Null => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Int(i) => out.push_str(&i.to_string()),
        Kind::Float(x) => out.push_str(&format!("{x:?}")),
    }
}

/// Parses JSON; `None` if it is invalid or nested too deeply.
pub fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.blank();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.blank();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        (depth < convoy_protocol::value::MAX_DEPTH / 2).then_some(())?;
        self.blank();
        match self.rest.chars().next()? {
            '{' => self.map(depth),
            '[' => self.list(depth),
            '"' => self.text().map(Value::from),
            't' => self.take("true").map(|()| true.into()),
            'f' => self.take("false").map(|()| false.into()),
            'n' => self.take("null").map(|()| Value::null()),
            _ => self.number(),
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        let mut map = convoy_protocol::Map::new();
        self.take("{")?;
        while self.take("}").is_none() {
            if !map.is_empty() {
                self.take(",")?;
            }
            self.blank();
            let key = self.text()?;
            self.take(":")?;
            map.insert(key.into(), self.value(depth + 1)?);
        }
        Some(map.into())
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        self.take("[")?;
        while self.take("]").is_none() {
            if !list.is_empty() {
                self.take(",")?;
            }
            list.push(self.value(depth + 1)?);
        }
        Some(list.into())
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<f64>().map(Value::from)).ok()
    }

    fn text(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut out = String::new();
        loop {
            let mut chars = self.rest.chars();
            let c = chars.next()?;
            self.rest = chars.as_str();
            match c {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => c,
            'u' => {
                let high = self.unit()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                self.rest = self.rest.strip_prefix("\\u")?;
                let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + low);
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn values_are_formatted_as_in_python() {
        let value = Value::from(
            map! { "b" => "é\n", "a" => vec![Value::from(1.5), ().into(), true.into()], "e" => map! {} },
        );
        assert_eq!(compact(&value), r#"{"b": "\u00e9\n", "a": [1.5, null, true], "e": {}}"#);
        let lines = "{\n    \"a\": [\n        1.5,\n        null,\n        true\n    ],\n    \"b\": \"\\u00e9\\n\",\n    \"e\": {}\n}";
        assert_eq!(pretty(&value), lines);
    }

    #[test]
    fn values_are_parsed() {
        let text = r#" {"a": [1, -2.5, 1e2, null, true], "b": {"c": "\u00e9\ud83d\ude00\n"}, "d": []} "#;
        let value = parse(text).unwrap();
        assert_eq!(
            compact(&value),
            r#"{"a": [1, -2.5, 100.0, null, true], "b": {"c": "\u00e9\ud83d\ude00\n"}, "d": []}"#
        );
        for wrong in
            ["", "{", "[1 2]", "{\"a\" 1}", "[1]x", "\"\\ud83d\"", "tru", "{a: 1}", &"[".repeat(1000)]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
