//! Prepares a task for one host: conditions decided, loops expanded, keywords and arguments rendered, files of the workstation
//! found.
//!
//! Preparing is a function of a [`View`]: it reads a snapshot of the variables and services that all tasks share, and has no access
//! to anything that a run changes. What it returns, a [`PreparedTask`], is executed by [`execute`](crate::execute).

mod arguments;
pub mod become_user;
pub mod call;
pub mod endpoint;
mod errors;
mod files;
pub mod keywords;
pub mod loops;
pub mod names;
pub mod task;
pub mod values;
pub mod view;

use convoy_protocol::{Map, Value};

use self::call::{failing_condition, prepare_call, skipped, unprepared};
use self::errors::is_of_lookahead;
use self::loops::{LoopNames, items};
pub use self::task::{Call, CallKind, Item, PreparedTask};
pub use self::view::View;
use crate::template::Error;

/// Makes a task ready for one host.
///
/// # Errors
/// Only while looking ahead: [`ErrorKind::NotYet`] and [`ErrorKind::Impure`]. All other errors are in the prepared task.
pub fn prepare(view: View<'_>) -> Result<PreparedTask, Error> {
    let Some(repeat) = &view.task.repeat else {
        return Ok(PreparedTask::Single(Box::new(prepare_call(view)?)));
    };
    let items = match items(view, repeat) {
        Ok(items) => items,
        Err(error) if is_of_lookahead(&error) => return Err(error),
        // A condition that does not hold is stronger than a loop that cannot be made.
        Err(error) => {
            return Ok(PreparedTask::Single(Box::new(match failing_condition(view) {
                Ok(Some(condition)) => skipped(view, condition),
                _ => unprepared(view, &error, error.to_string()),
            })));
        }
    };
    if items.is_empty() {
        return Ok(PreparedTask::Nothing(convoy_protocol::map! {
            "changed" => false,
            "skipped" => true,
            "skipped_reason" => "No items in the list",
            "results" => Vec::<Value>::new(),
        }));
    }
    let names = LoopNames::of(view, repeat)?;
    let prepare = |(index, item): (usize, &Value)| {
        let vars = names.vars(&items, index);
        let scope = view.scope.with(vars.iter().cloned());
        let call = prepare_call(View { scope: &scope, ..view })?;
        Ok(Item { vars, item: item.clone(), call })
    };
    items.iter().enumerate().map(prepare).collect::<Result<_, Error>>().map(PreparedTask::Loop)
}

/// Prepares one item of a loop once more, now that the items before it have set variables.
pub fn prepare_item_again(item: &Item, view: View<'_>, set: &Map) -> Call {
    let set = set.iter().map(|(name, value)| (name.clone(), value.clone()));
    let scope = view.scope.with(set.chain(item.vars.iter().cloned()));
    let view = View { scope: &scope, ..view };
    prepare_call(view).unwrap_or_else(|error| call::stopped(view, &error))
}

/// Returns a task that cannot be prepared.
pub fn unprepared_task(view: View<'_>, error: &Error) -> PreparedTask {
    PreparedTask::Single(Box::new(unprepared(view, error, error.to_string())))
}
