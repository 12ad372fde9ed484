//! The way to a place in a file, as far as it is there.

use std::ops::Range;

use toml_edit::{ArrayOfTables, Item, Table, Value as Written};

use super::error::TomlError;
use super::layout::Step;
use super::{KeyPath, Part, Toml, data};

/// What stands at the end of the way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'d> {
    /// A table, with a header or by dotted keys.
    Table(&'d Table),
    /// A list of tables with headers.
    Tables(&'d ArrayOfTables),
    /// A value behind `=`.
    Value(&'d Written),
}

/// What further keys would be written into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Container {
    /// What stands under the header of this table; of the root, before all headers.
    Header(Vec<Step>),
    /// A table that has no header, only tables within it have.
    Implicit(Vec<Step>),
    /// A value in braces, with its place in the text.
    Inline(Range<usize>),
}

/// A way, and how far it leads.
#[derive(Debug)]
pub(super) struct Walk<'d, 'p> {
    /// The steps taken.
    pub(super) steps: Vec<Step>,
    /// What is there.
    pub(super) node: Node<'d>,
    /// What further keys would be written into.
    pub(super) container: Container,
    /// The dotted keys that lead from the container to the node.
    pub(super) dotted: Vec<String>,
    /// The parts of the name for which there is nothing.
    pub(super) rest: &'p [Part],
}

impl Node<'_> {
    /// Returns what a user calls it, with its article.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::Tables(_) => "a list of tables",
            Self::Value(value) => data(&Item::Value((*value).clone())).kind_name(),
        }
    }
}

impl Toml {
    /// Goes as far as there is something.
    ///
    /// # Errors
    /// If something on the way is no table, or it is not said, or not clear, which table of a list is meant.
    pub(super) fn walk<'p>(&self, path: &'p KeyPath) -> Result<Walk<'_, 'p>, TomlError> {
        let mut walk = Walk {
            steps: Vec::new(),
            node: Node::Table(self.document.as_table()),
            container: Container::Header(Vec::new()),
            dotted: Vec::new(),
            rest: &[],
        };
        for (index, part) in path.0.iter().enumerate() {
            let so_far = || KeyPath(path.0[..index].to_vec());
            let went = match part {
                Part::Key(key) => walk.key(key, so_far)?,
                Part::Where(key, value) => {
                    let whole = || KeyPath(path.0[..=index].to_vec()).to_string();
                    let found = walk.elements(so_far)?.into_iter().enumerate();
                    let fits = |node: &Node<'_>| node.member(key).is_some_and(|member| member == *value);
                    let found: Vec<usize> = found.filter(|(_, node)| fits(node)).map(|(at, _)| at).collect();
                    match found[..] {
                        [] => false,
                        [at] => walk.element(at, so_far)?,
                        _ => return Err(TomlError::Ambiguous { key: whole(), count: found.len() }),
                    }
                }
                Part::Index(at) => walk.element(*at, so_far)?,
            };
            if !went {
                walk.rest = &path.0[index..];
                break;
            }
        }
        Ok(walk)
    }
}

impl<'d> Node<'d> {
    /// Returns the value under a key of a table.
    fn member(&self, key: &str) -> Option<convoy_protocol::Value> {
        match self {
            Self::Table(table) => table.get(key).map(data),
            Self::Value(Written::InlineTable(table)) => {
                table.get(key).map(|value| data(&Item::Value(value.clone())))
            }
            _ => None,
        }
    }
}

impl<'d> Walk<'d, '_> {
    /// Takes a step by a key; returns whether there is one.
    fn key(&mut self, key: &str, so_far: impl Fn() -> KeyPath) -> Result<bool, TomlError> {
        match self.node {
            Node::Table(table) => match table.get(key) {
                None | Some(Item::None) => return Ok(false),
                Some(Item::Table(table)) => {
                    self.steps.push(Step::Key(key.to_owned()));
                    self.node = Node::Table(table);
                    if table.is_dotted() {
                        self.dotted.push(key.to_owned());
                    } else {
                        let steps = self.steps.clone();
                        self.dotted.clear();
                        self.container = if table.is_implicit() {
                            Container::Implicit(steps)
                        } else {
                            Container::Header(steps)
                        };
                    }
                }
                Some(Item::ArrayOfTables(tables)) => {
                    self.steps.push(Step::Key(key.to_owned()));
                    self.node = Node::Tables(tables);
                }
                Some(Item::Value(value)) => self.value(key, value),
            },
            Node::Value(Written::InlineTable(table)) => match table.get(key) {
                None => return Ok(false),
                Some(value) => self.value(key, value),
            },
            Node::Tables(tables) => {
                return Err(TomlError::WhichTable { key: so_far().to_string(), count: tables.len() });
            }
            Node::Value(Written::Array(items)) if items.iter().any(Written::is_inline_table) => {
                return Err(TomlError::WhichTable { key: so_far().to_string(), count: items.len() });
            }
            Node::Value(_) => {
                return Err(TomlError::NotATable { key: so_far().to_string(), found: self.node.name() });
            }
        }
        Ok(true)
    }

    fn value(&mut self, key: &str, value: &'d Written) {
        self.steps.push(Step::Key(key.to_owned()));
        self.node = Node::Value(value);
        match value {
            Written::InlineTable(table) if table.is_dotted() => self.dotted.push(key.to_owned()),
            _ => self.inline(value),
        }
    }

    fn inline(&mut self, value: &Written) {
        if let (Written::InlineTable(_), Some(span)) = (value, value.span()) {
            self.container = Container::Inline(span);
            self.dotted.clear();
        }
    }

    fn elements(&self, so_far: impl Fn() -> KeyPath) -> Result<Vec<Node<'d>>, TomlError> {
        match self.node {
            Node::Tables(tables) => Ok(tables.iter().map(Node::Table).collect()),
            Node::Value(Written::Array(items)) => Ok(items.iter().map(Node::Value).collect()),
            _ => Err(TomlError::NotAList { key: so_far().to_string(), found: self.node.name() }),
        }
    }

    /// Takes a step to a place in a list; returns whether there is one.
    fn element(&mut self, at: usize, so_far: impl Fn() -> KeyPath) -> Result<bool, TomlError> {
        let Some(node) = self.elements(so_far)?.into_iter().nth(at) else { return Ok(false) };
        self.steps.push(Step::Index(at));
        self.node = node;
        match node {
            Node::Value(value) => self.inline(value),
            _ => {
                self.container = Container::Header(self.steps.clone());
                self.dotted.clear();
            }
        }
        Ok(true)
    }
}
