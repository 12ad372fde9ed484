//! Lookups in tables on the workstation: `ini` and `csvfile`.

use super::Call;
use crate::template::Error;
use crate::template::jinja::{Val, compile_regex, str};

/// Reads `key=value` words after the first of a term, as older playbooks write options.
fn inline(term: &str) -> (String, Vec<(String, String)>) {
    let mut key = Vec::new();
    let mut options = Vec::new();
    for word in term.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some((name, value)) if !key.is_empty() => options.push((name.to_owned(), value.to_owned())),
            _ => key.push(word),
        }
    }
    (key.join(" "), options)
}

fn read(call: &Call<'_, '_>, lookup: &str, file: &str) -> Result<String, Error> {
    let path = call.run.context.find(file, "files");
    let path =
        path.ok_or_else(|| Error::other(format!("the lookup {lookup} could not find the file {file}")))?;
    let fault = |why: &str| Error::other(format!("{lookup}: {}: {why}", path.display()));
    let bytes = call.run.read(&path).map_err(|why| fault(&why))?;
    String::from_utf8(bytes).map_err(|_| fault("the file is not utf-8"))
}

fn choose(call: &mut Call<'_, '_>, name: &str, default: &str) -> String {
    call.options.key(name).map_or_else(|| default.to_owned(), |v| str(&v))
}

pub(super) fn ini(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = choose(call, "file", "ansible.ini");
    let section = choose(call, "section", "global");
    let kind = choose(call, "type", "ini");
    let default = choose(call, "default", "");
    let is_regex = call.options.key("re").map_or(Ok(false), |v| v.truth())?;
    let fold = !call.options.key("case_sensitive").map_or(Ok(false), |v| v.truth())?;
    let allow_none = call
        .options
        .key("allow_no_value")
        .or(call.options.key("allow_none"))
        .map_or(Ok(false), |v| v.truth())?;
    let mut made = Vec::new();
    for term in call.terms.clone() {
        let (key, options) = inline(&str(&term));
        let option = |name: &str, value: &str| {
            options
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| value.to_owned(), |(_, value)| value.clone())
        };
        let is_regex = is_regex || option("re", "").eq_ignore_ascii_case("true");
        let text = read(call, "ini", &option("file", &file))?;
        let section = if option("type", &kind) == "properties" {
            "java_properties".into()
        } else {
            option("section", &section)
        };
        let entries = entries(&text, &section, option("type", &kind) == "properties", fold, allow_none);
        let regex = if is_regex { Some(compile_regex(&format!("^(?:{key})"), fold, false)?) } else { None };
        let wanted = if fold { key.to_lowercase() } else { key.clone() };
        if let Some(regex) = regex {
            made.extend(
                entries
                    .into_iter()
                    .filter(|(name, _)| regex.is_match(name).unwrap_or(false))
                    .map(|(_, v)| Val::from(v)),
            );
        } else {
            let found = entries.into_iter().rfind(|(name, _)| *name == wanted).map(|(_, value)| value);
            made.push(found.unwrap_or_else(|| option("default", &default)).into());
        }
    }
    Ok(made)
}

/// The entries of a section, with those of `[DEFAULT]` before them.
fn entries(
    text: &str,
    section: &str,
    properties: bool,
    fold: bool,
    allow_none: bool,
) -> Vec<(String, String)> {
    let mut current = if properties { section.to_owned() } else { String::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            name.clone_into(&mut current);
        } else if current == section || current == "DEFAULT" {
            if line.starts_with([' ', '\t']) && !found.is_empty() {
                if let Some((_, value)) = found.last_mut() {
                    value.push('\n');
                    value.push_str(trimmed);
                }
                continue;
            }
            let (key, value) = match trimmed.split_once(['=', ':']) {
                Some((key, value)) => (key.trim(), value.trim()),
                None if allow_none => (trimmed, ""),
                None => continue,
            };
            found.push((if fold { key.to_lowercase() } else { key.to_owned() }, value.to_owned()));
        }
    }
    found
}

pub(super) fn csvfile(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = choose(call, "file", "ansible.csv");
    let delimiter = choose(call, "delimiter", "TAB");
    let (column, key_column) = (choose(call, "col", "1"), choose(call, "keycol", "0"));
    let default = call.options.key("default");
    let mut made = Vec::new();
    for term in call.terms.clone() {
        let (key, options) = inline(&str(&term));
        let option = |name: &str, value: &str| {
            options
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| value.to_owned(), |(_, value)| value.clone())
        };
        if key.is_empty() {
            return Err(Error::other("Search key is required but was not found"));
        }
        let delimiter = match &*option("delimiter", &delimiter) {
            "TAB" | "t" => '\t',
            other => other.chars().next().unwrap_or('\t'),
        };
        let index = |text: String| {
            text.parse::<usize>().map_err(|_| Error::other(format!("csvfile: '{text}' is no column")))
        };
        let (column, key_column) = (index(option("col", &column))?, index(option("keycol", &key_column))?);
        let text = read(call, "csvfile", &option("file", &file))?;
        let row =
            text.lines().map(|line| cells(line, delimiter)).find(|row| row.get(key_column) == Some(&key));
        match (row, &default) {
            (Some(mut row), _) if column < row.len() => made.push(row.swap_remove(column).into()),
            (Some(_), _) => return Err(Error::other("csvfile: list index out of range")),
            (None, Some(default)) => made.push(default.clone()),
            (None, None) => {}
        }
    }
    Ok(made)
}

fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => cells.push(String::new()),
            c => cell.push(c),
        }
    }
    cells
}
