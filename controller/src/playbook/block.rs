//! Lists of tasks, and blocks.

use std::sync::Arc;

use super::ast::{Block, Entry, Inherited, Keywords, UndoSection};
use super::inherited::extend;
use super::keywords::{self, Place};
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
                    "give each handler the same `listen:`",
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
            if keywords::want(field.name, Place::Block).is_none() {
                self.not_of_a_block(*field);
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
                    self.inheritable(*field, value, &mut keywords);
                }
            }
        }
        inner.keywords = keywords.within(&scope.keywords);
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

    /// Reads what undoes a block. The block was begun, so that the conditions and tags of what is around it held: they are not
    /// asked again, when they may not hold any more.
    fn undo(&mut self, field: Field<'_>, scope: &Inherited) -> Vec<Entry> {
        // The same file may be included to undo something, and otherwise.
        if scope.undo_section == UndoSection::Included {
            return Vec::new();
        }
        if scope.undo_section == UndoSection::Inside {
            self.problem_hint(
                &field.key.at,
                "`undo` cannot be used within `undo`",
                "what undoes a block is not undone itself",
            );
        }
        let mut inner = Inherited { undo_section: UndoSection::Inside, rescued: false, ..scope.clone() };
        inner.keywords.when.clear();
        inner.keywords.tags.clear();
        self.entries(field.value, "`undo`", &inner, false)
    }

    fn not_of_a_block(&mut self, field: Field<'_>) {
        let of_a_task = keywords::want(field.name, Place::Task).is_some() || field.name.starts_with("with_");
        if !of_a_task {
            return self.unknown(field, Place::Block);
        }
        let message = format!("`{}` is not a keyword of a block", field.name);
        let hint = match field.name {
            "loop" | "loop_control" => "put the block in a file of its own and loop over include_tasks",
            name if name.starts_with("with_") => {
                "put the block in a file of its own and loop over include_tasks"
            }
            _ => "give it to the tasks of the block",
        };
        self.problem_hint(&field.key.at, message, hint);
    }
}
