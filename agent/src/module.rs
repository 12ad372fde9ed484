//! What a module is, and the one path by which every module is called.

use std::time::Instant;

use convoy_protocol::message::Order;
use convoy_protocol::{Diff, Map, Outcome, Status};

use crate::args::{Arguments, Spec, Staged};
use crate::failure::Failure;
use crate::metadata::{Behavior, Doc};
use crate::system::{System, SystemView};

/// What `check` found.
#[derive(Debug)]
pub enum Checked<P> {
    /// Already as asked; with the return values.
    Same(Map),
    /// Not as asked; `plan` says how to get there.
    Differs {
        /// Handed to `apply`.
        plan: P,
        /// What would be different; made only if asked for ([`SystemView::wants_diff`]).
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

/// A module as the engine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// Its name, as in a task.
    pub name: &'static str,
    /// Its documentation.
    pub doc: Doc,
    /// How it behaves.
    pub behavior: Behavior,
    /// Its arguments.
    pub spec: Spec,
    /// Does one order: check, then, if `earnest` and the order is not in check mode, apply.
    pub run: fn(order: &Order, execute: bool, node: &mut System) -> Outcome,
}

impl Module {
    /// Returns whether it can be an asynchronous job: one needs no controller while it runs.
    pub fn supports_async(&self) -> bool {
        let offers_content = self.spec.params.iter().any(|param| param.staged == Staged::Download);
        !self.behavior.polls_job && !offers_content
    }
}

/// A module's function that looks.
pub type Check<A, P> = fn(&A, &SystemView) -> Result<Checked<P>, Failure>;

/// A module's function that does it.
pub type Apply<A, P> = fn(&A, P, &mut System) -> Result<Done, Failure>;

/// Carries out one order with a module's functions. All modules are called through this.
pub fn run_order<A: Arguments, P>(
    order: &Order,
    execute: bool,
    node: &mut System,
    behavior: Behavior,
    (check, apply): (Check<A, P>, Apply<A, P>),
) -> Outcome {
    let start = Instant::now();
    let (status, values, diff) = match check_and_apply(order, execute, node, behavior, (check, apply)) {
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

fn check_and_apply<A: Arguments, P>(
    order: &Order,
    execute: bool,
    node: &mut System,
    behavior: Behavior,
    (check, apply): (Check<A, P>, Apply<A, P>),
) -> Result<(Status, Map, Vec<Diff>), Failure> {
    let args = A::read(&order.module, &order.args).map_err(Failure::new)?;
    let (plan, mut values, diff, unseen) = match check(&args, node)? {
        Checked::Same(values) => return Ok((Status::Same, values, Vec::new())),
        Checked::Differs { plan, diff, values } => (plan, values, diff, None),
        Checked::Unknown { plan, why, values } => (plan, values, Vec::new(), Some(why)),
    };
    if order.check || !execute {
        return Ok(match unseen {
            None => (Status::WouldChange, values, diff),
            Some(why) => {
                values.insert("msg".into(), why.into());
                (Status::Unknown, values, diff)
            }
        });
    }
    node.before_apply(behavior.reversibility.why_irreversible(&order.args))?;
    let done = apply(&args, plan, node)?;
    values.extend(done.values);
    Ok((if done.changed { Status::Changed } else { Status::Ran }, values, diff))
}
