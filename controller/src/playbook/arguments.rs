//! Checks the literal arguments of modules and actions when a playbook is read.
//!
//! Arguments with templates are checked when the task runs: by the agent, or by the action. All checks use the same
//! specification.

use convoy_agent::args::{Arg, Param, ParamKind, Spec};
use convoy_protocol::{Map, Value};

use super::call::{Argument, Arguments, Call};
use super::reader::Reader;
use super::template::contains_template;
use crate::diagnostic::{Diagnostic, did_you_mean};

impl Reader<'_> {
    /// Reports errors in the arguments of a call. With `has_defaults` (`module_defaults:`) arguments may be missing. If the
    /// task is expected to fail, errors are warnings: the task fails when it runs, as in Ansible.
    pub(super) fn check_arguments(&mut self, call: &Call, has_defaults: bool, expects_failure: bool) {
        let Some((name, spec, any_argument)) = call.kind.spec() else { return };
        let shown = call.name.as_ref();
        let mut problems = Vec::new();
        check_each(name, shown, spec, any_argument, &call.arguments, &mut problems);
        if problems.is_empty() && !has_defaults && call.arguments.variable.is_none() {
            let literal: Map =
                call.arguments.entries.iter().filter(|a| !any_argument || known(spec, a)).map(pair).collect();
            if let Err(why) = check_rules(name, spec, literal) {
                // Warnings are a single line.
                let problem = match expects_failure {
                    true => Diagnostic::user(format!("wrong arguments of `{shown}`: {why}")),
                    false => Diagnostic::user(format!("wrong arguments of `{shown}`")).note(why),
                };
                problems.push(problem.at(call.at.clone()));
            }
        }
        if expects_failure {
            let note = "the task is expected to fail, and will";
            self.warnings.extend(problems.into_iter().map(|problem| problem.note(note)));
        } else {
            self.problems.append(&mut problems);
        }
        self.problems.extend(decimal_modes(spec, &call.arguments));
    }
}

fn known(spec: &Spec, argument: &Argument) -> bool {
    argument.key.as_str().is_some_and(|key| spec.param(key).is_some())
}

fn pair(argument: &Argument) -> (convoy_protocol::Key, Value) {
    (argument.key.clone(), argument.value.clone())
}

/// Checks for missing and conflicting parameters. Conflicts are ignored if there are templates, since these may render to
/// `omit`.
fn check_rules(name: &str, spec: &Spec, given: Map) -> Result<(), String> {
    if !given.values().any(contains_template) {
        return spec.resolve(name, &given).map(|_| ());
    }
    let lenient = Spec { mutually_exclusive: &[], ..*spec };
    lenient.resolve(name, &given).map(|_| ())
}

/// Checks each argument on its own.
pub(super) fn check_each(
    name: &str,
    shown: &str,
    spec: &Spec,
    any_argument: bool,
    arguments: &Arguments,
    problems: &mut Vec<Diagnostic>,
) {
    if !any_argument {
        check_names(name, shown, spec, arguments, problems);
    }
    for argument in &arguments.entries {
        if let Some(param) = argument.key.as_str().and_then(|key| spec.param(key)) {
            problems.extend(check_value(shown, param, argument));
        }
    }
}

fn check_names(name: &str, shown: &str, spec: &Spec, arguments: &Arguments, problems: &mut Vec<Diagnostic>) {
    for argument in &arguments.entries {
        let key = argument.key.to_string();
        let Some(sentence) = spec.unsupported(name, std::iter::once(key.as_str())) else { continue };
        let names = spec.params.iter().flat_map(|param| param.aliases.iter().copied().chain([param.name]));
        let problem = Diagnostic::user(format!("unknown parameter `{key}` of `{shown}`"))
            .at(argument.at.clone())
            .note(sentence)
            .hint(did_you_mean(&key, names));
        problems.push(problem);
    }
}

/// Returns the error in the literal value of an argument.
fn check_value(module: &str, param: &Param, argument: &Argument) -> Option<Diagnostic> {
    let value = &argument.value;
    if value.is_null() || contains_template(value) {
        return None;
    }
    let error = |message: String| Diagnostic::user(message).at(value.origin.clone());
    let name = format!("`{}` of `{module}`", param.name);
    if !param.choices.is_empty() && param.kind != ParamKind::List {
        let got = String::convert(value).unwrap_or_else(|_| value.kind_name().to_owned());
        // YAML has converted a plain `yes` or `no` to a boolean; the node converts it back by the choices.
        let same =
            |choice: &str| choice == got || (param.kind == ParamKind::Str && is_same_bool(choice, value));
        if !param.choices.iter().copied().any(same) {
            return Some(
                error(format!("value of {name} must be one of: {}, got: {got}", param.choices.join(", ")))
                    .hint(did_you_mean(&got, param.choices.iter().copied())),
            );
        }
        return None;
    }
    let converted = match param.kind {
        ParamKind::Bool => bool::convert(value).map(drop),
        ParamKind::Int => i64::convert(value).map(drop),
        ParamKind::Float => f64::convert(value).map(drop),
        ParamKind::Str | ParamKind::Path => String::convert(value).map(drop).or_else(|why| {
            // Ansible converts lists and maps to text where text is expected.
            if param.kind == ParamKind::Str { Ok(()) } else { Err(why) }
        }),
        ParamKind::Dict if value.as_list().is_some() => Err(format!("{} is not a map", value.kind_name())),
        _ => Ok(()),
    };
    converted.err().map(|why| error(format!("{name} must be of type {}", param.kind.name())).note(why))
}

