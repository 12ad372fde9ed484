//! Splits ssh configuration files into lines of a keyword and its words.

/// A line that is neither empty nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The keyword, in lowercase.
    pub(super) keyword: String,
    /// The words after it, without quotes.
    pub(super) words: Vec<String>,
    /// The rest of the line as it is written: for a keyword that takes a command.
    pub(super) rest: String,
    /// The line number, counted from 1.
    pub(super) number: usize,
}

/// Returns the lines of a text, without empty lines and comments.
///
/// # Errors
/// The number of a line that is not valid, and why.
pub(super) fn read(text: &str) -> Result<Vec<Line>, (usize, String)> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim_matches([' ', '\t', '\r', '\x0c']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
        let (keyword, rest) = line.split_at(end);
        // There may be one `=` in between, with spaces around it.
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
        // Quotes in a command are for its shell.
        let words = if keyword.eq_ignore_ascii_case("proxycommand") {
            Ok(rest.split_whitespace().map(str::to_owned).collect())
        } else {
            words(rest)
        };
        let words = words.map_err(|why| (number, why.to_owned()))?;
        if words.is_empty() {
            return Err((number, format!("`{keyword}` has no value")));
        }
        let (keyword, rest) = (keyword.to_ascii_lowercase(), rest.to_owned());
        lines.push(Line { keyword, words, rest, number });
    }
    Ok(lines)
}

/// Splits a text at spaces outside of quotes, up to a comment.
pub(super) fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start().chars().peekable();
    while let Some(first) = rest.peek() {
        if *first == '#' {
            break;
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = rest.next() {
            match (c, quote) {
                ('\\', _) if rest.peek().is_some_and(|next| matches!(next, '"' | '\'' | '\\')) => {
                    word.extend(rest.next());
                }
                (c, Some(open)) if c == open => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                (' ' | '\t', None) => break,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return Err("missing closing quote");
        }
        words.push(word);
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }
    Ok(words)
}
