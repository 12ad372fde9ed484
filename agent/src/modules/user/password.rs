//! The hash of a password: what it looks like, and how it is set without being seen.

use super::args::{Args, UpdatePassword};
use super::command::{Changes, Command};
use crate::failure::Failure;
use crate::system::{Process, Shadow, System};

/// What stands in differences for a password.
const HIDDEN: &str = "********";

/// Returns whether a text is the hash of a password, or one of the words that no password has as its hash.
pub(super) fn is_hash(text: &str) -> bool {
    if text.is_empty() || ["*", "!", "*************"].contains(&text) {
        return true;
    }
    let fields: Vec<&str> = text.split('$').collect();
    let [_, kind, .., digest] = fields[..] else { return false };
    let is_digest = |c: char| c.is_ascii_alphanumeric() || "./=".contains(c);
    let length = match kind {
        "1" => Some(22),
        "5" | "y" => Some(43),
        "6" => Some(86),
        _ => None,
    };
    !text.contains([':', '*', '!'])
        && digest.chars().all(is_digest)
        && length.is_none_or(|n| digest.len() == n)
}

/// Returns the hash as it shall be stored.
pub(super) fn locked(hash: &str, args: &Args) -> String {
    if args.password_lock == Some(true) { format!("!{hash}") } else { hash.to_owned() }
}

/// Decides about hash and lock; returns the hash to be set.
pub(super) fn wanted(
    args: &Args,
    shadow: Option<&Shadow>,
    command: &mut Command,
    changes: &mut Changes,
) -> Option<String> {
    let current = shadow.map(|shadow| shadow.password.as_str()).unwrap_or_default();
    let is_locked = current.starts_with('!');
    let other = args.password.as_ref().filter(|hash| {
        args.update_password == UpdatePassword::Always
            && hash.trim_start_matches('!') != current.trim_start_matches('!')
    });
    if let Some(hash) = other {
        changes.note("password", HIDDEN, format!("{HIDDEN} (another one)"));
        return Some(locked(hash, args));
    }
    match args.password_lock {
        Some(true) if !is_locked => command.flag("-L"),
        // Where there is no password there is nothing that could be unlocked.
        Some(false) if is_locked && current.len() > 1 => command.flag("-U"),
        _ => return None,
    }
    changes.note("password_lock", is_locked, !is_locked);
    None
}

/// Sets the hash. `chpasswd` reads it from standard input: arguments of programs can be seen by every user.
pub(super) fn set(user: &str, hash: &str, node: &mut System) -> Result<(), Failure> {
    let chpasswd = node.require_program("chpasswd")?;
    let line = format!("{user}:{hash}\n");
    let output = node.run(&Process::new([chpasswd.as_os_str(), "-e".as_ref()]).stdin(line.into_bytes()))?;
    if output.rc == 0 {
        return Ok(());
    }
    // It may repeat what it has read.
    let said = output.error_output();
    let said = if hash.len() > 1 { said.replace(hash, "********") } else { said };
    Err(Failure::new(format!("the password of {user} is not set: {said}")).with("rc", output.rc))
}

#[cfg(test)]
mod tests {
    use super::is_hash;

    #[test]
    fn hashes_are_told_from_passwords() {
        let sha256 = format!("$5$salt${}", "a".repeat(43));
        for hash in ["*", "!", "*************", "", &sha256, "$2b$12$abcdefghijklmnopqrstuv", "$y$j9T$salt$"]
        {
            assert_eq!(is_hash(hash), hash != "$y$j9T$salt$", "{hash}");
        }
        for word in ["secret", "$6$salt", "$5$salt$short", "$6$salt$with:colon", "!$5$x"] {
            assert!(!is_hash(word), "{word}");
        }
    }
}
