//! The blocks with `undo:` in which a run did something, read from its journal.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use convoy_protocol::{Map, Status};

use crate::events::{BlockBegun, Include, Note};
use crate::journal::UndoneBlocks;
use crate::state::undo_blocks::without_secrets;

/// A block in which something was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The play, counted from 1 through all playbooks.
    pub play: u32,
    /// What the play is called, as the playbook has it.
    pub of_play: Arc<str>,
    /// Where it begins: file, line and column.
    pub at: Arc<str>,
    /// How many others stand there before it.
    pub nth: u32,
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
    /// What `set_fact` and `register` had set when the host came into the block last, as far as it is no secret.
    pub entered: Map,
    /// The same when it came out of it.
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
    blocks: Vec<u64>,
    /// Whether it did, or may have done, anything.
    did: bool,
}

impl Begun {
    /// Gathers what is noted. A block in which nothing was changed, and nothing failed, needs no undoing.
    pub fn of<'n>(notes: impl IntoIterator<Item = &'n Note>) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut orders: HashMap<u64, Order> = HashMap::new();
        for note in notes {
            match note {
                Note::Block(block) => {
                    let new = Block::of(block);
                    let known = blocks.iter().position(|known| known.is(&new)).unwrap_or(blocks.len());
                    if known == blocks.len() {
                        blocks.push(new);
                    }
                    blocks[known].enter(block);
                    places.insert(block.id, known);
                }
                Note::Set { host, blocks: ids, vars } => {
                    for at in ids.iter().filter_map(|id| places.get(id)) {
                        let on = blocks[*at].hosts.iter_mut().filter(|of| of.name == *host);
                        on.for_each(|on| on.vars.extend(without_secrets(vars)));
                    }
                }
                Note::Begun { ticket, blocks, .. } if !blocks.is_empty() => {
                    orders.insert(*ticket, Order { blocks: blocks.clone(), did: true });
                }
                Note::Answered { ticket, status, failed, changed, .. } => {
                    if let Some(order) = orders.get_mut(ticket) {
                        order.did = *failed || *changed || *status == Status::Interrupted;
                    }
                }
                _ => {}
            }
        }
        // A number is that of one block on one host.
        let did: HashSet<u64> =
            orders.values().filter(|order| order.did).flat_map(|order| &order.blocks).copied().collect();
        for block in &mut blocks {
            block.hosts.retain(|host| host.ids.iter().any(|id| did.contains(id)));
        }
        blocks.retain(|block| !block.hosts.is_empty());
        Self { blocks, tickets: orders.into_keys().collect() }
    }
}

