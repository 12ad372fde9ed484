//! The users that a run became. Their agents keep records of their own.

use std::path::Path;

use convoy_protocol::message::{Become, Method};

use super::USERS;
use super::line::{read_words, words};

/// Formats how a user was become, as a line in a run's directory.
pub(super) fn user_line(other: &Become) -> String {
    let option =
        |value: &Option<String>| value.as_ref().map_or_else(|| "-".to_owned(), |text| format!("={text}"));
    words(&[&other.user, other.method.name(), &option(&other.exe), &option(&other.flags)])
}

/// Returns the users that a run became, without passwords.
pub(crate) fn users(directory: &Path) -> Vec<Become> {
    let text = std::fs::read_to_string(directory.join(USERS)).unwrap_or_default();
    let option = |text: &String| text.strip_prefix('=').map(str::to_owned);
    let read = |line: &str| {
        let words = read_words(line)?;
        let [user, method, exe, flags] = &words[..] else { return None };
        let method = Method::named(method)?;
        Some(Become { user: user.clone(), method, exe: option(exe), flags: option(flags), password: None })
    };
    text.lines().filter_map(read).collect()
}
