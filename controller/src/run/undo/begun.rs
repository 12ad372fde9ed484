//! The blocks with `undo:` in which a run did something, as its journal tells.

use std::collections::HashMap;
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Status, Value};

use crate::run::event::{BlockBegun, Include, Note};

/// On which hosts which blocks are undone already, and by which run.
pub type Undone = HashMap<(Arc<str>, u64), String>;

/// A block in which something was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The play, counted from 1 through all playbooks.
    pub play: u32,
    /// Where it begins: file, line and column.
    pub at: Arc<str>,
    /// What it is called, as the playbook has it.
    pub name: Arc<str>,
    /// How it came into the play, the outermost include first.
    pub includes: Vec<Include>,
    /// The hosts on which something was done in it.
    pub hosts: Vec<Host>,
}

/// A host on which something was done in a block.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: Arc<str>,
    /// What the block is called on it, for people.
    pub title: Arc<str>,
    /// What the journal knows the block by on it: several numbers if the run was resumed.
    pub ids: Vec<u64>,
    /// What `set_fact` and `register` had set when the host came out of the block, as far as it is no secret.
    pub vars: Map,
}

/// What a journal tells of such blocks.
#[derive(Debug, Default)]
pub struct Begun {
    /// The blocks, in the order in which they were begun.
    pub blocks: Vec<Block>,
    /// The orders that are undone with them, by their tickets.
    pub tickets: Vec<u64>,
}

/// An order in such blocks.
#[derive(Debug)]
struct Order {
    host: Arc<str>,
    blocks: Vec<u64>,
    /// Whether it did, or may have done, anything.
    did: bool,
}

impl Begun {
    /// Gathers what is noted. A block in which nothing was changed, and nothing failed, needs no undoing.
    pub fn of<'n>(notes: impl IntoIterator<Item = &'n Note>) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut orders: HashMap<u64, Order> = HashMap::new();
        for note in notes {
            match note {
                Note::Block(block) => {
                    let BlockBegun { id, host, play, at, name, title, includes, vars } = block;
                    let (at, name, includes) = (at.clone(), name.clone(), includes.clone());
                    let new = Block { play: *play, at, name, includes, hosts: Vec::new() };
                    new.joined(&mut blocks).enter(host, title, *id, without_secrets(vars));
                }
                Note::Set { host, blocks: ids, vars } => {
                    let hosts = blocks.iter_mut().flat_map(|block| &mut block.hosts);
                    let is_in = |of: &&mut Host| of.name == *host && of.ids.iter().any(|id| ids.contains(id));
                    hosts.filter(is_in).for_each(|host| host.vars.extend(without_secrets(vars)));
                }
                Note::Begun { ticket, host, blocks, .. } if !blocks.is_empty() => {
                    orders.insert(*ticket, Order { host: host.clone(), blocks: blocks.clone(), did: true });
                }
                Note::Answered { ticket, status, failed, changed, .. } => {
                    if let Some(order) = orders.get_mut(ticket) {
                        order.did = *failed || *changed || *status == Status::Broken;
                    }
                }
                _ => {}
            }
        }
        let did = |host: &Host| {
            let in_it = |order: &&Order| {
                order.host == host.name && order.blocks.iter().any(|id| host.ids.contains(id))
            };
            orders.values().filter(in_it).any(|order| order.did)
        };
        for block in &mut blocks {
            block.hosts.retain(did);
        }
        blocks.retain(|block| !block.hosts.is_empty());
        Self { blocks, tickets: orders.into_keys().collect() }
    }
}

impl Host {
    /// Returns whether the block is undone on the host already.
    pub fn is_undone(&self, undone: &Undone) -> bool {
        self.ids.iter().all(|id| undone.contains_key(&(self.name.clone(), *id)))
    }
}

impl Block {
    /// Returns what was done in the block on a host.
    pub fn on(&self, host: &str) -> Option<&Host> {
        self.hosts.iter().find(|known| *known.name == *host)
    }

    /// Returns what it is called for people, on its first host.
    pub fn title(&self) -> &Arc<str> {
        self.hosts.first().map_or(&self.name, |host| &host.title)
    }

