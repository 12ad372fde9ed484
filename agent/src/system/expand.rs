//! Expands `~`, `~user`, `$NAME` and `${NAME}`, like Python's `expandvars` and `expanduser`.

/// Replaces variables in `text`; unknown ones are left as they are.
pub(super) fn variables(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(braced) => match braced.find('}') {
                Some(end) => (&braced[..end], end + 2),
                None => ("", 0),
            },
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match lookup(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

/// Replaces a leading `~` or `~user` with the user's home directory; that of an unknown user is left as it is.
pub(super) fn home(text: &str, lookup: impl Fn(Option<&str>) -> Option<String>) -> String {
    let Some(after) = text.strip_prefix('~') else { return text.to_owned() };
    let (user, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    match lookup(Some(user).filter(|user| !user.is_empty())) {
        Some(home) => {
            let joined = format!("{}{rest}", home.trim_end_matches('/'));
            if joined.is_empty() { "/".to_owned() } else { joined }
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded_as_in_python() {
        let lookup = |name: &str| (name == "A").then(|| "x".to_owned());
        for (text, expected) in [
            ("/$A/b", "/x/b"),
            ("${A}b", "xb"),
            ("$AB/$A", "$AB/x"),
            ("$", "$"),
            ("$$A", "$x"),
            ("${A", "${A"),
            ("${}", "${}"),
            ("$é", "$é"),
            ("a${NO}$A", "a${NO}x"),
        ] {
            assert_eq!(variables(text, lookup), expected, "{text}");
        }
    }

    #[test]
    fn home_directories_are_expanded_as_in_python() {
        let lookup = |user: Option<&str>| match user {
            None => Some("/home/me".to_owned()),
            Some("root") => Some("/root/".to_owned()),
            Some("top") => Some("/".to_owned()),
            Some(_) => None,
        };
        for (text, expected) in [
            ("~", "/home/me"),
            ("~/a", "/home/me/a"),
            ("~root/a", "/root/a"),
            ("~top", "/"),
            ("~top/a", "/a"),
            ("~nobody-here/a", "~nobody-here/a"),
            ("/~", "/~"),
        ] {
            assert_eq!(home(text, lookup), expected, "{text}");
        }
    }
}
