//! Reads lists of tasks, and blocks.

use std::sync::Arc;

use super::ast::{Block, Entry, Inherited, Keywords, UndoSection};
use super::inherited::extend;
use super::keywords::{Place, value_type};
use super::reader::{Field, Reader};
use crate::yaml::Node;

/// The keywords that make a map a block.
const SECTIONS: [&str; 4] = ["block", "rescue", "always", "undo"];

impl Reader<'_> {
    /// Reads a list of tasks and blocks, or of handlers.
    pub(super) fn entries(
        &mut self,
        node: &Node,
        what: &str,
        scope: &Inherited,
        handlers: bool,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for item in self.items(node, what) {
            let place = if handlers { Place::Handler } else { Place::Task };
            let Some(fields) = self.fields(item, place.name()) else { continue };
            if !fields.iter().any(|field| SECTIONS.contains(&field.name)) {
                self.task(item, &fields, scope, handlers, &mut entries);
            } else if handlers {
                self.problem_hint(
                    &item.at,
                    "a block cannot be a handler",
                    "give its handlers the same `listen:`",
                );
            } else {
                entries.extend(self.block(item, &fields, scope).map(|block| Entry::Block(Arc::new(block))));
            }
        }
        entries
    }

    fn block(&mut self, node: &Node, fields: &[Field<'_>], scope: &Inherited) -> Option<Block> {
        let Some(body) = fields.iter().find(|field| field.name == "block") else {
            let section = fields.iter().find(|field| SECTIONS.contains(&field.name))?;
            self.problem(&section.key.at, format!("`{}` cannot be used without `block`", section.name));
            return None;
        };
        let mut name = None;
        let mut keywords = Keywords::default();
        let mut inner = scope.clone();
        for field in fields.iter().filter(|field| !SECTIONS.contains(&field.name)) {
            if value_type(field.name, Place::Block).is_none() {
                self.not_a_block_keyword(*field);
                continue;
            }
            let Some(value) = self.keyword(*field, Place::Block) else { continue };
            match field.name {
                "name" => name = Some(value),
                "vars" => extend(&mut inner.vars, &self.vars(field.value)),
                "notify" => {
                    let names = self.notifications(value);
                    inner.notify.extend(names);
                }
                _ => {
                    self.inherited_keyword(*field, value, &mut keywords);
                }
            }
        }
        inner.keywords = keywords.merged_into(&scope.keywords);
        let mut section = |name: &str| {
            let field = fields.iter().find(|field| field.name == name);
            field
                .map(|field| self.entries(field.value, &format!("`{name}`"), &inner, false))
                .unwrap_or_default()
        };
        let (rescue, always) = (section("rescue"), section("always"));
        let undo = fields.iter().find(|field| field.name == "undo");
        let undo = undo.map(|field| self.undo(*field, &inner)).unwrap_or_default();
        inner.rescued |= fields.iter().any(|field| field.name == "rescue");
        let body = self.entries(body.value, "`block`", &inner, false);
        Some(Block { at: node.at.clone(), name, body, rescue, always, undo })
    }

    /// Reads the `undo:` section of a block. Its tasks do not inherit conditions and tags: these held when the block was
    /// started, and may no longer hold when it is undone.
    fn undo(&mut self, field: Field<'_>, scope: &Inherited) -> Vec<Entry> {
        // A file that is included in an `undo:` section may be included elsewhere, too, where its `undo:` applies.
        if scope.undo_section == UndoSection::Included {
            return Vec::new();
        }
        if scope.undo_section == UndoSection::Inside {
            self.problem_hint(
                &field.key.at,
                "`undo` cannot be used within `undo`",
                "the tasks of `undo` cannot be undone",
            );
        }
        let mut inner = Inherited { undo_section: UndoSection::Inside, rescued: false, ..scope.clone() };
        inner.keywords.when.clear();
        inner.keywords.tags.clear();
        self.entries(field.value, "`undo`", &inner, false)
    }

    fn not_a_block_keyword(&mut self, field: Field<'_>) {
        let is_task_keyword =
            value_type(field.name, Place::Task).is_some() || field.name.starts_with("with_");
        if !is_task_keyword {
            return self.unknown_keyword(field, Place::Block);
        }
        let message = format!("`{}` is not a keyword of a block", field.name);
        let hint = match field.name {
            "loop" | "loop_control" => "move the block to a file of its own and loop over include_tasks",
            name if name.starts_with("with_") => {
                "move the block to a file of its own and loop over include_tasks"
            }
            _ => "set it on the tasks of the block",
        };
        self.problem_hint(&field.key.at, message, hint);
    }
}
