//! The inventory plugin `constructed`: creates variables and groups from the existing variables of hosts.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Kind, Map, Origin, Value, map};

use super::graph::safe_name;
use super::model::Inventory;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::template::{Context, Error, Templar};
use crate::text::python;
use crate::yaml::Node;

/// The names of the plugin.
const NAMES: [&str; 3] = ["constructed", "ansible.builtin.constructed", "ansible.legacy.constructed"];

const OPTIONS: [&str; 8] = [
    "plugin",
    "compose",
    "groups",
    "keyed_groups",
    "leading_separator",
    "strict",
    "use_extra_vars",
    "use_vars_plugins",
];

const KEYED_GROUP_OPTIONS: [&str; 6] =
    ["key", "prefix", "separator", "parent_group", "default_value", "trailing_separator"];

/// Runs the plugin with the configuration `root`.
///
/// # Errors
///
/// If `root` is for another plugin, an option is unknown or of the wrong type, or an expression fails with `strict`.
pub(super) fn read(inventory: &mut Inventory, plugin: &Node, root: &Node) -> Result<(), Diagnostic> {
    let name = plugin.scalar().unwrap_or_default();
    if !NAMES.contains(&name) {
        return Err(Diagnostic::user(format!("the inventory plugin `{name}` is not supported"))
            .at(plugin.at.clone())
            .note("supported: constructed; scripts that print JSON; INI and YAML")
            .hint(did_you_mean(name, NAMES).or_else(|| {
                Some(
                    "save its result in a file, or let a script print it: ansible-inventory --list"
                        .to_owned(),
                )
            })));
    }
    check_options(root, &OPTIONS, "constructed")?;
    let config = Config::read(root, inventory.options.use_extra_vars)?;
    let templar = Templar::new(inventory.options.template.clone(), inventory.options.vault.clone());
    let mut builder = Builder { inventory, templar, config };
    let hosts: Vec<Arc<str>> = builder.inventory.hosts.keys().cloned().collect();
    hosts.iter().try_for_each(|host| builder.build_host(host))
}

/// An expression and its location.
struct Expression {
    text: String,
    at: Arc<Origin>,
}

/// An entry of `keyed_groups`.
struct KeyedGroup {
    key: Expression,
    prefix: String,
    separator: String,
    parent: Option<Value>,
    default_value: Option<String>,
    trailing_separator: Option<bool>,
}

struct Config {
    compose: Vec<(String, Expression)>,
    groups: Vec<(String, Expression)>,
    keyed: Vec<KeyedGroup>,
    leading_separator: bool,
    strict: bool,
    use_extra_vars: bool,
    use_vars_plugins: bool,
}

impl Config {
    fn read(root: &Node, use_extra_vars: bool) -> Result<Self, Diagnostic> {
        Ok(Self {
            compose: expressions(root, "compose")?,
            groups: expressions(root, "groups")?,
            keyed: keyed_groups(root)?,
            leading_separator: flag(root, "leading_separator")?.unwrap_or(true),
            strict: flag(root, "strict")?.unwrap_or(false),
            use_extra_vars: flag(root, "use_extra_vars")?.unwrap_or(use_extra_vars),
            use_vars_plugins: flag(root, "use_vars_plugins")?.unwrap_or(false),
        })
    }
}

fn check_options(map: &Node, known: &[&str], what: &str) -> Result<(), Diagnostic> {
    for (key, _) in map.as_map().unwrap_or_default() {
        let name = key.scalar().unwrap_or_default();
        if !known.contains(&name) {
            return Err(Diagnostic::user(format!("`{name}` is not an option of {what}"))
                .at(key.at.clone())
                .hint(did_you_mean(name, known.iter().copied())));
        }
    }
    Ok(())
}

fn error_at(node: &Node, what: String) -> Diagnostic {
    Diagnostic::user(what).at(node.at.clone())
}

fn flag(root: &Node, name: &str) -> Result<Option<bool>, Diagnostic> {
    let Some(node) = root.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
    let value = node.to_value()?;
    bool::convert(&value).map(Some).map_err(|why| error_at(node, format!("`{name}`: {why}")))
}

fn text(root: &Node, name: &str) -> Result<Option<String>, Diagnostic> {
    let Some(node) = root.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
    Ok(Some(python::str(&node.to_value()?)))
}

fn expression(node: &Node) -> Result<Expression, Diagnostic> {
    let value = node.to_value()?;
    Ok(Expression { text: python::str(&value), at: node.at.clone() })
}

