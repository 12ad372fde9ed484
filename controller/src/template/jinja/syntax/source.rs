//! Rewrites the text of a template before it is parsed, so that `minijinja` reads string literals as Python does.

use crate::template::jinja::syntax::escapes::unescape;
use crate::template::options::FileOptions;

/// Returns whether the text may contain a template.
pub(crate) fn has_template(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'))
}

/// Returns the number of newlines at the end of a text.
pub(crate) fn trailing_newlines(text: &str) -> usize {
    text.bytes().rev().take_while(|b| *b == b'\n').count()
}

/// Rewrites the string literals of all tags so that the parser reads them as Python does. With `verbatim`, a backslash in
/// a literal of a variable tag stands for itself, as in Ansible's playbooks.
pub(super) fn normalized(text: &str, options: &FileOptions, verbatim: bool) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let [variable, block, comment] = [&options.variable, &options.block, &options.comment];
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let starts = [variable, block, comment].map(|tag| rest.find(&*tag.0).unwrap_or(usize::MAX));
        let Some((which, &at)) =
            starts.iter().enumerate().min_by_key(|(_, at)| **at).filter(|(_, at)| **at != usize::MAX)
        else {
            out.push_str(rest);
            return out;
        };
        let tag = [variable, block, comment][which];
        out.push_str(&rest[..at + tag.0.len()]);
        rest = &rest[at + tag.0.len()..];
        if which == 2 {
            let end = rest.find(&*tag.1).unwrap_or(rest.len());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let raw = which == 1 && rest.trim_start_matches(['-', '+', ' ']).starts_with("raw");
        rest = literals(rest, &tag.1, verbatim && which == 0, &mut out);
        if raw {
            let end = rest.find("endraw").unwrap_or(rest.len());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
}

/// Rewrites the string literals of an expression that is not within a tag.
pub(super) fn normalized_expression(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    literals(text, "\0", false, &mut out);
    out
}

/// Copies a tag up to its end, with the string literals in it rewritten. Returns the rest of the text.
fn literals<'t>(tag: &'t str, end: &str, verbatim: bool, out: &mut String) -> &'t str {
    let mut rest = tag;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with(end) {
            return rest;
        }
        rest = &rest[c.len_utf8()..];
        out.push(c);
        if c != '\'' && c != '"' {
            continue;
        }
        let Some(close) = closing_quote(rest, c) else { continue };
        let body = &rest[..close];
        if verbatim {
            out.push_str(&body.replace('\\', "\\\\"));
        } else if body.contains('\\') {
            out.push_str(&escaped(&unescaped(body)));
        } else {
            out.push_str(body);
        }
        out.push(c);
        rest = &rest[close + 1..];
    }
    rest
}

/// Returns where the string literal ends that `text` begins with.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns what a string literal stands for in Python.
fn unescaped(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = match unescape(&rest[at + 1..], &mut out) {
            Some(rest) => rest,
            None => {
                out.push('\\');
                &rest[at + 1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Returns text as a string literal of `minijinja`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
