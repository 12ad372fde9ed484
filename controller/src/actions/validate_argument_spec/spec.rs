//! The rules of an argument specification, in Ansible's order and wording.

use std::collections::BTreeSet;

use convoy_agent::args::Arg;
use convoy_protocol::{Key, Kind, Map, Value};

/// Returns the errors in the arguments.
pub(super) fn validate(spec: &Map, mut args: Map) -> Vec<String> {
    let mut validator = Validator::default();
    let rules = Map::new();
    validator.validate_level(spec, &rules, &mut args, &mut Vec::new());
    let Some((_, supported)) = validator.unsupported.last() else { return validator.errors };
    let names: BTreeSet<&str> = validator.unsupported.iter().map(|(name, _)| name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    validator.errors.push(format!("{}. Supported parameters include: {supported}.", names.join(", ")));
    validator.errors
}

/// Collects errors.
#[derive(Default)]
struct Validator {
    errors: Vec<String>,
    /// Unknown arguments, each with the list of supported ones.
    unsupported: Vec<(String, String)>,
}

/// Returns the Python class of a value.
pub(super) fn class(value: &Value) -> &'static str {
    let from_yaml = value.origin.is_some();
    match &value.kind {
        Kind::Null => "<class 'NoneType'>",
        Kind::Bool(_) => "<class 'bool'>",
        Kind::Int(_) => "<class 'int'>",
        Kind::Float(_) => "<class 'float'>",
        Kind::Bytes(_) => "<class 'bytes'>",
        Kind::Text(_) if from_yaml => "<class 'ansible.parsing.yaml.objects.AnsibleUnicode'>",
        Kind::List(_) if from_yaml => "<class 'ansible.parsing.yaml.objects.AnsibleSequence'>",
        Kind::Map(_) if from_yaml => "<class 'ansible.parsing.yaml.objects.AnsibleMapping'>",
        Kind::Text(_) | Kind::Unknown(_) | Kind::Vaulted(_) => "<class 'str'>",
        Kind::List(_) => "<class 'list'>",
        Kind::Map(_) => "<class 'dict'>",
    }
}

fn text(spec: &Map, name: &str) -> Option<String> {
    spec.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flag(spec: &Map, name: &str) -> bool {
    spec.get(name).is_some_and(|value| bool::convert(value).unwrap_or(false))
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_list).unwrap_or_default().iter().map(crate::text::python::str).collect()
}

fn options(spec: &Map) -> impl Iterator<Item = (String, Map)> + '_ {
    spec.iter().map(|(name, option)| (name.to_string(), option.as_map().cloned().unwrap_or_default()))
}

/// Adds the path of the argument that contains the option.
fn with_path(message: String, path: &[String]) -> String {
    if path.is_empty() { message } else { format!("{message} found in {}", path.join(" -> ")) }
}

impl Validator {
    /// Validates the arguments of one level: those of the role, or the suboptions of one of them.
    fn validate_level(&mut self, spec: &Map, rules: &Map, args: &mut Map, path: &mut Vec<String>) {
        resolve_aliases(spec, args);
        self.check_supported(spec, args, path);
        self.check_mutually_exclusive(rules, args, path);
        fill_defaults(spec, args);
        self.check_required(spec, args, path);
        for (name, option) in options(spec) {
            self.convert_argument(&name, &option, args, path);
        }
        for (name, option) in options(spec) {
            self.check_choices(&name, &option, args, path);
        }
        self.check_rules(rules, args, path);
        for (name, option) in options(spec) {
            self.validate_suboptions(&name, &option, args, path);
        }
    }

    fn check_supported(&mut self, spec: &Map, args: &Map, path: &[String]) {
        let known: BTreeSet<String> = options(spec).map(|(name, _)| name).collect();
        let other: BTreeSet<String> =
            options(spec).flat_map(|(_, option)| texts(option.get("aliases"))).collect();
        let mut supported = known.iter().cloned().collect::<Vec<_>>().join(", ");
        if !other.is_empty() {
            supported.push_str(&format!(" ({})", other.iter().cloned().collect::<Vec<_>>().join(", ")));
        }
        for name in args.keys().map(Key::to_string) {
            if !known.contains(&name) && !other.contains(&name) {
                let full = path.iter().chain([&name]).cloned().collect::<Vec<_>>().join(".");
                self.unsupported.push((full, supported.clone()));
            }
        }
    }

