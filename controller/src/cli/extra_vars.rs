//! `-e`: variables on the command line.

use convoy_protocol::Map;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::playbook::kv;
use crate::secrets::Vault;
use crate::source_file::read_yaml;
use crate::yaml::{self, Node};

/// Reads the values of all `-e`, later over earlier.
///
/// # Errors
/// If one is neither `key=value`, a map in YAML or JSON, nor `@FILE` with such a map.
pub fn read(given: &[String], vault: &Vault) -> Result<Map, Diagnostics> {
    let mut vars = Map::new();
    for text in given {
        vars.extend(one(text, vault)?);
    }
    Ok(vars)
}

fn one(text: &str, vault: &Vault) -> Result<Map, Diagnostic> {
    if let Some(path) = text.strip_prefix('@') {
        return map(read_yaml(crate::paths::expand_user(path), vault)?, path);
    }
    if text.starts_with(['{', '[']) {
        return map(yaml::read("<command line>", text)?, text);
    }
    let pairs = kv::parse(text, false).map_err(|why| Diagnostic::user(format!("-e {text}: {why}")))?;
    match pairs.get("_raw_params") {
        None => Ok(pairs),
        Some(words) => Err(Diagnostic::user(format!(
            "-e {text}: `{}` is not key=value",
            crate::text::python::str(words)
        ))
        .hint("write -e key=value, -e '{\"key\": \"value\"}' or -e @file.yml".to_owned())),
    }
}

fn map(node: Option<Node>, shown: &str) -> Result<Map, Diagnostic> {
    let Some(node) = node else { return Ok(Map::new()) };
    let value = node.to_value()?;
    value.as_map().cloned().ok_or_else(|| {
        Diagnostic::user(format!(
            "extra variables must be a map of names, not {}: {shown}",
            value.kind_name()
        ))
        .hint("write -e key=value, -e '{\"key\": \"value\"}' or -e @file.yml".to_owned())
    })
}
