//! Whose variables a text is rendered with: the host's own, or another's through `hostvars`.

use std::sync::Arc;

use crate::template::Scope;

/// The scope of a part of a variable.
#[derive(Clone)]
pub(crate) enum ScopeRef {
    /// The scope that the caller gave.
    Own,
    /// Another host's.
    Host(Arc<str>, Arc<dyn Scope>),
}

impl ScopeRef {
    /// A name for caches; the own scope's is empty.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Own => "",
            Self::Host(name, _) => name,
        }
    }
}