    fn check_mutually_exclusive(&mut self, rules: &Map, args: &Map, path: &[String]) {
        let wrong: Vec<String> = groups(rules.get("mutually_exclusive"))
            .into_iter()
            .filter(|group| count(group, args) > 1)
            .map(|group| group.join("|"))
            .collect();
        if !wrong.is_empty() {
            self.errors
                .push(with_path(format!("parameters are mutually exclusive: {}", wrong.join(", ")), path));
        }
    }

    fn check_required(&mut self, spec: &Map, args: &Map, path: &[String]) {
        let missing: BTreeSet<String> = options(spec)
            .filter(|(name, option)| flag(option, "required") && !args.contains_key(name.as_str()))
            .map(|(name, _)| name)
            .collect();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.into_iter().collect();
            self.errors.push(with_path(format!("missing required arguments: {}", missing.join(", ")), path));
        }
    }

    fn convert_argument(&mut self, name: &str, option: &Map, args: &mut Map, path: &[String]) {
        let Some(value) = args.get(name).cloned() else { return };
        let default = option.get("default").is_some_and(|value| !value.is_null());
        if value.is_null() && !flag(option, "required") && !default {
            return;
        }
        let wanted = text(option, "type").unwrap_or_else(|| "str".to_owned());
        let converted = match convert(&wanted, &value) {
            Ok(converted) => converted,
            Err(why) => {
                let location = match path {
                    [] => String::new(),
                    path => format!(" found in '{}'.", path.join(" -> ")),
                };
                let class = class(&value);
                return self.errors.push(format!(
                    "argument '{name}' is of type {class}{location} and we were unable to convert to {wanted}: {why}"
                ));
            }
        };
        let converted = match (text(option, "elements"), converted.as_list()) {
            (Some(wanted), Some(list)) => self.convert_elements(name, &wanted, list, path),
            _ => converted,
        };
        args.insert(name.into(), converted);
    }

    fn convert_elements(&mut self, name: &str, wanted: &str, list: &[Value], path: &[String]) -> Value {
        let mut converted = Vec::new();
        for element in list {
            match convert(wanted, element) {
                Ok(element) => converted.push(element),
                Err(why) => {
                    let location = match path {
                        [] => String::new(),
                        path => format!(" found in '{}'", path.join(" -> ")),
                    };
                    let class = class(element);
                    self.errors.push(format!(
                        "Elements value for option '{name}'{location} is of type {class} and we were unable to convert to \
                         {wanted}: {why}"
                    ));
                }
            }
        }
        converted.into()
    }

    fn check_choices(&mut self, name: &str, option: &Map, args: &Map, path: &[String]) {
        let (Some(choices), Some(value)) = (option.get("choices").and_then(Value::as_list), args.get(name))
        else {
            return;
        };
        let shown: Vec<String> = choices.iter().map(crate::text::python::str).collect();
        let shown = shown.join(", ");
        let message = match value.as_list() {
            Some(list) => {
                let others: Vec<String> = list
                    .iter()
                    .filter(|item| !choices.contains(item))
                    .map(crate::text::python::str)
                    .collect();
                if others.is_empty() {
                    return;
                }
                format!(
                    "value of {name} must be one or more of: {shown}. Got no match for: {}",
                    others.join(", ")
                )
            }
            None if choices.contains(value) => return,
            None => {
                format!("value of {name} must be one of: {shown}, got: {}", crate::text::python::str(value))
            }
        };
        self.errors.push(with_path(message, path));
    }

    /// Checks the rules between the suboptions of an argument.
    fn check_rules(&mut self, rules: &Map, args: &Map, path: &[String]) {
        for group in groups(rules.get("required_together")) {
            let present = count(&group, args);
            if present > 0 && present < group.len() {
                let message = format!("parameters are required together: {}", group.join(", "));
                self.errors.push(with_path(message, path));
            }
        }
        for group in groups(rules.get("required_one_of")).iter().filter(|group| count(group, args) == 0) {
            let message = format!("one of the following is required: {}", group.join(", "));
            self.errors.push(with_path(message, path));
        }
        for rule in rules.get("required_if").and_then(Value::as_list).unwrap_or_default() {
            self.check_required_if(rule.as_list().unwrap_or_default(), args, path);
        }
        let by = rules.get("required_by").and_then(Value::as_map).into_iter().flatten();
        for (name, needed) in by.filter(|(name, _)| args.get(*name).is_some_and(|value| !value.is_null())) {
            let needed = match needed.as_list() {
                Some(_) => texts(Some(needed)),
                None => vec![crate::text::python::str(needed)],
            };
            let missing: Vec<String> = needed.into_iter().filter(|name| !is_given(name, args)).collect();
            if !missing.is_empty() {
                let message = format!("missing parameter(s) required by '{name}': {}", missing.join(", "));
                self.errors.push(with_path(message, path));
            }
        }
    }

    fn check_required_if(&mut self, rule: &[Value], args: &Map, path: &[String]) {
        let [key, value, needed, rest @ ..] = rule else { return };
        let name = crate::text::python::str(key);
        if args.get(name.as_str()) != Some(value) {
            return;
        }
        let any = rest.first().is_some_and(|flag| bool::convert(flag).unwrap_or(false));
        let needed = texts(Some(needed));
        let missing: Vec<String> = needed.iter().filter(|name| !is_given(name, args)).cloned().collect();
        if missing.is_empty() || any && missing.len() < needed.len() {
            return;
        }
        let how = if any { "any" } else { "all" };
        let (shown, missing) = (crate::text::python::str(value), missing.join(", "));
        let message = format!("{name} is {shown} but {how} of the following are missing: {missing}");
        self.errors.push(with_path(message, path));
    }

    /// Validates the suboptions of an argument, or of each element of its list.
    fn validate_suboptions(&mut self, name: &str, option: &Map, args: &Map, path: &mut Vec<String>) {
        let wanted = text(option, "type").unwrap_or_default();
        let maps =
            wanted == "dict" || wanted == "list" && text(option, "elements").as_deref() == Some("dict");
        let Some(spec) = option.get("options").and_then(Value::as_map).filter(|_| maps) else { return };
        let value = args.get(name).cloned().filter(|value| !value.is_null());
        let value = match value {
            Some(value) => value,
            None if flag(option, "apply_defaults") => Map::new().into(),
            None => return,
        };
        path.push(name.to_owned());
        let elements = value.as_list().map_or_else(|| vec![value.clone()], <[Value]>::to_vec);
        for element in elements {
            match element.as_map() {
                Some(map) => self.validate_level(spec, option, &mut map.clone(), path),
                None => self.errors.push(format!("value of '{name}' must be of type dict or list of dicts")),
            }
        }
        path.pop();
    }
}

