//! Error messages for text that is not YAML: what is wrong and how to fix it, where the parser only says what it expected.

use std::sync::Arc;

use convoy_protocol::Origin;
use granit_parser::{ErrorKind, ScanError};

use crate::diagnostic::Diagnostic;

/// Replaces the message about a place in an encrypted file with one that quotes nothing of the file.
pub fn redacted(problem: Diagnostic) -> Diagnostic {
    let file = problem.origin.as_ref().map(|at| at.file.to_string()).unwrap_or_default();
    Diagnostic::user("the decrypted text is not valid here")
        .kind(problem.kind)
        .at(problem.origin)
        .note("details are not shown because they may quote a secret")
        .hint(Some(format!("open this place with `convoy vault edit {file}`")))
}

/// Returns the error for a value that begins with an unquoted `{{`. `written` is the text from there on.
pub(super) fn unquoted_braces(at: Arc<Origin>, written: &str) -> Diagnostic {
    let line = written.lines().next().unwrap_or_default().split(" #").next().unwrap_or_default().trim_end();
    let quoted = if line.contains('"') { format!("'{line}'") } else { format!("\"{line}\"") };
    Diagnostic::user("a value that begins with `{{` needs quotes")
        .at(at)
        .hint(Some(format!("quote the whole value: {quoted}")))
}

/// Returns the error for text that the parser refused.
pub(super) fn syntax_error(file: &Arc<str>, text: &str, error: &ScanError) -> Diagnostic {
    let at = |line: usize, column: usize| Arc::new(Origin::new(file.clone(), line, column));
    let mark = error.marker();
    let line = text.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default();
    if let Some(column) = braces_column(line) {
        let written: String = line.chars().skip(column).collect();
        return unquoted_braces(at(mark.line(), column + 1), &written);
    }
    let indent: String = line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    if let Some(tab) = indent.find('\t') {
        return Diagnostic::user("a tab is used for indentation")
            .at(at(mark.line(), tab + 1))
            .hint(Some("use spaces".to_owned()));
    }
    let (message, hint) = message_and_hint(error.kind(), line);
    Diagnostic::user(message).at(at(mark.line(), mark.col() + 1)).hint(hint.map(str::to_owned))
}

/// Returns the column, from 0, of a value in `line` that begins with an unquoted `{{`.
fn braces_column(line: &str) -> Option<usize> {
    let (before, _) = line.split_once("{{")?;
    let start = before.trim_end();
    let begins = start.is_empty() || start.ends_with([':', '-', ',', '[']);
    (begins && !before.contains(['"', '\''])).then(|| before.chars().count())
}

/// Returns whether a value in `line` begins with quoted text that is followed by more text.
fn has_text_after_quote(line: &str) -> bool {
    let value = line.split_once(": ").map_or(line, |(_, value)| value).trim().trim_start_matches("- ");
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
    value[1..].split_once(quote).is_some_and(|(_, rest)| !rest.trim().is_empty())
}

