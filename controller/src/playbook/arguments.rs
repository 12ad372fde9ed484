//! Checks of the arguments of modules and actions, as far as they are literal.

use convoy_agent::args::{Arg, Param, ParamKind, Spec};
use convoy_protocol::{Map, Value};

use super::call::{Argument, Arguments, Call};
use super::reader::Reader;
use super::template::holds_template;
use crate::diagnostic::{Diagnostic, did_you_mean};

impl Reader<'_> {
    /// Notes what is wrong with the arguments of a call. With `defaults` (`module_defaults:`) some may come from elsewhere.
    /// For a task that expects to fail that is a warning: the task fails when it is due, as in Ansible.
    pub(super) fn check_arguments(&mut self, call: &Call, defaults: bool, expects_failure: bool) {
        let Some((name, spec, any_argument)) = call.kind.spec() else { return };
        let shown = call.name.as_ref();
        let mut problems = Vec::new();
        each(name, shown, spec, any_argument, &call.arguments, &mut problems);
        if problems.is_empty() && !defaults && call.arguments.variable.is_none() {
            let literal: Map =
                call.arguments.entries.iter().filter(|a| !any_argument || known(spec, a)).map(pair).collect();
            if let Err(why) = rules(name, spec, literal) {
                // A warning is one line.
                let problem = match expects_failure {
                    true => Diagnostic::user(format!("wrong arguments of `{shown}`: {why}")),
                    false => Diagnostic::user(format!("wrong arguments of `{shown}`")).note(why),
                };
                problems.push(problem.at(call.at.clone()));
            }
        }
        if expects_failure {
            let left = "the task expects to fail, and will";
            self.warnings.extend(problems.into_iter().map(|problem| problem.note(left)));
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

/// Missing and conflicting parameters. A template may render to nothing (`omit`), so where there are any only what is
/// plainly missing counts.
fn rules(name: &str, spec: &Spec, given: Map) -> Result<(), String> {
    if !given.values().any(holds_template) {
        return spec.resolve(name, &given).map(|_| ());
    }
    let lenient = Spec { mutually_exclusive: &[], ..*spec };
    lenient.resolve(name, &given).map(|_| ())
}

/// Notes what is wrong with each argument for itself.
pub(super) fn each(
    name: &str,
    shown: &str,
    spec: &Spec,
    any_argument: bool,
    arguments: &Arguments,
    problems: &mut Vec<Diagnostic>,
) {
    if !any_argument {
        unknown(name, shown, spec, arguments, problems);
    }
    for argument in &arguments.entries {
        if let Some(param) = argument.key.as_str().and_then(|key| spec.param(key)) {
            problems.extend(literal(shown, param, argument));
        }
    }
}

fn unknown(name: &str, shown: &str, spec: &Spec, arguments: &Arguments, problems: &mut Vec<Diagnostic>) {
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

/// Returns what is wrong with one literal argument.
fn literal(module: &str, param: &Param, argument: &Argument) -> Option<Diagnostic> {
    let value = &argument.value;
    if value.is_null() || holds_template(value) {
        return None;
    }
    let wrong = |message: String| Diagnostic::user(message).at(value.origin.clone());
    let of = format!("`{}` of `{module}`", param.name);
    if !param.choices.is_empty() && param.kind != ParamKind::List {
        let got = String::convert(value).unwrap_or_else(|_| value.kind_name().to_owned());
        // A plain `yes` or `no` is a boolean by then; the node reads it back by its choices.
        let same =
            |choice: &str| choice == got || (param.kind == ParamKind::Str && is_same_bool(choice, value));
        if !param.choices.iter().copied().any(same) {
            return Some(
                wrong(format!("value of {of} must be one of: {}, got: {got}", param.choices.join(", ")))
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
            // Ansible writes lists and maps out where text is wanted.
            if param.kind == ParamKind::Str { Ok(()) } else { Err(why) }
        }),
        ParamKind::Dict if value.as_list().is_some() => Err(format!("{} is no map", value.kind_name())),
        _ => Ok(()),
    };
    converted.err().map(|why| wrong(format!("{of} must be of type {}", param.kind.name())).note(why))
}

/// Returns what is wrong with modes that Ansible takes for other ones.
pub(super) fn decimal_modes(spec: &Spec, arguments: &Arguments) -> Vec<Diagnostic> {
    let one = |argument: &Argument| decimal(spec.param(argument.key.as_str()?)?, argument);
    arguments.entries.iter().filter_map(one).collect()
}

/// Returns what is wrong with a mode that Ansible takes for another one.
fn decimal(param: &Param, argument: &Argument) -> Option<Diagnostic> {
    let digits = decimal_mode(argument).filter(|_| param.kind == ParamKind::Mode)?;
    let wrong =
        Diagnostic::user(format!("mode {digits} is decimal, which is not the octal mode it looks like"))
            .at(argument.value.origin.clone())
            .note("YAML reads a number as octal only with a zero before it")
            .hint(Some(format!("write 0{digits} or '0{digits}'")));
    Some(wrong)
}

fn is_same_bool(choice: &str, value: &Value) -> bool {
    value.as_bool().is_some() && bool::convert(&Value::from(choice)).ok() == value.as_bool()
}

/// The digits of a mode such as `644` that YAML reads as a decimal number.
fn decimal_mode(argument: &Argument) -> Option<&str> {
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

    fn wrong(name: &str, text: &str) -> Option<String> {
        let node = crate::yaml::read("t.yml", text).unwrap().unwrap();
        let param = Sample::SPEC.param(name).unwrap();
        let argument = Argument {
            key: name.into(),
            value: node.to_value().unwrap(),
            at: Arc::new(Origin { file: "t.yml".into(), line: 1, column: 1 }),
            plain: matches!(node.data, crate::yaml::Data::Scalar(_, crate::yaml::Style::Plain))
                .then(|| node.scalar().unwrap().to_owned()),
        };
        literal("sample", param, &argument)
            .or_else(|| decimal(param, &argument))
            .map(|problem| problem.to_string())
    }

    #[test]
    fn a_decimal_mode_is_refused() {
        for well in ["0644", "'644'", "\"0644\"", "u=rw,g=r", "preserve", "'{{ mode }}'", "0o644"] {
            assert_eq!(wrong("mode", well), None, "{well}");
        }
        assert_eq!(
            wrong("mode", "644").unwrap(),
            "error: mode 644 is decimal, which is not the octal mode it looks like\n  --> t.yml:1:1\n  \
             = note: YAML reads a number as octal only with a zero before it\nhint: write 0644 or '0644'"
        );
    }

    #[test]
    fn literal_values_are_judged_and_templates_are_not() {
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
            assert_eq!(wrong(name, text).as_deref(), expected, "{name}: {text}");
        }
    }

    #[test]
    fn rules_hold_for_what_is_literal() {
        let rules = |map: Map| rules("sample", &Sample::SPEC, map).err();
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
