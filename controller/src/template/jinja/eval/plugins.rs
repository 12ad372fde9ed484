//! Applies filters and tests by name.
//!
//! Most filters get a value that is rendered in full, and do not run at all if a part of it is unknown. Filters that only
//! look at what they need ([`filters::is_lazy`]) get a value whose outermost part is rendered; they may find undefined
//! and unknown parts.

use std::sync::Arc;

use crate::template::error::{Error, Kind as ErrorKind};
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::ops;
use crate::template::jinja::python::value::{TextKind, Val};
use crate::template::jinja::rendering::Rendering;
use crate::template::jinja::{filters, test_plugins};

/// Filters whose result stays text even if it looks like a list or a dictionary.
const VERBATIM: [&str; 5] = ["string", "to_json", "to_nice_json", "to_yaml", "to_nice_yaml"];

impl Rendering<'_> {
    /// Applies a filter.
    pub(crate) fn filter(&self, name: &str, subject: Val, mut args: Args) -> Result<Val, Error> {
        let short = builtin_name(name);
        let Some(filter) = filters::find(short) else {
            return Err(not_loaded(name));
        };
        let is_lazy = filters::is_lazy(short);
        if !is_lazy {
            for value in args.pos.iter_mut().flatten() {
                *value = self.force_deep(value)?;
            }
        }
        for (_, value) in &mut args.named {
            *value = self.force_deep(value)?;
        }
        let subject = if is_lazy { self.force(&subject)? } else { self.force_deep(&subject)? };
        if let Some(why) = unknown_result(short, &subject, &args) {
            return Ok(Val::Unknown(why));
        }
        let result = filter(self, subject, &mut args).map_err(|mut error| {
            if error.message.starts_with("missing 1 required") {
                error.message = format!("{short}() {}", error.message);
            }
            error
        })?;
        args.finish(short)?;
        Ok(match result {
            Val::Str(text, TextKind::Plain | TextKind::Yaml) if VERBATIM.contains(&short) => {
                Val::Str(text, TextKind::Verbatim)
            }
            other => other,
        })
    }

    /// Applies a test.
    pub(crate) fn test(&self, name: &str, subject: Val, mut args: Args) -> Result<bool, Error> {
        let short = builtin_name(name);
        let Some(test) = test_plugins::find(short) else {
            return Err(not_loaded(name));
        };
        for value in args.pos.iter_mut().flatten() {
            *value = self.force_deep(value)?;
        }
        let subject =
            if matches!(short, "defined" | "undefined" | "mapping" | "sequence" | "iterable" | "string") {
                self.force(&subject)?
            } else {
                self.force_deep(&subject)?
            };
        if let Some(why) = args.unknown().or_else(|| unknown_answer(short, &subject)) {
            return Err(Error::unknown(why));
        }
        let result = test(self, subject, &mut args)?;
        args.finish(short)?;
        Ok(result)
    }
}

/// Returns why the result of a filter is unknown, if it is.
fn unknown_result(filter: &str, subject: &Val, args: &Args) -> Option<Arc<str>> {
    if !filters::is_lazy(filter) {
        return subject.unknown().or_else(|| args.unknown());
    }
    // These do not depend on members that are unknown, or return them as they are.
    let takes_members = matches!(filter, "default" | "d" | "mandatory" | "type_debug" | "attr" | "extract");
    match subject {
        Val::Unknown(why) => Some(why.clone()),
        other => other.unknown_rest().filter(|_| !takes_members),
    }
}

/// Returns why the answer of a test is unknown, if it is.
fn unknown_answer(test: &str, subject: &Val) -> Option<Arc<str>> {
    match test {
        // These ask about the value as a whole, not about its parts.
        "defined" | "undefined" | "mapping" | "sequence" | "iterable" | "string" | "none" => match subject {
            Val::Unknown(why) => Some(why.clone()),
            _ => None,
        },
        _ => match test_plugins::member_of(test) {
            Some(key) if ops::has_key(subject, &Val::from(key)) => None,
            _ => subject.unknown(),
        },
    }
}

/// Returns the error for a filter or test that does not exist. Ansible does not wrap the message if the name is not even
/// a valid plugin name.
fn not_loaded(name: &str) -> Error {
    if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
        return Error::syntax(format!("Could not load \"{name}\": '{name}'"));
    }
    let message = format!("Could not load \"{name}\": 'invalid plugin name: ansible.builtin.{name}'");
    Error::new(ErrorKind::Syntax, message)
}

fn builtin_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}
