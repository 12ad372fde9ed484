//! Python's escapes in string literals.

/// Reads one escape after its backslash and appends what it stands for. Returns the rest of the text, or `None` if the
/// escape is not valid.
pub(crate) fn unescape<'t>(rest: &'t str, out: &mut String) -> Option<&'t str> {
    let c = rest.chars().next()?;
    let tail = &rest[c.len_utf8()..];
    let mut hex = |digits: usize| -> Option<&'t str> {
        let code = u32::from_str_radix(tail.get(..digits)?, 16).ok()?;
        out.push(char::from_u32(code)?);
        Some(&tail[digits..])
    };
    match c {
        'x' => return hex(2),
        'u' => return hex(4),
        'U' => return hex(8),
        '0'..='7' => {
            let len = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            out.push(char::from_u32(u32::from_str_radix(&rest[..len], 8).ok()?)?);
            return Some(&rest[len..]);
        }
        '\n' => {}
        '\\' | '\'' | '"' => out.push(c),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'a' => out.push('\u{7}'),
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        'v' => out.push('\u{b}'),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Some(tail)
}
