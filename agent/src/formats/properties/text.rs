//! Escapes and encodings of `.properties` files.

/// Returns the text of a file: in UTF-8 if that is what it is, else in ISO 8859-1, as Java reads it; and which it was.
pub fn decoded(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (error.into_bytes().into_iter().map(char::from).collect(), false),
    }
}

/// Returns the bytes of a text in the encoding that [`decoded`] has found.
pub fn encoded(text: &str, utf8: bool) -> Vec<u8> {
    if utf8 {
        return text.as_bytes().to_vec();
    }
    // What is written anew is escaped, so all characters are from the file and fit.
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Returns text without escapes and without what carries lines on.
pub(super) fn unescaped(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            flush(&mut units, &mut text);
            text.push(c);
            continue;
        }
        let Some(c) = chars.next() else { break };
        if c == 'u' {
            let digits: String = chars.clone().take(4).collect();
            if let (4, Ok(unit)) = (digits.len(), u16::from_str_radix(&digits, 16)) {
                units.push(unit);
                chars.nth(3);
                continue;
            }
        }
        flush(&mut units, &mut text);
        match c {
            't' => text.push('\t'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            'f' => text.push('\u{c}'),
            '\r' | '\n' => while chars.next_if(|c| matches!(c, ' ' | '\t' | '\u{c}' | '\n')).is_some() {},
            c => text.push(c),
        }
    }
    flush(&mut units, &mut text);
    text
}

/// Two escapes in a row may be one character.
fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

/// Returns a key as it is written: what would end it, or begin a comment, is escaped.
pub(super) fn escaped_key(key: &str) -> String {
    let mut written = String::new();
    for c in key.chars() {
        match c {
            ' ' | ':' | '=' | '#' | '!' => written.extend(['\\', c]),
            c => escape(c, &mut written),
        }
    }
    written
}

/// Returns a value as it is written, readable in either encoding.
pub(super) fn escaped_value(value: &str) -> String {
    let mut written = String::new();
    for (index, c) in value.chars().enumerate() {
        if c == ' ' && index == 0 {
            written.push('\\');
        }
        escape(c, &mut written);
    }
    written
}

fn escape(c: char, written: &mut String) {
    match c {
        '\\' => written.push_str("\\\\"),
        '\t' => written.push_str("\\t"),
        '\n' => written.push_str("\\n"),
        '\r' => written.push_str("\\r"),
        '\u{c}' => written.push_str("\\f"),
        ' '..='~' => written.push(c),
        c => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                written.push_str(&format!("\\u{unit:04X}"));
            }
        }
    }
}
