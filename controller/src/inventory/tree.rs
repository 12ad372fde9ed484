//! Reads inventories in YAML.

use convoy_protocol::Map;

use super::address;
use super::model::Inventory;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::yaml::{Data, Node};

const SECTIONS: [&str; 3] = ["vars", "children", "hosts"];

/// Reads the inventory `root` into `inventory`.
pub(super) fn read(inventory: &mut Inventory, root: &Node) -> Result<(), Diagnostic> {
    let Some(groups) = root.as_map() else {
        let what = format!("a YAML inventory must be a map of groups, got {}", root.kind_name());
        return Err(Diagnostic::user(what).at(root.at.clone()));
    };
    for (name, node) in groups {
        group(inventory, name, node)?;
    }
    Ok(())
}

fn group(inventory: &mut Inventory, name: &Node, node: &Node) -> Result<(), Diagnostic> {
    let text = name.as_str().ok_or_else(|| {
        Diagnostic::user("the name of a group must be text")
            .at(name.at.clone())
            .hint(Some(format!("quote it: \"{}\"", name.scalar().unwrap_or_default())))
    })?;
    if node.as_map().is_none() && !node.is_null() {
        inventory.warn(
            Diagnostic::user(format!("Skipping '{text}' as this is not a valid group definition"))
                .at(node.at.clone()),
        );
        return Ok(());
    }
    inventory.add_group(text).map_err(|error| error.at(name.at.clone()))?;
    for (key, section) in node.as_map().unwrap_or_default() {
        let key_text = key.scalar().unwrap_or_default();
        if !SECTIONS.contains(&key_text) {
            let what = format!(
                "Skipping unexpected key ({key_text}) in group ({text}), only \"vars\", \"children\" and \"hosts\" are valid"
            );
            inventory.warn(Diagnostic::user(what).at(key.at.clone()).hint(did_you_mean(key_text, SECTIONS)));
            continue;
        }
        match &section.data {
            Data::Map(entries) => {
                for (name, value) in entries {
                    entry(inventory, text, key_text, name, Some(value))?;
                }
            }
            // A single name is a map with one entry without a value.
            Data::Scalar(..) if section.as_str().is_some() => {
                entry(inventory, text, key_text, section, None)?;
            }
            _ if section.is_null() => {}
            _ => {
                let what =
                    format!("`{key_text}` of group `{text}` must be a map, got {}", section.kind_name());
                return Err(Diagnostic::user(what)
                    .at(section.at.clone())
                    .hint(Some("write each name as a key: `name:`".to_owned())));
            }
        }
    }
    Ok(())
}

/// Reads an entry of a section; there is no `value` if the section is a single name.
fn entry(
    inventory: &mut Inventory,
    group: &str,
    section: &str,
    name: &Node,
    value: Option<&Node>,
) -> Result<(), Diagnostic> {
    match section {
        "vars" => {
            let value = value.map_or_else(|| Ok(().into()), Node::to_value)?;
            inventory.set_group_var(group, name.to_key()?, value)
        }
        "children" => {
            let empty = Node { at: name.at.clone(), tag: None, secret: false, data: Data::Map(Vec::new()) };
            self::group(inventory, name, value.unwrap_or(&empty))?;
            let child = name.as_str().unwrap_or_default();
            if inventory.group(child).is_some() {
                inventory.add_child(group, child).map_err(|error| error.at(name.at.clone()))?;
            }
            Ok(())
        }
        _ => hosts(inventory, group, name, value),
    }
}

fn hosts(
    inventory: &mut Inventory,
    group: &str,
    name: &Node,
    value: Option<&Node>,
) -> Result<(), Diagnostic> {
    let Some(pattern) = name.as_str() else {
        return Err(Diagnostic::user("the name of a host must be text")
            .at(name.at.clone())
            .hint(Some(format!("quote it: \"{}\"", name.scalar().unwrap_or_default()))));
    };
    let vars = match value.filter(|value| !value.is_null()) {
        None => Map::new(),
        Some(value) => {
            let read = value.to_value()?;
            let what = format!("the variables of host `{pattern}` must be a map, got {}", value.kind_name());
            read.as_map().cloned().ok_or_else(|| Diagnostic::user(what).at(value.at.clone()))?
        }
    };
    let (names, port) = address::expand(pattern).map_err(|why| Diagnostic::user(why).at(name.at.clone()))?;
    for host in names {
        let host = inventory.add_host(&host, Some(group), port)?;
        for (key, value) in &vars {
            inventory.set_host_var(&host, key.clone(), value.clone());
        }
    }
    Ok(())
}
