//! The programs that make another user of us: how each is called, how it asks for a password, and what it means when it
//! refuses.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use convoy_protocol::bootstrap::printable_tail;
use convoy_protocol::message::{Become, Method};

use super::terminal::Terminal;
use crate::failure::Failure;
use crate::hex;
use crate::os_error::reason;
use crate::words;

/// How a program asks for the password.
#[derive(Debug, Clone)]
pub(super) enum Prompt {
    /// With the text that it was told to ask with.
    Marked(String),
    /// With a last line of its own.
    FrameWriter {
        begins: &'static str,
        ends: &'static str,
        /// Whether it asks on its terminal and nowhere else.
        on_terminal: bool,
    },
}

impl Prompt {
    pub(super) fn new(method: Method) -> io::Result<Self> {
        Ok(match method {
            Method::Sudo => Self::Marked(format!("[convoy {}] password:", random()?)),
            Method::Su => Self::FrameWriter { begins: "Password", ends: "Password:", on_terminal: false },
            Method::Doas => Self::FrameWriter { begins: "doas (", ends: ") password:", on_terminal: true },
        })
    }

    pub(super) fn needs_terminal(&self) -> bool {
        matches!(self, Self::FrameWriter { on_terminal: true, .. })
    }

    /// Takes the first prompt out of a text; returns whether there was one.
    pub(super) fn take(&self, text: &mut Vec<u8>) -> bool {
        match self {
            Self::Marked(mark) => {
                let at = text.windows(mark.len()).position(|part| part == mark.as_bytes());
                at.inspect(|at| drop(text.drain(*at..at + mark.len()))).is_some()
            }
            Self::FrameWriter { begins, ends, .. } => {
                let start = text.iter().rposition(|b| matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
                let line = text[start..].trim_ascii();
                let is_prompt = line.starts_with(begins.as_bytes()) && line.ends_with(ends.as_bytes());
                is_prompt.then(|| text.truncate(start)).is_some()
            }
        }
    }
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(&bytes))
}

/// Returns the command that runs `script` as the other user.
///
/// # Errors
/// If the user's name, `become_exe` or `become_flags` cannot be used.
pub(super) fn command(
    other: &Become,
    prompt: &Prompt,
    script: &str,
    terminal: Option<&Terminal>,
) -> Result<Command, Failure> {
    if other.user.starts_with('-') {
        return Err(Failure::new(format!("cannot become {}: that is no name of a user", other.user)));
    }
    let split = |keyword: &str, line: &Option<String>| match line {
        None => Ok(None),
        Some(line) => words::split(line)
            .map(Some)
            .map_err(|why| Failure::new(format!("{keyword} '{line}' cannot be split into words: {why}"))),
    };
    let mut line = split("become_exe", &other.exe)?.filter(|words| !words.is_empty());
    let line = line.get_or_insert_with(|| vec![other.method.name().to_owned()]);
    let flags = split("become_flags", &other.flags)?;
    // The program's messages are read, so they are to be English; what it starts gets the user's language back.
    let script = format!("{}{script}", restore_locale());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match other.method {
        Method::Sudo => {
            let flags = flags.unwrap_or_else(|| words(&["-H"]));
            match (&other.password, prompt) {
                (Some(_), Prompt::Marked(mark)) => {
                    line.extend(flags.iter().filter_map(|flag| without_non_interactive(flag)));
                    line.extend(words(&["-S", "-p", mark]));
                }
                _ => {
                    line.extend(flags);
                    line.push("-n".to_owned());
                }
            }
            line.extend(words(&["-u", &other.user, "/bin/sh", "-c", &script]));
        }
        Method::Su => {
            line.extend(flags.unwrap_or_default());
            // The user's own shell reads it: one pair of single quotes carries it through any.
            line.extend(words(&[&other.user, "-c", &format!("exec /bin/sh -c '{script}'")]));
        }
        Method::Doas => {
            line.extend(flags.unwrap_or_default());
            line.extend(other.password.is_none().then(|| "-n".to_owned()));
            line.extend(words(&["-u", &other.user, "/bin/sh", "-c", &script]));
        }
    }
    let mut command = match terminal {
        // It begins a session of its own there.
        Some(terminal) => terminal.command(line),
        None => {
            let mut command = Command::new(&line[0]);
            command.args(&line[1..]).process_group(0);
            command
        }
    };
    // A bash that finds it takes itself for a login by ssh, and reads a `.bashrc` that may wait for input.
    command.env_remove("SSH_CLIENT").env_remove("SSH2_CLIENT");
    // The other user's state is not to lie among ours.
    command.env_remove("XDG_STATE_HOME");
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Returns the shell text that sets the language as it is here.
fn restore_locale() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    match std::env::var("LC_ALL") {
        Ok(restore_locale) if restore_locale.chars().all(plain) => {
            format!("LC_ALL={restore_locale}; export LC_ALL; ")
        }
        _ => "unset LC_ALL; ".to_owned(),
    }
}