fn message_and_hint(kind: &ErrorKind, line: &str) -> (String, Option<&'static str>) {
    use ErrorKind as E;
    const QUOTE: &str = "quote the whole value";
    const INDENT: &str = "items of a list, and keys of a map, must begin in the same column";
    let (message, hint) = match kind {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabAtBlockScalarStart => {
            ("a tab is used for indentation", "use spaces")
        }
        E::UnclosedQuotedScalar => ("a quote is not closed", "end the text with the quote it began with"),
        E::UnclosedFlowCollection { open: '{' } | E::UnexpectedEofFlowMapping => {
            ("`{` is not closed", "end the map with `}`")
        }
        E::UnclosedFlowCollection { .. } | E::UnexpectedEofFlowSequence => {
            ("`[` is not closed", "end the list with `]`")
        }
        E::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), None);
        }
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => {
            ("text after a closing quote", "quote the whole value, with the other kind of quote")
        }
        _ if has_text_after_quote(line) => {
            ("text after a closing quote", "quote the whole value, with the other kind of quote")
        }
        E::MappingValueNotAllowed | E::InvalidColonPlacement => ("`: ` is not allowed here", QUOTE),
        E::UnexpectedCharacter { character } => {
            return (format!("a value cannot begin with `{character}`"), Some(QUOTE));
        }
        E::UnknownAnchor => ("the anchor is not defined", "text that begins with `*` needs quotes"),
        E::UnknownQuotedScalarEscape => {
            ("unknown escape in double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        E::InvalidIndentation
        | E::InvalidBlockScalarIndent
        | E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry
        | E::BlockSequenceEntryNotAllowed
        | E::InvalidQuotedScalarIndent
        | E::InvalidFlowScalarIndent => ("inconsistent indentation", INDENT),
        E::SimpleKeyExpected | E::InvalidSimpleKey => ("missing `:` after a key", "write `key: value`"),
        E::RecursionLimitExceeded => return ("lists and maps are nested too deeply".to_owned(), None),
        other => return (other.to_string(), None),
    };
    (message.to_owned(), Some(hint))
}

#[cfg(test)]
mod tests {
    use super::super::read;

    /// Text, message, line and column, hint.
    const TABLE: &[(&str, &str, &str, Option<&str>)] = &[
        (
            "a: {{ x }}\n",
            "a value that begins with `{{` needs quotes",
            "1:4",
            Some("quote the whole value: \"{{ x }}\""),
        ),
        (
            "a:\n  - {{ x }}/b # c\n",
            "a value that begins with `{{` needs quotes",
            "2:5",
            Some("quote the whole value: \"{{ x }}/b\""),
        ),
        (
            "a: {{ x[\"y\"] }}\n",
            "a value that begins with `{{` needs quotes",
            "1:4",
            Some("quote the whole value: '{{ x[\"y\"] }}'"),
        ),
        ("a:\n\tb: 1\n", "a tab is used for indentation", "2:1", Some("use spaces")),
        ("a: 'x\n", "a quote is not closed", "1:4", Some("end the text with the quote it began with")),
        ("a: [x\n", "`[` is not closed", "1:4", Some("end the list with `]`")),
        ("a: {x: 1\n", "`{` is not closed", "1:4", Some("end the map with `}`")),
        ("a: [x}\n", "`[` is closed by `}`", "1:4", None),
        ("a: b: c\n", "`: ` is not allowed here", "1:5", Some("quote the whole value")),
        (
            "a: \"ok\" in x\n",
            "text after a closing quote",
            "1:9",
            Some("quote the whole value, with the other kind of quote"),
        ),
        ("a: @x\n", "a value cannot begin with `@`", "1:4", Some("quote the whole value")),
        ("a: *x\n", "the anchor is not defined", "1:4", Some("text that begins with `*` needs quotes")),
        (
            "a: \"\\d\"\n",
            "unknown escape in double quotes",
            "1:4",
            Some("write `\\\\` for a backslash, or use single quotes"),
        ),
        ("a: 1\n b: 2\n", "`: ` is not allowed here", "2:3", Some("quote the whole value")),
        (
            "a:\n  b: 1\n c: 2\n",
            "inconsistent indentation",
            "3:2",
            Some("items of a list, and keys of a map, must begin in the same column"),
        ),
        (
            "- a: 1\n b: 2\n",
            "inconsistent indentation",
            "2:2",
            Some("items of a list, and keys of a map, must begin in the same column"),
        ),
    ];

    #[test]
    fn syntax_errors_name_the_problem_the_place_and_a_fix() {
        for (text, message, place, hint) in TABLE {
            let hint = hint.map_or(String::new(), |hint| format!("\nhint: {hint}"));
            let expected = format!("error: {message}\n  --> t.yml:{place}{hint}");
            let actual =
                read("t.yml", text).map(|node| format!("{node:?}")).unwrap_or_else(|error| error.to_string());
            assert_eq!(actual, expected, "{text:?}");
        }
    }
}
