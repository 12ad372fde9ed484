//! The rules of a specification of arguments, in Ansible's order and wording.

use std::collections::BTreeSet;

use convoy_agent::args::Arg;
use convoy_protocol::{Key, Kind, Map, Value};

/// Returns all that is wrong with the arguments.
pub(super) fn validate(spec: &Map, mut given: Map) -> Vec<String> {
    let mut check = Check::default();
    let rules = Map::new();
    check.level(spec, &rules, &mut given, &mut Vec::new());
    let Some((_, supported)) = check.unsupported.last() else { return check.errors };
    let names: BTreeSet<&str> = check.unsupported.iter().map(|(name, _)| name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    check.errors.push(format!("{}. Supported parameters include: {supported}.", names.join(", ")));
    check.errors
}

/// What was found so far.
#[derive(Default)]
struct Check {
    errors: Vec<String>,
    /// Names that the specification does not have, and those that it has there.
    unsupported: Vec<(String, String)>,
}

/// The class that Python has for a value.
pub(super) fn class(value: &Value) -> &'static str {
    let written = value.origin.is_some();
    match &value.kind {
        Kind::Null => "<class 'NoneType'>",
        Kind::Bool(_) => "<class 'bool'>",
        Kind::Int(_) => "<class 'int'>",
        Kind::Float(_) => "<class 'float'>",
        Kind::Bytes(_) => "<class 'bytes'>",
        Kind::Text(_) if written => "<class 'ansible.parsing.yaml.objects.AnsibleUnicode'>",
        Kind::List(_) if written => "<class 'ansible.parsing.yaml.objects.AnsibleSequence'>",
        Kind::Map(_) if written => "<class 'ansible.parsing.yaml.objects.AnsibleMapping'>",
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
    value.and_then(Value::as_list).unwrap_or_default().iter().map(crate::python::str).collect()
}

fn options(spec: &Map) -> impl Iterator<Item = (String, Map)> + '_ {
    spec.iter().map(|(name, option)| (name.to_string(), option.as_map().cloned().unwrap_or_default()))
}

/// Adds where an option stands.
fn within(message: String, above: &[String]) -> String {
    if above.is_empty() { message } else { format!("{message} found in {}", above.join(" -> ")) }
}

impl Check {
    /// Looks at the arguments of one level: those of the role, or the members of one of them.
    fn level(&mut self, spec: &Map, rules: &Map, given: &mut Map, above: &mut Vec<String>) {
        aliases(spec, given);
        self.supported(spec, given, above);
        self.exclusive(rules, given, above);
        defaults(spec, given);
        self.required(spec, given, above);
        for (name, option) in options(spec) {
            self.types(&name, &option, given, above);
        }
        for (name, option) in options(spec) {
            self.choices(&name, &option, given, above);
        }
        self.rules(rules, given, above);
        for (name, option) in options(spec) {
            self.members(&name, &option, given, above);
        }
    }

    fn supported(&mut self, spec: &Map, given: &Map, above: &[String]) {
        let known: BTreeSet<String> = options(spec).map(|(name, _)| name).collect();
        let other: BTreeSet<String> =
            options(spec).flat_map(|(_, option)| texts(option.get("aliases"))).collect();
        let mut supported = known.iter().cloned().collect::<Vec<_>>().join(", ");
        if !other.is_empty() {
            supported.push_str(&format!(" ({})", other.iter().cloned().collect::<Vec<_>>().join(", ")));
        }
        for name in given.keys().map(Key::to_string) {
            if !known.contains(&name) && !other.contains(&name) {
                let path = above.iter().chain([&name]).cloned().collect::<Vec<_>>().join(".");
                self.unsupported.push((path, supported.clone()));
            }
        }
    }

    fn exclusive(&mut self, rules: &Map, given: &Map, above: &[String]) {
        let wrong: Vec<String> = groups(rules.get("mutually_exclusive"))
            .into_iter()
            .filter(|group| count(group, given) > 1)
            .map(|group| group.join("|"))
            .collect();
        if !wrong.is_empty() {
            self.errors.push(within(
                format!("parameters are mutually exclusive: {}", wrong.join(", ")),
                above,
            ));
        }
    }

