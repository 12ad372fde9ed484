//! Builds nodes from the parser's events: resolves aliases, applies merge keys, refuses duplicate keys.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::value::MAX_DEPTH;
use convoy_protocol::{Key, Origin};
use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag, options};
use indexmap::IndexMap;

use super::error::{syntax_error, unquoted_braces};
use super::node::{Data, Node, Style};
use crate::diagnostic::{Diagnostic, Kind};

/// The most nodes a file may have once its aliases are resolved. Without a limit, a few lines of aliases to aliases
/// would exhaust the memory.
const MAX_NODES: usize = 1_000_000;

/// Reads all documents of `text`. Their nodes are marked as `secret` if the text was encrypted.
pub(super) fn documents(file: &str, text: &str, secret: bool) -> Result<Vec<Node>, Diagnostic> {
    // As in PyYAML, a block scalar that ends the file without a line feed does not gain one.
    let options = options! { block_scalar_eof_without_line_feed: true };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, file: file.into(), text, secret, anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(..) => reader.anchors.clear(),
            Event::StreamStart | Event::DocumentEnd | Event::StreamEnd => {}
            node => documents.push(reader.node(node, span, 0)?),
        }
    }
    Ok(documents)
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    file: Arc<str>,
    text: &'t str,
    secret: bool,
    /// The anchored nodes read so far, by the parser's number for the anchor, with the number of nodes in each.
    anchors: HashMap<usize, (Node, usize)>,
    /// The nodes read so far, counting those behind aliases.
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Diagnostic> {
        self.parser.next_event().transpose().map_err(|error| syntax_error(&self.file, self.text, &error))
    }

    fn at(&self, mark: Marker) -> Arc<Origin> {
        Arc::new(Origin::new(self.file.clone(), mark.line(), mark.col() + 1))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        let at = self.at(span.start);
        let before = self.nodes;
        self.count_nodes(1, &at)?;
        if depth >= MAX_DEPTH {
            return Err(Diagnostic::user("lists and maps are nested too deeply").at(at));
        }
        let (data, tag, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                // The parser reports an empty value as `~`.
                let text = if style == Style::Plain && span.is_empty() { "" } else { &text };
                (Data::Scalar(text.to_owned(), style), tag, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => (Data::List(self.items(depth)?), tag, anchor),
            Event::MappingStart(style, anchor, tag) => {
                self.refuse_unquoted_braces(style, span, &at)?;
                (Data::Map(self.entries(depth)?), tag, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, at, depth),
            other => {
                let what = format!("unexpected event in a document: {other:?}");
                return Err(Diagnostic::user(what).at(at).kind(Kind::Internal));
            }
        };
        let node = Node { at, tag: tag.map(|tag| tag_name(&tag)), secret: self.secret, data };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn count_nodes(&mut self, more: usize, at: &Arc<Origin>) -> Result<(), Diagnostic> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            let what = format!("more than {MAX_NODES} values after resolving aliases");
            return Err(Diagnostic::user(what).at(at.clone()));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Arc<Origin>, depth: usize) -> Result<Node, Diagnostic> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err(Diagnostic::user("an alias refers to a value that contains it").at(at));
        };
        self.count_nodes(size, &at)?;
        if depth + height(&node) > MAX_DEPTH {
            return Err(Diagnostic::user("lists and maps are nested too deeply").at(at));
        }
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(items)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Diagnostic> {
        let mut own: IndexMap<Key, (Node, Node)> = IndexMap::new();
        let mut merged: IndexMap<Key, (Node, Node)> = IndexMap::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let name = self.node(event, span, depth + 1)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            if is_merge(&name) {
                merge(&mut merged, value)?;
                continue;
            }
            let key = name.to_key()?;
            if let Some((first, _)) = own.get(&key) {
                return Err(Diagnostic::user(format!("duplicate key `{key}`"))
                    .at(name.at.clone())
                    .note(format!("first used on line {}", first.at.line))
                    .hint(Some("remove one of the two".to_owned())));
            }
            own.insert(key, (name, value));
        }
        // Merged entries come first; an entry written here replaces a merged one in its place.
        merged.extend(own);
        Ok(merged.into_values().collect())
    }

    /// Refuses `{{ x }}` without quotes, which YAML reads as a map in a map.
    fn refuse_unquoted_braces(
        &self,
        style: StructureStyle,
        span: Span,
        at: &Arc<Origin>,
    ) -> Result<(), Diagnostic> {
        let written = span.start.byte_offset().and_then(|byte| self.text.get(byte..)).unwrap_or_default();
        if style == StructureStyle::Flow && written.starts_with("{{") {
            return Err(unquoted_braces(at.clone(), written));
        }
        Ok(())
    }
}

