//! The lookup `first_found`: the first of several files that exists.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Val, str};

/// The candidates.
#[derive(Default)]
struct Candidates {
    names: Vec<String>,
    /// Whether it is no error if none of them exists.
    skip: bool,
}

pub(super) fn first_found(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut candidates = Candidates::default();
    let (files, paths) = (call.options.key("files"), call.options.key("paths"));
    if let Some(skip) = call.options.key("skip") {
        candidates.skip = skip.truth()?;
    }
    if files.is_some() || paths.is_some() {
        let names = files
            .as_ref()
            .map_or_else(|| Ok(call.terms.iter().map(str).collect()), |files| split(call, files))?;
        let directories = paths.as_ref().map_or(Ok(Vec::new()), |paths| split(call, paths))?;
        candidates.add(&names, &directories);
    } else {
        for term in call.terms.clone() {
            collect(call, &term, &mut candidates)?;
        }
    }
    for name in &candidates.names {
        for subdirectory in ["templates", "files", "vars", "tasks"] {
            if let Some(path) = call.rendering.context.find(name, subdirectory) {
                return Ok(vec![path.to_string_lossy().as_ref().into()]);
            }
        }
    }
    if candidates.skip {
        return Ok(Vec::new());
    }
    Err(Error::other("No file was found when using first_found."))
}

/// Adds what a term names: a file, or a map of files and directories, or a list of these.
fn collect(call: &Call<'_, '_>, term: &Val, candidates: &mut Candidates) -> Result<(), Error> {
    match term {
        Val::Dict(dict) => {
            let dict = dict.items.borrow();
            let list = |name: &str| dict.get(name).map_or(Ok(Vec::new()), |value| split(call, value));
            candidates.add(&list("files")?, &list("paths")?);
            if let Some(skip) = dict.get("skip") {
                candidates.skip = skip.truth()?;
            }
        }
        Val::List(_) => {
            for item in call.rendering.items(term)? {
                collect(call, &item, candidates)?;
            }
        }
        other => candidates.names.push(str(other)),
    }
    Ok(())
}

impl Candidates {
    /// Adds files, each in all of the directories.
    fn add(&mut self, names: &[String], directories: &[String]) {
        if directories.is_empty() {
            self.names.extend_from_slice(names);
        }
        for directory in directories {
            let directory = directory.trim_end_matches('/');
            self.names.extend(names.iter().map(|name| format!("{directory}/{name}")));
        }
    }
}

/// Returns the names in a list, or in text where commas or semicolons separate them.
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