    /// Names its hosts.
    pub fn names(&self) -> String {
        self.hosts.iter().map(|host| host.name.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Returns whether both are one.
    fn is(&self, other: &Self) -> bool {
        (self.play, &self.at, &self.includes) == (other.play, &other.at, &other.includes)
    }

    fn joined(self, blocks: &mut Vec<Self>) -> &mut Self {
        let index = blocks.iter().position(|known| known.is(&self)).unwrap_or_else(|| {
            blocks.push(self);
            blocks.len() - 1
        });
        &mut blocks[index]
    }

    fn enter(&mut self, host: &Arc<str>, title: &Arc<str>, id: u64, vars: Map) {
        match self.hosts.iter_mut().find(|known| known.name == *host) {
            Some(known) => {
                known.ids.push(id);
                known.vars = vars;
            }
            None => {
                let (name, title) = (host.clone(), title.clone());
                self.hosts.push(Host { name, title, ids: vec![id], vars });
            }
        }
    }
}

/// Leaves out what was secret: the journal has a placeholder there, which must not be taken for the value.
fn without_secrets(map: &Map) -> Map {
    let kept = map.iter().filter_map(|(key, value)| Some((key.clone(), without_secret(value)?)));
    kept.collect()
}

fn without_secret(value: &Value) -> Option<Value> {
    if value.taint.is_secret() {
        return None;
    }
    match &value.kind {
        Kind::Map(map) => Some(Value { kind: Kind::Map(Arc::new(without_secrets(map))), ..value.clone() }),
        // Of a list none can be left out: the others would have other places.
        Kind::List(list) if list.iter().any(|item| item.deep_taint().is_secret()) => None,
        _ => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::{Taint, map};

    fn block(id: u64, host: &str, at: &str, vars: Map) -> Note {
        let (name, title, includes) = ("x".into(), at.into(), Vec::new());
        Note::Block(BlockBegun { id, host: host.into(), play: 1, at: at.into(), name, title, includes, vars })
    }

    fn begun(ticket: u64, host: &str, blocks: &[u64]) -> Note {
        let (task, asked) = ("t".into(), "a".into());
        Note::Begun {
            ticket,
            host: host.into(),
            play: 1,
            task,
            asked,
            instead: None,
            blocks: blocks.to_vec(),
        }
    }

    fn answered(ticket: u64, status: Status, failed: bool, changed: bool) -> Note {
        Note::Answered { ticket, status, values: Map::new(), failed, changed }
    }

    /// Each block, with its hosts.
    fn words(notes: &[Note]) -> Vec<String> {
        let host = |host: &Host| host.name.to_string();
        let block = |block: &Block| {
            format!("{}: {}", block.title(), block.hosts.iter().map(host).collect::<Vec<_>>().join(" "))
        };
        Begun::of(notes).blocks.iter().map(block).collect()
    }

    #[test]
    fn only_what_may_have_done_something_is_undone() {
        for (answer, undone) in [
            (None, true),
            (Some(answered(1, Status::Changed, false, true)), true),
            (Some(answered(1, Status::Ran, false, true)), true),
            (Some(answered(1, Status::Failed, true, false)), true),
            (Some(answered(1, Status::Broken, false, false)), true),
            (Some(answered(1, Status::Same, false, false)), false),
            // A command that says that it only looks.
            (Some(answered(1, Status::Ran, false, false)), false),
        ] {
            let mut notes = vec![block(1, "a", "x", Map::new()), begun(1, "a", &[1])];
            notes.extend(answer.clone());
            assert_eq!(!words(&notes).is_empty(), undone, "{answer:?}");
        }
    }

    #[test]
    fn each_block_has_its_hosts() {
        let notes = [
            block(1, "a", "x", Map::new()),
            begun(1, "a", &[1]),
            block(2, "b", "x", Map::new()),
            begun(2, "b", &[2]),
            answered(1, Status::Changed, false, true),
            answered(2, Status::Same, false, false),
            // Within the first.
            block(3, "b", "y", Map::new()),
            begun(3, "b", &[2, 3]),
            // The run was resumed.
            block(1_000_000_001, "a", "x", Map::new()),
            begun(1_000_000_001, "a", &[1_000_000_001]),
            answered(1_000_000_001, Status::Same, false, false),
        ];
        assert_eq!(words(&notes), ["x: a b", "y: b"]);
        let begun = Begun::of(&notes);
        assert_eq!(begun.blocks[0].hosts[0].ids, [1, 1_000_000_001]);
        let mut tickets = begun.tickets;
        tickets.sort_unstable();
        assert_eq!(tickets, [1, 2, 3, 1_000_000_001]);
    }

    #[test]
    fn variables_are_those_at_the_end_of_the_block_without_secrets() {
        let secret = || Value::from("********").tainted(Taint::SECRET);
        let vars = map! {
            "kept" => 1,
            "token" => secret(),
            "list" => vec![Value::from(1), secret()],
            "answer" => map! { "rc" => 0, "stdout" => secret() },
        };
        let set = Note::Set { host: "a".into(), blocks: vec![1], vars: map! { "kept" => 2, "new" => 3 } };
        let notes = [block(1, "a", "x", vars), block(2, "b", "x", Map::new()), begun(1, "a", &[1]), set];
        let expected = map! { "kept" => 2, "answer" => map! { "rc" => 0 }, "new" => 3 };
        assert_eq!(Begun::of(&notes).blocks[0].hosts[0].vars, expected);
    }
}