fn tag_name(tag: &Tag) -> String {
    tag.core_suffix().map_or_else(|| tag.original(), |suffix| format!("!!{suffix}"))
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.data, Data::Scalar(text, Style::Plain) if text == "<<")
        && matches!(key.tag.as_deref(), None | Some("!!merge"))
}

/// Adds the entries of a merge key's value. Of several maps, the first takes precedence.
fn merge(into: &mut IndexMap<Key, (Node, Node)>, value: Node) -> Result<(), Diagnostic> {
    match value.data {
        Data::Map(entries) => {
            for (name, value) in entries {
                into.insert(name.to_key()?, (name, value));
            }
            Ok(())
        }
        Data::List(maps) if maps.iter().all(|map| map.as_map().is_some()) => {
            maps.into_iter().rev().try_for_each(|map| merge(into, map))
        }
        _ => Err(Diagnostic::user(format!("`<<` merges a map or a list of maps, not {}", value.kind_name()))
            .at(value.at.clone())),
    }
}

/// Returns how many levels of lists and maps a node has, at least one.
fn height(node: &Node) -> usize {
    1 + match &node.data {
        Data::Scalar(..) => 0,
        Data::List(items) => items.iter().map(height).max().unwrap_or(0),
        Data::Map(entries) => entries.iter().map(|(_, value)| height(value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read, read_all};
    use super::*;

    fn value(text: &str) -> convoy_protocol::Value {
        read("t.yml", text).unwrap().unwrap().to_value().unwrap()
    }

    fn error(text: &str) -> String {
        read("t.yml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_document_is_none() {
        for text in ["", "# comment\n", "---\n", "---\n# comment\n...\n"] {
            assert_eq!(read("t.yml", text).unwrap(), None, "{text:?}");
        }
        assert_eq!(read_all("t.yml", "a\n---\nb\n").unwrap().len(), 2);
        assert_eq!(
            error("a\n---\nb\n"),
            "error: a second document begins here\n  --> t.yml:3:1\nhint: keep one document per file"
        );
    }

    #[test]
    fn nodes_keep_position_tag_and_style() {
        let node = read("t.yml", "- !unsafe 'x'\n- é: |\n    y\n- !vault z\n").unwrap().unwrap();
        let items = node.as_list().unwrap();
        assert_eq!(items[0].tag.as_deref(), Some("!unsafe"));
        assert_eq!(items[0].data, Data::Scalar("x".into(), Style::Quoted));
        assert_eq!(items[1].get("é").unwrap().data, Data::Scalar("y\n".into(), Style::Block));
        assert_eq!(items[1].get("é").unwrap().at.to_string(), "t.yml:3:5");
        assert_eq!(items[2].tag.as_deref(), Some("!vault"));
    }

    #[test]
    fn a_block_scalar_at_the_end_of_the_file_gains_no_line_feed() {
        assert_eq!(value("a: |\n  x").get("a").unwrap().as_str(), Some("x"));
    }

    #[test]
    fn merge_keys_are_applied_as_in_pyyaml() {
        let merged = value("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  c: 5\n  <<: [*x, *y]\n  d: 6\n");
        let merged = merged.get("z").unwrap().as_map().unwrap();
        let shown: Vec<String> = merged.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
        assert_eq!(shown, ["b=2", "c=5", "a=1", "d=6"]);
        assert_eq!(value("'<<': 1").get("<<").unwrap().as_int(), Some(1));
        assert_eq!(
            error("<<: 1"),
            "error: `<<` merges a map or a list of maps, not a scalar\n  --> t.yml:1:5"
        );
    }

    #[test]
    fn duplicate_keys_are_refused() {
        assert_eq!(
            error("a: 1\nb: 2\n'a': 3\n"),
            "error: duplicate key `a`\n  --> t.yml:3:1\n  = note: first used on line 1\nhint: remove one of the two"
        );
        assert!(read("t.yml", "yes: 1\ntrue: 2\n").is_err());
        assert!(read("t.yml", "1: 1\n'1': 2\n").is_ok());
    }

    #[test]
    fn nested_aliases_are_limited() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert_eq!(error(&text), "error: more than 1000000 values after resolving aliases\n  --> t.yml:6:45");
        assert_eq!(
            error("a: &a [*a]"),
            "error: an alias refers to a value that contains it\n  --> t.yml:1:8"
        );
        assert!(
            error(&("[".repeat(200) + &"]".repeat(200)))
                .starts_with("error: lists and maps are nested too deeply\n")
        );
    }

    #[test]
    fn only_scalars_can_be_keys() {
        assert_eq!(error("? [a]\n: b\n"), "error: a list cannot be a key\n  --> t.yml:1:3");
        assert_eq!(
            error("1.5: b\n"),
            "error: a number cannot be a key\n  --> t.yml:1:1\nhint: quote it: \"1.5\""
        );
    }
}
