//! Where one host is in a play: through blocks, rescues, includes and handlers.
//!
//! The engine keeps one cursor per host and always takes the step whose [`Place`] comes first: that is Ansible's
//! linear order, also where hosts have gone different ways.

use std::rc::Rc;
use std::sync::Arc;

use convoy_protocol::Map;

use super::within::{Via, Within};
use crate::playbook::ast::{Block, Entry, Play, Task};

/// Something to do, with what it needs to know of the way it came into the play.
#[derive(Debug, Clone)]
pub enum Item {
    /// A task.
    Task(TaskRef),
    /// A block, an included file, a section of the play.
    Section(Arc<Section>),
    /// Handlers that were notified are run here: those that stand at `after` or later in the list of handlers.
    Flush {
        /// The number of handlers passed over.
        after: usize,
    },
}

/// A task as it stands in a play.
#[derive(Debug, Clone)]
pub struct TaskRef {
    /// The task.
    pub task: Arc<Task>,
    /// Variables given to the dynamic includes that brought it, inner over outer.
    pub params: Arc<Map>,
    /// Whether it runs as a handler.
    pub handler: bool,
    /// Check mode: why it is not known whether it runs.
    pub doubt: Option<Arc<str>>,
}

impl TaskRef {
    /// Returns whether this is the gathering of facts at the start of the play: it stands where the play does.
    pub fn is_gathering(&self, play: &Play) -> bool {
        Arc::ptr_eq(&self.task.at, &play.at)
    }

    /// Returns whether both are the same task at the same place of the play.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task) && Arc::ptr_eq(&self.params, &other.params)
    }
}

/// A sequence of items with what is done after a failure in it.
#[derive(Debug, Default)]
pub struct Section {
    /// What is done.
    pub body: Vec<Item>,
    /// What is done after a failure in the body.
    pub rescue: Vec<Item>,
    /// What is done at the end, failure or not.
    pub always: Vec<Item>,
    /// Its place among the sections that hosts put at one position (includes of one task, notified handlers);
    /// `None` where the position says it all.
    pub rank: Option<usize>,
    /// The block that it is, if that has an `undo:`.
    pub block: Option<Arc<Block>>,
    /// How it came into the play, if by an include.
    pub via: Option<Arc<Via>>,
}

impl Section {
    /// Makes a section of the entries of a file or play.
    pub fn of(entries: &[Entry], params: &Arc<Map>, handler: bool) -> Self {
        Self { body: items(entries, params, handler), ..Self::default() }
    }
}

fn items(entries: &[Entry], params: &Arc<Map>, handler: bool) -> Vec<Item> {
    let section = |entry: &Entry| match entry {
        Entry::Task(task) => {
            Item::Task(TaskRef { task: task.clone(), params: params.clone(), handler, doubt: None })
        }
        Entry::Block(block) => Item::Section(Arc::new(Section {
            body: items(&block.body, params, handler),
            rescue: items(&block.rescue, params, handler),
            always: items(&block.always, params, handler),
            block: (!block.undo.is_empty()).then(|| block.clone()),
            ..Section::default()
        })),
    };
    entries.iter().map(section).collect()
}

/// Lists the tasks among items and in their sections.
fn tasks_of(items: &[Item], tasks: &mut Vec<TaskRef>) {
    for item in items {
        match item {
            Item::Task(task) => tasks.push(task.clone()),
            Item::Section(section) => {
                for part in [&section.body, &section.rescue, &section.always] {
                    tasks_of(part, tasks);
                }
            }
            Item::Flush { .. } => {}
        }
    }
}

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
    within: Option<Rc<Within>>,
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
        let within = section.block.as_ref().map(|block| {
            let includes = outer.iter().filter_map(|frame| frame.section.via.clone()).collect();
            Rc::new(Within::new(block.clone(), includes))
        });
        Self {
            section,
            part: Part::Body,
            index: 0,
            failed: false,
            entered: None,
            turned: None,
            rescued: false,
            within,
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

/// A position in the play that can be compared between hosts: the smaller comes first.
pub type Place = Vec<(u8, usize)>;

/// Where a host is.
#[derive(Debug, Clone)]
pub struct Cursor {
    frames: Vec<Frame>,
    failed: bool,
    left: Vec<Leave>,
}

/// Decides which tasks the tags of the command line select.
pub type Selected<'a> = &'a dyn Fn(&Task) -> bool;

impl Cursor {
    /// Starts at the beginning of `play`.
    pub fn new(play: Arc<Section>, selected: Selected<'_>) -> Self {
        let mut cursor = Self { frames: vec![Frame::new(play, &[])], failed: false, left: Vec::new() };
        cursor.settle(selected);
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
        self.settle(selected);
    }

    /// Does `body` in the place of the current item, before what follows it.
    pub fn enter(&mut self, body: Vec<Item>, selected: Selected<'_>) {
        let section = Arc::new(Section { body, ..Section::default() });
        self.frames.push(Frame::new(section, &[]));
        self.settle(selected);
    }

    /// Returns the blocks with `undo:` that the host is in, the outermost first.
    pub fn within(&self) -> Vec<Rc<Within>> {
        self.frames.iter().filter_map(|frame| frame.within.clone()).collect()
    }

    /// Returns whether a failure now would reach a rescue.
    pub fn can_be_rescued(&self) -> bool {
        self.frames.iter().any(|frame| frame.part == Part::Body && !frame.section.rescue.is_empty())
    }

    /// Returns the tasks that a failure now could lead to.
    pub fn rescues(&self) -> Vec<TaskRef> {
        let mut tasks = Vec::new();
        for frame in self.frames.iter().filter(|frame| frame.part == Part::Body) {
            tasks_of(&frame.section.rescue, &mut tasks);
        }
        tasks
    }

    /// Goes where a failure leads: to the nearest rescue or always, or to the end.
    pub fn fail(&mut self, selected: Selected<'_>) {
        self.unwind();
        self.settle(selected);
    }

    /// Ends the play for this host, without a failure.
    pub fn end(&mut self) {
        self.frames.clear();
    }

    /// Forgets that the host failed.
    pub fn clear_failure(&mut self) {
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
    }

    /// Moves to the next item that is to be done: into sections, out of finished ones, past tasks not selected.
    fn settle(&mut self, selected: Selected<'_>) {
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
    use crate::playbook::ast::{Action, Keywords, Meta};
    use convoy_protocol::{Origin, Value};

    fn task(name: &str) -> Entry {
        Entry::Task(Arc::new(Task {
            at: Arc::new(Origin { file: "t".into(), line: 1, column: 1 }),
            name: Some(name.into()),
            action_name: "meta".into(),
            action: Action::Meta(Meta::Noop),
            args: Value::null(),
            keywords: Keywords::default(),
            vars: Map::new(),
            repeat: None,
            register: None,
            until: None,
            retries: None,
            delay: None,
            failed_when: None,
            changed_when: None,
            limit: None,
            poll: None,
            notify: Vec::new(),
            listen: Vec::new(),
            around: None,
            role: None,
            dir: "/".into(),
        }))
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
