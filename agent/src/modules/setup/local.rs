//! The node's own facts: files and programs that end with `.fact`.

use std::path::Path;

use convoy_protocol::{Key, Map, Value};

use crate::failure::Failure;
use crate::files::json;
use crate::system::{Process, SystemView};

pub(super) fn collect(view: &SystemView, directory: &Path, facts: &mut Map) {
    let mut all = Map::new();
    for path in view.list(directory).unwrap_or_default() {
        if path.extension().is_none_or(|extension| extension != "fact") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let value = one(view, &path).unwrap_or_else(|failure| failure.msg.into());
        all.insert(name.into(), value);
    }
    facts.insert("local".into(), all.into());
}

fn one(view: &SystemView, path: &Path) -> Result<Value, Failure> {
    let Some(meta) = view.stat(path)? else {
        return Err(Failure::new(format!("Could not stat fact ({}): it leads to nothing", path.display())));
    };
    let text = if view.can_execute(path) && meta.mode & 0o111 != 0 {
        let output = view.query(&Process::new([path]))?;
        if output.rc != 0 {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let text = format!(
                "Failure executing fact script ({}), rc: {}, err: {error}",
                path.display(),
                output.rc
            );
            return Err(Failure::new(text));
        }
        output.stdout
    } else {
        view.read(path)?
    };
    let text = String::from_utf8_lossy(&text);
    let path = path.display();
    let found = json::parse(&text).map(Ok).or_else(|| Some(ini(&text)?.map(Value::from)));
    let found = found.ok_or_else(|| {
        Failure::new(format!("error loading facts as JSON or ini - please check content: {path}"))
    })?;
    found.map_err(|why| {
        Failure::new(format!("error loading facts as ini - please check content: {path} ({why})"))
    })
}

/// Reads sections of `key = value` as Python's `configparser` does; `None` if a line is neither.
fn ini(text: &str) -> Option<Result<Map, String>> {
    let mut sections = Map::new();
    let mut current: Option<(String, Map)> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.extend(current.take().map(|(name, keys)| (name.into(), keys.into())));
            current = Some((name.to_owned(), Map::new()));
            continue;
        }
        let (key, value) = line.split_once(['=', ':'])?;
        let keys = &mut current.as_mut()?.1;
        keys.insert(key.trim().to_lowercase().into(), value.trim().into());
    }
    sections.extend(current.map(|(name, keys)| (name.into(), keys.into())));
    (!sections.is_empty()).then(|| sections.iter().map(section).collect())
}

/// Replaces what `%` stands for in the values of a section.
fn section((name, keys): (&Key, &Value)) -> Result<(Key, Value), String> {
    let Some(keys) = keys.as_map() else { return Ok((name.clone(), keys.clone())) };
    let whole: Result<Map, String> = keys
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().unwrap_or_default();
            let whole = interpolated(text, keys).map_err(|unknown| match unknown {
                Unknown::Sign(rest) => format!("'%' must be followed by '%' or '(', found: '{rest}'"),
                Unknown::Name(option) => format!(
                    "Bad value substitution: option '{key}' in section '{name}' contains an interpolation key \
                     '{option}' which is not a valid option name. Raw value: '{text}'"
                ),
            })?;
            Ok((key.clone(), whole.into()))
        })
        .collect();
    Ok((name.clone(), whole?.into()))
}

/// Why a value cannot be put together.
enum Unknown {
    /// A `%` that stands for nothing, with what follows it.
    Sign(String),
    /// The name of a key that is not there.
    Name(String),
}

fn interpolated(text: &str, keys: &Map) -> Result<String, Unknown> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        whole.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            whole.push('%');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|after| after.split_once(")s")) {
            let value = keys.get(name.to_lowercase().as_str()).and_then(Value::as_str);
            whole.push_str(value.ok_or_else(|| Unknown::Name(name.to_lowercase()))?);
            rest = after;
        } else {
            return Err(Unknown::Sign(format!("%{after}")));
        }
    }
    whole.push_str(rest);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn sections_are_read() {
        let text = "# note\n[general]\nKey = a b\nother: 1\n[empty]\n";
        let expected = map! { "general" => map! { "key" => "a b", "other" => "1" }, "empty" => map! {} };
        assert_eq!(ini(text), Some(Ok(expected)));
        let text = "[a]\nbase = /opt\nhome = %(base)s/x\nrate = 5%%\n";
        let expected = map! { "a" => map! { "base" => "/opt", "home" => "/opt/x", "rate" => "5%" } };
        assert_eq!(ini(text), Some(Ok(expected)));
        for (value, error) in [
            ("a % b", "'%' must be followed by '%' or '(', found: '% b'"),
            (
                "%(None)s",
                "Bad value substitution: option 'k' in section 's' contains an interpolation key 'none' which is not a \
                 valid option name. Raw value: '%(None)s'",
            ),
        ] {
            assert_eq!(ini(&format!("[s]\nk = {value}\n")), Some(Err(error.to_owned())));
        }
        assert_eq!(ini("key = value\n"), None);
        assert_eq!(ini("[a]\nnothing\n"), None);
        assert_eq!(ini(""), None);
    }
}
