//! Reads Python literals as `ast.literal_eval` does.

use indexmap::IndexMap;

use crate::template::jinja::python::ops;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::syntax::escapes::unescape;

/// How deep literals may be nested.
const MAX_DEPTH: usize = 200;

/// Returns the value of a literal, or `None` if the text is not one. With `json`, JSON's `true`, `false` and `null` are
/// accepted too.
pub(crate) fn read(text: &str, json: bool) -> Option<Val> {
    let mut reader = Reader { rest: text, json, depth: 0 };
    reader.skip_blanks();
    let value = reader.value()?;
    reader.skip_blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
    json: bool,
    depth: usize,
}

impl Reader<'_> {
    /// Skips white space and comments.
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
        if let Some(comment) = self.rest.strip_prefix('#') {
            self.rest = comment.find('\n').map_or("", |end| &comment[end..]);
            self.skip_blanks();
        }
    }

    fn take(&mut self, token: char) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                self.skip_blanks();
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Val> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = match self.rest.chars().next()? {
            '[' => {
                self.take('[');
                Val::list(self.items(']')?.0)
            }
            '(' => {
                self.take('(');
                let (mut items, comma) = self.items(')')?;
                if items.len() == 1 && !comma { items.pop()? } else { Val::tuple(items) }
            }
            '{' => self.braces()?,
            '\'' | '"' => self.text()?,
            '-' | '+' => {
                let negative = self.rest.starts_with('-');
                self.rest = &self.rest[1..];
                self.skip_blanks();
                let value = self.number()?;
                if negative { ops::negate(&value).ok()? } else { value }
            }
            c if c.is_ascii_digit() || c == '.' => self.number()?,
            _ => self.word()?,
        };
        self.depth -= 1;
        self.skip_blanks();
        Some(value)
    }

    /// Reads items up to `close`. Returns them, and whether a comma follows the last one.
    fn items(&mut self, close: char) -> Option<(Vec<Val>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(close) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value()?);
            comma = self.take(',');
        }
        Some((items, comma))
    }

    fn braces(&mut self) -> Option<Val> {
        self.take('{');
        let mut map = IndexMap::new();
        let mut comma = true;
        while !self.take('}') {
            if !comma {
                return None;
            }
            let key = self.value()?;
            if !self.take(':') {
                return None;
            }
            map.insert(ops::key(&key).ok()?, self.value()?);
            comma = self.take(',');
        }
        Some(Val::dict(map))
    }

    fn word(&mut self) -> Option<Val> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if matches!(word, "b" | "u" | "r" | "B" | "U" | "R") && rest.starts_with(['\'', '"']) {
            self.rest = rest;
            let text = if matches!(word, "r" | "R") { self.raw()? } else { self.text()? };
            return match (word, &text) {
                ("b" | "B", Val::Str(text, _)) => Some(Val::Bytes(
                    text.chars().map(|c| u8::try_from(c as u32).ok()).collect::<Option<Vec<_>>>()?.into(),
                )),
                _ => Some(text),
            };
        }
        let value = match word {
            "True" => Val::Bool(true),
            "False" => Val::Bool(false),
            "None" => Val::None,
            "true" if self.json => Val::Bool(true),
            "false" if self.json => Val::Bool(false),
            "null" if self.json => Val::None,
            _ => return None,
        };
        self.rest = rest;
        Some(value)
    }

    fn number(&mut self) -> Option<Val> {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while let Some(&b) = bytes.get(end) {
            let exponent_sign = matches!(b, b'+' | b'-')
                && end > 0
                && matches!(bytes[end - 1], b'e' | b'E')
                && !self.rest.starts_with("0x");
            if !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_') || exponent_sign) {
                break;
            }
            end += 1;
        }
        let (number, rest) = self.rest.split_at(end);
        let digits = number.replace('_', "");
        self.rest = rest;
        let radix = |prefix: &str, radix| {
            digits.to_ascii_lowercase().strip_prefix(prefix).map(|d| i64::from_str_radix(d, radix))
        };
        if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)) {
            return value.ok().map(Val::Int);
        }
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            // Python refuses 0755, so it is not a literal.
            let octal = digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0');
            return if octal { None } else { digits.parse().ok().map(Val::Int) };
        }
        digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
            .then(|| digits.parse().ok().map(Val::Float))?
    }

    /// Reads one string literal, or several in a row, which Python joins.
    fn text(&mut self) -> Option<Val> {
        let mut out = String::new();
        while self.rest.starts_with(['\'', '"']) {
            self.one_text(&mut out)?;
            self.skip_blanks();
        }
        Some(Val::text(out))
    }

    fn one_text(&mut self, out: &mut String) -> Option<()> {
        let quote = self.rest.chars().next()?;
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        let end = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
        self.rest = &self.rest[end.len()..];
        loop {
            if let Some(rest) = self.rest.strip_prefix(&*end) {
                self.rest = rest;
                return Some(());
            }
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => self.rest = unescape(self.rest, out)?,
                '\n' if end.len() == 1 => return None,
                c => out.push(c),
            }
        }
    }

    fn raw(&mut self) -> Option<Val> {
        let quote = self.rest.chars().next()?;
        let body = &self.rest[1..];
        let end = body.find(quote)?;
        self.rest = &body[end + 1..];
        Some(Val::text(&body[..end]))
    }
}
