//! The programs that become another user (`sudo`, `su`, `doas`): their command lines, their password prompts, and what
//! their error messages mean.

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

/// How a program prompts for the password.
#[derive(Debug, Clone)]
pub(super) enum Prompt {
    /// With the text that it was given for this.
    Marked(String),
    /// With a prompt of its own, at the start of the last line.
    Line {
        begins: &'static str,
        ends: &'static str,
        /// Whether it prompts on its terminal only.
        on_terminal: bool,
    },
}

impl Prompt {
    pub(super) fn new(method: Method) -> io::Result<Self> {
        Ok(match method {
            Method::Sudo => Self::Marked(format!("[convoy {}] password:", random()?)),
            Method::Su => Self::Line { begins: "Password", ends: "Password:", on_terminal: false },
            Method::Doas => Self::Line { begins: "doas (", ends: ") password:", on_terminal: true },
        })
    }

    pub(super) fn needs_terminal(&self) -> bool {
        matches!(self, Self::Line { on_terminal: true, .. })
    }

    /// Removes the first prompt from a text. Returns whether there was one.
    pub(super) fn take(&self, text: &mut Vec<u8>) -> bool {
        match self {
            Self::Marked(mark) => {
                let at = text.windows(mark.len()).position(|part| part == mark.as_bytes());
                at.inspect(|at| drop(text.drain(*at..at + mark.len()))).is_some()
            }
            Self::Line { begins, ends, .. } => {
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
/// Fails if the user's name, `become_exe` or `become_flags` is not valid.
pub(super) fn command(
    other: &Become,
    prompt: &Prompt,
    script: &str,
    terminal: Option<&Terminal>,
) -> Result<Command, Failure> {
    if other.user.starts_with('-') {
        return Err(Failure::new(format!("cannot become {}: not a valid user name", other.user)));
    }
    let split = |keyword: &str, line: &Option<String>| match line {
        None => Ok(None),
        Some(line) => words::split(line)
            .map(Some)
            .map_err(|why| Failure::new(format!("{keyword} '{line}' is not valid shell syntax: {why}"))),
    };
    let mut line = split("become_exe", &other.exe)?.filter(|words| !words.is_empty());
    let line = line.get_or_insert_with(|| vec![other.method.name().to_owned()]);
    let flags = split("become_flags", &other.flags)?;
    // The program runs in English, because its messages are parsed. The script restores the user's language.
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
            // The user's own shell reads it. All shells understand a single pair of single quotes.
            line.extend(words(&[&other.user, "-c", &format!("exec /bin/sh -c '{script}'")]));
        }
        Method::Doas => {
            line.extend(flags.unwrap_or_default());
            line.extend(other.password.is_none().then(|| "-n".to_owned()));
            line.extend(words(&["-u", &other.user, "/bin/sh", "-c", &script]));
        }
    }
    let mut command = match terminal {
        // The program starts a session of its own there.
        Some(terminal) => terminal.command(line),
        None => {
            let mut command = Command::new(&line[0]);
            command.args(&line[1..]).process_group(0);
            command
        }
    };
    // With these, bash assumes a login by ssh, and reads a `.bashrc` that may wait for input.
    command.env_remove("SSH_CLIENT").env_remove("SSH2_CLIENT");
    // The other user's state must not be stored in this user's directory.
    command.env_remove("XDG_STATE_HOME");
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Returns the shell code that restores the current language.
fn restore_locale() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    match std::env::var("LC_ALL") {
        Ok(locale) if locale.chars().all(plain) => {
            format!("LC_ALL={locale}; export LC_ALL; ")
        }
        _ => "unset LC_ALL; ".to_owned(),
    }
}

/// Returns a flag of sudo without `-n`, which keeps sudo from reading the password.
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

/// Returns the failure for a program that cannot be started.
pub(super) fn cannot_run(other: &Become, error: &io::Error) -> Failure {
    let program = other.exe.as_deref().unwrap_or(other.method.name());
    let why = match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not installed on this node"),
        _ => format!("cannot run {program}: {}", reason(error)),
    };
    Failure::new(format!("cannot become {}: {why}", other.user))
}

/// Returns the failure for a wrong password, in Ansible's wording.
pub(super) fn incorrect_password(other: &Become) -> Failure {
    Failure::new(format!("Incorrect {} password", other.method.name()))
}

/// Returns the failure for a missing password, in Ansible's wording.
pub(super) fn missing_password(other: &Become) -> Failure {
    Failure::new(format!("Missing {} password", other.method.name()))
}

/// What sudo, and PAM for su and doas, print when a new password is required first.
const EXPIRED: [&str; 3] = [
    "Account or password is expired",
    "You are required to change your password",
    "Your password has expired",
];

/// Returns whether the program refuses but goes on to prompt for a new password.
pub(super) fn asks_for_new_password(printed: &[u8]) -> bool {
    let text = String::from_utf8_lossy(printed);
    EXPIRED.iter().any(|words| text.contains(words))
}

/// Returns the failure for the program's error message.
pub(super) fn refusal_reason(other: &Become, text: &str) -> Failure {
    let (user, name) = (&other.user, other.method.name());
    let whole = text;
    let text = &*printable_tail(text.as_bytes());
    let cannot = |why: &str| Failure::new(format!("cannot become {user}: {why}"));
    let any = |known: &[&str]| known.iter().any(|words| text.contains(words));
    if any(&EXPIRED) {
        let whose = if other.method == Method::Su { user } else { "the user who logs in" };
        return cannot(&format!(
            "the password of {whose} has expired, and {name} requires a new one: set it by hand with passwd"
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
    // Shorten the message, which quotes the whole script.
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
    fn sudo_gets_no_n_flag_when_there_is_a_password() {
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
    fn refusals_are_distinguished() {
        let msg = |method, text| refusal_reason(&other(method), text).msg;
        assert_eq!(msg(Method::Sudo, "sudo: a password is required"), "Missing sudo password");
        let text = "Sorry, try again.\nsudo: 1 incorrect password attempt";
        assert_eq!(msg(Method::Sudo, text), "Incorrect sudo password");
        // The last line is not the reason.
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
    fn only_the_programs_own_prompt_is_recognized() {
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
