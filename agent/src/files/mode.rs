//! File modes as text: octal digits, or symbolic as for `chmod`.

use crate::failure::Failure;

/// What a symbolic mode is relative to.
#[derive(Debug, Clone, Copy)]
pub struct Base {
    /// The current permission bits.
    pub mode: u32,
    /// Whether it is a directory, which matters for `X`.
    pub is_dir: bool,
    /// The bits that are not affected by a change that names no user.
    pub umask: u32,
}

/// Returns the permission bits that `text` denotes.
///
/// # Errors
/// If it is not a mode.
pub fn parse(text: &str, base: Base) -> Result<u32, Failure> {
    let digits = text.trim().trim_start_matches("0o");
    let bits = match u32::from_str_radix(digits, 8) {
        Ok(bits) => bits,
        Err(_) => symbolic(text, base).map_err(|part| {
            Failure::new("mode must be in octal or symbolic form")
                .with("details", format!("bad symbolic permission for mode: {part}"))
        })?,
    };
    if bits > 0o7777 {
        return Err(Failure::new("Invalid mode supplied, only permission info is allowed")
            .with("details", i64::from(bits)));
    }
    Ok(bits)
}

fn symbolic(text: &str, base: Base) -> Result<u32, String> {
    let mut mode = base.mode;
    for clause in text.split(',') {
        let refuse = || clause.to_owned();
        let end = clause.find(['+', '-', '=']).ok_or_else(refuse)?;
        let (users, mut rest) = clause.split_at(end);
        let umasked = users.is_empty();
        let users = if matches!(users, "" | "a") { "ugo" } else { users };
        if !users.chars().all(|c| "ugo".contains(c)) {
            return Err(refuse());
        }
        while let Some(operator) = rest.chars().next() {
            let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
            let permissions = &rest[1..end];
            rest = &rest[end..];
            for user in users.chars() {
                let bits = permissions.chars().try_fold(0, |bits, permission| {
                    Some(bits | permission_bits(user, permission, mode, base, umasked)?)
                });
                mode = combine(mode, user, operator, bits.ok_or_else(refuse)?);
            }
        }
    }
    Ok(mode)
}

/// Returns how far a user's permission bits are shifted.
fn shift(user: char) -> u32 {
    match user {
        'u' => 6,
        'g' => 3,
        _ => 0,
    }
}

fn permission_bits(user: char, permission: char, mode: u32, base: Base, umasked: bool) -> Option<u32> {
    let at = shift(user);
    let plain = |bits: u32| if umasked { (bits << at) & !base.umask } else { bits << at };
    Some(match permission {
        'r' => plain(4),
        'w' => plain(2),
        'x' => plain(1),
        'X' if base.is_dir || mode & 0o111 != 0 => 1 << at,
        'X' => 0,
        's' if user == 'u' => 0o4000,
        's' if user == 'g' => 0o2000,
        't' if user == 'o' => 0o1000,
        's' | 't' => 0,
        'u' | 'g' | 'o' => ((mode >> shift(permission)) & 7) << at,
        _ => return None,
    })
}

fn combine(mode: u32, user: char, operator: char, bits: u32) -> u32 {
    match operator {
        '+' => mode | bits,
        '-' => mode & !bits,
        _ => {
            let special = match user {
                'u' => 0o4000,
                'g' => 0o2000,
                _ => 0o1000,
            };
            mode & !(7 << shift(user) | special) | bits
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected modes are those that ansible-core 2.18 computes.
    #[test]
    fn symbolic_modes_are_resolved() {
        for (text, mode, is_dir, expected) in [
            ("0644", 0, false, 0o644),
            ("644", 0, false, 0o644),
            ("2775", 0, true, 0o2775),
            ("u+rwX", 0o400, false, 0o600),
            ("u+rwX", 0o400, true, 0o700),
            ("u=rwX,g=rX,o=", 0o755, false, 0o750),
            ("a+x", 0o644, false, 0o755),
            ("+x", 0o644, false, 0o755),
            ("+w", 0o444, false, 0o644),
            ("go-rwx", 0o777, false, 0o700),
            ("g=u", 0o740, false, 0o770),
            ("u=rw-x+X", 0o700, false, 0o600),
            ("u+s,g+s,o+t", 0o755, true, 0o7755),
            ("u=rw,g=r,o=r", 0o777, false, 0o644),
        ] {
            let base = Base { mode, is_dir, umask: 0o022 };
            assert_eq!(parse(text, base).unwrap(), expected, "{text} on {mode:o}");
        }
    }

    #[test]
    fn invalid_modes_are_refused() {
        let base = Base { mode: 0o644, is_dir: false, umask: 0o022 };
        for text in ["rw", "u+q", "z=r", "ua+r", "0689", ""] {
            let error = parse(text, base).unwrap_err();
            assert_eq!(error.msg, "mode must be in octal or symbolic form", "{text}");
            assert_eq!(error.values["details"], format!("bad symbolic permission for mode: {text}").into());
        }
        assert_eq!(
            parse("100644", base).unwrap_err().msg,
            "Invalid mode supplied, only permission info is allowed"
        );
    }
}
