//! Regular expressions as playbooks write them: Python's.

mod template;

use std::cell::LazyCell;
use std::ops::Range;

use fancy_regex::{Regex, RegexBuilder};

pub use template::{Template, TemplateError};

use crate::failure::Failure;

/// A compiled regular expression.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    by_line: bool,
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

/// How an expression is meant, beside what it says.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    /// `^` and `$` mean each line's.
    by_line: bool,
    /// `.` also means a line end.
    dot_all: bool,
}

impl Pattern {
    /// Compiles Python's regular expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern, Flags::default())
    }

    /// Compiles Python's regular expression, of which `^` and `$` mean each line's.
    ///
    /// # Errors
    /// If it is none.
    pub fn by_line(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern, Flags { by_line: true, dot_all: false })
    }

    /// Compiles Python's regular expression, of which `.` also means a line end.
    ///
    /// # Errors
    /// If it is none.
    pub fn dot_all(pattern: &str) -> Result<Self, Failure> {
        Self::compile(pattern, Flags { by_line: false, dot_all: true })
    }

    fn compile(pattern: &str, mut flags: Flags) -> Result<Self, Failure> {
        flags.by_line |= own_flags(pattern).contains('m');
        let translated = translate(pattern, flags.by_line);
        let translated = if flags.dot_all { format!("(?s:{translated})") } else { translated };
        let regex = Regex::new(&translated)
            .map_err(|error| Failure::new(format!("Invalid regular expression: '{pattern}': {error}")))?;
        Ok(Self { regex, by_line: flags.by_line })
    }

    /// Returns whether `^` and `$` mean each line's.
    pub fn is_by_line(&self) -> bool {
        self.by_line
    }

    fn gave_up(&self, error: &fancy_regex::Error) -> Failure {
        Failure::new(format!("the regular expression '{}' gave up: {error}", self.regex.as_str()))
    }

    /// Returns whether the text begins with a match, as Python's `match` does.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn matches_start(&self, text: &str) -> Result<bool, Failure> {
        // The first match is the one that begins first.
        Ok(self.span(text)?.is_some_and(|span| span.start == 0))
    }

    /// Returns where the first match is.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn span(&self, text: &str) -> Result<Option<Range<usize>>, Failure> {
        self.regex.find(text).map(|found| found.map(|found| found.range())).map_err(|e| self.gave_up(&e))
    }

    /// Returns where the first match has its group `name`; `None` if there is no match, or the group took no part.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn span_of(&self, text: &str, name: &str) -> Result<Option<Range<usize>>, Failure> {
        let captures = self.regex.captures(text).map_err(|error| self.gave_up(&error))?;
        Ok(captures.and_then(|captures| captures.name(name).map(|group| group.range())))
    }

    /// Looks for the first match.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn search(&self, text: &str) -> Result<Option<Groups>, Failure> {
        let captures = self.regex.captures(text).map_err(|error| self.gave_up(&error))?;
        let Some(captures) = captures else { return Ok(None) };
        let group = |(i, name): (usize, Option<&str>)| Group {
            name: name.map(str::to_owned),
            text: captures.get(i).map(|found| found.as_str().to_owned()),
        };
        Ok(Some(Groups(self.regex.capture_names().enumerate().map(group).collect())))
    }

    /// Reads the text that is to take the place of matches.
    ///
    /// # Errors
    /// If the syntax is wrong, or it refers to a group that the expression does not have.
    pub fn template(&self, text: &str) -> Result<Template, TemplateError> {
        let names: Vec<Option<&str>> = self.regex.capture_names().collect();
        Template::parse(text, &names)
    }

    /// Puts `template` in the place of all matches; returns the text and how many there were. As Python's `subn`.
    ///
    /// # Errors
    /// If the expression takes too much to match.
    pub fn replace_all(&self, text: &str, template: &Template) -> Result<(String, usize), Failure> {
        let (mut out, mut count, mut copied, mut at) = (String::new(), 0, 0, 0);
        // Where an empty match was: there, only one that is not empty counts next.
        let mut empty_at = None;
        // It is refused only where no match can be anything but empty.
        let not_empty =
            LazyCell::new(|| RegexBuilder::new(self.regex.as_str()).find_not_empty(true).build().ok());
        while at <= text.len() {
            let captures = self.regex.captures_from_pos(text, at).map_err(|error| self.gave_up(&error))?;
            let Some(mut captures) = captures else { break };
            if captures.get(0).is_some_and(|whole| whole.end() == at) && empty_at == Some(at) {
                let other = not_empty.as_ref().map(|regex| regex.captures_from_pos(text, at)).transpose();
                let other = other.map_err(|error| self.gave_up(&error))?.flatten();
                match other.filter(|other| other.get(0).is_some_and(|whole| whole.start() == at)) {
                    Some(other) => captures = other,
                    None => {
                        at += text[at..].chars().next().map_or(1, char::len_utf8);
                        empty_at = None;
                        continue;
                    }
                }
            }
            let Some(whole) = captures.get(0).map(|whole| whole.range()) else { break };
            out.push_str(&text[copied..whole.start]);
            template.expand(|number| captures.get(number).map(|group| group.as_str()), &mut out);
            count += 1;
            (copied, at) = (whole.end, whole.end);
            empty_at = whole.is_empty().then_some(whole.end);
        }
        out.push_str(&text[copied..]);
        Ok((out, count))
    }
}

