//! Where the tables of a file stand in its text.

use std::ops::Range;

use toml_edit::{Item, Table};

use super::Toml;

/// A step on the way to something, with places in lists instead of conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A key.
    Key(String),
    /// A place in a list of tables, from 0.
    Index(usize),
}

/// A table with a header of its own.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// The way to it.
    pub(super) steps: Vec<Step>,
    /// The first byte of its line.
    pub(super) start: usize,
    /// Its last value, or the header itself where it has none.
    pub(super) last: Range<usize>,
}

impl Toml {
    /// Returns all tables with a header, in the order of the text.
    pub(super) fn headers(&self) -> Vec<Header> {
        let mut headers = Vec::new();
        self.collect(self.document.as_table(), &mut Vec::new(), &mut headers);
        headers.sort_by_key(|header| header.start);
        headers
    }

    fn collect(&self, table: &Table, steps: &mut Vec<Step>, headers: &mut Vec<Header>) {
        for (key, item) in table {
            steps.push(Step::Key(key.to_owned()));
            match item {
                Item::Table(table) => self.header(table, steps, headers),
                Item::ArrayOfTables(tables) => {
                    for (index, table) in tables.iter().enumerate() {
                        steps.push(Step::Index(index));
                        self.header(table, steps, headers);
                        steps.pop();
                    }
                }
                _ => {}
            }
            steps.pop();
        }
    }

    fn header(&self, table: &Table, steps: &mut Vec<Step>, headers: &mut Vec<Header>) {
        if let Some(span) = table.span().filter(|_| !table.is_dotted() && !table.is_implicit()) {
            let start = self.line_start(span.start);
            headers.push(Header { steps: steps.clone(), start, last: last_value(table).unwrap_or(span) });
        }
        self.collect(table, steps, headers);
    }

    /// Returns where the text begins, after a byte order mark.
    fn beginning(&self) -> usize {
        self.text.len() - self.text.trim_start_matches('\u{feff}').len()
    }

    pub(super) fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(self.beginning(), |newline| newline + 1)
    }

    /// Returns the end of the line without its line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    /// Returns the line at `at` with its line end.
    pub(super) fn line(&self, at: usize) -> Range<usize> {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline + 1);
        self.line_start(at)..end
    }

    /// Returns where the comment begins that stands directly above a line; the line itself if there is none.
    pub(super) fn lead(&self, start: usize) -> usize {
        let mut lead = start;
        while lead > self.beginning() {
            let above = self.line_start(lead - 1);
            if !self.text[above..lead].trim_start().starts_with('#') {
                break;
            }
            lead = above;
        }
        lead
    }
}

/// Returns where the last value stands that is under a table's own header, or that dotted keys put in it.
pub(super) fn last_value(table: &Table) -> Option<Range<usize>> {
    table
        .iter()
        .filter_map(|(_, item)| match item {
            Item::Value(value) => value.span(),
            Item::Table(table) if table.is_dotted() => last_value(table),
            _ => None,
        })
        .max_by_key(|span| span.end)
}