/// Sets each argument that is given by an alias under its own name.
fn resolve_aliases(spec: &Map, args: &mut Map) {
    for (name, option) in options(spec) {
        for alias in texts(option.get("aliases")) {
            if let Some(value) = args.get(alias.as_str()).cloned() {
                args.insert(name.as_str().into(), value);
            }
        }
    }
}

fn fill_defaults(spec: &Map, args: &mut Map) {
    for (name, option) in options(spec) {
        if let (Some(default), false) = (option.get("default"), args.contains_key(name.as_str())) {
            args.insert(name.into(), default.clone());
        }
    }
}

fn groups(value: Option<&Value>) -> Vec<Vec<String>> {
    let list = value.and_then(Value::as_list).unwrap_or_default();
    // A single group may be written without the outer list.
    if list.iter().any(|item| item.as_list().is_none()) {
        return vec![texts(value)];
    }
    list.iter().map(|group| texts(Some(group))).collect()
}

fn count(group: &[String], args: &Map) -> usize {
    group.iter().filter(|name| args.contains_key(name.as_str())).count()
}

fn is_given(name: &str, args: &Map) -> bool {
    args.get(name).is_some_and(|value| !value.is_null())
}

/// Parses a map written as JSON or as `key=value` pairs.
fn parse_dict(text: &str) -> Option<Map> {
    let text = text.trim();
    if text.starts_with('{') {
        let node = crate::yaml::read("<argument>", text).ok()??;
        return node.to_value().ok()?.as_map().cloned();
    }
    let pairs = text.split([',', ' ']).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((Key::from(key), Value::from(value.trim_matches(['"', '\\', '\'']))))
    };
    pairs.map(pair).collect::<Option<Map>>().filter(|map| !map.is_empty())
}

/// Returns what Python's `repr` returns for a value.
fn repr(value: &Value) -> String {
    let list = crate::text::python::str(&vec![value.clone()].into());
    list[1..list.len() - 1].to_owned()
}