    fn required(&mut self, spec: &Map, given: &Map, above: &[String]) {
        let missing: BTreeSet<String> = options(spec)
            .filter(|(name, option)| flag(option, "required") && !given.contains_key(name.as_str()))
            .map(|(name, _)| name)
            .collect();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.into_iter().collect();
            self.errors.push(within(format!("missing required arguments: {}", missing.join(", ")), above));
        }
    }

    fn types(&mut self, name: &str, option: &Map, given: &mut Map, above: &[String]) {
        let Some(value) = given.get(name).cloned() else { return };
        let default = option.get("default").is_some_and(|value| !value.is_null());
        if value.is_null() && !flag(option, "required") && !default {
            return;
        }
        let wanted = text(option, "type").unwrap_or_else(|| "str".to_owned());
        let made = match convert(&wanted, &value) {
            Ok(made) => made,
            Err(why) => {
                let found = match above {
                    [] => String::new(),
                    above => format!(" found in '{}'.", above.join(" -> ")),
                };
                let class = class(&value);
                return self.errors.push(format!(
                    "argument '{name}' is of type {class}{found} and we were unable to convert to {wanted}: {why}"
                ));
            }
        };
        let made = match (text(option, "elements"), made.as_list()) {
            (Some(wanted), Some(list)) => self.elements(name, &wanted, list, above),
            _ => made,
        };
        given.insert(name.into(), made);
    }

    fn elements(&mut self, name: &str, wanted: &str, list: &[Value], above: &[String]) -> Value {
        let mut made = Vec::new();
        for element in list {
            match convert(wanted, element) {
                Ok(element) => made.push(element),
                Err(why) => {
                    let found = match above {
                        [] => String::new(),
                        above => format!(" found in '{}'", above.join(" -> ")),
                    };
                    let class = class(element);
                    self.errors.push(format!(
                        "Elements value for option '{name}'{found} is of type {class} and we were unable to convert to \
                         {wanted}: {why}"
                    ));
                }
            }
        }
        made.into()
    }

    fn choices(&mut self, name: &str, option: &Map, given: &Map, above: &[String]) {
        let (Some(choices), Some(value)) = (option.get("choices").and_then(Value::as_list), given.get(name))
        else {
            return;
        };
        let shown: Vec<String> = choices.iter().map(crate::python::str).collect();
        let shown = shown.join(", ");
        let message = match value.as_list() {
            Some(list) => {
                let others: Vec<String> =
                    list.iter().filter(|item| !choices.contains(item)).map(crate::python::str).collect();
                if others.is_empty() {
                    return;
                }
                format!(
                    "value of {name} must be one or more of: {shown}. Got no match for: {}",
                    others.join(", ")
                )
            }
            None if choices.contains(value) => return,
            None => format!("value of {name} must be one of: {shown}, got: {}", crate::python::str(value)),
        };
        self.errors.push(within(message, above));
    }

    /// The rules between the members of an argument.
    fn rules(&mut self, rules: &Map, given: &Map, above: &[String]) {
        for group in groups(rules.get("required_together")) {
            let there = count(&group, given);
            if there > 0 && there < group.len() {
                let message = format!("parameters are required together: {}", group.join(", "));
                self.errors.push(within(message, above));
            }
        }
        for group in groups(rules.get("required_one_of")).iter().filter(|group| count(group, given) == 0) {
            let message = format!("one of the following is required: {}", group.join(", "));
            self.errors.push(within(message, above));
        }
        for rule in rules.get("required_if").and_then(Value::as_list).unwrap_or_default() {
            self.required_if(rule.as_list().unwrap_or_default(), given, above);
        }
        let by = rules.get("required_by").and_then(Value::as_map).into_iter().flatten();
        for (name, needed) in by.filter(|(name, _)| given.get(*name).is_some_and(|value| !value.is_null())) {
            let needed = match needed.as_list() {
                Some(_) => texts(Some(needed)),
                None => vec![crate::python::str(needed)],
            };
            let missing: Vec<String> = needed.into_iter().filter(|name| !is_given(name, given)).collect();
            if !missing.is_empty() {
                let message =
                    format!("missing parameter(s) required by '{name}': {}", missing.join(", "));
                self.errors.push(within(message, above));
            }
        }
    }

    fn required_if(&mut self, rule: &[Value], given: &Map, above: &[String]) {
        let [key, value, needed, rest @ ..] = rule else { return };
        let name = crate::python::str(key);
        if given.get(name.as_str()) != Some(value) {
            return;
        }
        let any = rest.first().is_some_and(|flag| bool::convert(flag).unwrap_or(false));
        let needed = texts(Some(needed));
        let missing: Vec<String> = needed.iter().filter(|name| !is_given(name, given)).cloned().collect();
        if missing.is_empty() || any && missing.len() < needed.len() {
            return;
        }
        let how = if any { "any" } else { "all" };
        let (shown, missing) = (crate::python::str(value), missing.join(", "));
        let message = format!("{name} is {shown} but {how} of the following are missing: {missing}");
        self.errors.push(within(message, above));
    }

    /// Looks into an argument that has members of its own, or a list of such.
    fn members(&mut self, name: &str, option: &Map, given: &Map, above: &mut Vec<String>) {
        let wanted = text(option, "type").unwrap_or_default();
        let maps = wanted == "dict" || wanted == "list" && text(option, "elements").as_deref() == Some("dict");
        let Some(spec) = option.get("options").and_then(Value::as_map).filter(|_| maps) else { return };
        let value = given.get(name).cloned().filter(|value| !value.is_null());
        let value = match value {
            Some(value) => value,
            None if flag(option, "apply_defaults") => Map::new().into(),
            None => return,
        };
        above.push(name.to_owned());
        let elements = value.as_list().map_or_else(|| vec![value.clone()], <[Value]>::to_vec);
        for element in elements {
            match element.as_map() {
                Some(map) => self.level(spec, option, &mut map.clone(), above),
                None => self.errors.push(format!("value of '{name}' must be of type dict or list of dicts")),
            }
        }
        above.pop();
    }
}

