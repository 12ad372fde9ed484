//! What an include names, rendered; as the journal records it, so that `convoy undo` can read it again.

use convoy_protocol::{Map, Value, map};

use crate::playbook::ast::Action;
use crate::prepare::{View, values};
use crate::template::Error;

/// What an include names: a file of tasks, or a role.
#[derive(Clone, PartialEq)]
pub(super) enum IncludeTarget {
    File(String),
    Role(RoleNames),
}

/// The names of an `include_role`, rendered.
#[derive(Clone, PartialEq)]
pub(super) struct RoleNames {
    pub(super) name: String,
    pub(super) tasks_from: Option<String>,
    pub(super) vars_from: Option<String>,
    pub(super) defaults_from: Option<String>,
    pub(super) handlers_from: Option<String>,
    pub(super) public: bool,
}

impl IncludeTarget {
    /// Renders what an include names.
    ///
    /// # Errors
    /// If a name cannot be rendered.
    pub(super) fn of(view: View<'_>) -> Result<Self, Error> {
        let text = |value: &Value| view.render(value).map(|value| crate::text::python::str(&value));
        let optional = |value: &Option<Value>| value.as_ref().map(text).transpose();
        match &view.task.action {
            Action::IncludeRole(role) => Ok(Self::Role(RoleNames {
                name: text(&role.name)?,
                tasks_from: optional(&role.tasks_from)?,
                vars_from: optional(&role.vars_from)?,
                defaults_from: optional(&role.defaults_from)?,
                handlers_from: optional(&role.handlers_from)?,
                public: values::boolean(view, role.public.as_ref(), false)?,
            })),
            Action::IncludeTasks { file, .. } => Ok(Self::File(text(file)?)),
            _ => Err(Error::other("not an include".to_owned())),
        }
    }

    /// Returns what the journal is told.
    pub(super) fn noted(&self) -> Map {
        let role = match self {
            Self::File(file) => return map! { "file" => file.as_str() },
            Self::Role(role) => role,
        };
        let names = [
            ("tasks_from", &role.tasks_from),
            ("vars_from", &role.vars_from),
            ("defaults_from", &role.defaults_from),
            ("handlers_from", &role.handlers_from),
        ];
        let mut noted = map! { "role" => role.name.as_str(), "public" => role.public };
        let named = names.into_iter().filter_map(|(key, name)| Some((key.into(), name.as_deref()?.into())));
        noted.extend(named);
        noted
    }

    /// Reads what [`noted`](Self::noted) returned.
    pub(super) fn read(noted: &Map) -> Option<Self> {
        let text = |key: &str| noted.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(file) = text("file") {
            return Some(Self::File(file));
        }
        Some(Self::Role(RoleNames {
            name: text("role")?,
            tasks_from: text("tasks_from"),
            vars_from: text("vars_from"),
            defaults_from: text("defaults_from"),
            handlers_from: text("handlers_from"),
            public: noted.get("public")?.as_bool()?,
        }))
    }
}
