//! Helpers for the tests of actions.

use std::sync::Arc;

use convoy_protocol::Map;

use super::ActionContext;
use crate::template::{Context, Options, Templar};

/// Calls an action with `vars` as the host's only variables.
pub(super) fn with_context<T>(vars: Map, call: impl FnOnce(&ActionContext<'_>) -> T) -> T {
    call(&ActionContext {
        scope: &vars,
        templar: &Arc::new(Templar::new(Options::default(), Arc::default())),
        template_context: &Context::default(),
        verbosity: 0,
    })
}