/// Converts a value to the type that the specification names.
fn convert(wanted: &str, value: &Value) -> Result<Value, String> {
    let refuse = |to: &str| Err(format!("{} cannot be converted to {to}", class(value)));
    match wanted {
        "str" | "path" if value.is_null() => {
            Err("'None' is not a string and conversion is not allowed".to_owned())
        }
        "str" | "path" => {
            Ok(value.as_str().map_or_else(|| crate::text::python::str(value).into(), |_| value.clone()))
        }
        "bool" => bool::convert(value).map(Value::from),
        "int" => match i64::convert(value) {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(format!("\"{}\" cannot be converted to an int", repr(value))),
        },
        "float" => f64::convert(value).map(Value::from).or_else(|_| refuse("a float")),
        "list" => match &value.kind {
            Kind::List(_) => Ok(value.clone()),
            Kind::Text(text) => Ok(text.split(',').map(|part| Value::from(part.trim())).collect()),
            Kind::Int(_) | Kind::Float(_) => Ok(vec![Value::from(crate::text::python::str(value))].into()),
            _ => refuse("a list"),
        },
        "dict" => match &value.kind {
            Kind::Map(_) => Ok(value.clone()),
            Kind::Text(text) => parse_dict(text)
                .map(Value::from)
                .ok_or_else(|| "dictionary requested, could not parse JSON or key=value".to_owned()),
            _ => refuse("a dict"),
        },
        "jsonarg" | "json" => match &value.kind {
            Kind::Text(_) | Kind::List(_) | Kind::Map(_) => Ok(value.clone()),
            _ => refuse("a json string"),
        },
        "bytes" | "bits" => match crate::text::python::str(value).trim_start().chars().next() {
            Some(first) if first.is_ascii_digit() => Ok(value.clone()),
            _ => refuse(if wanted == "bytes" { "a Byte value" } else { "a Bit value" }),
        },
        _ => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use convoy_protocol::map;

    use super::*;

    /// Validates each of the arguments and compares the errors.
    fn check(cases: impl IntoIterator<Item = (Map, Map, Vec<&'static str>)>) {
        for (spec, args, expected) in cases {
            assert_eq!(validate(&spec, args), expected, "{spec:?}");
        }
    }

    #[test]
    fn arguments_are_converted_and_checked() {
        let option = |kind: &str| map! { "type" => kind };
        let wrong_int = "argument 'a' is of type <class 'str'> and we were unable to convert to int: \"'x'\" cannot be \
                         converted to an int";
        let null = "argument 'a' is of type <class 'NoneType'> and we were unable to convert to str: 'None' is not a \
                    string and conversion is not allowed";
        let wrong_element = "Elements value for option 'a' is of type <class 'str'> and we were unable to convert to \
                             int: \"'x'\" cannot be converted to an int";
        let required = map! { "type" => "str", "required" => true };
        let choices = map! { "choices" => vec![Value::from("x"), Value::from("y")] };
        let alias = map! { "aliases" => vec![Value::from("b")], "required" => true };
        check([
            (map! { "a" => option("int") }, map! { "a" => "5" }, vec![]),
            (map! { "a" => option("int") }, map! { "a" => "x" }, vec![wrong_int]),
            (map! { "a" => required.clone() }, map! { "a" => () }, vec![null]),
            (
                map! { "b" => required.clone(), "a" => required },
                map! {},
                vec!["missing required arguments: a, b"],
            ),
            (map! { "a" => choices }, map! { "a" => "z" }, vec!["value of a must be one of: x, y, got: z"]),
            (
                map! { "a" => map! { "type" => "list", "elements" => "int" } },
                map! { "a" => "1,x" },
                vec![wrong_element],
            ),
            (
                map! { "a" => alias },
                map! { "b" => "1", "c" => 1 },
                vec!["c. Supported parameters include: a (b)."],
            ),
        ]);
    }

    #[test]
    fn suboptions_are_checked_with_their_rules() {
        let suboptions = map! {
            "type" => "dict",
            "options" => map! { "third" => map! { "type" => "int", "required" => true } },
            "required_together" => vec![Value::from(vec![Value::from("a"), Value::from("b")])],
        };
        check([
            (
                map! { "m" => suboptions.clone() },
                map! { "m" => map! { "a" => 1 } },
                vec![
                    "missing required arguments: third found in m",
                    "parameters are required together: a, b found in m",
                    "m.a. Supported parameters include: third.",
                ],
            ),
            (
                map! { "m" => suboptions },
                map! { "m" => "x" },
                vec![
                    "argument 'm' is of type <class 'str'> and we were unable to convert to dict: dictionary requested, \
                     could not parse JSON or key=value",
                    "value of 'm' must be of type dict or list of dicts",
                ],
            ),
        ]);
    }
}
