//! Differences in a readable form.

use std::path::Path;

use convoy_protocol::{Diff, DiffSide, Map, Value};

use crate::failure::Failure;
use crate::stat::Meta;
use crate::system::{Attributes, DIFF_LIMIT, SystemView};

/// The new version of a file.
#[derive(Debug, Clone, Copy)]
pub struct After<'a> {
    /// Its title.
    pub header: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// A file with the content.
    pub file: Option<&'a Path>,
    /// The content, if it is in memory.
    pub bytes: Option<&'a [u8]>,
}

fn skipped(why: &str) -> Diff {
    Diff::Prepared(format!("diff skipped: {why}\n"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the difference between the file at `path`, with the metadata `old`, and its new version.
///
/// # Errors
/// If either cannot be read.
pub fn of_content(
    view: &SystemView,
    path: &Path,
    old: Option<&Meta>,
    after: After<'_>,
) -> Result<Diff, Failure> {
    let before = match old {
        None => DiffSide { header: String::new(), text: String::new() },
        Some(meta) if meta.size > DIFF_LIMIT => {
            return Ok(skipped(&format!("destination file size is greater than {DIFF_LIMIT}")));
        }
        Some(_) => {
            let bytes = view.read_head(path, DIFF_LIMIT)?;
            if bytes.contains(&0) {
                return Ok(skipped("destination file appears to be binary"));
            }
            DiffSide { header: path.display().to_string(), text: text(&bytes) }
        }
    };
    if after.size > DIFF_LIMIT {
        return Ok(skipped(&format!("source file size is greater than {DIFF_LIMIT}")));
    }
    let bytes = match (after.bytes, after.file) {
        (Some(bytes), _) => bytes.to_vec(),
        (None, Some(file)) => view.read_head(file, DIFF_LIMIT)?,
        (None, None) => Vec::new(),
    };
    if bytes.contains(&0) {
        return Ok(skipped("source file appears to be binary"));
    }
    Ok(Diff::Text { before, after: DiffSide { header: after.header.to_owned(), text: text(&bytes) } })
}

/// Adds the attributes that `wanted` would change to both sides of a difference.
pub fn of_attributes(meta: &Meta, wanted: Attributes, before: &mut Map, after: &mut Map) {
    let mut both = |name: &str, old: Value, new: Value| {
        before.insert(name.into(), old);
        after.insert(name.into(), new);
    };
    if let Some(uid) = wanted.uid {
        both("owner", meta.uid.into(), uid.into());
    }
    if let Some(gid) = wanted.gid {
        both("group", meta.gid.into(), gid.into());
    }
    if let Some(mode) = wanted.mode {
        both("mode", format!("0{:03o}", meta.mode).into(), format!("0{mode:03o}").into());
    }
}

/// Returns the difference between two maps, formatted as JSON with sorted keys.
pub fn of_maps(before: &Map, after: &Map) -> Diff {
    let side = |map: &Map| {
        let text = super::json::pretty(&Value::from(map.clone()));
        DiffSide { header: String::new(), text: text + "\n" }
    };
    Diff::Text { before: side(before), after: side(after) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    #[test]
    fn maps_are_formatted_as_ansible_prints_them() {
        let before = map! { "path" => "/a", "mode" => "0644", "n" => 1.5, "list" => vec![Value::from("é")] };
        let Diff::Text { before, after } = of_maps(&before, &map! {}) else { panic!("no text") };
        let expected = "{\n    \"list\": [\n        \"\\u00e9\"\n    ],\n    \"mode\": \"0644\",\n    \"n\": 1.5,\n    \"path\": \"/a\"\n}\n";
        assert_eq!(before.text, expected);
        assert_eq!(after.text, "{}\n");
    }
}
