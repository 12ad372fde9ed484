//! Ansible's markers for values that JSON cannot express: `{"__ansible_vault": …}` for encrypted text, and
//! `{"__ansible_unsafe": …}` for text that is not a template.

use convoy_protocol::{Kind, Taint, Value};

use crate::vaulted::is_vaulted;

/// Replaces markers by the values that they stand for.
///
/// # Errors
/// If text that is marked as encrypted is not.
pub fn unmark(value: Value) -> Result<Value, String> {
    let Kind::Map(map) = &value.kind else {
        return match &value.kind {
            Kind::List(list) => list.iter().cloned().map(unmark).collect(),
            _ => Ok(value),
        };
    };
    if let Some(text) = map.get("__ansible_vault") {
        let text = text.as_str().filter(|text| is_vaulted(text.as_bytes()));
        let text = text.ok_or_else(|| "text marked as `__ansible_vault` is not encrypted".to_owned())?;
        return Ok(Kind::Vaulted(text.into()).into());
    }
    match map.get("__ansible_unsafe") {
        Some(text) => Ok(text.clone().tainted(Taint::UNSAFE)),
        None => map.iter().map(|(key, value)| Ok((key.clone(), unmark(value.clone())?))).collect(),
    }
}
