//! `key=value` arguments in one line of text, split as Ansible splits them.

use convoy_protocol::{Map, Value};

/// The parameters that `command` and similar modules take as `key=value`; all other words belong to the command.
const COMMAND_PARAMETERS: [&str; 8] =
    ["creates", "removes", "chdir", "executable", "warn", "stdin", "stdin_add_newline", "strip_empty_ends"];

/// The reason why a text cannot be split.
pub(super) const UNBALANCED: &str = "unbalanced quotes or template braces";

/// Reads `key=value` pairs; all other words are joined under `_raw_params`. With `is_command` only the parameters of
/// commands are pairs.
///
/// # Errors
/// If quotes or template braces are not closed.
pub fn parse(text: &str, is_command: bool) -> Result<Map, &'static str> {
    let mut map = Map::new();
    let mut raw = Vec::new();
    for part in split(text)? {
        let decoded = decode_escapes(&part);
        if !decoded.contains('=') {
            raw.push(part);
            continue;
        }
        let Some(at) = unescaped_equals(&decoded) else {
            raw.push(decoded.replace("\\=", "="));
            continue;
        };
        let (key, value) = (&decoded[..at], &decoded[at + 1..]);
        if is_command && !COMMAND_PARAMETERS.contains(&key) {
            raw.push(part);
        } else {
            map.insert(key.trim().into(), unquote(value.trim()).into());
        }
    }
    if !raw.is_empty() {
        map.insert("_raw_params".into(), Value::from(join(&raw)));
    }
    Ok(map)
}

/// Returns the position of the first `=` that ends a key: neither at the beginning nor after a backslash.
fn unescaped_equals(text: &str) -> Option<usize> {
    text.match_indices('=').map(|(at, _)| at).find(|at| *at > 0 && text.as_bytes()[at - 1] != b'\\')
}

fn join(parts: &[String]) -> String {
    let mut joined = String::new();
    for part in parts {
        if !joined.is_empty() && !joined.ends_with('\n') {
            joined.push(' ');
        }
        joined.push_str(part);
    }
    joined
}

fn unquote(text: &str) -> &str {
    let quote = match text.as_bytes() {
        [first @ (b'"' | b'\''), .., before, last] if first == last && *before != b'\\' => *first as char,
        [b'"', b'"'] | [b'\'', b'\''] => return "",
        _ => return text,
    };
    text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)).unwrap_or(text)
}

/// The state of the splitter between two words.
#[derive(Default)]
struct Splitter {
    parts: Vec<String>,
    quote: Option<char>,
    print: usize,
    block: usize,
    comment: usize,
}

impl Splitter {
    fn in_template(&self) -> bool {
        self.print > 0 || self.block > 0 || self.comment > 0
    }

    /// Appends to the last part.
    fn append(&mut self, space: &str, word: &str) {
        match self.parts.last_mut() {
            Some(last) => {
                last.push_str(space);
                last.push_str(word);
            }
            None => self.parts.push(format!("{space}{word}")),
        }
    }

    fn word(&mut self, index: usize, word: &str) {
        let was_quoted = self.quote.is_some();
        self.quote = quote_after(word, self.quote);
        let quoted = self.quote.is_some();
        let mut taken = true;
        if quoted && !was_quoted && !self.in_template() {
            self.parts.push(word.to_owned());
        } else if self.in_template() || quoted || was_quoted {
            let space = if index > 0 { " " } else { "" };
            self.append(space, word);
        } else {
            taken = false;
        }
        let before = (self.print, self.block, self.comment);
        self.print = depth_after(word, self.print, "{{", "}}");
        self.block = depth_after(word, self.block, "{%", "%}");
        self.comment = depth_after(word, self.comment, "{#", "#}");
        let moved = before != (self.print, self.block, self.comment);
        if !taken && (moved || (!self.in_template() && !quoted && !word.is_empty())) {
            self.parts.push(word.to_owned());
        }
    }
}

/// Splits at spaces and line ends, but not within quotes or templates. Spaces that do not separate parts are kept.
///
/// # Errors
/// If quotes or template braces are not closed.
pub(super) fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut splitter = Splitter::default();
    if text.is_empty() {
        return Ok(splitter.parts);
    }
    let lines: Vec<&str> = text.split('\n').collect();
    for (number, line) in lines.iter().enumerate() {
        let mut continued = false;
        for (index, word) in line.split(' ').enumerate() {
            if word.is_empty() && index != 0 {
                splitter.append(" ", "");
            } else if word == "\\" && splitter.quote.is_none() {
                continued = true;
            } else {
                splitter.word(index, word);
            }
        }
        if number + 1 != lines.len() && !continued {
            splitter.append("\n", "");
        }
    }
    if splitter.in_template() || splitter.quote.is_some() {
        return Err(UNBALANCED);
    }
    Ok(splitter.parts)
}

fn quote_after(word: &str, mut quote: Option<char>) -> Option<char> {
    let mut previous = None;
    for c in word.chars() {
        if (c == '"' || c == '\'') && previous != Some('\\') {
            match quote {
                Some(open) if open == c => quote = None,
                Some(_) => {}
                None => quote = Some(c),
            }
        }
        previous = Some(c);
    }
    quote
}

fn depth_after(word: &str, depth: usize, open: &str, close: &str) -> usize {
    (depth + word.matches(open).count()).saturating_sub(word.matches(close).count())
}

/// Decodes Python's escape sequences; other backslashes are kept.
fn decode_escapes(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, length) = escape(rest).unwrap_or(('\\', 1));
        decoded.push(c);
        rest = &rest[length..];
    }
    decoded + rest
}

/// Returns the character of the escape sequence at the beginning of `text`, and the length of the sequence.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text.chars().nth(1)? {
        c @ ('\\' | '\'' | '"') => c,
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => return code(text, 2),
        'u' => return code(text, 4),
        'U' => return code(text, 8),
        _ => return None,
    };
    Some((simple, 2))
}

fn code(text: &str, digits: usize) -> Option<(char, usize)> {
    let hex = text.get(2..2 + digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, 2 + digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn pairs_are_separated_from_other_words() {
        for (text, is_command, expected) in [
            ("src=a dest=b", false, map! { "src" => "a", "dest" => "b" }),
            ("src='a b' dest=\"c d\"", false, map! { "src" => "a b", "dest" => "c d" }),
            ("msg={{ a == 'x y' }} b=1", false, map! { "msg" => "{{ a == 'x y' }}", "b" => "1" }),
            ("a=b=c", false, map! { "a" => "b=c" }),
            ("line=\"a\\tb\"", false, map! { "line" => "a\tb" }),
            ("main.yml x=1", false, map! { "x" => "1", "_raw_params" => "main.yml" }),
            ("echo a=b", true, map! { "_raw_params" => "echo a=b" }),
            (
                "echo 'x  y' | cat chdir=/tmp",
                true,
                map! { "chdir" => "/tmp", "_raw_params" => "echo 'x  y' | cat" },
            ),
            ("a\nb  c", true, map! { "_raw_params" => "a\nb  c" }),
            ("a \\\n b", true, map! { "_raw_params" => "a b" }),
            ("echo \\n", true, map! { "_raw_params" => "echo \\n" }),
            ("x\\=y", false, map! { "_raw_params" => "x=y" }),
            ("", true, map! {}),
        ] {
            assert_eq!(parse(text, is_command), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn unbalanced_text_is_an_error() {
        for text in ["a='b", "a={{ b", "{% if x"] {
            assert_eq!(parse(text, false), Err(UNBALANCED), "{text:?}");
        }
    }
}
