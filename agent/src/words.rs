//! Command lines as lists of words, as in Python's `shlex`.

/// Splits a line into words at white space outside of quotes.
///
/// # Errors
/// If a quote is not closed or nothing follows a backslash, in Python's wording.
pub fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some((word, behind)) = first(rest)? {
        words.push(word);
        rest = behind;
    }
    Ok(words)
}

/// Returns the first word of a line and the rest, unchanged; `None` if there is no word.
///
/// # Errors
/// As [`split`].
pub fn first(line: &str) -> Result<Option<(String, &str)>, &'static str> {
    let mut word: Option<String> = None;
    let mut rest = line;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' if word.is_some() => break,
            ' ' | '\t' | '\r' | '\n' => {}
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or("No closing quotation")? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("No escaped character")?),
            c => word.get_or_insert_default().push(c),
        }
        rest = chars.as_str();
    }
    Ok(word.map(|word| (word, rest)))
}

/// Joins words into a line that a shell splits into the same words.
pub fn join(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\"'\"'"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next().ok_or("No closing quotation")? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or("No escaped character")? {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected words are those of CPython's shlex.split.
    #[test]
    fn words_are_split_as_in_python() {
        for (line, words) in [
            ("a  b\tc\n", &["a", "b", "c"][..]),
            ("'a b' \"c d\"", &["a b", "c d"]),
            ("a'b'\"c\"", &["abc"]),
            ("'' \"\"", &["", ""]),
            (r"a\ b \'", &["a b", "'"]),
            (r#""a\"b" "\n" '\n'"#, &["a\"b", "\\n", "\\n"]),
            ("a # b", &["a", "#", "b"]),
            ("é $HOME | x", &["é", "$HOME", "|", "x"]),
            ("", &[]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert_eq!(first(" 'a b'c  d 'e"), Ok(Some(("a bc".into(), "  d 'e"))));
        assert_eq!((first("a"), first(" ")), (Ok(Some(("a".into(), ""))), Ok(None)));
        assert_eq!(split("a 'b"), Err("No closing quotation"));
        assert_eq!(split("a \"b"), Err("No closing quotation"));
        assert_eq!(split("a\\"), Err("No escaped character"));
    }
}
