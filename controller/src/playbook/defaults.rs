//! Checks the literal names and arguments of `module_defaults:`.

use super::action_name::{ActionKind, find};
use super::arguments::{check_each, decimal_modes};
use super::call::Arguments;
use super::reader::Reader;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::Node;

/// The groups of `ansible.builtin`. All of their modules belong to other collections, so convoy has none of them.
const GROUPS: [&str; 10] = ["acme", "aws", "azure", "cpm", "docker", "gcp", "k8s", "os", "ovirt", "vmware"];

impl Reader<'_> {
    /// Reports errors in a map of defaults, or a list of such maps.
    pub(super) fn check_defaults(&mut self, node: &Node) {
        for map in node.as_list().unwrap_or(std::slice::from_ref(node)) {
            for (key, value) in map.as_map().unwrap_or_default() {
                let Some(name) = key.as_str() else {
                    self.problem(
                        &key.at,
                        "a key of `module_defaults` must be the name of a module or a group",
                    );
                    continue;
                };
                match name.strip_prefix("group/") {
                    Some(group) => self.check_group(group, key),
                    None => match find(name) {
                        Some(kind) => self.check_default(name, kind, value),
                        None => self.unknown_module(name, &key.at),
                    },
                }
            }
        }
    }

    fn check_group(&mut self, name: &str, key: &Node) {
        let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
        if GROUPS.contains(&short) {
            let warning = Diagnostic::user(format!("convoy has no module of the group `{name}`"))
                .hint("its defaults have no effect".to_owned());
            self.warnings.push(warning.at(key.at.clone()));
            return;
        }
        let full = if short.contains('.') { short.to_owned() } else { format!("ansible.builtin.{short}") };
        let problem = Diagnostic::user(format!("could not resolve the module_defaults group {full}"))
            .at(key.at.clone())
            .note(format!("groups of `ansible.builtin`: {}", GROUPS.join(", ")))
            .hint(did_you_mean(short, GROUPS));
        self.problems.push(problem);
    }

    /// Reports errors in the defaults of one module.
    fn check_default(&mut self, name: &str, kind: ActionKind, value: &Node) {
        let Some(entries) = value.as_map() else {
            if !value.is_null() && !value.to_value().is_ok_and(|value| super::template::is_template(&value)) {
                let message = format!("the defaults of `{name}` must be a map or a template of one");
                self.problem(&value.at, format!("{message}, got {}", value.kind_name()));
            }
            return;
        };
        let Some((module, spec, any_argument)) = kind.spec() else { return };
        let entries = entries.iter().filter_map(|(key, value)| self.argument(key, value)).collect();
        let arguments = Arguments { entries, variable: None };
        check_each(module, name, spec, any_argument, &arguments, &mut self.problems);
        self.problems.extend(decimal_modes(spec, &arguments));
    }
}
