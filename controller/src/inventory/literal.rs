//! Parses Python literals: values in INI inventories are literals if they can be parsed, otherwise text.

use convoy_protocol::{Key, Map, Value};

/// Returns the value of `text` as a Python literal, or `text` itself if it is not one.
pub(super) fn value(text: &str) -> Value {
    literal(text).unwrap_or_else(|| Value::from(text))
}

fn literal(text: &str) -> Option<Value> {
    let mut parser = Parser { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let first = parser.value()?;
    parser.skip_space();
    let value = if parser.rest.starts_with(',') {
        parser.rest = &parser.rest[1..];
        // `1, 2` is a tuple without parentheses.
        let mut items = vec![first];
        items.extend(parser.items(None)?);
        Value::from(items)
    } else {
        first
    };
    parser.skip_space();
    (parser.rest.is_empty() || parser.rest.starts_with('#')).then_some(value)
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty() || self.rest.starts_with('#')
    }

    /// Skips `c` and spaces before it; returns whether it was there.
    fn consume(&mut self, c: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > 64 {
            return None;
        }
        self.skip_space();
        let value = match self.rest.chars().next()? {
            '[' => {
                self.consume('[');
                Value::from(self.items(Some(']'))?)
            }
            '(' => self.tuple()?,
            '{' => self.braces()?,
            '\'' | '"' => self.text()?,
            _ => self.atom()?,
        };
        self.depth -= 1;
        Some(value)
    }

    /// Parses the items after an opening bracket, or after the first comma of a tuple without parentheses.
    fn items(&mut self, end: Option<char>) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            match end {
                Some(end) if self.consume(end) => return Some(items),
                None if self.at_end() => return Some(items),
                _ => items.push(self.value()?),
            }
            if !self.consume(',') {
                return match end {
                    Some(end) => self.consume(end).then_some(items),
                    None => Some(items),
                };
            }
        }
    }

    /// Parses a tuple, which becomes a list, or a value in parentheses.
    fn tuple(&mut self) -> Option<Value> {
        self.consume('(');
        if self.consume(')') {
            return Some(Value::from(Vec::<Value>::new()));
        }
        let first = self.value()?;
        if self.consume(')') {
            return Some(first);
        }
        let mut items = vec![first];
        self.consume(',').then_some(())?;
        items.extend(self.items(Some(')'))?);
        Some(Value::from(items))
    }

    /// Parses a dictionary. A set is not supported: the whole text is not a literal.
    fn braces(&mut self) -> Option<Value> {
        self.consume('{');
        let mut map = Map::new();
        loop {
            if self.consume('}') {
                return Some(map.into());
            }
            let key = self.value()?;
            let key = match (key.as_str(), key.as_int(), key.as_bool()) {
                (Some(text), ..) => Key::from(text),
                (_, Some(i), _) => Key::Int(i),
                (.., Some(b)) => Key::Bool(b),
                _ if key.is_null() => Key::Null,
                _ => return None,
            };
            self.consume(':').then_some(())?;
            map.insert(key, self.value()?);
            if !self.consume(',') {
                return self.consume('}').then(|| map.into());
            }
        }
    }

    fn text(&mut self) -> Option<Value> {
        let quote = self.rest.chars().next()?;
        if self.rest.starts_with(&quote.to_string().repeat(3)) {
            return None;
        }
        let mut text = String::new();
        let mut chars = self.rest[1..].chars();
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => escape(&mut chars, &mut text)?,
                '\n' => return None,
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        self.skip_space();
        // Python joins adjacent strings.
        if self.rest.starts_with(['\'', '"']) {
            text.push_str(self.text()?.as_str()?);
        }
        Some(Value::from(text))
    }

    fn atom(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', ')', '}', ':', '#', ' ', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" => Some(true.into()),
            "False" => Some(false.into()),
            "None" => Some(Value::null()),
            "-" | "+" => None,
            _ => number(word),
        }
    }
}

/// Parses an escape sequence after its backslash.
fn escape(chars: &mut std::str::Chars<'_>, text: &mut String) -> Option<()> {
    let digits = match chars.next()? {
        c @ ('n' | 't' | 'r' | '\\' | '\'' | '"') => {
            text.push(match c {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c => c,
            });
            return Some(());
        }
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // Octal and named escapes are not supported: the whole text is not a literal.
        '0'..='7' | 'N' | 'a' | 'b' | 'f' | 'v' | '\n' => return None,
        c => {
            text.extend(['\\', c]);
            return Some(());
        }
    };
    let code: String = chars.by_ref().take(digits).collect();
    let good = code.len() == digits && code.bytes().all(|b| b.is_ascii_hexdigit());
    let c = u32::from_str_radix(&code, 16).ok().filter(|_| good).and_then(char::from_u32)?;
    text.push(c);
    Some(())
}

fn number(word: &str) -> Option<Value> {
    let (sign, digits) = match word.as_bytes().first()? {
        b'-' => ("-", &word[1..]),
        b'+' => ("", &word[1..]),
        _ => ("", word),
    };
    // Python allows one underscore between digits.
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let lower = digits.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            let good = digits.bytes().all(|b| b.is_ascii_alphanumeric());
            return i64::from_str_radix(&format!("{sign}{digits}"), radix)
                .ok()
                .filter(|_| good)
                .map(Value::from);
        }
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !lower.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    if lower.bytes().all(|b| b.is_ascii_digit()) {
        // `0644` is not a number in Python 3.
        let padded = lower.starts_with('0') && lower.bytes().any(|b| b != b'0');
        return (!padded).then(|| format!("{sign}{lower}").parse::<i64>().ok()).flatten().map(Value::from);
    }
    let float = lower.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'+' | b'-'));
    float.then(|| format!("{sign}{lower}").parse::<f64>().ok()).flatten().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn literals_are_parsed_and_other_text_is_kept() {
        for (text, expected) in [
            ("1", Value::from(1)),
            ("-5", Value::from(-5)),
            ("1_000", Value::from(1000)),
            ("0x1f", Value::from(31)),
            ("0o17", Value::from(15)),
            ("1.5", Value::from(1.5)),
            ("1e3", Value::from(1000.0)),
            ("True", Value::from(true)),
            ("None", Value::null()),
            ("'a' \"b\"", Value::from("ab")),
            ("'\\x41\\n\\d'", Value::from("A\n\\d")),
            ("5 # five", Value::from(5)),
            ("[1, 'a', [None]]", Value::from(vec![1.into(), "a".into(), Value::from(vec![Value::null()])])),
            ("{'a': 1, 2: (3,)}", {
                let mut map = map! { "a" => 1 };
                map.insert(Key::Int(2), Value::from(vec![Value::from(3)]));
                Value::from(map)
            }),
            ("1, 2", Value::from(vec![Value::from(1), Value::from(2)])),
            ("(1)", Value::from(1)),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        for text in [
            "0644", "true", "yes", "abc", "1.2.3", "10.0.0.1", "a b", "[1, x]", "'open", "", "1__0",
            "{1, 2}", "foo # c", "-", "1 2",
        ] {
            assert_eq!(value(text), Value::from(text), "{text}");
        }
    }
}
