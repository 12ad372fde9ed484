//! Keys and tables are removed. Comments above them stay: nobody but their writer knows what they are about.

use std::ops::Range;

use toml_edit::{Item, Table, Value as Written};

use super::error::TomlError;
use super::walk::{Container, Node};
use super::{KeyPath, Part, Toml};

impl Toml {
    /// Removes what stands at `path`, if there is something.
    ///
    /// # Errors
    /// If something on the way is no table, or it is not clear which table of a list is meant.
    pub fn remove(&mut self, path: &KeyPath) -> Result<(), TomlError> {
        let walk = self.walk(path)?;
        if !walk.rest.is_empty() || path.0.is_empty() {
            return Ok(());
        }
        let steps = walk.steps.clone();
        let mut lines = Vec::new();
        match walk.node {
            Node::Value(Written::InlineTable(table)) if table.is_dotted() => {
                let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
                return keys.iter().try_for_each(|key| self.remove(&path.child(key)));
            }
            Node::Value(value) => {
                let span = value.span().unwrap_or_default();
                if self.is_inside_value(path)? {
                    return self.remove_entry(span);
                }
                lines.push(self.lines(span));
            }
            Node::Table(table) if table.is_dotted() => self.dotted_lines(table, &mut lines),
            Node::Table(_) | Node::Tables(_) => {}
        }
        let within = self.headers().into_iter().filter(|header| header.steps.starts_with(&steps));
        lines.extend(within.map(|header| header.start..self.line(header.last.end).end));
        lines.sort_by_key(|range| std::cmp::Reverse(range.start));
        let mut text = self.text.clone();
        for range in lines {
            let range = with_one_empty_line(&text, range);
            text.replace_range(range, "");
        }
        *self = Self::parse(text)?;
        Ok(())
    }

    /// Returns whether what `path` names stands within braces or brackets.
    fn is_inside_value(&self, path: &KeyPath) -> Result<bool, TomlError> {
        let Some((last, outer)) = path.0.split_last() else { return Ok(false) };
        let outer = KeyPath(outer.to_vec());
        let walk = self.walk(&outer)?;
        Ok(matches!(walk.container, Container::Inline(_))
            || !matches!(last, Part::Key(_)) && matches!(walk.node, Node::Value(_)))
    }

    /// Returns the lines of a value with its key.
    fn lines(&self, span: Range<usize>) -> Range<usize> {
        self.line_start(span.start)..self.line(span.end).end
    }

    fn dotted_lines(&self, table: &Table, lines: &mut Vec<Range<usize>>) {
        for (_, item) in table {
            match item {
                Item::Value(value) => lines.push(self.lines(value.span().unwrap_or_default())),
                Item::Table(table) if table.is_dotted() => self.dotted_lines(table, lines),
                _ => {}
            }
        }
    }

    /// Removes an entry of a value in braces, or an element of one in brackets, with its comma.
    fn remove_entry(&mut self, value: Range<usize>) -> Result<(), TomlError> {
        let start = self.text[..value.start].rfind(['{', '[', ',']).map_or(value.start, |at| at + 1);
        let behind = &self.text[value.end..];
        let comma = behind.trim_start().starts_with(',');
        let range = if comma {
            start..value.end + behind.find(',').map_or(0, |at| at + 1)
        } else if self.text[..start].ends_with(',') {
            start - 1..value.end
        } else {
            start..value.end
        };
        self.splice(range, "")
    }
}

/// Where lines between two empty lines go, one of these goes with them.
fn with_one_empty_line(text: &str, range: Range<usize>) -> Range<usize> {
    let is_empty_above = text[..range.start].is_empty()
        || text[..range.start].lines().next_back().is_some_and(|line| line.trim().is_empty());
    let below = text[range.end..].split_inclusive('\n').next().unwrap_or_default();
    if is_empty_above && below.ends_with('\n') && below.trim().is_empty() {
        return range.start..range.end + below.len();
    }
    range
}