fn expressions(root: &Node, name: &str) -> Result<Vec<(String, Expression)>, Diagnostic> {
    let Some(node) = root.get(name).filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
    let Some(entries) = node.as_map() else {
        return Err(error_at(
            node,
            format!("`{name}` must be a map of expressions, got {}", node.kind_name()),
        ));
    };
    entries
        .iter()
        .map(|(key, value)| Ok((key.scalar().unwrap_or_default().to_owned(), expression(value)?)))
        .collect()
}

fn keyed_groups(root: &Node) -> Result<Vec<KeyedGroup>, Diagnostic> {
    let Some(node) = root.get("keyed_groups").filter(|node| !node.is_null()) else { return Ok(Vec::new()) };
    let Some(entries) = node.as_list() else {
        return Err(error_at(
            node,
            format!("`keyed_groups` must be a list of maps, got {}", node.kind_name()),
        ));
    };
    entries.iter().map(keyed_group).collect()
}

fn keyed_group(entry: &Node) -> Result<KeyedGroup, Diagnostic> {
    if entry.as_map().is_none() {
        let what = format!("an entry of `keyed_groups` must be a map, got {}", entry.kind_name());
        return Err(error_at(entry, what));
    }
    check_options(entry, &KEYED_GROUP_OPTIONS, "keyed_groups")?;
    let Some(key) = entry.get("key") else {
        return Err(error_at(entry, "an entry of `keyed_groups` needs a `key`".to_owned()));
    };
    let default_value = text(entry, "default_value")?;
    let trailing_separator = flag(entry, "trailing_separator")?;
    if default_value.is_some() && trailing_separator.is_some() {
        let what = "parameters are mutually exclusive for keyed groups: default_value|trailing_separator";
        return Err(error_at(entry, what.to_owned()));
    }
    let parent = entry.get("parent_group").filter(|node| !node.is_null()).map(Node::to_value).transpose()?;
    Ok(KeyedGroup {
        key: expression(key)?,
        prefix: text(entry, "prefix")?.unwrap_or_default(),
        separator: text(entry, "separator")?.unwrap_or_else(|| "_".to_owned()),
        parent,
        default_value,
        trailing_separator,
    })
}

struct Builder<'i> {
    inventory: &'i mut Inventory,
    templar: Templar,
    config: Config,
}

