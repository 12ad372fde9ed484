//! Checks that an answer fits the window it answers.

use convoy_protocol::message::{Answer, Step};
use convoy_protocol::{Outcome, Status};

/// What a window asked for: for each step, for each of its orders, whether the order runs in check mode.
pub(super) type WindowShape = Vec<Vec<bool>>;

/// Returns the shape of a window.
pub(super) fn shape(steps: &[Step]) -> WindowShape {
    steps.iter().map(|step| step.orders.iter().map(|order| order.check).collect()).collect()
}

/// Returns what is wrong with an answer to a window of this shape; `None` if it fits.
pub(super) fn mismatch(answer: &Answer, shape: &WindowShape) -> Option<String> {
    let same = |outcome: &Outcome| outcome.status == Status::Same;
    let fits = |outcome: &Outcome, check: bool| match outcome.status {
        Status::Same | Status::Failed => true,
        Status::Ran | Status::Changed | Status::Interrupted => !check,
        Status::WouldChange | Status::Unknown => check,
    };
    let [first, others @ ..] = &answer.steps[..] else {
        return Some("an answer without the first step".into());
    };
    if answer.steps.len() > shape.len() {
        return Some(format!("{} steps answered, {} requested", answer.steps.len(), shape.len()));
    }
    for (outcomes, orders) in answer.steps.iter().zip(shape) {
        if outcomes.len() != orders.len() {
            return Some(format!("{} outcomes for {} orders", outcomes.len(), orders.len()));
        }
    }
    if !first.iter().zip(&shape[0]).all(|(outcome, check)| fits(outcome, *check)) {
        return Some("an outcome that is impossible in the order's mode".into());
    }
    if !others.is_empty() && !answer.steps.iter().flatten().all(same) {
        return Some("steps answered beyond one whose outcome was not `same`".into());
    }
    None
}
