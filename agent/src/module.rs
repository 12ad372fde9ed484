//! What a module is, and the one path by which every module is called.

use std::time::Instant;

use convoy_protocol::message::Order;
use convoy_protocol::{Diff, Map, Outcome, Status, Value};

use crate::args::{Arguments, Spec};
use crate::system::{Look, System};

/// What `check` found.
#[derive(Debug)]
pub enum Checked<P> {
    /// Already as asked; with the return values.
    Same(Map),
    /// Not as asked; `plan` says how to get there.
    Differs {
        /// Handed to `apply`.
        plan: P,
        /// What would be different; made only if asked for ([`Look::wants_diff`]).
        diff: Vec<Diff>,
        /// The return values as far as they are known.
        values: Map,
    },
    /// Cannot be known without doing it.
    Unknown {
        /// Handed to `apply`.
        plan: P,
        /// Ansible's sentence for check mode, such as "Command would have run if not in check mode".
        why: &'static str,
        /// The return values as far as they are known.
        values: Map,
    },
}

impl<P> Checked<P> {
    /// Returns the same with another plan.
    pub fn map<Q>(self, make: impl FnOnce(P) -> Q) -> Checked<Q> {
        match self {
            Self::Same(values) => Checked::Same(values),
            Self::Differs { plan, diff, values } => Checked::Differs { plan: make(plan), diff, values },
            Self::Unknown { plan, why, values } => Checked::Unknown { plan: make(plan), why, values },
        }
    }

    /// Returns the return values.
    pub fn values_mut(&mut self) -> &mut Map {
        let (Self::Same(values) | Self::Differs { values, .. } | Self::Unknown { values, .. }) = self;
        values
    }
}

/// What `apply` did.
#[derive(Debug)]
pub struct Done {
    /// Whether anything is different now.
    pub changed: bool,
    /// The return values; they replace those of the check under the same names.
    pub values: Map,
}

/// Why a module could not do its work.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What is wrong, why, and where it helps what to do.
    pub msg: String,
    /// Further return values, such as `rc` and `stderr`.
    pub values: Map,
}

impl Failure {
    /// A failure with a message alone.
    pub fn new(msg: impl Into<String>) -> Self {
        Self { msg: msg.into(), values: Map::new() }
    }

    /// Adds a return value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }
}

/// Documentation of a module.
#[derive(Debug, Clone, Copy)]
pub struct Doc {
    /// One line, third person.
    pub summary: &'static str,
    /// More, in paragraphs.
    pub description: &'static str,
    /// A task or two, in YAML.
    pub example: &'static str,
}

/// Where a module looks and writes on its node, as far as the paths among its arguments say. Check mode tells by it
/// which answers an earlier change puts in doubt.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// Looks at what stands there, and changes nothing on the node.
    Looks,
    /// Looks at all that is below as well, and changes nothing on the node.
    LooksBelow,
    /// Writes, or may write, what stands there, and looks at nothing below.
    Writes,
    /// Writes, or may write, anything below as well.
    WritesBelow,
    /// As its arguments say.
    Depends(fn(&Map) -> Self),
}

impl Reach {
    /// Returns whether something on the node may be different after it.
    pub fn writes(self, args: &Map) -> bool {
        match self {
            Self::Looks | Self::LooksBelow => false,
            Self::Writes | Self::WritesBelow => true,
            Self::Depends(reach) => reach(args).writes(args),
        }
    }

    /// Returns whether what is below a path counts too.
    pub fn is_deep(self, args: &Map) -> bool {
        match self {
            Self::Looks | Self::Writes => false,
            Self::LooksBelow | Self::WritesBelow => true,
            Self::Depends(reach) => reach(args).is_deep(args),
        }
    }
}

/// What of a module's work `convoy undo` can take back.
#[derive(Debug, Clone, Copy)]
pub enum Undo {
    /// All: it changes files alone, by [`System`], or nothing.
    Files,
    /// Not all, for this reason: "it runs a command".
    Not(&'static str),
    /// As its arguments say.
    Depends(fn(&Map) -> Self),
}

impl Undo {
    /// Returns why not all can be taken back, if so.
    pub fn why_not(self, args: &Map) -> Option<&'static str> {
        match self {
            Self::Files => None,
            Self::Not(why) => Some(why),
            Self::Depends(undo) => undo(args).why_not(args),
        }
    }
}

/// A module as the engine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// Its name, as in a task.
    pub name: &'static str,
    /// Its documentation.
    pub doc: Doc,
    /// Where it looks and writes.
    pub reach: Reach,
    /// What of its work can be taken back.
    pub undo: Undo,
    /// Its arguments.
    pub spec: Spec,
    /// Does one order: check, then, if `earnest` and the order is not in check mode, apply.
    pub run: fn(order: &Order, earnest: bool, node: &mut System) -> Outcome,
}

/// A module's function that looks.
pub type Check<A, P> = fn(&A, &Look) -> Result<Checked<P>, Failure>;

/// A module's function that does it.
pub type Apply<A, P> = fn(&A, P, &mut System) -> Result<Done, Failure>;

/// Carries out one order with a module's functions. All modules are called through this.
pub fn drive<A: Arguments, P>(
    order: &Order,
    earnest: bool,
    node: &mut System,
    undo: Undo,
    (check, apply): (Check<A, P>, Apply<A, P>),
) -> Outcome {
    let start = Instant::now();
    let (status, values, diff) = match steps(order, earnest, node, undo, (check, apply)) {
        Ok(result) => result,
        Err(failure) => {
            let mut values = failure.values;
            values.insert("msg".into(), failure.msg.into());
            (Status::Failed, values, Vec::new())
        }
    };
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Outcome { status, values, diff, offer: node.take_offer(), millis }
}

fn steps<A: Arguments, P>(
    order: &Order,
    earnest: bool,
    node: &mut System,
    undo: Undo,
    (check, apply): (Check<A, P>, Apply<A, P>),
) -> Result<(Status, Map, Vec<Diff>), Failure> {
    let args = A::read(&order.module, &order.args).map_err(Failure::new)?;
    let (plan, mut values, diff, unseen) = match check(&args, node)? {
        Checked::Same(values) => return Ok((Status::Same, values, Vec::new())),
        Checked::Differs { plan, diff, values } => (plan, values, diff, None),
        Checked::Unknown { plan, why, values } => (plan, values, Vec::new(), Some(why)),
    };
    if order.check || !earnest {
        return Ok(match unseen {
            None => (Status::WouldChange, values, diff),
            Some(why) => {
                values.insert("msg".into(), why.into());
                (Status::Undecided, values, diff)
            }
        });
    }
    node.undertake(undo.why_not(&order.args))?;
    let done = apply(&args, plan, node)?;
    values.extend(done.values);
    Ok((if done.changed { Status::Changed } else { Status::Ran }, values, diff))
}
