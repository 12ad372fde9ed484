//! `first_found`: the first of several files that is there.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Val, str};

/// The choices and whether finding none is an answer.
#[derive(Default)]
struct Wanted {
    names: Vec<String>,
    skip: bool,
}

pub(super) fn first_found(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut wanted = Wanted::default();
    let (files, paths) = (call.options.key("files"), call.options.key("paths"));
    if let Some(skip) = call.options.key("skip") {
        wanted.skip = skip.truth()?;
    }
    if files.is_some() || paths.is_some() {
        let names = files
            .as_ref()
            .map_or_else(|| Ok(call.terms.iter().map(str).collect()), |files| split(call, files))?;
        let folders = paths.as_ref().map_or(Ok(Vec::new()), |paths| split(call, paths))?;
        add(&mut wanted, &names, &folders);
    } else {
        for term in call.terms.clone() {
            collect(call, &term, &mut wanted)?;
        }
    }
    for name in &wanted.names {
        for folder in ["templates", "files", "vars", "tasks"] {
            if let Some(found) = call.rendering.context.find(name, folder) {
                return Ok(vec![found.to_string_lossy().as_ref().into()]);
            }
        }
    }
    if wanted.skip {
        return Ok(Vec::new());
    }
    Err(Error::other("No file was found when using first_found."))
}

fn collect(call: &Call<'_, '_>, term: &Val, wanted: &mut Wanted) -> Result<(), Error> {
    match term {
        Val::Dict(dict) => {
            let dict = dict.items.borrow();
            let list = |name: &str| dict.get(name).map_or(Ok(Vec::new()), |value| split(call, value));
            add(wanted, &list("files")?, &list("paths")?);
            if let Some(skip) = dict.get("skip") {
                wanted.skip = skip.truth()?;
            }
        }
        Val::List(_) => {
            for item in call.rendering.items(term)? {
                collect(call, &item, wanted)?;
            }
        }
        other => wanted.names.push(str(other)),
    }
    Ok(())
}

fn add(wanted: &mut Wanted, names: &[String], folders: &[String]) {
    if folders.is_empty() {
        wanted.names.extend_from_slice(names);
    }
    for folder in folders {
        wanted.names.extend(names.iter().map(|name| format!("{}/{name}", folder.trim_end_matches('/'))));
    }
}

/// A list, or a text of names between commas, semicolons or colons.
fn split(call: &Call<'_, '_>, value: &Val) -> Result<Vec<String>, Error> {
    let items = match value {
        Val::List(_) => call.rendering.items(value)?,
        other => vec![other.clone()],
    };
    Ok(items
        .iter()
        .flat_map(|item| str(item).split([',', ';']).map(|s| s.trim().to_owned()).collect::<Vec<_>>())
        .filter(|s| !s.is_empty())
        .collect())
}
