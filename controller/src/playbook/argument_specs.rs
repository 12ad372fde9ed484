//! Adds a task to a role with `meta/argument_specs.yml` that validates its arguments.

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Map, Origin, Value, map};

use super::ast::{Action, Inherited, Task};
use super::reader::Reader;
use super::role_use::RoleUse;
use super::{search, task};
use crate::actions::validate_argument_spec;

impl Reader<'_> {
    /// Returns the task that validates the arguments of a role, if the role has a specification of them.
    pub(super) fn validation(&mut self, role: &Path, used: &RoleUse, scope: &Inherited) -> Option<Task> {
        if !used.validated {
            return None;
        }
        let entry = used.files.tasks.as_deref().unwrap_or("main");
        let (specs, at) = self.argument_specs(role)?;
        let spec = specs.get(entry)?.as_map()?.clone();
        let mut name = format!("Validating arguments against arg spec '{entry}'");
        if let Some(short) = spec.get("short_description") {
            name.push_str(&format!(" - {}", crate::text::python::str(short)));
        }
        let context = map! {
            "type" => "role",
            "name" => scope.role.as_ref()?.name.clone(),
            "argument_spec_name" => entry,
            "path" => crate::paths::absolute(role).to_string_lossy().as_ref(),
        };
        let args = map! {
            "argument_spec" => spec.get("options").cloned().unwrap_or_else(|| Map::new().into()),
            "provided_arguments" => used.params.clone(),
            "validate_args_context" => context,
        };
        let mut validation = task::empty(at, scope);
        validation.name = Some(Value::from(name));
        validation.action_name = "ansible.builtin.validate_argument_spec".into();
        validation.action = Action::Controller(&validate_argument_spec::ACTION);
        validation.args = args.into();
        validation.keywords.tags.push("always".into());
        Some(task::finish(validation, scope))
    }

    /// Reads the specifications from their own file, or from the metadata of the role.
    fn argument_specs(&mut self, role: &Path) -> Option<(Map, Arc<Origin>)> {
        let own = search::role_file(&role.join("meta"), Some("argument_specs"));
        let file = own.or_else(|| search::role_file(&role.join("meta"), None))?;
        let node = self.file(&file)?;
        let value = self.value(&node)?;
        Some((value.get("argument_specs")?.as_map()?.clone(), node.at.clone()))
    }
}
