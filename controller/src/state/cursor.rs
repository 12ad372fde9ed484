//! The position of one host in a play: through blocks, rescues, includes and handlers.
//!
//! The scheduler keeps one cursor per host, and always takes the item whose [`Place`] comes first. That is Ansible's linear order,
//! also where hosts have taken different ways through blocks and includes.

use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::Origin;

use super::section::{Item, Section, TaskRef, all};
use super::undo_blocks::OpenUndoBlock;
use crate::playbook::ast::Task;

/// Which part of a [`Section`] a cursor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Body,
    Rescue,
    Always,
}

#[derive(Debug, Clone)]
struct Frame {
    section: Arc<Section>,
    part: Part,
    index: usize,
    /// A failure waits for the end of `always` to go on outwards.
    failed: bool,
    /// The ticket that was next when the host came in, and when it came to the rescue, or what is always done.
    entered: Option<u64>,
    turned: Option<u64>,
    /// Whether it was in the rescue.
    rescued: bool,
    /// Of a block with `undo:`: what the journal is told of it.
    undo_block: Option<Rc<OpenUndoBlock>>,
}

/// What is said of a block with a rescue, or something that is always done, when a host leaves it after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The failure was rescued.
    Rescued {
        /// The first ticket in the block.
        from: u64,
    },
    /// The failure goes on outwards.
    Failed {
        /// The first ticket in the block.
        from: u64,
        /// The first ticket of what is done after the failure.
        turn: u64,
        /// Whether that is a rescue.
        rescued: bool,
    },
}

impl Frame {
    fn new(section: Arc<Section>, outer: &[Self]) -> Self {
        let undo_block = section.block.as_ref().map(|block| {
            let includes = outer.iter().filter_map(|frame| frame.section.include.clone()).collect();
            let nth = nth(
                outer,
                &block.at,
                |item| matches!(item, Item::Section(inner) if Arc::ptr_eq(inner, &section)),
            );
            Rc::new(OpenUndoBlock::new(block.clone(), nth, includes))
        });
        Self {
            section,
            part: Part::Body,
            index: 0,
            failed: false,
            entered: None,
            turned: None,
            rescued: false,
            undo_block,
        }
    }

    /// Returns what is to be said when the host leaves.
    fn leave(&self, failed: bool) -> Option<Leave> {
        let from = self.entered?;
        match (failed, self.turned) {
            (true, turned) => Some(Leave::Failed { from, turn: turned?, rescued: self.rescued }),
            (false, _) => self.rescued.then_some(Leave::Rescued { from }),
        }
    }

    fn items(&self) -> &[Item] {
        match self.part {
            Part::Body => &self.section.body,
            Part::Rescue => &self.section.rescue,
            Part::Always => &self.section.always,
        }
    }

    fn go(&mut self, part: Part) {
        self.rescued |= part == Part::Rescue;
        self.part = part;
        self.index = 0;
    }
}

/// Returns how many stand at this place before an item: a file that is imported several times has all its blocks and tasks
/// as often.
fn nth(frames: &[Frame], at: &Origin, is_it: impl Fn(&Item) -> bool) -> u32 {
    // What one include brought in was read together; what none did, with the play.
    let scope = frames.iter().rfind(|frame| frame.section.include.is_some()).or(frames.first());
    let items = scope.into_iter().flat_map(|frame| all(&frame.section.body));
    let stands = |item: &&Item| match item {
        Item::Task(task) => *task.task.at == *at,
        Item::Section(section) => section.block.as_ref().is_some_and(|block| *block.at == *at),
        Item::Flush { .. } => false,
    };
    items.take_while(|item| !is_it(item)).filter(stands).map(|_| 1).sum()
}

/// A position in the play that can be compared between hosts: the smaller comes first.
pub type Place = Vec<(u8, usize)>;

/// Where a host is.
#[derive(Debug, Clone)]
pub struct Cursor {
    frames: Vec<Frame>,
    failed: bool,
    /// Whether it was out of the play once, even if that was forgotten.
    fell: bool,
    left: Vec<Leave>,
}

/// Decides which tasks the tags of the command line select.
pub type Selected<'a> = &'a dyn Fn(&Task) -> bool;

impl Cursor {
    /// Starts at the beginning of `play`.
    pub fn new(play: Arc<Section>, selected: Selected<'_>) -> Self {
        let mut cursor =
            Self { frames: vec![Frame::new(play, &[])], failed: false, fell: false, left: Vec::new() };
        cursor.descend(selected);
        cursor
    }

