//! What a module is, and the single function through which every module is called.

use std::time::Instant;

use convoy_protocol::message::Order;
use convoy_protocol::{Diff, Map, Outcome, Status};

use crate::args::{Arguments, Spec, Staged};
use crate::failure::Failure;
use crate::metadata::{Behavior, Doc};
use crate::system::{System, SystemView};

/// The result of `check`.
#[derive(Debug)]
pub enum Checked<P> {
    /// Everything is in the requested state already; with the return values.
    Same(Map),
    /// Something differs from the requested state.
    Differs {
        /// The plan for `apply`.
        plan: P,
        /// The differences; computed only if they are requested ([`SystemView::wants_diff`]).
        diff: Vec<Diff>,
        /// The return values that are known so far.
        values: Map,
    },
    /// The effect cannot be known without running.
    Unknown {
        /// The plan for `apply`.
        plan: P,
        /// Ansible's sentence for check mode, such as "Command would have run if not in check mode".
        why: &'static str,
        /// The return values that are known so far.
        values: Map,
    },
}

impl<P> Checked<P> {
    /// Converts the plan.
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

/// The result of `apply`.
#[derive(Debug)]
pub struct Done {
    /// Whether anything changed.
    pub changed: bool,
    /// The return values; they override those of the check.
    pub values: Map,
}

/// A module.
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
    /// Carries out an order: checks it and, if `execute` is set and the order is not in check mode, applies it.
    pub run: fn(order: &Order, execute: bool, node: &mut System) -> Outcome,
}

impl Module {
    /// Returns whether it can run as an asynchronous job, which has no controller to download content to.
    pub fn supports_async(&self) -> bool {
        let offers_content = self.spec.params.iter().any(|param| param.staged == Staged::Download);
        !self.behavior.polls_job && !offers_content
    }
}

/// The function of a module that compares the current with the requested state. It changes nothing.
pub type Check<A, P> = fn(&A, &SystemView) -> Result<Checked<P>, Failure>;

/// The function of a module that carries out the plan, right after the check.
pub type Apply<A, P> = fn(&A, P, &mut System) -> Result<Done, Failure>;

/// Carries out one order with a module's functions.
pub fn run_order<A: Arguments, P>(
    order: &Order,
    execute: bool,
    node: &mut System,
    behavior: Behavior,
    (check, apply): (Check<A, P>, Apply<A, P>),
) -> Outcome {
    let start = Instant::now();
    let outcome = match check_and_apply(order, execute, node, behavior, (check, apply)) {
        Ok((status, values, diff)) => Outcome { status, values, diff, offer: None, millis: 0 },
        Err(failure) => failure.into(),
    };
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Outcome { offer: node.take_offer(), millis, ..outcome }
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
