//! What a path leads to in a document.

use std::collections::HashMap;

use roxmltree::{Attribute, Document, Node, NodeId};

use super::path::{Condition, End, Name, Path, Step};

/// Namespaces by their prefixes, besides those of the document.
pub type Namespaces = HashMap<String, String>;

/// What a path leads to.
#[derive(Debug, Clone)]
pub enum Found<'d> {
    /// An element.
    Element(Node<'d, 'd>),
    /// An attribute of an element.
    Attribute(Node<'d, 'd>, Attribute<'d, 'd>),
    /// The text in an element.
    Text(Node<'d, 'd>),
}

impl<'d> Found<'d> {
    /// Returns the element that it is, or is in.
    pub fn element(&self) -> Node<'d, 'd> {
        let (Self::Element(node) | Self::Attribute(node, _) | Self::Text(node)) = self;
        *node
    }

    /// Returns its text, without white space at both ends.
    pub fn text(&self) -> String {
        match self {
            Self::Element(node) | Self::Text(node) => own_text(*node),
            Self::Attribute(_, attribute) => attribute.value().to_owned(),
        }
    }
}

/// Returns the text that is directly in an element.
fn own_text(node: Node<'_, '_>) -> String {
    let texts: String = node.children().filter(Node::is_text).filter_map(|text| text.text()).collect();
    texts.trim().to_owned()
}

/// Finds what `path` leads to, in the order of the document.
///
/// # Errors
/// If a prefix means nothing.
pub fn find<'d>(
    document: &'d Document<'d>,
    path: &Path,
    namespaces: &Namespaces,
) -> Result<Vec<Found<'d>>, String> {
    for prefix in path.prefixes() {
        let is_bound = |node: Node<'_, '_>| node.namespaces().any(|known| known.name() == Some(prefix));
        if prefix != "xml" && !namespaces.contains_key(prefix) && !document.descendants().any(is_bound) {
            return Err(format!(
                "the prefix {prefix} means nothing in the document; `namespaces` can say what it means"
            ));
        }
    }
    let finder = Finder { namespaces };
    let mut nodes = vec![document.root()];
    for step in &path.steps {
        nodes = finder.step(step, nodes);
    }
    Ok(finder.end(&path.end, nodes))
}

struct Finder<'n> {
    namespaces: &'n Namespaces,
}

impl<'d> Finder<'_> {
    fn step(&self, step: &Step, from: Vec<Node<'d, 'd>>) -> Vec<Node<'d, 'd>> {
        let mut found = Vec::new();
        for parent in self.starts(step.deep, from) {
            let mut here: Vec<_> = parent
                .children()
                .filter(|child| child.is_element() && self.is_named(*child, &step.name))
                .collect();
            for condition in &step.conditions {
                here = self.fulfilling(condition, here);
            }
            found.extend(here);
        }
        found.sort_unstable_by_key(|node| node.id().get());
        found
    }

    /// Returns from where to go on: if `deep` from all that is below too. Each once, in order.
    fn starts(&self, deep: bool, from: Vec<Node<'d, 'd>>) -> Vec<Node<'d, 'd>> {
        if !deep {
            return from;
        }
        let mut all: Vec<Node<'d, 'd>> = Vec::new();
        let mut end: Option<u32> = None;
        for node in from {
            // What is below an earlier one is there already, since they come in order.
            if end.is_some_and(|end| node.id().get() <= end) {
                continue;
            }
            let below = node.descendants();
            end = below.clone().next_back().map(|last| last.id().get());
            all.extend(below.filter(|node| node.is_element() || node.is_root()));
        }
        all
    }

