//! Lookups of variables, environment variables and hosts of the inventory.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{ScopeRef, Val, compile_regex, str};

pub(super) fn env(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let default = call.options.key("default");
    call.terms
        .iter()
        .map(|term| {
            let name = str(term);
            let name = name.split_whitespace().next().unwrap_or_default();
            match (std::env::var(name), &default) {
                (Ok(value), _) => Ok(value.into()),
                (Err(_), Some(Val::Undefined(_))) => {
                    Err(Error::undefined(format!("The environment variable \"{name}\" is not set")))
                }
                (Err(_), Some(default)) => Ok(default.clone()),
                (Err(_), None) => Ok("".into()),
            }
        })
        .collect()
}

pub(super) fn vars(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let default = call.options.key("default");
    let mut values = Vec::new();
    for term in &call.terms {
        let Some(name) = term.as_str() else {
            return Err(Error::other(format!(
                "Invalid setting identifier, \"{}\" is not a string",
                str(term)
            )));
        };
        values.push(match (call.rendering.variable(&ScopeRef::Own, name)?, &default) {
            (Some(value), _) => call.rendering.force_deep(&value)?.defined()?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                return Err(
                    Error::undefined(format!("No variable found with this name: {name}")).with_name(name)
                );
            }
        });
    }
    Ok(values)
}

pub(super) fn varnames(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let names = call.rendering.scope.names();
    let mut matches = Vec::new();
    for term in &call.terms {
        let pattern = term.as_str().ok_or_else(|| {
            let (text, class) = (str(term), term.type_name());
            Error::other(format!(
                "Invalid setting identifier, \"{text}\" is not a string, it is a <class '{class}'>"
            ))
        })?;
        let regex = compile_regex(pattern, false, false).map_err(|error| {
            let repeats = pattern.starts_with(['*', '+', '?']);
            let why = if repeats { "nothing to repeat at position 0".to_owned() } else { error.to_string() };
            Error::other(format!("Unable to use \"{pattern}\" as a search parameter: {why}"))
        })?;
        matches.extend(
            names
                .iter()
                .filter(|name| regex.is_match(AsRef::<str>::as_ref(*name)).unwrap_or(false))
                .map(|name| Val::text(name.clone())),
        );
    }
    Ok(matches)
}

/// Returns the hosts that match simple patterns: names, wildcards, `:`, `!` and `&`.
pub(super) fn inventory_hostnames(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let groups = call
        .rendering
        .variable(&ScopeRef::Own, "groups")?
        .unwrap_or_else(|| Val::dict(indexmap::IndexMap::new()));
    let groups = call.rendering.force_deep(&groups)?;
    let Val::Dict(groups) = groups else {
        return Err(Error::other("the variable groups is not a mapping"));
    };
    let groups = groups.items.borrow();
    let members = |name: &str| -> Result<Vec<String>, Error> {
        match groups.get(name) {
            Some(list) => Ok(call.rendering.items(list)?.iter().map(str).collect()),
            None => {
                let all = groups.get("all").map_or(Ok(Vec::new()), |all| call.rendering.items(all))?;
                let regex = compile_regex(
                    &format!("^{}$", name.replace('.', "\\.").replace('*', ".*")),
                    false,
                    false,
                )?;
                Ok(all.iter().map(str).filter(|host| regex.is_match(host).unwrap_or(false)).collect())
            }
        }
    };
    let mut hosts: Vec<String> = Vec::new();
    let patterns: Vec<String> = call.terms.iter().map(str).collect();
    for part in patterns.iter().flat_map(|term| term.split([':', ','])) {
        if let Some(not) = part.strip_prefix('!') {
            let not = members(not)?;
            hosts.retain(|host| !not.contains(host));
        } else if let Some(and) = part.strip_prefix('&') {
            let and = members(and)?;
            hosts.retain(|host| and.contains(host));
        } else {
            hosts.extend(members(part)?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    Ok(hosts.into_iter().map(Val::from).collect())
}