/// Puts the values of aliases under the names that they stand for.
fn aliases(spec: &Map, given: &mut Map) {
    for (name, option) in options(spec) {
        for alias in texts(option.get("aliases")) {
            if let Some(value) = given.get(alias.as_str()).cloned() {
                given.insert(name.as_str().into(), value);
            }
        }
    }
}

fn defaults(spec: &Map, given: &mut Map) {
    for (name, option) in options(spec) {
        if let (Some(default), false) = (option.get("default"), given.contains_key(name.as_str())) {
            given.insert(name.into(), default.clone());
        }
    }
}

fn groups(value: Option<&Value>) -> Vec<Vec<String>> {
    let list = value.and_then(Value::as_list).unwrap_or_default();
    // One group alone needs no list around it.
    if list.iter().any(|item| item.as_list().is_none()) {
        return vec![texts(value)];
    }
    list.iter().map(|group| texts(Some(group))).collect()
}

fn count(group: &[String], given: &Map) -> usize {
    group.iter().filter(|name| given.contains_key(name.as_str())).count()
}

fn is_given(name: &str, given: &Map) -> bool {
    given.get(name).is_some_and(|value| !value.is_null())
}

/// Reads a map written as JSON or as `key=value` pairs.
fn dict(text: &str) -> Option<Map> {
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

/// Python's written form of a value.
fn repr(value: &Value) -> String {
    let list = crate::python::str(&vec![value.clone()].into());
    list[1..list.len() - 1].to_owned()
}

/// Makes a value one of the wanted type.
fn convert(wanted: &str, value: &Value) -> Result<Value, String> {
    let refuse = |to: &str| Err(format!("{} cannot be converted to {to}", class(value)));
    match wanted {
        "str" | "path" if value.is_null() => {
            Err("'None' is not a string and conversion is not allowed".to_owned())
        }
        "str" | "path" => Ok(value.as_str().map_or_else(|| crate::python::str(value).into(), |_| value.clone())),
        "bool" => bool::convert(value).map(Value::from),
        "int" => match i64::convert(value) {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(format!("\"{}\" cannot be converted to an int", repr(value))),
        },
        "float" => f64::convert(value).map(Value::from).or_else(|_| refuse("a float")),
        "list" => match &value.kind {
            Kind::List(_) => Ok(value.clone()),
            Kind::Text(text) => Ok(text.split(',').map(|part| Value::from(part.trim())).collect()),
            Kind::Int(_) | Kind::Float(_) => Ok(vec![Value::from(crate::python::str(value))].into()),
            _ => refuse("a list"),
        },
        "dict" => match &value.kind {
            Kind::Map(_) => Ok(value.clone()),
            Kind::Text(text) => dict(text)
                .map(Value::from)
                .ok_or_else(|| "dictionary requested, could not parse JSON or key=value".to_owned()),
            _ => refuse("a dict"),
        },
        "jsonarg" | "json" => match &value.kind {
            Kind::Text(_) | Kind::List(_) | Kind::Map(_) => Ok(value.clone()),
            _ => refuse("a json string"),
        },
        "bytes" | "bits" => match crate::python::str(value).trim_start().chars().next() {
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

    fn errors(spec: Map, given: Map) -> Vec<String> {
        validate(&spec, given)
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let option = |kind: &str| map! { "type" => kind };
        let inner = map! {
            "type" => "dict",
            "options" => map! { "third" => map! { "type" => "int", "required" => true } },
            "required_together" => vec![Value::from(vec![Value::from("a"), Value::from("b")])],
        };
        for (spec, given, expected) in [
            (map! { "a" => option("int") }, map! { "a" => "5" }, vec![]),
            (map! { "a" => option("int") }, map! { "a" => "x" }, vec![
                "argument 'a' is of type <class 'str'> and we were unable to convert to int: \"'x'\" cannot be converted to an int",
            ]),
            (map! { "a" => map! { "type" => "str", "required" => true } }, map! { "a" => () }, vec![
                "argument 'a' is of type <class 'NoneType'> and we were unable to convert to str: 'None' is not a string and conversion is not allowed",
            ]),
            (
                map! { "b" => map! { "required" => true }, "a" => map! { "required" => true } },
                map! {},
                vec!["missing required arguments: a, b"],
            ),
            (
                map! { "a" => map! { "choices" => vec![Value::from("x"), Value::from("y")] } },
                map! { "a" => "z" },
                vec!["value of a must be one of: x, y, got: z"],
            ),
            (map! { "a" => map! { "type" => "list", "elements" => "int" } }, map! { "a" => "1,x" }, vec![
                "Elements value for option 'a' is of type <class 'str'> and we were unable to convert to int: \"'x'\" cannot be converted to an int",
            ]),
            (map! { "m" => inner.clone() }, map! { "m" => map! { "a" => 1 } }, vec![
                "missing required arguments: third found in m",
                "parameters are required together: a, b found in m",
                "m.a. Supported parameters include: third.",
            ]),
            (map! { "m" => inner }, map! { "m" => "x" }, vec![
                "argument 'm' is of type <class 'str'> and we were unable to convert to dict: dictionary requested, could not parse JSON or key=value",
                "value of 'm' must be of type dict or list of dicts",
            ]),
            (
                map! { "a" => map! { "aliases" => vec![Value::from("b")], "required" => true } },
                map! { "b" => "1", "c" => 1 },
                vec!["c. Supported parameters include: a (b)."],
            ),
        ] {
            assert_eq!(errors(spec.clone(), given), expected, "{spec:?}");
        }
    }
}
