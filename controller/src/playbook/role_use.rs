//! One use of a role: by `roles:`, a dependency, `include_role` or `import_role`.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Origin, Value};

use super::ast::{Keywords, Role};

/// Which files of a role are read in the place of `main`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RoleFiles {
    pub(super) tasks: Option<String>,
    pub(super) vars: Option<String>,
    pub(super) defaults: Option<String>,
    pub(super) handlers: Option<String>,
}

/// One use of a role, as it was asked for.
#[derive(Debug)]
pub(super) struct RoleUse {
    pub(super) at: Option<Arc<Origin>>,
    pub(super) name: String,
    pub(super) files: RoleFiles,
    /// Keywords of the entry itself; already within those of the surroundings, too.
    pub(super) own: Keywords,
    /// `vars:` of the entry.
    pub(super) vars: Map,
    /// Keys of the entry that are no keywords.
    pub(super) params: Map,
    /// Whether `include_role` or `import_role` asks, not `roles:` or a dependency.
    pub(super) included: bool,
    pub(super) public: bool,
    /// What the role itself says if `None`.
    pub(super) allow_duplicates: Option<bool>,
    /// Whether its arguments are validated, if it says what they are.
    pub(super) validated: bool,
    pub(super) asked_by: Option<Arc<Role>>,
}

/// What makes two uses of a role the same one.
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