/// Returns an error for each file mode written as a decimal number, which Ansible would take for another mode.
pub(super) fn decimal_modes(spec: &Spec, arguments: &Arguments) -> Vec<Diagnostic> {
    let error = |argument: &Argument| decimal_mode(spec.param(argument.key.as_str()?)?, argument);
    arguments.entries.iter().filter_map(error).collect()
}

fn decimal_mode(param: &Param, argument: &Argument) -> Option<Diagnostic> {
    let digits = decimal_digits(argument).filter(|_| param.kind == ParamKind::Mode)?;
    let error =
        Diagnostic::user(format!("mode {digits} is decimal, which is not the octal mode it looks like"))
            .at(argument.value.origin.clone())
            .note("YAML reads a number as octal only with a leading zero")
            .hint(Some(format!("write 0{digits} or '0{digits}'")));
    Some(error)
}

fn is_same_bool(choice: &str, value: &Value) -> bool {
    value.as_bool().is_some() && bool::convert(&Value::from(choice)).ok() == value.as_bool()
}

/// Returns the digits of a value such as `644`, which YAML reads as a decimal number.
fn decimal_digits(argument: &Argument) -> Option<&str> {
    let digits = argument.plain.as_deref()?;
    let decimal = argument.value.as_int().is_some() && digits.bytes().all(|b| b.is_ascii_digit());
    (decimal && !digits.starts_with('0')).then_some(digits)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use convoy_agent::args::{Arguments as _, Mode};
    use convoy_protocol::{Origin, map};

    use super::*;

    convoy_agent::choices! {
        /// A state.
        pub enum State {
            /// Gone.
            Absent = "absent",
            /// There.
            Present = "present",
        }
    }

    convoy_agent::arguments! {
        /// Arguments of no module.
        pub struct Sample {
            /// Where.
            path: String [required, aliases("dest")],
            /// How.
            state: Option<State>,
            /// Rights.
            mode: Option<Mode>,
            /// Whether.
            force: Option<bool>,
            /// What.
            content: Option<String>,
            /// From where.
            src: Option<String>,
        }
        mutually_exclusive ["content", "src"]
    }

    fn error_of(name: &str, text: &str) -> Option<String> {
        let node = crate::yaml::read("t.yml", text).unwrap().unwrap();
        let param = Sample::SPEC.param(name).unwrap();
        let argument = Argument {
            key: name.into(),
            value: node.to_value().unwrap(),
            at: Arc::new(Origin { file: "t.yml".into(), line: 1, column: 1 }),
            plain: matches!(node.data, crate::yaml::Data::Scalar(_, crate::yaml::Style::Plain))
                .then(|| node.scalar().unwrap().to_owned()),
        };
        check_value("sample", param, &argument)
            .or_else(|| decimal_mode(param, &argument))
            .map(|problem| problem.to_string())
    }

    #[test]
    fn a_decimal_mode_is_an_error() {
        for valid in ["0644", "'644'", "\"0644\"", "u=rw,g=r", "preserve", "'{{ mode }}'", "0o644"] {
            assert_eq!(error_of("mode", valid), None, "{valid}");
        }
        assert_eq!(
            error_of("mode", "644").unwrap(),
            "error: mode 644 is decimal, which is not the octal mode it looks like\n  --> t.yml:1:1\n  \
             = note: YAML reads a number as octal only with a leading zero\nhint: write 0644 or '0644'"
        );
    }

    #[test]
    fn literal_values_are_checked_and_templates_are_not() {
        for (name, text, expected) in [
            ("state", "absent", None),
            ("state", "'{{ x }}'", None),
            (
                "state",
                "presnt",
                Some(
                    "error: value of `state` of `sample` must be one of: absent, present, got: presnt\n  \
                      --> t.yml:1:1\nhint: did you mean `present`?",
                ),
            ),
            ("force", "yes", None),
            ("force", "'on'", None),
            (
                "force",
                "[]",
                Some(
                    "error: `force` of `sample` must be of type bool\n  --> t.yml:1:1\n  \
                      = note: <class 'list'> cannot be converted to a bool",
                ),
            ),
        ] {
            assert_eq!(error_of(name, text).as_deref(), expected, "{name}: {text}");
        }
    }

    #[test]
    fn missing_and_conflicting_parameters_are_errors() {
        let rules = |map: Map| check_rules("sample", &Sample::SPEC, map).err();
        assert_eq!(rules(map! { "dest" => "/a", "content" => "x" }), None);
        assert_eq!(rules(map! { "content" => "x" }).as_deref(), Some("missing required arguments: path"));
        assert_eq!(
            rules(map! { "content" => "{{ x }}" }).as_deref(),
            Some("missing required arguments: path")
        );
        assert_eq!(
            rules(map! { "path" => "/a", "content" => "x", "src" => "y" }).as_deref(),
            Some("parameters are mutually exclusive: content|src")
        );
        assert_eq!(
            rules(map! { "path" => "/a", "content" => "{{ x | default(omit) }}", "src" => "y" }),
            None
        );
    }
}
