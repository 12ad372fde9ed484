//! Makes unified diffs, line for line as Python's `difflib` does.

use std::collections::HashMap;

use convoy_protocol::{Diff, DiffSide};

use super::screen::Color;

/// The number of context lines around a change.
const CONTEXT: usize = 3;

/// Returns diffs as text; `paint` colors a line.
pub(super) fn text(diffs: &[Diff], paint: impl Fn(&str, Color) -> String) -> String {
    let mut out = String::new();
    for diff in diffs {
        match diff {
            Diff::Prepared(text) => out.push_str(text),
            Diff::Text { before, after } => {
                let lines = unified(before, after);
                for line in &lines {
                    match line.as_bytes().first() {
                        Some(b'+') => out.push_str(&paint(line, Color::DiffAdd)),
                        Some(b'-') => out.push_str(&paint(line, Color::DiffRemove)),
                        _ if line.starts_with("@@") => out.push_str(&paint(line, Color::DiffLines)),
                        _ => out.push_str(line),
                    }
                }
                if !lines.is_empty() {
                    out.push('\n');
                }
            }
        }
    }
    out
}

fn unified(before: &DiffSide, after: &DiffSide) -> Vec<String> {
    let (a, b) = (lines(&before.text), lines(&after.text));
    let mut out = Vec::new();
    for group in groups(changes(&a, &b)) {
        if out.is_empty() {
            out.push(format!("--- {}\n", header("before", before)));
            out.push(format!("+++ {}\n", header("after", after)));
        }
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (old, new) = (range(first.a.0, last.a.1), range(first.b.0, last.b.1));
        out.push(format!("@@ -{old} +{new} @@\n"));
        for part in &group {
            if part.same {
                out.extend(a[part.a.0..part.a.1].iter().map(|line| format!(" {line}")));
            } else {
                out.extend(a[part.a.0..part.a.1].iter().map(|line| format!("-{line}")));
                out.extend(b[part.b.0..part.b.1].iter().map(|line| format!("+{line}")));
            }
        }
    }
    out
}

fn header(word: &str, side: &DiffSide) -> String {
    if side.header.is_empty() { word.to_owned() } else { format!("{word}: {}", side.header) }
}

fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        length => format!("{},{length}", start + 1),
    }
}

/// Splits a text where Python's `splitlines` does, and marks a last line without a newline.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        line.push(c);
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        if matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        ) {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if let Some(last) = lines.last_mut().filter(|line| !line.ends_with('\n')) {
        last.push_str("\n\\ No newline at end of file\n");
    }
    lines
}

/// A section of both texts: the ranges of its lines, and whether they are the same.
#[derive(Debug, Clone, Copy)]
struct Part {
    same: bool,
    a: (usize, usize),
    b: (usize, usize),
}

/// Equal ranges of lines: where they begin in each text, and their length.
type Match = (usize, usize, usize);

fn changes(a: &[String], b: &[String]) -> Vec<Part> {
    let (mut i, mut j) = (0, 0);
    let mut parts = Vec::new();
    for (start_a, start_b, length) in matches(a, b) {
        if i < start_a || j < start_b {
            parts.push(Part { same: false, a: (i, start_a), b: (j, start_b) });
        }
        (i, j) = (start_a + length, start_b + length);
        if length > 0 {
            parts.push(Part { same: true, a: (start_a, i), b: (start_b, j) });
        }
    }
    parts
}

fn matches(a: &[String], b: &[String]) -> Vec<Match> {
    let places = places(b);
    let mut found: Vec<Match> = Vec::new();
    let mut open = vec![(0, a.len(), 0, b.len())];
    while let Some((a0, a1, b0, b1)) = open.pop() {
        let (i, j, length) = longest(a, b, &places, (a0, a1), (b0, b1));
        if length == 0 {
            continue;
        }
        found.push((i, j, length));
        if a0 < i && b0 < j {
            open.push((a0, i, b0, j));
        }
        if i + length < a1 && j + length < b1 {
            open.push((i + length, a1, j + length, b1));
        }
    }
    found.sort_unstable();
    let mut joined: Vec<Match> = Vec::new();
    for (i, j, length) in found {
        match joined.last_mut() {
            Some(last) if last.0 + last.2 == i && last.1 + last.2 == j => last.2 += length,
            _ => joined.push((i, j, length)),
        }
    }
    joined.push((a.len(), b.len(), 0));
    joined
}

/// Returns the positions of each line in `b`. In a long text, frequent lines are left out, as in difflib: no match
/// begins with them.
fn places(b: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if b.len() >= 200 {
        let often = b.len() / 100 + 1;
        places.retain(|_, indices| indices.len() <= often);
    }
    places
}

fn longest(
    a: &[String],
    b: &[String],
    places: &HashMap<&str, Vec<usize>>,
    (a0, a1): (usize, usize),
    (b0, b1): (usize, usize),
) -> Match {
    let (mut i, mut j, mut length) = (a0, b0, 0);
    let mut ending: HashMap<usize, usize> = HashMap::new();
    for (at, line) in a.iter().enumerate().take(a1).skip(a0) {
        let mut next = HashMap::new();
        let here = places.get(&**line).map_or(&[][..], Vec::as_slice);
        for &place in here.iter().filter(|place| (b0..b1).contains(place)) {
            let before = place.checked_sub(1).and_then(|left| ending.get(&left)).copied().unwrap_or(0);
            next.insert(place, before + 1);
            if before + 1 > length {
                (i, j, length) = (at - before, place - before, before + 1);
            }
        }
        ending = next;
    }
    while i > a0 && j > b0 && a[i - 1] == b[j - 1] {
        (i, j, length) = (i - 1, j - 1, length + 1);
    }
    while i + length < a1 && j + length < b1 && a[i + length] == b[j + length] {
        length += 1;
    }
    (i, j, length)
}

