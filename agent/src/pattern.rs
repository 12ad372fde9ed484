//! Regular expressions as playbooks write them: Python's.

use fancy_regex::Regex;

use crate::module::Failure;

/// A compiled regular expression.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
}

/// What the groups of a match hold; those that took no part hold nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups(Vec<Group>);

/// One group; the first is the whole match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it holds.
    pub text: Option<String>,
}

impl Pattern {
    /// Compiles Python's regular expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern, false)
    }

    /// Compiles Python's regular expression, of which `^` and `$` mean each line's.
    ///
    /// # Errors
    /// If it is none.
    pub fn by_line(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern, true)
    }

    fn compile(pattern: &str, by_line: bool) -> Result<Self, Failure> {
        let regex = Regex::new(&translate(pattern, by_line))
            .map_err(|error| Failure::new(format!("Invalid regular expression: '{pattern}': {error}")))?;
        Ok(Self { regex })
    }

    /// Looks for the first match.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn search(&self, text: &str) -> Result<Option<Groups>, Failure> {
        let gave_up = |error| {
            Failure::new(format!("the regular expression '{}' gave up: {error}", self.regex.as_str()))
        };
        let Some(captures) = self.regex.captures(text).map_err(gave_up)? else { return Ok(None) };
        let group = |(i, name): (usize, Option<&str>)| Group {
            name: name.map(str::to_owned),
            text: captures.get(i).map(|found| found.as_str().to_owned()),
        };
        Ok(Some(Groups(self.regex.capture_names().enumerate().map(group).collect())))
    }
}

/// Writes Python's regular expression as `fancy-regex` reads it.
fn translate(pattern: &str, by_line: bool) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Z') => out.push_str("\\z"),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.as_str().starts_with('^') {
                    chars.next();
                    out.push('^');
                }
                // A bracket that comes first stands for itself.
                if chars.as_str().starts_with(']') {
                    chars.next();
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            '^' if !in_class && by_line => out.push_str("(?m:^)"),
            // Python's `$` also matches before a line end at the end of the text.
            '$' if !in_class => out.push_str(if by_line { "(?=\\n|\\z)" } else { "(?=\\n?\\z)" }),
            '{' if !in_class => match repetition(chars.as_str()) {
                Some(',') => out.push_str("{0"),
                Some(_) => out.push('{'),
                None => out.push_str("\\{"),
            },
            c => out.push(c),
        }
    }
    out
}

/// Returns how the repetition `{m,n}` starts of which this is what follows the brace; `None` if it is none.
fn repetition(after: &str) -> Option<char> {
    let inner = after.split_once('}')?.0;
    let counts = inner.split_once(',').map_or([inner, "0"], |(least, most)| [least, most]);
    let are_digits = counts.iter().all(|count| count.bytes().all(|b| b.is_ascii_digit()));
    inner.chars().next().filter(|_| are_digits)
}

impl Groups {
    /// Returns the groups; the first is the whole match.
    pub fn all(&self) -> &[Group] {
        &self.0
    }

    fn text(&self, number: usize) -> Option<&str> {
        self.0.get(number).map(|group| group.text.as_deref().unwrap_or_default())
    }

    /// Replaces `\1` and `\g<name>` in `line`, as Python's `Match.expand` does.
    ///
    /// # Errors
    /// If it refers to no group.
    pub fn expand(&self, line: &str) -> Result<String, Failure> {
        let refuse = |what: &str| Failure::new(format!("cannot expand '{line}': {what}"));
        let unknown = |name: &str| refuse(&format!("invalid group reference {name}"));
        let mut out = String::new();
        let mut rest = line;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(named) = rest.strip_prefix("g<") {
                let (name, after) =
                    named.split_once('>').ok_or_else(|| refuse("missing >, unterminated name"))?;
                let by_name = || self.0.iter().position(|group| group.name.as_deref() == Some(name));
                let number = name.parse().ok().or_else(by_name);
                out.push_str(number.and_then(|number| self.text(number)).ok_or_else(|| unknown(name))?);
                rest = after;
            } else if rest.starts_with(|c: char| ('1'..='9').contains(&c)) {
                let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let number = &rest[..digits];
                out.push_str(number.parse().ok().and_then(|n| self.text(n)).ok_or_else(|| unknown(number))?);
                rest = &rest[digits..];
            } else {
                let c = rest.chars().next().ok_or_else(|| refuse("bad escape (end of pattern)"))?;
                rest = &rest[c.len_utf8()..];
                match escape(c) {
                    Some(c) => out.push(c),
                    None if c.is_ascii_alphabetic() => return Err(refuse(&format!("bad escape \\{c}"))),
                    None => out.extend(['\\', c]),
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn escape(c: char) -> Option<char> {
    Some(match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'v' => '\u{b}',
        'a' => '\u{7}',
        'b' => '\u{8}',
        '0' => '\0',
        '\\' => '\\',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Option<String> {
        let groups = Pattern::new(pattern).unwrap().search(text).unwrap();
        groups.and_then(|groups| groups.all()[0].text.clone())
    }

    // The expected matches are those of CPython's re.search.
    #[test]
    fn matches_as_python() {
        for (pattern, text, expected) in [
            ("^a$", "a\n", Some("a")),
            ("a$", "a\n\n", None),
            (r"a\Z", "a\n", None),
            ("[]a]+", "x]a", Some("]a")),
            ("[^]a]+", "]ax", Some("x")),
            ("[[a]", "[", Some("[")),
            ("[a&&b]", "&", Some("&")),
            ("a{2}", "aaa", Some("aa")),
            ("a{,2}b", "aab", Some("aab")),
            ("{{ x }}", "{{ x }}", Some("{{ x }}")),
            ("a{x", "a{x", Some("a{x")),
            (r"(?P<q>['\x22]).*?(?P=q)", "say 'it'", Some("'it'")),
            (r"(?<=x)y", "xy", Some("y")),
            (r"(?i)ABC", "abc", Some("abc")),
        ] {
            assert_eq!(found(pattern, text).as_deref(), expected, "{pattern} in {text:?}");
        }
        let lines = Pattern::by_line("^b$").unwrap().search("a\nb\nc").unwrap();
        assert!(lines.is_some());
        assert!(Pattern::new("(").unwrap_err().msg.starts_with("Invalid regular expression: '(': "));
    }

    #[test]
    fn references_are_expanded() {
        let groups = Pattern::new("(?P<key>a+)=(b)?").unwrap().search("aa=").unwrap().unwrap();
        assert_eq!(groups.expand(r"\1-\g<key>-\g<1>-\2-\\-\t-\.").unwrap(), "aa-aa-aa--\\-\t-\\.");
        assert_eq!(groups.expand(r"\3").unwrap_err().msg, r"cannot expand '\3': invalid group reference 3");
        assert_eq!(groups.expand(r"\q").unwrap_err().msg, r"cannot expand '\q': bad escape \q");
    }
}