    /// Notes how far the host is: the next ticket is `ticket`. Returns what is to be said of the blocks that it has left.
    pub fn mark(&mut self, ticket: u64) -> Vec<Leave> {
        for frame in &mut self.frames {
            frame.entered.get_or_insert(ticket);
            if frame.part != Part::Body {
                frame.turned.get_or_insert(ticket);
            }
        }
        std::mem::take(&mut self.left)
    }

    /// Returns what is to be done next; `None` at the end.
    pub fn current(&self) -> Option<&Item> {
        let frame = self.frames.last()?;
        frame.items().get(frame.index)
    }

    /// Returns whether the host failed and was not rescued.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    /// Returns whether the host was out of the play, even if that was forgotten since.
    pub fn fell(&self) -> bool {
        self.fell
    }

    /// Notes that the host is out of the play, as it cannot be reached.
    pub fn fall(&mut self) {
        self.fell = true;
    }

    /// Returns how many tasks stand where this one does before it, in the file or play that it was read with.
    pub fn nth(&self, task: &TaskRef) -> u32 {
        nth(&self.frames, &task.task.at, |item| matches!(item, Item::Task(other) if other.same(task)))
    }

    /// Returns whether the host failed, even if it has an `always` to do before it leaves.
    pub fn is_failing(&self) -> bool {
        self.failed || self.frames.iter().any(|frame| frame.failed)
    }

    /// Returns the position, to compare with that of other hosts.
    pub fn place(&self) -> Place {
        let rank = |frame: &Frame| match frame.items().get(frame.index) {
            Some(Item::Section(section)) => section.rank.unwrap_or(frame.index),
            _ => frame.index,
        };
        self.frames.iter().map(|frame| (frame.part as u8, rank(frame))).collect()
    }

