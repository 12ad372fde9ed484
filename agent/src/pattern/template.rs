//! What stands for a match: text with `\\1` and `\\g<name>` in it, as Python's `re.sub` reads it.

/// Text with references to the groups of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

/// Why text is no template, in Python's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is written wrongly.
    #[error("{what} at position {position}{}", on_line(.line))]
    Wrong {
        /// What is wrong.
        what: String,
        /// How many characters come before.
        position: usize,
        /// Line and column, if there is more than one line.
        line: Option<(usize, usize)>,
    },
    /// The expression has no group of this name.
    #[error("unknown group name '{0}'")]
    UnknownName(String),
}

fn on_line(line: &Option<(usize, usize)>) -> String {
    line.map_or_else(String::new, |(line, column)| format!(" (line {line}, column {column})"))
}

impl Template {
    /// Reads a template for an expression whose groups have these names.
    ///
    /// # Errors
    /// If the syntax is wrong, or it refers to a group that the expression does not have.
    pub(super) fn parse(text: &str, names: &[Option<&str>]) -> Result<Self, TemplateError> {
        let mut reader = Reader { text, chars: text.chars().collect(), at: 0, names, parts: Vec::new() };
        while let Some(c) = reader.next() {
            if c == '\\' { reader.escape()? } else { reader.push(c) }
        }
        Ok(Self(reader.parts))
    }

    /// Writes it with the groups that `group` knows; those that took no part are empty.
    pub(super) fn expand<'t>(&self, group: impl Fn(usize) -> Option<&'t str>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(number) => out.push_str(group(*number).unwrap_or_default()),
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    names: &'a [Option<&'a str>],
    parts: Vec<Part>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn push(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.parts.push(Part::Text(c.into())),
        }
    }

    fn wrong(&self, what: impl Into<String>, position: usize) -> TemplateError {
        let before: String = self.chars[..position].iter().collect();
        let line = self.text.contains('\n').then(|| {
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
            (before.matches('\n').count() + 1, column + 1)
        });
        TemplateError::Wrong { what: what.into(), position, line }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<(), TemplateError> {
        let start = self.at - 1;
        let Some(c) = self.next() else { return Err(self.wrong("bad escape (end of pattern)", start)) };
        match c {
            'g' => self.named(),
            '0'..='9' => self.numbered(c, start),
            _ => {
                match plain_escape(c) {
                    Some(c) => self.push(c),
                    None if c.is_ascii_alphabetic() => {
                        return Err(self.wrong(format!("bad escape \\{c}"), start));
                    }
                    None => [self.push('\\'), self.push(c)].into_iter().collect(),
                }
                Ok(())
            }
        }
    }

    fn digit(&mut self, range: std::ops::RangeInclusive<char>) -> Option<u32> {
        let digit = self.peek().filter(|c| range.contains(c))?.to_digit(10)?;
        self.at += 1;
        Some(digit)
    }

    /// Reads a group's number, or the number of a character in three octal digits.
    fn numbered(&mut self, first: char, start: usize) -> Result<(), TemplateError> {
        let mut number = first.to_digit(10).unwrap_or_default();
        if number == 0 {
            for _ in 0..2 {
                let Some(digit) = self.digit('0'..='7') else { break };
                number = number * 8 + digit;
            }
            self.push(char::from(number as u8));
            return Ok(());
        }
        if let Some(second) = self.digit('0'..='9') {
            if let Some(third) = if number < 8 && second < 8 { self.digit('0'..='7') } else { None } {
                let code = number * 64 + second * 8 + third;
                let octal: String = self.chars[start..self.at].iter().collect();
                let too_large =
                    |_| self.wrong(format!("octal escape value {octal} outside of range 0-0o377"), start);
                let byte = u8::try_from(code).map_err(too_large)?;
                self.push(char::from(byte));
                return Ok(());
            }
            number = number * 10 + second;
        }
        self.group(number as usize, start + 1)
    }

    fn named(&mut self) -> Result<(), TemplateError> {
        if self.peek() != Some('<') {
            return Err(self.wrong("missing <", self.at));
        }
        self.at += 1;
        let start = self.at;
        let Some(length) = self.chars[start..].iter().position(|c| *c == '>') else {
            let empty = start == self.chars.len();
            let what = if empty { "missing group name" } else { "missing >, unterminated name" };
            return Err(self.wrong(what, start));
        };
        let name: String = self.chars[start..start + length].iter().collect();
        self.at = start + length + 1;
        if name.is_empty() {
            return Err(self.wrong("missing group name", start));
        }
        if name.chars().all(|c| c.is_ascii_digit()) {
            return self.group(name.parse().unwrap_or(usize::MAX), start);
        }
        match self.names.iter().position(|known| *known == Some(name.as_str())) {
            Some(number) => self.group(number, start),
            None if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                Err(TemplateError::UnknownName(name))
            }
            None => Err(self.wrong(format!("bad character in group name '{name}'"), start)),
        }
    }

    fn group(&mut self, number: usize, position: usize) -> Result<(), TemplateError> {
        if number >= self.names.len() {
            return Err(self.wrong(format!("invalid group reference {number}"), position));
        }
        self.parts.push(Part::Group(number));
        Ok(())
    }
}

fn plain_escape(c: char) -> Option<char> {
    Some(match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'f' => '\u{c}',
        'v' => '\u{b}',
        'a' => '\u{7}',
        'b' => '\u{8}',
        '\\' => '\\',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected texts and errors are those of CPython's re.
    #[test]
    fn references_are_expanded() {
        let groups = [Some("aa="), Some("aa"), None];
        let filled = |text| {
            Template::parse(text, &[None, Some("key"), None]).map(|template| {
                let mut filled = String::new();
                template.expand(|number| groups[number], &mut filled);
                filled
            })
        };
        let expanded = filled(r"\1-\g<key>-\g<1>-\2-\\-\t-\.-\g<0>-\0-\101-\07");
        assert_eq!(expanded.unwrap(), "aa-aa-aa--\\-\t-\\.-aa=-\0-A-\u{7}");
        for (text, error) in [
            (r"\3", "invalid group reference 3 at position 1"),
            (r"a\g<30>", "invalid group reference 30 at position 4"),
            (r"ab\q", r"bad escape \q at position 2"),
            ("a\nb\\q", r"bad escape \q at position 3 (line 2, column 2)"),
            (r"a\", "bad escape (end of pattern) at position 1"),
            (r"\g1", "missing < at position 2"),
            (r"\g<1", "missing >, unterminated name at position 3"),
            (r"\g<>", "missing group name at position 3"),
            (r"\g<no>", "unknown group name 'no'"),
            (r"\777", r"octal escape value \777 outside of range 0-0o377 at position 0"),
        ] {
            assert_eq!(filled(text).unwrap_err().to_string(), error, "{text}");
        }
    }
}