/// Splits the changes into groups, wherever there are more unchanged lines between two than context for both.
fn groups(mut parts: Vec<Part>) -> Vec<Vec<Part>> {
    if let Some(first) = parts.first_mut().filter(|part| part.same) {
        *first = tail(*first);
    }
    if let Some(last) = parts.last_mut().filter(|part| part.same) {
        *last = head(*last);
    }
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for mut part in parts {
        if part.same && part.a.1 - part.a.0 > 2 * CONTEXT {
            group.push(head(part));
            groups.push(std::mem::take(&mut group));
            part = tail(part);
        }
        group.push(part);
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|part| !part.same));
    groups
}

fn head(part: Part) -> Part {
    Part {
        a: (part.a.0, part.a.1.min(part.a.0 + CONTEXT)),
        b: (part.b.0, part.b.1.min(part.b.0 + CONTEXT)),
        ..part
    }
}

fn tail(part: Part) -> Part {
    let start = |(from, to): (usize, usize)| (from.max(to.saturating_sub(CONTEXT)), to);
    Part { a: start(part.a), b: start(part.b), ..part }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(before: &str, after: &str) -> String {
        let side = |header: &str, text: &str| DiffSide { header: header.to_owned(), text: text.to_owned() };
        let diff = Diff::Text { before: side("/etc/motd", before), after: side("", after) };
        text(&[diff], |line, _| line.to_owned())
    }

    // The expected texts are those of difflib.unified_diff in Python 3.11.
    #[test]
    fn diffs_are_those_of_difflib() {
        for (before, after, expected) in [
            ("", "", ""),
            ("a\n", "a\n", ""),
            ("", "a\nb\n", "--- before: /etc/motd\n+++ after\n@@ -0,0 +1,2 @@\n+a\n+b\n\n"),
            ("a\n", "", "--- before: /etc/motd\n+++ after\n@@ -1 +0,0 @@\n-a\n\n"),
            (
                "a",
                "a\n",
                "--- before: /etc/motd\n+++ after\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n\n",
            ),
            (
                "a\nb\nc\n",
                "b\nc\nd\n",
                "--- before: /etc/motd\n+++ after\n@@ -1,3 +1,3 @@\n-a\n b\n c\n+d\n\n",
            ),
            (
                "x\na\nb\na\nb\ny\n",
                "a\nb\nz\na\nb\n",
                "--- before: /etc/motd\n+++ after\n@@ -1,6 +1,5 @@\n-x\n a\n b\n+z\n a\n b\n-y\n\n",
            ),
            (
                "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n21\n22\n23\n24\n25\n26\n27\n28\n29\n",
                "0\n1\n2\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n21\n22\n23\n24\n25\n26\n27\n28\n29\nend",
                "--- before: /etc/motd\n+++ after\n@@ -1,7 +1,6 @@\n 0\n 1\n 2\n-3\n 4\n 5\n 6\n@@ -18,7 +17,6 @@\n 17\n 18\n 19\n-20\n 21\n 22\n 23\n@@ -28,3 +26,4 @@\n 27\n 28\n 29\n+end\n\\ No newline at end of file\n\n",
            ),
            (
                "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n",
                "0\n1\nnew 2\n3\n4\n5\n6\n7\n8\nnew 9\n10\n11\n",
                "--- before: /etc/motd\n+++ after\n@@ -1,12 +1,12 @@\n 0\n 1\n-2\n+new 2\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n+new 9\n 10\n 11\n\n",
            ),
            (
                "a\r\nb\u{b}c\u{2028}d\n",
                "a\r\nb\u{b}C\u{2028}d\n",
                "--- before: /etc/motd\n+++ after\n@@ -1,4 +1,4 @@\n a\r\n b\u{b}-c\u{2028}+C\u{2028} d\n\n",
            ),
            (
                "ab\nacab\n",
                "acab\nab\nacab\n",
                "--- before: /etc/motd\n+++ after\n@@ -1,2 +1,3 @@\n+acab\n ab\n acab\n\n",
            ),
        ] {
            assert_eq!(plain(before, after), expected);
        }
    }

    // In texts of 200 lines or more, difflib ignores frequent lines when it looks for matches, which changes the
    // result.
    #[test]
    fn frequent_lines_in_long_texts_are_ignored_as_in_difflib() {
        let line = |i: u32| if i.is_multiple_of(3) { "}\n".to_owned() } else { format!("line {i}\n") };
        let before: String = (0..240).map(line).collect();
        let after: String = (0..240).filter(|i| !(101..110).contains(i)).map(line).collect();
        let after = after.replace("line 50\n", "}\n}\n");
        assert_eq!(
            plain(&before, &after),
            "--- before: /etc/motd\n+++ after\n@@ -48,7 +48,8 @@\n line 47\n }\n line 49\n-line 50\n+}\n+}\n }\n line 52\n line 53\n@@ -99,15 +100,6 @@\n line 98\n }\n line 100\n-line 101\n-}\n-line 103\n-line 104\n-}\n-line 106\n-line 107\n-}\n-line 109\n line 110\n }\n line 112\n\n"
        );
    }
}
