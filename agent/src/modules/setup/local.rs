//! The node's own facts: files and programs that end with `.fact`.

use std::path::Path;

use convoy_protocol::{Map, Value};

use crate::files::json;
use crate::module::Failure;
use crate::system::{Look, Process};

pub(super) fn collect(look: &Look, folder: &Path, facts: &mut Map) {
    let mut all = Map::new();
    for path in look.list(folder).unwrap_or_default() {
        if path.extension().is_none_or(|extension| extension != "fact") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let value = one(look, &path).unwrap_or_else(|failure| failure.msg.into());
        all.insert(name.into(), value);
    }
    facts.insert("local".into(), all.into());
}

fn one(look: &Look, path: &Path) -> Result<Value, Failure> {
    let Some(meta) = look.stat(path)? else {
        return Err(Failure::new(format!("Could not stat fact ({}): it leads to nothing", path.display())));
    };
    let text = if look.can_execute(path) && meta.mode & 0o111 != 0 {
        let output = look.ask(&Process::new([path]))?;
        if output.rc != 0 {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let text = format!("Failure executing fact script ({}), rc: {}, err: {error}", path.display(), output.rc);
            return Err(Failure::new(text));
        }
        output.stdout
    } else {
        look.read(path)?
    };
    let text = String::from_utf8_lossy(&text);
    json::parse(&text).or_else(|| ini(&text)).ok_or_else(|| {
        let path = path.display();
        Failure::new(format!("error loading facts as JSON or ini - please check content: {path}"))
    })
}

/// Reads sections of `key = value` as Python's `configparser` does; `None` if a line is neither.
fn ini(text: &str) -> Option<Value> {
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
    (!sections.is_empty()).then(|| sections.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn sections_are_read() {
        let text = "# note\n[general]\nKey = a b\nother: 1\n[empty]\n";
        let expected = map! { "general" => map! { "key" => "a b", "other" => "1" }, "empty" => map! {} };
        assert_eq!(ini(text), Some(expected.into()));
        assert_eq!(ini("key = value\n"), None);
        assert_eq!(ini("[a]\nnothing\n"), None);
        assert_eq!(ini(""), None);
    }
}
