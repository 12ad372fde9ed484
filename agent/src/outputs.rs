//! Return values for the output of a program, under Ansible's names.

use convoy_protocol::{Map, Value, map};

/// Splits text into lines like Python's `splitlines`.
fn lines(text: &str) -> Value {
    let mut lines = Vec::new();
    let mut rest = text;
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    while !rest.is_empty() {
        let end = rest.find(ends).unwrap_or(rest.len());
        lines.push(Value::from(&rest[..end]));
        rest = &rest[end..];
        let length = if rest.starts_with("\r\n") { 2 } else { rest.chars().next().map_or(0, char::len_utf8) };
        rest = &rest[length..];
    }
    lines.into()
}

/// Returns the return values for these outputs.
pub(crate) fn values(stdout: &str, stderr: &str) -> Map {
    map! {
        "stdout" => stdout,
        "stderr" => stderr,
        "stdout_lines" => lines(stdout),
        "stderr_lines" => lines(stderr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_in_python() {
        let of = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect::<Value>();
        assert_eq!(lines("a\r\nb\n\nc"), of(&["a", "b", "", "c"]));
        assert_eq!(lines("a\u{2028}b\n"), of(&["a", "b"]));
        assert_eq!(lines(""), of(&[]));
    }
}