impl Builder<'_> {
    /// Sets the variables and groups of a host.
    fn build_host(&mut self, host: &Arc<str>) -> Result<(), Diagnostic> {
        let scope = self.scope(host)?;
        let mut composed = Vec::new();
        for (name, expression) in &self.config.compose {
            match self.evaluate(expression, &scope) {
                Ok(value) => composed.push((name.as_str().into(), value)),
                Err(error) => {
                    self.fail_if_strict(
                        expression,
                        format!("Could not set {name} for host {host}: {error}"),
                    )?;
                }
            }
        }
        for (name, value) in composed {
            self.inventory.set_var(host, name, value)?;
        }
        // Conditions of groups can use the composed variables.
        let scope = self.scope(host)?;
        let mut names = Vec::new();
        for (group, expression) in &self.config.groups {
            let condition = expression.text.as_str().into();
            match self.templar.condition(&condition, &scope, &context(false)) {
                Ok(holds) => names.extend(holds.then(|| group.clone())),
                Err(error) => {
                    let what = format!("Could not add host {host} to group {group}: {error}");
                    self.fail_if_strict(expression, what)?;
                }
            }
        }
        for name in names {
            let group = self.inventory.add_group(&safe_name(&name))?;
            self.inventory.add_member(&group, host)?;
        }
        let groups = self.config.keyed.iter().map(|keyed| self.keyed_groups(keyed, host, &scope));
        for (parent, groups) in groups.collect::<Result<Vec<_>, _>>()? {
            self.add_to_groups(host, parent.as_deref(), &groups)?;
        }
        Ok(())
    }

    /// Adds a host to groups, and the groups to their parent.
    fn add_to_groups(
        &mut self,
        host: &str,
        parent: Option<&str>,
        groups: &[String],
    ) -> Result<(), Diagnostic> {
        for name in groups {
            let group = self.inventory.add_group(name)?;
            self.inventory.add_to_group(host, &group)?;
            if let Some(parent) = parent {
                let parent = self.inventory.add_group(parent)?;
                self.inventory.add_child(&parent, &group)?;
            }
        }
        Ok(())
    }

    /// Returns the groups of a host by an entry of `keyed_groups`, and their parent.
    fn keyed_groups(
        &self,
        keyed: &KeyedGroup,
        host: &str,
        scope: &Map,
    ) -> Result<(Option<String>, Vec<String>), Diagnostic> {
        let no_groups = Ok((None, Vec::new()));
        let text = &keyed.key.text;
        let key = match self.evaluate(&keyed.key, scope) {
            Ok(key) => key,
            Err(error) => {
                let what = format!("Could not generate group for host {host} from {text} entry: {error}");
                return self.fail_if_strict(&keyed.key, what).and(no_groups);
            }
        };
        if is_falsy(&key) && !(key.as_str() == Some("") && keyed.default_value.is_some()) {
            if key.as_list().is_none() && key.as_map().is_none() {
                let what = format!("No key or key resulted empty for {text} in host {host}, invalid entry");
                self.fail_if_strict(&keyed.key, what)?;
            }
            return no_groups;
        }
        let parent =
            match keyed.parent.as_ref().map(|parent| self.templar.render(parent, scope, &context(false))) {
                Some(Err(error)) => {
                    let what =
                        format!("Could not generate parent group for group {}: {error}", python::str(&key));
                    return self.fail_if_strict(&keyed.key, what).and(no_groups);
                }
                parent => parent
                    .transpose()
                    .ok()
                    .flatten()
                    .map(|name| python::str(&name))
                    .filter(|name| !name.is_empty()),
            };
        let names = keyed.names(&key).ok_or_else(|| {
            Diagnostic::user(format!(
                "Invalid group name format, expected a string or a list of them or dictionary, got: {}",
                key.kind_name()
            ))
            .at(keyed.key.at.clone())
            .note(format!("`{text}` of host {host}"))
        })?;
        let leading = self.config.leading_separator || !keyed.prefix.is_empty();
        let separator = if leading { keyed.separator.as_str() } else { "" };
        let names = names.iter().map(|name| safe_name(&format!("{}{separator}{name}", keyed.prefix)));
        Ok((parent.map(|name| safe_name(&name)), names.collect()))
    }

    /// Evaluates an expression without lookups.
    fn evaluate(&self, expression: &Expression, scope: &Map) -> Result<Value, Error> {
        let template = Value::from(format!("{{{{{}}}}}", expression.text));
        self.templar.render(&template, scope, &context(true))
    }

    /// Returns an error if `strict` is set. Otherwise, the entry is ignored for the host.
    fn fail_if_strict(&self, expression: &Expression, what: String) -> Result<(), Diagnostic> {
        if self.config.strict { Err(Diagnostic::user(what).at(expression.at.clone())) } else { Ok(()) }
    }

    /// Returns the variables for expressions: those that the host has so far.
    fn scope(&self, host: &Arc<str>) -> Result<Map, Diagnostic> {
        let first = |errors: Diagnostics| {
            errors.into_iter().next().unwrap_or_else(|| Diagnostic::user("a variable file cannot be read"))
        };
        let layers = if self.config.use_vars_plugins {
            self.inventory.layers(host, None).map_err(first)?
        } else {
            self.inventory.own_layers(host)
        };
        let mut vars = self.inventory.merge_layers(&layers);
        let groups: Value = self.inventory.group_names(host).into_iter().map(Value::from).collect();
        if self.config.use_extra_vars {
            vars.extend(self.inventory.options.extra_vars.clone());
        }
        vars.extend(map! {
            "inventory_hostname" => host.clone(),
            "inventory_hostname_short" => host.split('.').next().unwrap_or_default(),
            "group_names" => groups,
        });
        Ok(vars)
    }
}

impl KeyedGroup {
    /// Returns the group names for a key, without prefix; `None` if it is neither text nor a list or map.
    fn names(&self, key: &Value) -> Option<Vec<String>> {
        let or_default = |value: &Value| {
            self.default_value
                .clone()
                .filter(|_| value.as_str() == Some(""))
                .unwrap_or_else(|| python::str(value))
        };
        Some(match &key.kind {
            Kind::Text(_) => vec![or_default(key)],
            Kind::List(list) => list.iter().map(or_default).collect(),
            Kind::Map(map) => map
                .iter()
                .map(|(name, value)| {
                    let empty = value.as_str() == Some("");
                    if empty && self.default_value.is_none() && self.trailing_separator == Some(false) {
                        name.to_string()
                    } else {
                        format!("{name}{}{}", self.separator, or_default(value))
                    }
                })
                .collect(),
            _ => return None,
        })
    }
}

fn context(no_lookups: bool) -> Context {
    Context { impure_allowed: true, no_lookups, ..Context::default() }
}

/// Returns whether a value is false in Python.
fn is_falsy(value: &Value) -> bool {
    match &value.kind {
        Kind::Null | Kind::Bool(false) | Kind::Int(0) => true,
        Kind::Float(x) => *x == 0.0,
        Kind::Text(text) => text.is_empty(),
        Kind::List(list) => list.is_empty(),
        Kind::Map(map) => map.is_empty(),
        _ => false,
    }
}
