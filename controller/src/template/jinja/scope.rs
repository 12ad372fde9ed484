//! The scope in which a text is rendered: that of the caller's host, or another host's, through `hostvars`.

use std::sync::Arc;

use crate::template::Scope;

/// The scope of a part of a variable.
#[derive(Clone)]
pub(crate) enum ScopeRef {
    /// The scope of the caller.
    Own,
    /// The scope of another host, with the host's name.
    Host(Arc<str>, Arc<dyn Scope>),
}

impl ScopeRef {
    /// Returns the name of the other host; empty for the scope of the caller.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Own => "",
            Self::Host(name, _) => name,
        }
    }
}
