//! Reads `vars_prompt:` of a play.

use convoy_protocol::Value;

use super::ast::Prompt;
use super::reader::Reader;
use super::template::is_template;
use crate::crypt;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::Node;

const KEYS: [&str; 9] =
    ["name", "prompt", "default", "private", "confirm", "encrypt", "salt_size", "salt", "unsafe"];

impl Reader<'_> {
    /// Reads the list of prompts.
    pub(super) fn vars_prompt(&mut self, node: &Node) -> Vec<Prompt> {
        // A single prompt may be written without the list.
        let entries = if node.as_map().is_some() {
            std::slice::from_ref(node)
        } else {
            self.items(node, "vars_prompt")
        };
        entries.iter().filter_map(|entry| self.prompt(entry)).collect()
    }

    fn prompt(&mut self, node: &Node) -> Option<Prompt> {
        let fields = self.fields(node, "an entry of `vars_prompt`")?;
        let mut values: Vec<(&str, Value)> = Vec::new();
        for field in &fields {
            if !KEYS.contains(&field.name) {
                let message =
                    format!("Invalid vars_prompt data structure, found unsupported key '{}'", field.name);
                let problem = Diagnostic::user(message)
                    .at(field.key.at.clone())
                    .hint(did_you_mean(field.name, KEYS.iter().copied()));
                self.problems.push(problem);
                continue;
            }
            let value = field.value.to_value();
            values.extend(self.ok_or_report(value).map(|value| (field.name, value)));
        }
        let mut take = |name: &str| {
            let at = values.iter().position(|(key, _)| *key == name)?;
            Some(values.swap_remove(at).1).filter(|value| !value.is_null())
        };
        let Some(name) = take("name") else {
            self.problem(&node.at, "Invalid vars_prompt data structure, missing 'name' key");
            return None;
        };
        let encrypt = take("encrypt");
        self.check_algorithm(encrypt.as_ref());
        Some(Prompt {
            at: node.at.clone(),
            name,
            prompt: take("prompt"),
            default: take("default"),
            private: take("private"),
            confirm: take("confirm"),
            encrypt,
            salt: take("salt"),
            salt_size: take("salt_size"),
            r#unsafe: take("unsafe"),
        })
    }

    /// Reports an unknown algorithm now rather than after the user has answered.
    fn check_algorithm(&mut self, value: Option<&Value>) {
        let Some((value, name)) = value.and_then(|value| Some((value, value.as_str()?))) else { return };
        if is_template(value) || crypt::algorithms().any(|known| known == name) {
            return;
        }
        let known: Vec<&str> = crypt::algorithms().collect();
        let problem = Diagnostic::user(format!("`encrypt` of vars_prompt cannot be `{name}`"))
            .at(value.origin.clone())
            .note(format!("valid values: {}", known.join(", ")))
            .hint(did_you_mean(name, known));
        self.problems.push(problem);
    }
}
