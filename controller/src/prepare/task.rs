//! A task prepared for one host: what is left to do is to execute it.

use std::sync::Arc;

use convoy_protocol::message::{Order, Step};
use convoy_protocol::{Key, Map, Value};

use super::keywords::CallKeywords;
use crate::actions::Action;
use crate::services::endpoint::Endpoint;
use crate::vars::TaskScope;

/// A task made ready for one host.
#[derive(Debug)]
pub enum PreparedTask {
    /// Without a loop.
    Single(Box<Call>),
    /// With a loop; one call for each item.
    Loop(Vec<Item>),
    /// A loop without items, or nothing that can be done.
    Nothing(Map),
}

/// One item of a loop.
#[derive(Debug)]
pub struct Item {
    /// The variables that the item brings.
    pub vars: Vec<(Key, Value)>,
    /// The item itself.
    pub item: Value,
    /// What is to be done for it.
    pub call: Call,
}

/// One call of a module or action.
#[derive(Debug)]
pub struct Call {
    /// What the call sees.
    pub scope: TaskScope,
    /// What is to be done.
    pub kind: CallKind,
    /// The task's keywords as they are for this call.
    pub keywords: CallKeywords,
    /// The name of the action, if the task names it by a template.
    pub action: Option<Arc<str>>,
}

/// What is to be done.
#[derive(Debug)]
pub enum CallKind {
    /// A condition does not hold.
    Skip {
        /// The condition.
        condition: Value,
    },
    /// It cannot be made ready.
    Fail {
        /// Why; may be secret.
        msg: Value,
        /// Whether it would fail so whatever earlier tasks had changed.
        certain: bool,
    },
    /// Check mode: whether it is done, or with what, is decided at run time.
    Unknown {
        /// Why.
        why: Arc<str>,
        /// What may be done then, as far as it can be told.
        might: Option<(Box<Order>, Arc<Endpoint>)>,
    },
    /// A module on a node.
    Order(Box<Order>, Arc<Endpoint>),
    /// An action here.
    Action(&'static Action, Map),
}

impl PreparedTask {
    /// Returns the calls, in order.
    pub fn calls(&self) -> Vec<&Call> {
        match self {
            Self::Single(call) => vec![&**call],
            Self::Loop(items) => items.iter().map(|item| &item.call).collect(),
            Self::Nothing(_) => Vec::new(),
        }
    }

    /// Returns the one step for a node that the task comes to, if that is what it comes to: all of its calls are
    /// orders for one node, or skipped.
    pub fn step(&self) -> Option<(Arc<Endpoint>, Step)> {
        let mut orders = Vec::new();
        let mut endpoint: Option<Arc<Endpoint>> = None;
        for call in self.calls() {
            match &call.kind {
                CallKind::Order(order, there) => {
                    if endpoint.as_ref().is_some_and(|endpoint| endpoint != there) {
                        return None;
                    }
                    endpoint = Some(there.clone());
                    orders.push(Order::clone(order));
                }
                CallKind::Skip { .. } | CallKind::Unknown { .. } => {}
                CallKind::Fail { .. } | CallKind::Action(..) => return None,
            }
        }
        Some((endpoint?, Step { orders }))
    }
}
