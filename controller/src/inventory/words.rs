//! Splits a line into words as a POSIX shell does, with comments.

/// A word and the column, from 0, at which it begins.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) column: usize,
}

/// Splits `line`; a `#` outside of quotes starts a comment, even within a word.
///
/// # Errors
///
/// The column, from 0, of an unclosed quote or a trailing backslash.
pub(super) fn split(line: &str) -> Result<Vec<Word>, (usize, &'static str)> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().enumerate().peekable();
    while let Some((column, c)) = chars.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        if c == '#' {
            break;
        }
        let text = &mut word.get_or_insert_with(|| Word { text: String::new(), column }).text;
        match c {
            '\'' | '"' => loop {
                match chars.next() {
                    None => return Err((column, "unclosed quote")),
                    Some((_, end)) if end == c => break,
                    Some((_, '\\')) if c == '"' => match chars.next_if(|(_, c)| matches!(c, '"' | '\\')) {
                        Some((_, escaped)) => text.push(escaped),
                        None => text.push('\\'),
                    },
                    Some((_, inner)) => text.push(inner),
                }
            },
            '\\' => match chars.next() {
                Some((_, escaped)) => text.push(escaped),
                None => return Err((column, "trailing backslash")),
            },
            _ => text.push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_a_shell() {
        for (line, expected) in [
            ("a b=1 c='x y' # z", vec!["a", "b=1", "c=x y"]),
            (r#"a b="x \" \\ \n" c=\"q\""#, vec!["a", r#"b=x " \ \n"#, r#"c="q""#]),
            ("a b='[1, \"x\"]'", vec!["a", "b=[1, \"x\"]"]),
            ("a p=ab#c", vec!["a", "p=ab"]),
            ("a b=''", vec!["a", "b="]),
        ] {
            let words: Vec<_> = split(line).unwrap().into_iter().map(|word| word.text).collect();
            assert_eq!(words, expected, "{line}");
        }
        assert_eq!(split("é  x").unwrap()[1], Word { text: "x".into(), column: 3 });
        assert_eq!(split("a 'b"), Err((2, "unclosed quote")));
        assert_eq!(split("a b\\"), Err((3, "trailing backslash")));
    }
}
