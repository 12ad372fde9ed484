//! Resolves the name of an action: a module, an action of the controller, or a statement of the language.

use convoy_agent::args::Spec;
use convoy_agent::module::Module;

use super::ast::Action;
use crate::actions::{self, Action as ControllerAction};

/// What the name of an action stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ActionKind {
    Module(&'static Module),
    Controller(&'static ControllerAction),
    Meta,
    IncludeTasks,
    IncludeRole,
    ImportTasks,
    ImportRole,
    /// The name is a template.
    Template,
    /// A module of `ansible.builtin` that convoy does not have.
    Missing,
}

/// The argument that holds the free text after the name of an action.
pub(super) const RAW_PARAMS: &str = "_raw_params";

/// The statements of the language, which the loader or the scheduler executes.
const STATEMENTS: [(&str, ActionKind); 5] = [
    ("meta", ActionKind::Meta),
    ("include_tasks", ActionKind::IncludeTasks),
    ("include_role", ActionKind::IncludeRole),
    ("import_tasks", ActionKind::ImportTasks),
    ("import_role", ActionKind::ImportRole),
];

/// The modules of `ansible.builtin` that convoy does not have.
const MISSING: [&str; 19] = [
    "apt_key",
    "apt_repository",
    "deb822_repository",
    "dnf",
    "dnf5",
    "dpkg_selections",
    "expect",
    "git",
    "hostname",
    "iptables",
    "mount_facts",
    "package_facts",
    "pip",
    "rpm_key",
    "service_facts",
    "subversion",
    "sysvinit",
    "yum",
    "yum_repository",
];

/// Returns a name without the prefix `ansible.builtin.` or `ansible.legacy.`.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

/// Resolves the name of an action.
pub(super) fn find(name: &str) -> Option<ActionKind> {
    let statement = STATEMENTS.iter().find(|(known, _)| *known == short(name)).map(|(_, kind)| *kind);
    statement
        .or_else(|| actions::find(name).map(ActionKind::Controller))
        .or_else(|| convoy_agent::modules::find(name).map(ActionKind::Module))
        .or_else(|| MISSING.contains(&short(name)).then_some(ActionKind::Missing))
}

impl Action {
    /// Finds the module or action of the controller that is called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn called(name: &str) -> Result<Self, String> {
        match find(name) {
            Some(ActionKind::Module(module)) => Ok(Self::Module(module)),
            Some(ActionKind::Controller(action)) => Ok(Self::Controller(action)),
            Some(ActionKind::Missing) => Err(missing(name)),
            Some(_) => Err(format!("the name `{name}` cannot come from a template")),
            None => Err(format!("The module {name} was not found in configured module paths")),
        }
    }
}

/// Returns the message that convoy does not have a module.
pub(super) fn missing(name: &str) -> String {
    format!("the module `{}` of ansible.builtin is not available in convoy", short(name))
}

/// Returns the names of all modules, actions and statements.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let modules = convoy_agent::modules::ALL.iter().map(|module| module.name);
    let actions = actions::ALL.iter().map(|action| action.name);
    STATEMENTS.iter().map(|(name, _)| *name).chain(actions).chain(modules)
}

impl ActionKind {
    /// Returns the specification of the arguments; `None` for statements and unknown modules.
    pub(super) fn spec(self) -> Option<(&'static str, &'static Spec, bool)> {
        match self {
            Self::Module(module) => Some((module.name, &module.spec, false)),
            Self::Controller(action) => Some((action.name, &action.spec, action.any_argument)),
            _ => None,
        }
    }

    /// Returns whether the free text is a command, of which only a few `key=value` words are arguments.
    pub(super) fn takes_command(self) -> bool {
        matches!(self, Self::Module(module) if module.spec.free_form)
    }

    /// Returns whether the free text may be something else than `key=value` arguments.
    pub(super) fn takes_text(self) -> bool {
        match self {
            Self::Module(module) => module.spec.free_form,
            Self::Controller(action) => action.spec.free_form,
            Self::Meta | Self::IncludeTasks | Self::IncludeRole | Self::ImportTasks | Self::ImportRole => {
                true
            }
            Self::Template | Self::Missing => false,
        }
    }

    /// Returns whether the argument `cmd` is another name for the free text.
    pub(super) fn has_cmd(self) -> bool {
        self.spec()
            .is_some_and(|(_, spec, _)| spec.param("cmd").is_some_and(|param| param.name == RAW_PARAMS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_module_of_convoy_is_listed_as_missing() {
        let known: Vec<&str> =
            MISSING.into_iter().filter(|name| names().any(|known| known == *name)).collect();
        assert_eq!(known, Vec::<&str>::new());
    }
}
