//! The use of a role in `roles:`, as a dependency, or by `include_role` or `import_role`.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Origin, Value};

use super::ast::{Keywords, Role};

/// The names of the files of a role; by default `main`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RoleFiles {
    pub(super) tasks: Option<String>,
    pub(super) vars: Option<String>,
    pub(super) defaults: Option<String>,
    pub(super) handlers: Option<String>,
}

/// One use of a role, as written by the user.
#[derive(Debug)]
pub(super) struct RoleUse {
    pub(super) at: Option<Arc<Origin>>,
    pub(super) name: String,
    pub(super) files: RoleFiles,
    /// The keywords of the entry itself; the scope of the role includes them.
    pub(super) own: Keywords,
    /// `vars:` of the entry.
    pub(super) vars: Map,
    /// The keys of the entry that are not keywords.
    pub(super) params: Map,
    /// Whether it is used by `include_role` or `import_role`, not in `roles:` or as a dependency.
    pub(super) included: bool,
    pub(super) public: bool,
    /// `None` means that the metadata of the role decides.
    pub(super) allow_duplicates: Option<bool>,
    /// Whether its arguments are validated, if it has a specification of them.
    pub(super) validated: bool,
    /// The role that depends on it or includes it.
    pub(super) parent: Option<Arc<Role>>,
}

/// The properties that are equal for equal uses of a role.
#[derive(Debug, PartialEq)]
pub(super) struct RoleIdentity {
    pub(super) path: PathBuf,
    pub(super) params: Map,
    pub(super) vars: Map,
    pub(super) when: Vec<Value>,
    pub(super) tags: Vec<Arc<str>>,
    pub(super) files: RoleFiles,
    pub(super) included: bool,
}