/// Returns the letters of the flags that an expression begins with, such as `(?mi)`.
fn own_flags(pattern: &str) -> &str {
    let letters =
        pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')')).map(|(letters, _)| letters);
    letters.filter(|letters| letters.bytes().all(|b| b.is_ascii_lowercase())).unwrap_or_default()
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

    /// Returns a template with these groups filled in.
    pub fn fill(&self, template: &Template) -> String {
        let mut out = String::new();
        template.expand(|number| self.0.get(number).and_then(|group| group.text.as_deref()), &mut out);
        out
    }
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

    // The expected texts are those of CPython's re.subn.
    #[test]
    fn replaces_as_python() {
        for (pattern, template, text, expected) in [
            ("^a", "b", "a\na\nca", ("b\nb\nca", 2)),
            ("a$", "b", "a\nca\n", ("b\ncb\n", 2)),
            ("x*", "-", "abxd", ("-a-b--d-", 5)),
            ("(a)(b)?", r"\2[\g<1>]\g<0>", "abxa", ("b[a]abx[a]a", 2)),
            ("(?P<k>\\w+)=", r"\g<k>: ", "é=1\nb=2", ("é: 1\nb: 2", 2)),
            ("", "-", "éa", ("-é-a-", 3)),
            ("z", "-", "a", ("a", 0)),
            ("\\n", " ", "a\nb\n", ("a b ", 2)),
        ] {
            let pattern = Pattern::by_line(pattern).unwrap();
            let template = pattern.template(template).unwrap();
            let (text, count) = pattern.replace_all(text, &template).unwrap();
            assert_eq!((text.as_str(), count), expected);
        }
    }

    #[test]
    fn an_expressions_own_flags_count() {
        assert!(Pattern::new("(?mi)^B$").unwrap().search("a\nb\nc").unwrap().is_some());
        assert!(
            Pattern::new("(?m)^b").unwrap().is_by_line() && !Pattern::new("(?:m)b").unwrap().is_by_line()
        );
        assert_eq!(Pattern::dot_all("a.*c").unwrap().span("xa\nc").unwrap(), Some(1..4));
        assert_eq!(Pattern::dot_all("a(?P<in>.*)c").unwrap().span_of("xa\nc", "in").unwrap(), Some(2..3));
        assert!(Pattern::new("b").unwrap().matches_start("ab").is_ok_and(|starts| !starts));
    }
}