/// Returns a flag of sudo without `-n`, which forbids it to read the password.
fn without_non_interactive(flag: &str) -> Option<String> {
    let letters = flag.strip_prefix('-').filter(|letters| letters.chars().all(|c| c.is_ascii_alphabetic()));
    match letters {
        _ if flag == "--non-interactive" => None,
        Some(letters) => {
            Some(letters.replace('n', "")).filter(|rest| !rest.is_empty()).map(|rest| format!("-{rest}"))
        }
        None => Some(flag.to_owned()),
    }
}

/// Returns the failure of a program that cannot be started.
pub(super) fn cannot_run(other: &Become, error: &io::Error) -> Failure {
    let program = other.exe.as_deref().unwrap_or(other.method.name());
    let why = match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not installed on this node"),
        _ => format!("cannot run {program}: {}", reason(error)),
    };
    Failure::new(format!("cannot become {}: {why}", other.user))
}

/// Returns the failure of a wrong password, in Ansible's words.
pub(super) fn incorrect_password(other: &Become) -> Failure {
    Failure::new(format!("Incorrect {} password", other.method.name()))
}

/// Returns the failure of a password that was not given, in Ansible's words.
pub(super) fn missing_password(other: &Become) -> Failure {
    Failure::new(format!("Missing {} password", other.method.name()))
}

/// What is said where a new password is wanted before anything else: by sudo, and by PAM to su and doas.
const EXPIRED: [&str; 3] = [
    "Account or password is expired",
    "You are required to change your password",
    "Your password has expired",
];

/// Returns whether the program has said that it will not do it, but goes on to ask for something else.
pub(super) fn asks_for_new_password(printed: &[u8]) -> bool {
    let text = String::from_utf8_lossy(printed);
    EXPIRED.iter().any(|words| text.contains(words))
}