impl Host {
    /// Returns whether the block is undone on the host already.
    pub fn is_undone(&self, undone: &UndoneBlocks) -> bool {
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

    fn of(noted: &BlockBegun) -> Self {
        let BlockBegun { play, of_play, at, nth, name, includes, .. } = noted.clone();
        let includes = includes.into_iter().map(|include| Include {
            what: without_secrets(&include.what),
            vars: without_secrets(&include.vars),
            ..include
        });
        Self { play, of_play, at, nth, name, includes: includes.collect(), hosts: Vec::new() }
    }

    /// Returns whether both are one.
    fn is(&self, other: &Self) -> bool {
        (self.play, &self.at, self.nth, &self.includes) == (other.play, &other.at, other.nth, &other.includes)
    }

    fn enter(&mut self, noted: &BlockBegun) {
        let BlockBegun { id, host, title, vars, .. } = noted;
        let vars = without_secrets(vars);
        match self.hosts.iter_mut().find(|known| known.name == *host) {
            Some(known) => {
                known.ids.push(*id);
                // The run was resumed, and may have come less far in the block than before: what was set in it holds, but for
                // what is another now before it.
                let entered = std::mem::replace(&mut known.entered, vars.clone());
                known.vars.retain(|name, value| vars.contains_key(name) || entered.get(name) != Some(value));
                let new = vars.into_iter().filter(|(name, value)| entered.get(name) != Some(value));
                known.vars.extend(new.collect::<Map>());
            }
            None => {
                let (name, title) = (host.clone(), title.clone());
                self.hosts.push(Host { name, title, ids: vec![*id], entered: vars.clone(), vars });
            }
        }
    }
}

/// Puts blocks into the order in which they are undone on these hosts, each with the hosts that it is undone on then: what a
/// host began last comes first.
pub(super) fn last_first<'b>(blocks: &[&'b Block], hosts: &[Arc<str>]) -> Vec<(&'b Block, Vec<Arc<str>>)> {
    let on = |block: &Block| hosts.iter().filter(|host| block.on(host).is_some()).cloned().collect();
    let mut left: Vec<(&Block, Vec<Arc<str>>)> = blocks.iter().map(|block| (*block, on(block))).collect();
    let began = |block: &Block, host: &str| block.on(host).and_then(|host| host.ids.first().copied());
    let mut order = Vec::new();
    left.retain(|(_, hosts)| !hosts.is_empty());
    while !left.is_empty() {
        let is_last = |block: &Block, host: &Arc<str>| {
            let mut others = left.iter().filter(|(_, hosts)| hosts.contains(host));
            others.all(|(other, _)| began(other, host) <= began(block, host))
        };
        let ready: Vec<Vec<Arc<str>>> = left
            .iter()
            .map(|(block, hosts)| hosts.iter().filter(|host| is_last(block, host)).cloned().collect())
            .collect();
        // Where hosts wait for each other they go through a play in one order; else each goes its own way.
        let whole = (0..left.len()).rposition(|index| ready[index].len() == left[index].1.len());
        let next = whole.or_else(|| ready.iter().rposition(|hosts| !hosts.is_empty())).unwrap_or(0);
        let now = ready[next].clone();
        left[next].1.retain(|host| !now.contains(host));
        order.push((left[next].0, now));
        left.retain(|(_, hosts)| !hosts.is_empty());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::{Taint, Value, map};

    fn block(id: u64, host: &str, at: &str, vars: Map) -> Note {
        Note::Block(BlockBegun {
            id,
            host: host.into(),
            play: 1,
            of_play: "all".into(),
            at: at.into(),
            nth: 0,
            name: "x".into(),
            title: at.into(),
            includes: Vec::new(),
            vars,
        })
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
            (Some(answered(1, Status::Interrupted, false, false)), true),
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
            // OpenUndoBlock the first.
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

    #[test]
    fn each_host_undoes_last_what_it_began_first() {
        // By `serial`: x is done on b only, and b begins after a.
        let notes = [
            block(1, "a", "y", Map::new()),
            begun(1, "a", &[1]),
            block(2, "b", "x", Map::new()),
            begun(2, "b", &[2]),
            block(3, "b", "y", Map::new()),
            begun(3, "b", &[3]),
        ];
        let found = Begun::of(&notes);
        let order = |hosts: &[&str]| -> Vec<String> {
            let hosts: Vec<Arc<str>> = hosts.iter().map(|host| Arc::from(*host)).collect();
            let ordered = last_first(&found.blocks.iter().collect::<Vec<_>>(), &hosts);
            let word =
                |(block, hosts): &(&Block, Vec<Arc<str>>)| format!("{}: {}", block.title(), hosts.join(" "));
            ordered.iter().map(word).collect()
        };
        assert_eq!(order(&["b"]), ["y: b", "x: b"]);
        assert_eq!(order(&["a", "b"]), ["y: a b", "x: b"]);
    }

    #[test]
    fn hosts_that_go_their_own_ways_undo_their_own() {
        let notes = [
            block(1, "a", "x", Map::new()),
            begun(1, "a", &[1]),
            block(2, "b", "y", Map::new()),
            begun(2, "b", &[2]),
            block(3, "a", "y", Map::new()),
            begun(3, "a", &[3]),
            block(4, "b", "x", Map::new()),
            begun(4, "b", &[4]),
        ];
        let found = Begun::of(&notes);
        let hosts = ["a".into(), "b".into()];
        let ordered = last_first(&found.blocks.iter().collect::<Vec<_>>(), &hosts);
        let of = |host: &str| -> Vec<String> {
            let on = ordered.iter().filter(|(_, hosts)| hosts.iter().any(|of| **of == *host));
            on.map(|(block, _)| block.title().to_string()).collect()
        };
        assert_eq!((of("a"), of("b")), (vec!["y".into(), "x".into()], vec!["x".into(), "y".into()]));
    }

    #[test]
    fn what_was_brought_in_twice_is_two() {
        let twice = |id, nth, item| {
            let Note::Block(block) = block(id, "a", "x", Map::new()) else { unreachable!() };
            let include = Include {
                at: "i".into(),
                name: "i".into(),
                nth: 0,
                what: Map::new(),
                vars: map! { "item" => Value::from("********").tainted(Taint::SECRET) },
                item,
            };
            [Note::Block(BlockBegun { nth, includes: vec![include], ..block }), begun(id, "a", &[id])]
        };
        let notes = [twice(1, 0, 0), twice(2, 1, 0), twice(3, 1, 1), twice(4, 1, 1)].concat();
        let begun = Begun::of(&notes);
        let ids: Vec<&[u64]> = begun.blocks.iter().map(|block| &block.hosts[0].ids[..]).collect();
        assert_eq!(ids, [&[1][..], &[2], &[3, 4]]);
        assert!(begun.blocks[0].includes[0].vars.is_empty());
    }
}
