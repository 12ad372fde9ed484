//! Python's regular expressions, translated for the crate `fancy-regex`.

use fancy_regex::Regex;

use crate::template::Error;

/// Compiles a Python pattern.
pub(crate) fn compile(pattern: &str, ignorecase: bool, multiline: bool) -> Result<Regex, Error> {
    let flags = match (ignorecase, multiline) {
        (false, false) => "",
        (true, false) => "(?i)",
        (false, true) => "(?m)",
        (true, true) => "(?im)",
    };
    Regex::new(&format!("{flags}{}", translate(pattern, multiline)))
        .map_err(|e| Error::other(format!("the regular expression '{pattern}' is not valid: {e}")))
}

/// Translates what means something else in Python: `$`, which also matches before a newline at the end; `\Z`;
/// `(?P=name)`; `[`, `&` and `~` within a class.
fn translate(pattern: &str, multiline: bool) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix('\\') {
            let next = tail.chars().next();
            match next {
                Some('Z') if !in_class => out.push_str("\\z"),
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push('\\'),
            }
            rest = &tail[next.map_or(0, char::len_utf8)..];
            continue;
        }
        if !in_class
            && let Some((name, tail)) = rest.strip_prefix("(?P=").and_then(|tail| tail.split_once(')'))
        {
            out.push_str(&format!("\\k<{name}>"));
            rest = tail;
            continue;
        }
        match c {
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                rest = &rest[1..];
                if let Some(tail) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = tail;
                }
                if let Some(tail) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = tail;
                }
                continue;
            }
            '[' => out.push_str("\\["),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '$' if !in_class && !multiline => out.push_str("(?=\\n?\\z)"),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}
