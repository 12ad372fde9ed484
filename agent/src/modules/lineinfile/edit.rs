//! What becomes of the lines; follows Ansible to the byte.

use super::args::Args;
use crate::args::State;
use crate::failure::Failure;
use crate::pattern::{Groups, Pattern};

/// The edited file.
#[derive(Debug)]
pub(super) struct Edited {
    /// Its content.
    pub(super) content: Vec<u8>,
    /// What was done; `None` if nothing.
    pub(super) msg: Option<String>,
    /// How many lines were found, to remove them.
    pub(super) found: i64,
}

/// A line as it is in the file, with its end; text for the regular expressions where it is text.
struct Line<'f> {
    bytes: Vec<u8>,
    text: std::borrow::Cow<'f, str>,
}

fn split(old: &[u8]) -> Vec<Line<'_>> {
    old.split_inclusive(|b| *b == b'\n')
        .map(|bytes| Line { bytes: bytes.to_vec(), text: String::from_utf8_lossy(bytes) })
        .collect()
}

fn without_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |i| i + 1);
    &bytes[..end]
}

/// Edits the content of the file.
pub(super) fn run(args: &Args, old: &[u8]) -> Result<Edited, Failure> {
    match args.state {
        State::Present => present(args, old),
        State::Absent => absent(args, old),
    }
}

fn absent(args: &Args, old: &[u8]) -> Result<Edited, Failure> {
    let regex = args.regexp.as_deref().map(Pattern::new).transpose()?;
    let mut content = Vec::with_capacity(old.len());
    let mut found = 0;
    for line in split(old) {
        let hit = match (&regex, &args.search_string) {
            (Some(regex), _) => regex.search(&line.text)?.is_some(),
            (None, Some(text)) => contains(&line.bytes, text),
            (None, None) => {
                args.line.as_ref().is_some_and(|wanted| wanted.as_bytes() == without_end(&line.bytes))
            }
        };
        if hit {
            found += 1;
        } else {
            content.extend(line.bytes);
        }
    }
    Ok(Edited { content, msg: (found > 0).then(|| format!("{found} line(s) removed")), found })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Where what was looked for is.
struct Places {
    /// The line that `regexp` or `search_string` finds, and what it becomes with `backrefs`.
    matched: Option<(usize, Option<String>)>,
    /// The line that is the wanted one already.
    exact: Option<usize>,
    /// Where a new line goes.
    insert: Option<usize>,
}

fn present(args: &Args, old: &[u8]) -> Result<Edited, Failure> {
    let mut lines = split(old);
    let line = args.line.clone().unwrap_or_default().into_bytes();
    let places = find(args, &lines, &line)?;
    let msg = place(args, &mut lines, &line, &places);
    let content = lines.into_iter().flat_map(|line| line.bytes).collect();
    Ok(Edited { content, msg: msg.map(str::to_owned), found: 0 })
}

fn find(args: &Args, lines: &[Line<'_>], wanted: &[u8]) -> Result<Places, Failure> {
    let mut places = Places { matched: None, exact: None, insert: None };
    let regex = args.regexp.as_deref().map(Pattern::new).transpose()?;
    for (i, line) in lines.iter().enumerate() {
        let hit = match (&regex, &args.search_string) {
            (Some(regex), _) => match regex.search(&line.text)? {
                Some(groups) if args.backrefs => Some(Some(expanded(args, regex, &groups)?)),
                groups => groups.map(|_| None),
            },
            (None, Some(text)) => contains(&line.bytes, text).then_some(None),
            (None, None) => None,
        };
        if let Some(hit) = hit {
            places.matched = Some((i, hit));
            if args.firstmatch {
                break;
            }
        }
    }
    let around = match (args.insertafter.as_deref(), args.insertbefore.as_deref()) {
        (Some(pattern), _) if !matches!(pattern, "BOF" | "EOF") => Some(Pattern::new(pattern)?),
        (_, Some(pattern)) if pattern != "BOF" => Some(Pattern::new(pattern)?),
        _ => None,
    };
    if places.matched.is_some() {
        return Ok(places);
    }
    for (i, line) in lines.iter().enumerate() {
        if wanted == without_end(&line.bytes) {
            places.exact = Some(i);
        } else if let Some(regex) = &around
            && regex.search(&line.text)?.is_some()
        {
            // An empty text stands for neither, as in Python.
            let (after, before) = (filled(&args.insertafter), filled(&args.insertbefore));
            if after {
                places.insert = Some(i + 1);
            } else if before {
                places.insert = Some(i);
            }
            if (after || before) && args.firstmatch {
                break;
            }
        }
    }
    Ok(places)
}

/// Returns the wanted line with what the groups of a match hold.
fn expanded(args: &Args, regex: &Pattern, groups: &Groups) -> Result<String, Failure> {
    let line = args.line.as_deref().unwrap_or_default();
    let template = regex.template(line);
    let template = template.map_err(|why| Failure::new(format!("cannot expand '{line}': {why}")))?;
    Ok(groups.fill(&template))
}

fn filled(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| !text.is_empty())
}

fn new_line(bytes: &[u8]) -> Line<'static> {
    let mut bytes = bytes.to_vec();
    bytes.push(b'\n');
    Line { bytes, text: "".into() }
}

/// Puts the line where it belongs; returns what was done.
fn place(args: &Args, lines: &mut Vec<Line<'_>>, line: &[u8], places: &Places) -> Option<&'static str> {
    if let Some(at) = places.matched.as_ref().map(|found| found.0).or(places.exact) {
        let mut bytes = match &places.matched {
            Some((_, Some(expanded))) => expanded.clone().into_bytes(),
            _ => line.to_vec(),
        };
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        if lines[at].bytes == bytes {
            return None;
        }
        lines[at].bytes = bytes;
        return Some("line replaced");
    }
    if args.backrefs {
        return None;
    }
    let after = args.insertafter.as_deref();
    if args.insertbefore.as_deref() == Some("BOF") || after == Some("BOF") {
        lines.insert(0, new_line(line));
        return Some("line added");
    }
    match places.insert {
        Some(at) if after != Some("EOF") => insert(lines, line, at, filled(&args.insertafter)),
        _ => {
            if lines.last().is_some_and(|last| !last.bytes.ends_with(b"\n") && !last.bytes.ends_with(b"\r")) {
                lines.push(new_line(b""));
            }
            lines.push(new_line(line));
            Some("line added")
        }
    }
}

fn insert(lines: &mut Vec<Line<'_>>, line: &[u8], at: usize, after: bool) -> Option<&'static str> {
    if after {
        let neighbour = if at == lines.len() { at - 1 } else { at };
        if without_end(&lines[neighbour].bytes) == line {
            return None;
        }
    }
    // Ansible would make one line of two where the file does not end with a line end.
    if at == lines.len()
        && let Some(last) = lines.last_mut()
        && !last.bytes.ends_with(b"\n")
    {
        last.bytes.push(b'\n');
    }
    lines.insert(at, new_line(line));
    Some("line added")
}
