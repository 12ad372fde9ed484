//! Something new in the text: a line under a header, an entry in braces, a table.

use std::ops::Range;

use super::Toml;
use super::error::TomlError;
use super::layout::{Header, Step, last_value};
use super::value::key_text;

impl Toml {
    /// Adds `line` under the header of the table at `steps`, behind `after`, or behind all values that stand there.
    pub(super) fn insert_line(
        &mut self,
        steps: &[Step],
        after: Option<Range<usize>>,
        line: &str,
    ) -> Result<(), TomlError> {
        let last = || match steps {
            [] => last_value(self.document.as_table()),
            _ => self.headers().into_iter().find(|header| header.steps == steps).map(|header| header.last),
        };
        if let Some(last) = after.or_else(last) {
            let above = &self.text[self.line_start(last.start)..last.start];
            let indent = &above[..above.len() - above.trim_start().len()];
            let end = self.line_end(last.end);
            return self.splice(end..end, &format!("{}{indent}{line}", self.newline()));
        }
        // The root has no values yet: before the first table, or at the end of a file without tables.
        let at = self.headers().first().map_or(self.text.len(), |header| self.lead(header.start));
        self.insert_block(at, line)
    }

    /// Adds an entry to the value in braces at `range`.
    pub(super) fn insert_entry(&mut self, range: Range<usize>, entry: &str) -> Result<(), TomlError> {
        let inside = &self.text[range.start + 1..range.end - 1];
        let end = range.start + 1 + inside.trim_end().len();
        if inside.trim().is_empty() {
            return self.splice(range.start + 1..range.end - 1, &format!(" {entry} "));
        }
        let comma = if inside.trim_end().ends_with(',') { "" } else { "," };
        self.splice(end..end, &format!("{comma} {entry}"))
    }

    /// Adds a table with these lines; `list` makes it the next of a list of tables. Tables that `keep_last` names stay
    /// behind it.
    pub(super) fn insert_table(
        &mut self,
        steps: &[Step],
        list: bool,
        lines: &[String],
        keep_last: &[String],
    ) -> Result<(), TomlError> {
        let keys: Vec<String> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key_text(key)),
                Step::Index(_) => None,
            })
            .collect();
        let name = keys.join(".");
        let mut block = vec![if list { format!("[[{name}]]") } else { format!("[{name}]") }];
        block.extend_from_slice(lines);
        let at = self.place_for(steps, keep_last);
        self.insert_block(at, &block.join(self.newline()))
    }

    /// Returns where a new table goes: behind its nearest relatives, before what must stay last.
    fn place_for(&self, steps: &[Step], keep_last: &[String]) -> usize {
        let headers = self.headers();
        let common = |header: &Header| header.steps.iter().zip(steps).take_while(|(a, b)| a == b).count();
        let nearest = headers.iter().map(common).max().unwrap_or(0);
        let before = |header: &Header| self.lead(header.start);
        if nearest > 0
            && let Some(last) = headers.iter().rposition(|header| common(header) == nearest)
        {
            return headers.get(last + 1).map_or(self.text.len(), before);
        }
        let is_last = |header: &&Header| matches!(header.steps.first(), Some(Step::Key(key)) if keep_last.contains(key));
        headers.iter().find(is_last).map_or(self.text.len(), before)
    }

    /// Adds lines with an empty line before and after them.
    fn insert_block(&mut self, at: usize, block: &str) -> Result<(), TomlError> {
        let newline = self.newline();
        let (before, after) = self.text.split_at(at);
        let is_start = before.trim_start_matches('\u{feff}').is_empty();
        let lines: Vec<&str> = before.split('\n').rev().take(2).map(str::trim).collect();
        let open = match lines[..] {
            _ if is_start => String::new(),
            ["", ""] => String::new(),
            ["", _] => newline.to_owned(),
            _ => format!("{newline}{newline}"),
        };
        let close = match after.trim_start_matches('\r').chars().next() {
            None | Some('\n') => newline.to_owned(),
            Some(_) => format!("{newline}{newline}"),
        };
        let text = format!("{open}{block}{close}");
        self.splice(at..at, &text)
    }
}