    fn fulfilling(&self, condition: &Condition, nodes: Vec<Node<'d, 'd>>) -> Vec<Node<'d, 'd>> {
        let one = |at: Option<usize>| at.and_then(|at| nodes.get(at)).copied().into_iter().collect();
        let is_wanted =
            |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted == text);
        match condition {
            Condition::Place(place) => one(place.checked_sub(1)),
            Condition::Last => one(nodes.len().checked_sub(1)),
            Condition::Text(text) => nodes.into_iter().filter(|node| own_text(*node) == *text).collect(),
            Condition::Child(name, text) => {
                let fits = |child: Node<'d, 'd>| {
                    child.is_element() && self.is_named(child, name) && is_wanted(text, &own_text(child))
                };
                nodes.into_iter().filter(|node| node.children().any(fits)).collect()
            }
            Condition::Attribute(name, value) => {
                let has = |node: &Node<'d, 'd>| {
                    self.attributes(*node, name).any(|attribute| is_wanted(value, attribute.value()))
                };
                nodes.into_iter().filter(has).collect()
            }
        }
    }

    fn end(&self, end: &End, nodes: Vec<Node<'d, 'd>>) -> Vec<Found<'d>> {
        match end {
            End::Elements => nodes.into_iter().filter(Node::is_element).map(Found::Element).collect(),
            End::Attributes { deep, name } => {
                let of = |node: Node<'d, 'd>| {
                    self.attributes(node, name).map(move |attribute| Found::Attribute(node, attribute))
                };
                self.starts(*deep, nodes).into_iter().flat_map(of).collect()
            }
            End::Text { deep } => self
                .starts(*deep, nodes)
                .into_iter()
                .filter(|node| node.is_element() && !own_text(*node).is_empty())
                .map(Found::Text)
                .collect(),
        }
    }

    fn attributes(&self, node: Node<'d, 'd>, name: &Name) -> impl Iterator<Item = Attribute<'d, 'd>> {
        node.attributes().filter(move |attribute| {
            let namespace = match &name.prefix {
                Some(prefix) => self.is_meant(node, prefix, attribute.namespace()),
                None => attribute.namespace().is_none() || name.local.is_none(),
            };
            namespace && name.local.as_ref().is_none_or(|local| local == attribute.name())
        })
    }

    fn is_named(&self, node: Node<'d, 'd>, name: &Name) -> bool {
        let tag = node.tag_name();
        let namespace =
            name.prefix.as_ref().is_none_or(|prefix| self.is_meant(node, prefix, tag.namespace()));
        namespace && name.local.as_ref().is_none_or(|local| local == tag.name())
    }

    /// Returns whether `namespace` is what a prefix stands for at a node.
    fn is_meant(&self, node: Node<'d, 'd>, prefix: &str, namespace: Option<&str>) -> bool {
        let meant = match self.namespaces.get(prefix) {
            Some(uri) => Some(uri.as_str()),
            None => node.lookup_namespace_uri(Some(prefix)),
        };
        meant.is_some() && meant == namespace
    }
}

/// Says where things are, each by a path that leads to it alone.
#[derive(Debug, Default)]
pub struct Places {
    /// Of each child that was looked at, which of those with its name it is; `None` if it is the only one.
    numbers: HashMap<NodeId, Option<usize>>,
}

impl Places {
    /// Returns the path to something that was found.
    pub fn path(&mut self, found: &Found<'_>) -> String {
        let mut steps: Vec<String> = found
            .element()
            .ancestors()
            .filter(Node::is_element)
            .map(|node| match self.number(node) {
                Some(number) => format!("/{}[{number}]", node.tag_name().name()),
                None => format!("/{}", node.tag_name().name()),
            })
            .collect();
        steps.reverse();
        match found {
            Found::Element(_) => {}
            Found::Attribute(node, attribute) => {
                steps.push(format!("/@{}", attribute_name(*node, attribute)));
            }
            Found::Text(_) => steps.push("/text()".into()),
        }
        steps.concat()
    }

    fn number(&mut self, node: Node<'_, '_>) -> Option<usize> {
        if let Some(number) = self.numbers.get(&node.id()) {
            return *number;
        }
        let siblings =
            node.parent().into_iter().flat_map(|parent| parent.children().filter(Node::is_element));
        let mut by_name: HashMap<&str, Vec<NodeId>> = HashMap::new();
        for sibling in siblings {
            by_name.entry(sibling.tag_name().name()).or_default().push(sibling.id());
        }
        for ids in by_name.into_values() {
            let is_only = ids.len() == 1;
            self.numbers.extend(ids.into_iter().zip(1..).map(|(id, at)| (id, (!is_only).then_some(at))));
        }
        self.numbers.get(&node.id()).copied().flatten()
    }
}

/// Returns the name of an attribute, with the prefix of its namespace.
pub fn attribute_name(node: Node<'_, '_>, attribute: &Attribute<'_, '_>) -> String {
    match attribute.namespace().and_then(|uri| node.lookup_prefix(uri)) {
        Some(prefix) => format!("{prefix}:{}", attribute.name()),
        None => attribute.name().to_owned(),
    }
}
