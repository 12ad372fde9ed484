//! What becomes of the lines; follows Ansible to the byte.

use super::args::Args;
use crate::args::State;
use crate::failure::Failure;
use crate::pattern::Pattern;

/// Splits text into lines with their ends: a line end is `\n`, `\r` or both.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = if rest[at..].starts_with("\r\n") { at + 2 } else { at + 1 };
        lines.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// Returns what the file shall hold, and what is said if that is something else than `old`.
pub(super) fn edit(args: &Args, old: Option<&str>) -> Result<(String, &'static str), Failure> {
    let mut all = lines(old.unwrap_or_default());
    let mark = |word: &str| args.marker.replace("{mark}", word) + "\n";
    let (begin, end) = (mark(&args.marker_begin), mark(&args.marker_end));
    let is_present = args.state == State::Present;
    let mut block = Vec::new();
    if is_present && !args.block.is_empty() {
        let whole = if args.block.ends_with('\n') { args.block.clone() } else { format!("{}\n", args.block) };
        block.push(begin.clone());
        block.extend(lines(&whole));
        block.push(end.clone());
    }
    let msg = match old {
        None => "File created",
        Some(_) if block.is_empty() => "Block removed",
        Some(_) => "Block inserted",
    };
    let find = |mark: &str| all.iter().rposition(|line| line == mark);
    let mut at = match (find(&begin), find(&end)) {
        (Some(begin), Some(end)) => {
            let (first, last) = (begin.min(end), begin.max(end));
            all.drain(first..=last);
            first
        }
        _ => place(args, old.unwrap_or_default(), &all)?,
    };
    if at > 0 && !all[at - 1].ends_with('\n') {
        all[at - 1].push('\n');
    }
    if args.prepend_newline && is_present && at > 0 && all[at - 1] != "\n" {
        all.insert(at, "\n".to_owned());
        at += 1;
    }
    let behind = at + block.len();
    all.splice(at..at, block);
    if args.append_newline && is_present && all.get(behind).is_some_and(|line| line != "\n") {
        all.insert(behind, "\n".to_owned());
    }
    Ok((all.concat(), msg))
}

/// Returns before which line a new block goes.
fn place(args: &Args, old: &str, all: &[String]) -> Result<usize, Failure> {
    let (after, before) = (args.insertafter.as_deref(), args.insertbefore.as_deref());
    let pattern = match (after, before) {
        (Some(pattern), _) if pattern != "EOF" => pattern,
        (_, Some(pattern)) if pattern != "BOF" => pattern,
        (_, before) => return Ok(if before.is_some() { 0 } else { all.len() }),
    };
    let pattern = Pattern::new(pattern)?;
    let found = if pattern.is_by_line() {
        let span = pattern.span(old)?;
        let place = if after.is_some_and(|text| !text.is_empty()) {
            span.map(|span| span.end)
        } else {
            span.map(|span| span.start)
        };
        place.map(|place| old[..place].matches('\n').count())
    } else {
        let mut found = None;
        for (i, line) in all.iter().enumerate() {
            if pattern.span(line)?.is_some() {
                found = Some(i);
            }
        }
        found
    };
    // Behind an expression that also takes the last line's end there is no line more.
    Ok(found.map_or(all.len(), |line| if after.is_some() { line + 1 } else { line }).min(all.len()))
}
