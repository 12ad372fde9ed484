//! Measures and wraps text as Ansible's display does.

use std::sync::LazyLock;

use fancy_regex::Regex;
use unicode_width::UnicodeWidthChar as _;

/// Returns how many columns a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    let widths: Option<usize> = text.chars().map(|c| if c == '\0' { Some(0) } else { c.width() }).sum();
    widths.unwrap_or_else(|| width_with_controls(text))
}

/// Returns the width of a text with control characters. Backspace, delete, cancel and escape count as one column less,
/// other control characters as none; a text of nothing else is as wide as it is long.
fn width_with_controls(text: &str) -> usize {
    let (mut columns, mut counted) = (0_isize, 0);
    for c in text.chars() {
        if matches!(c, '\u{8}' | '\u{7f}' | '\u{94}' | '\u{1b}') {
            columns -= 1;
        } else {
            columns += c.width().unwrap_or(0).cast_signed();
            counted += 1;
        }
    }
    if columns == 0 && counted > 0 { text.chars().count() } else { usize::try_from(columns).unwrap_or(0) }
}

/// Matches a piece that is not split: spaces, a word, a part of a word up to a hyphen, a dash.
static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let blank = r"[\t\n\x0b\x0c\r ]";
    let solid = r"[^\t\n\x0b\x0c\r ]";
    let letter = r"[^\d\W]";
    let near_dash = r#"[\w!"'&.,?]"#;
    Regex::new(&format!(
        r"{blank}+|(?<={near_dash})-{{2,}}(?=\w)|{solid}+?(?:-(?:(?<={letter}{{2}}-)|(?<={letter}-{letter}-))(?={letter}-?{letter})|(?={blank}|\z)|(?<={near_dash})(?=-{{2,}}\w))"
    ))
    .ok()
});

/// Wraps a text into lines of at most `columns` characters, as Python's `textwrap.wrap` does.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let text: String = expand_tabs(text).chars().map(|c| if is_blank(c) { ' ' } else { c }).collect();
    let mut pieces: Vec<Vec<char>> = pieces(&text).into_iter().map(|piece| piece.chars().collect()).collect();
    pieces.reverse();
    let mut lines = Vec::new();
    while !pieces.is_empty() {
        if !lines.is_empty() && pieces.last().is_some_and(|piece| all_blank(piece)) {
            pieces.pop();
        }
        if let Some(line) = next_line(&mut pieces, columns) {
            lines.push(line);
        }
    }
    lines
}

fn next_line(pieces: &mut Vec<Vec<char>>, columns: usize) -> Option<String> {
    let mut line: Vec<Vec<char>> = Vec::new();
    let mut length = 0;
    while let Some(piece) = pieces.pop_if(|piece| length + piece.len() <= columns) {
        length += piece.len();
        line.push(piece);
    }
    if let Some(long) = pieces.last_mut().filter(|piece| piece.len() > columns) {
        let room = columns - length;
        let hyphen = long[..room].iter().rposition(|c| *c == '-');
        let end = match hyphen {
            Some(at) if long[..at].iter().any(|c| *c != '-') => at + 1,
            _ => room,
        };
        line.push(long.drain(..end).collect());
    }
    line.pop_if(|piece| all_blank(piece));
    (!line.is_empty()).then(|| line.into_iter().flatten().collect())
}

fn pieces(text: &str) -> Vec<&str> {
    let Some(piece) = &*PIECE else { return text.split_inclusive(' ').collect() };
    let mut found = Vec::new();
    let mut end = 0;
    for part in piece.find_iter(text).flatten() {
        if part.start() > end {
            found.push(&text[end..part.start()]);
        }
        found.push(part.as_str());
        end = part.end();
    }
    if end < text.len() {
        found.push(&text[end..]);
    }
    found.retain(|piece| !piece.is_empty());
    found
}

fn expand_tabs(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let spaces = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Returns whether a piece is blank; as in Python, also if it is empty.
fn all_blank(piece: &[char]) -> bool {
    piece.iter().all(|c| c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_ansible() {
        for (text, expected) in [
            ("TASK [ping]", 11),
            ("日本", 4),
            ("e\u{301}", 1),
            ("é", 1),
            ("\u{1F600}", 2),
            ("\u{1b}[31mred\u{1b}[0m", 8),
            ("a\tb", 2),
            ("\t\n", 2),
            ("\u{8}", 0),
            ("", 0),
        ] {
            assert_eq!(width(text), expected, "{text:?}");
        }
    }

    // What Python 3.11's textwrap.wrap(text, 79) returns.
    #[test]
    fn wraps_as_python_does() {
        for (text, expected) in [
            (
                "[WARNING]: Platform linux on host web2 is using the discovered Python interpreter at /root/bin/python3.13, but future installation of another Python interpreter could change the meaning of that path. See https://docs.ansible.com/ansible-core/2.18/reference_appendices/interpreter_discovery.html for more information.",
                &[
                    "[WARNING]: Platform linux on host web2 is using the discovered Python",
                    "interpreter at /root/bin/python3.13, but future installation of another Python",
                    "interpreter could change the meaning of that path. See",
                    "https://docs.ansible.com/ansible-",
                    "core/2.18/reference_appendices/interpreter_discovery.html for more information.",
                ][..],
            ),
            ("[WARNING]: short", &["[WARNING]: short"][..]),
            (
                "[WARNING]: two  spaces\nand a line\tand a tab  ",
                &["[WARNING]: two  spaces and a line      and a tab"][..],
            ),
            (
                "[WARNING]: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                &[
                    "[WARNING]: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                ][..],
            ),
            (
                "[WARNING]: well-known-hyphens-are-broken-well-known-hyphens-are-broken-well-known-hyphens-are-broken-well-known-hyphens-are-broken-well-known-hyphens-are-broken-",
                &[
                    "[WARNING]: well-known-hyphens-are-broken-well-known-hyphens-are-broken-well-",
                    "known-hyphens-are-broken-well-known-hyphens-are-broken-well-known-hyphens-are-",
                    "broken-",
                ][..],
            ),
            (
                "[WARNING]: a dash -- or one--between words that goes on and on until it is time--really--to break",
                &[
                    "[WARNING]: a dash -- or one--between words that goes on and on until it is time",
                    "--really--to break",
                ][..],
            ),
            (
                "[WARNING]: --option-names and 2-3 e-mail x-y-z are kept where they do not look like words, see --start-at",
                &[
                    "[WARNING]: --option-names and 2-3 e-mail x-y-z are kept where they do not look",
                    "like words, see --start-at",
                ][..],
            ),
            (
                "[WARNING]: 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 ",
                &[
                    "[WARNING]: 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語",
                    "日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語",
                ][..],
            ),
        ] {
            assert_eq!(wrap(text, 79), expected);
        }
    }
}