/// Returns the failure that the program's own text tells of.
pub(super) fn refusal_reason(other: &Become, text: &str) -> Failure {
    let (user, name) = (&other.user, other.method.name());
    let whole = text;
    let text = &*printable_tail(text.as_bytes());
    let cannot = |why: &str| Failure::new(format!("cannot become {user}: {why}"));
    let any = |known: &[&str]| known.iter().any(|words| text.contains(words));
    if any(&EXPIRED) {
        let whose = if other.method == Method::Su { user } else { "the user who logs in" };
        return cannot(&format!(
            "the password of {whose} has expired, and {name} wants a new one first: set it by hand, with passwd"
        ));
    }
    if any(&["account validation failure", "account has expired", "Account expired"]) {
        return cannot(&format!("{name} says that the account has expired or is locked"));
    }
    if any(&["you must have a tty to run sudo"]) {
        return cannot(
            "sudo wants a terminal (requiretty in sudoers), and convoy has none: write `Defaults:USER !requiretty` there, \
             for the user who logs in",
        );
    }
    // It names the whole script that it was to run.
    if let Some((who, rest)) = whole.split_once(" is not allowed to execute '") {
        let place = rest.rsplit_once("' as ").map_or("", |(_, place)| place);
        let place = place.split(" on ").next().unwrap_or(place);
        let who = who.rsplit("Sorry, user ").next().unwrap_or(who);
        return cannot(&format!(
            "sudoers does not allow {who} to run /bin/sh as {place}, which convoy needs to start its agent"
        ));
    }
    if any(&["unknown user", "does not exist or the user entry does not"]) {
        return cannot("the node has no such user");
    }
    if other.method == Method::Doas && any(&["Operation not permitted"]) {
        return cannot("doas.conf does not permit it");
    }
    if any(&["This account is currently not available"]) {
        return cannot(&format!(
            "{text} Its shell lets nobody in: sudo does without, and so does root's su with `become_flags: -s /bin/sh`"
        ));
    }
    match other.method {
        Method::Sudo if any(&["incorrect password attempt", "Sorry, try again"]) => incorrect_password(other),
        Method::Sudo if any(&["a password is required", "no password was provided"]) => {
            missing_password(other)
        }
        Method::Su if any(&["Authentication failure", "incorrect password"]) => incorrect_password(other),
        Method::Doas if any(&["Authentication failed", "Authorization failed"]) => incorrect_password(other),
        Method::Doas if any(&["Authentication required", "Authorization required"]) => {
            missing_password(other)
        }
        _ => cannot(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(method: Method) -> Become {
        Become { user: "root".into(), method, exe: None, flags: None, password: None }
    }

    #[test]
    fn a_password_needs_sudo_without_n() {
        for (flag, rest) in [
            ("-n", None),
            ("-nE", Some("-E")),
            ("--non-interactive", None),
            ("--preserve-env", Some("--preserve-env")),
            ("-H", Some("-H")),
        ] {
            assert_eq!(without_non_interactive(flag).as_deref(), rest, "{flag}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let msg = |method, text| refusal_reason(&other(method), text).msg;
        assert_eq!(msg(Method::Sudo, "sudo: a password is required"), "Missing sudo password");
        let text = "Sorry, try again.\nsudo: 1 incorrect password attempt";
        assert_eq!(msg(Method::Sudo, text), "Incorrect sudo password");
        // What sudo says last is not why it refuses.
        let text = "sudo: account validation failure, is your account locked?\nsudo: a password is required";
        let locked = "cannot become root: sudo says that the account has expired or is locked";
        assert_eq!(msg(Method::Sudo, text), locked);
        let unknown = "u is not in the sudoers file.";
        assert_eq!(msg(Method::Sudo, unknown), format!("cannot become root: {unknown}"));
        let text = "Sorry, user op is not allowed to execute '/bin/sh -c it's long' as root on web1.";
        let refused = "cannot become root: sudoers does not allow op to run /bin/sh as root, which convoy \
                       needs to start its agent";
        assert_eq!(msg(Method::Sudo, text), refused);
        assert_eq!(msg(Method::Su, "su: Authentication failure"), "Incorrect su password");
        assert_eq!(msg(Method::Su, "su: Permission denied"), "cannot become root: su: Permission denied");
        assert_eq!(msg(Method::Doas, "doas: Authentication required"), "Missing doas password");
    }

    #[test]
    fn only_its_own_prompt_gets_the_password() {
        let takes = |method, text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            (Prompt::new(method).unwrap().take(&mut bytes), String::from_utf8(bytes).unwrap())
        };
        assert_eq!(takes(Method::Su, "hello\nPassword: "), (true, "hello\n".into()));
        assert_eq!(takes(Method::Doas, "\rdoas (op@web1) password: "), (true, "\r".into()));
        for (method, text) in [
            (Method::Su, "Current password: "),
            (Method::Su, "New Password: "),
            (Method::Su, "Password: su: Authentication failure"),
            (Method::Doas, "Password: "),
            (Method::Sudo, "[sudo] password for op: "),
            (Method::Sudo, "Password: "),
        ] {
            assert_eq!(takes(method, text), (false, text.to_owned()));
        }
    }
}