    /// Goes on: what was to be done is done.
    pub fn advance(&mut self, selected: Selected<'_>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.index += 1;
        }
        self.descend(selected);
    }

    /// Does `body` in the place of the current item, before what follows it.
    pub fn enter(&mut self, body: Vec<Item>, selected: Selected<'_>) {
        let section = Arc::new(Section { body, ..Section::default() });
        self.frames.push(Frame::new(section, &[]));
        self.descend(selected);
    }

    /// Returns the blocks with `undo:` that the host is in, the outermost first.
    pub fn undo_blocks(&self) -> Vec<Rc<OpenUndoBlock>> {
        self.frames.iter().filter_map(|frame| frame.undo_block.clone()).collect()
    }

    /// Returns whether a failure now would reach a rescue.
    pub fn can_be_rescued(&self) -> bool {
        self.frames.iter().any(|frame| frame.part == Part::Body && !frame.section.rescue.is_empty())
    }

    /// Returns the tasks that a failure now could lead to.
    pub fn rescues(&self) -> Vec<TaskRef> {
        let open = self.frames.iter().filter(|frame| frame.part == Part::Body);
        let task = |item: &Item| match item {
            Item::Task(task) => Some(task.clone()),
            _ => None,
        };
        open.flat_map(|frame| all(&frame.section.rescue)).filter_map(task).collect()
    }

    /// Goes where a failure leads: to the nearest rescue or always, or to the end.
    pub fn fail(&mut self, selected: Selected<'_>) {
        self.unwind();
        self.descend(selected);
    }

    /// Ends the play for this host, without a failure.
    pub fn end(&mut self) {
        self.frames.clear();
    }

    /// Forgets that the host failed.
    pub fn clear_failure(&mut self) {
        self.fell |= self.is_failing();
        self.failed = false;
        self.frames.iter_mut().for_each(|frame| frame.failed = false);
    }

    fn unwind(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            match frame.part {
                Part::Body if !frame.section.rescue.is_empty() => return frame.go(Part::Rescue),
                Part::Body | Part::Rescue => {
                    frame.failed = true;
                    return frame.go(Part::Always);
                }
                Part::Always => {
                    let frame = self.frames.pop();
                    self.left.extend(frame.and_then(|frame| frame.leave(true)));
                }
            }
        }
        self.failed = true;
        self.fell = true;
    }

    /// Moves to the next item that is to be done: into sections, out of finished ones, past tasks not selected.
    fn descend(&mut self, selected: Selected<'_>) {
        while let Some(frame) = self.frames.last_mut() {
            match frame.items().get(frame.index) {
                Some(Item::Task(task)) if selected(&task.task) => return,
                Some(Item::Flush { .. }) => return,
                Some(Item::Task(_)) => frame.index += 1,
                Some(Item::Section(section)) => {
                    let inner = Frame::new(section.clone(), &self.frames);
                    self.frames.push(inner);
                }
                None => self.leave(),
            }
        }
    }

    /// The current part of the innermost section is at its end.
    fn leave(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.part != Part::Always {
            return frame.go(Part::Always);
        }
        let failed = frame.failed;
        self.left.extend(frame.leave(failed));
        self.frames.pop();
        if failed {
            self.unwind();
        } else if let Some(outer) = self.frames.last_mut() {
            outer.index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::ast::{Action, Block, Entry, Meta};
    use convoy_protocol::Value;

    fn task(name: &str) -> Entry {
        let at = Arc::new(Origin { file: "t".into(), line: 1, column: 1 });
        let task = Task::new("meta", Action::Meta(Meta::Noop), at, "/".into());
        Entry::Task(Arc::new(Task { name: Some(name.into()), ..task }))
    }

    fn block(body: &[&str], rescue: &[&str], always: &[&str]) -> Entry {
        let tasks = |names: &[&str]| names.iter().map(|name| task(name)).collect();
        Entry::Block(Arc::new(Block {
            at: Arc::new(Origin { file: "t".into(), line: 1, column: 1 }),
            name: None,
            body: tasks(body),
            rescue: tasks(rescue),
            always: tasks(always),
            undo: Vec::new(),
        }))
    }

    fn name(cursor: &Cursor) -> String {
        match cursor.current() {
            Some(Item::Task(task)) => {
                task.task.name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Some(_) => "?".to_owned(),
            None if cursor.is_failed() => "failed".to_owned(),
            None => "end".to_owned(),
        }
    }

    /// Walks through a play where the tasks named in `failing` fail, and returns the way.
    fn walk(entries: &[Entry], failing: &[&str]) -> String {
        let all = |_: &Task| true;
        let section = Arc::new(Section::of(entries, &Arc::default(), false));
        let mut cursor = Cursor::new(section, &all);
        let mut way = Vec::new();
        loop {
            let here = name(&cursor);
            way.push(here.clone());
            if cursor.current().is_none() {
                return way.join(" ");
            }
            if failing.contains(&here.as_str()) { cursor.fail(&all) } else { cursor.advance(&all) }
        }
    }

    #[test]
    fn failures_take_ansibles_ways() {
        let nested = [
            task("a"),
            Entry::Block(Arc::new(Block {
                at: Arc::new(Origin { file: "t".into(), line: 1, column: 1 }),
                name: None,
                body: vec![block(&["b"], &[], &["c"]), task("d")],
                rescue: vec![task("r")],
                always: vec![task("w")],
                undo: Vec::new(),
            })),
            task("z"),
        ];
        for (failing, way) in [
            (&[][..], "a b c d w z end"),
            (&["a"], "a failed"),
            (&["b"], "a b c r w z end"),
            (&["d"], "a b c d r w z end"),
            (&["d", "r"], "a b c d r w failed"),
            (&["w"], "a b c d w failed"),
            (&["c"], "a b c r w z end"),
        ] {
            assert_eq!(walk(&nested, failing), way, "failing: {failing:?}");
        }
        assert_eq!(walk(&[block(&["b"], &[], &["c"]), task("z")], &["b"]), "b c failed");
        assert_eq!(walk(&[block(&[], &[], &[]), task("z")], &[]), "z end");
    }

    #[test]
    fn includes_come_before_what_follows_and_in_the_same_order_on_all_hosts() {
        let all = |_: &Task| true;
        let play = Arc::new(Section::of(&[task("include"), task("z")], &Arc::default(), false));
        let file = |name: &str, rank| {
            Arc::new(Section { rank: Some(rank), ..Section::of(&[task(name)], &Arc::default(), false) })
        };
        let (x, y) = (file("x", 0), file("y", 1));
        let mut both = Cursor::new(play.clone(), &all);
        let mut one = Cursor::new(play, &all);
        both.enter(vec![Item::Section(x), Item::Section(y.clone())], &all);
        one.enter(vec![Item::Section(y)], &all);
        assert_eq!((name(&both), name(&one)), ("x".to_owned(), "y".to_owned()));
        assert!(both.place() < one.place());
        both.advance(&all);
        assert_eq!(both.place(), one.place());
        both.advance(&all);
        assert_eq!(name(&both), "z");
        assert!(one.place() < both.place());
    }
}
