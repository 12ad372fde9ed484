//! The lookup `password`: a random password, kept in a file on the workstation.
//!
//! The file is created once and read from then on. If a hash is requested, its salt is kept in the same file, so that
//! the hash stays the same too.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::call::Call;
use super::term::Term;
use crate::paths::expand_user;
use crate::template::Error;
use crate::template::jinja::{Args, Val, str};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const BLANKS: &str = " \t\n\r\u{b}\u{c}";

/// The password that a term asks for.
struct Request {
    /// The file that keeps it.
    path: String,
    length: usize,
    /// The characters to choose from, as sets that have a name in Python or as they are.
    chars: Vec<String>,
    /// The hash to return instead of the password.
    encrypt: Option<String>,
}

pub(super) fn password(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    call.rendering.require_impure("the lookup password")?;
    let mut shared = Request {
        path: String::new(),
        length: 20,
        chars: ["ascii_letters", "digits", ".,:-_"].map(str::to_owned).to_vec(),
        encrypt: None,
    };
    for name in ["length", "encrypt", "chars", "ident", "seed"] {
        match call.options.key(name) {
            None | Some(Val::None) => {}
            Some(list @ Val::List(_)) if name == "chars" => {
                shared.chars = call.rendering.items(&list)?.iter().map(str).collect();
            }
            Some(value) => set(&mut shared, name, &str(&value))?,
        }
    }
    call.terms
        .iter()
        .map(|term| {
            let Term { key: path, options } = Term::parse(&str(term));
            let mut request = Request {
                path,
                chars: shared.chars.clone(),
                encrypt: shared.encrypt.clone(),
                length: shared.length,
            };
            options.iter().try_for_each(|(name, value)| set(&mut request, name, value))?;
            stored(call, &request)
        })
        .collect()
}

fn set(request: &mut Request, name: &str, value: &str) -> Result<(), Error> {
    match name {
        "length" => {
            let invalid = || Error::other(format!("password: length must be an integer, not '{value}'"));
            request.length = value.trim().parse().map_err(|_| invalid())?;
        }
        "chars" => {
            let comma = value.contains(",,").then(|| ",".to_owned());
            let parts = value.replace(",,", ",");
            let parts = parts.split(',').filter(|part| !part.is_empty()).map(str::to_owned);
            request.chars = comma.into_iter().chain(parts).collect();
        }
        "encrypt" => request.encrypt = Some(value.to_owned()).filter(|scheme| !scheme.is_empty()),
        "ident" | "seed" => {
            return Err(Error::other(format!("password: `{name}` is not supported")));
        }
        _ => {
            return Err(Error::other(format!("Unrecognized parameter(s) given to password lookup: {name}")));
        }
    }
    Ok(())
}

/// Returns the password that the file holds, or creates the file with a new one.
fn stored(call: &Call<'_, '_>, request: &Request) -> Result<Val, Error> {
    let candidates = candidates(&request.chars);
    if request.path == "/dev/null" {
        return formatted(call, request, random_text(&candidates, request.length)?, None);
    }
    let path = absolute(call, &request.path);
    let fault = |error: io::Error| Error::other(format!("password: {}: {error}", path.display()));
    loop {
        let content = read(&path).map_err(fault)?;
        let (password, mut salt) = match &content {
            Some(text) => split_salt(text),
            None => (random_text(&candidates, request.length)?, None),
        };
        let had_salt = salt.is_some();
        if let (Some(scheme), false) = (&request.encrypt, had_salt) {
            salt = Some(random_text(&salt_letters(), salt_length(scheme))?);
        }
        if content.is_none() || had_salt != salt.is_some() {
            let line = salt
                .as_ref()
                .map_or_else(|| format!("{password}\n"), |salt| format!("{password} salt={salt}\n"));
            match write(&path, &line, content.is_some()) {
                // Another process created the file in the meantime: use its password.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                result => result.map_err(fault)?,
            }
        }
        return formatted(call, request, password, salt);
    }
}

/// Returns the password in the requested form: in clear, or as a hash.
fn formatted(
    call: &Call<'_, '_>,
    request: &Request,
    password: String,
    salt: Option<String>,
) -> Result<Val, Error> {
    let Some(scheme) = &request.encrypt else { return Ok(password.into()) };
    let scheme = scheme.strip_suffix("_crypt").unwrap_or(scheme);
    let salt = salt.map_or(Val::None, Val::from);
    call.rendering.filter("password_hash", password.into(), Args::of([scheme.into(), salt]))
}

/// Returns the path of the file; a relative one is relative to the playbook.
fn absolute(call: &Call<'_, '_>, name: &str) -> PathBuf {
    let path = expand_user(name);
    match call.rendering.context.search.last() {
        Some(directory) if path.is_relative() => directory.join(path),
        _ => path,
    }
}

/// Returns the content of a file, or `None` if it does not exist.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Splits the content of a file into the password and the salt that may follow it.
fn split_salt(text: &str) -> (String, Option<String>) {
    match text.rsplit_once(" salt=") {
        Some((password, salt)) => (password.to_owned(), Some(salt.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Writes the file atomically. Unless it `replaces` a file, it fails if there is one by now.
fn write(path: &Path, line: &str, replaces: bool) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(line.as_bytes())?;
    file.as_file().sync_all()?;
    let result = if replaces { file.persist(path) } else { file.persist_noclobber(path) };
    result.map(drop).map_err(|error| error.error)
}

/// Returns the characters that a password may have. A spec is the name of a set in Python's module `string`, or the
/// characters themselves.
fn candidates(specs: &[String]) -> Vec<char> {
    let sets: String = specs
        .iter()
        .map(|spec| match spec.as_str() {
            "ascii_letters" => format!("{LOWER}{UPPER}"),
            "ascii_lowercase" => LOWER.to_owned(),
            "ascii_uppercase" => UPPER.to_owned(),
            "digits" => DIGITS.to_owned(),
            "hexdigits" => format!("{DIGITS}abcdefABCDEF"),
            "octdigits" => "01234567".to_owned(),
            "punctuation" => PUNCTUATION.to_owned(),
            "whitespace" => BLANKS.to_owned(),
            "printable" => format!("{DIGITS}{LOWER}{UPPER}{PUNCTUATION}{BLANKS}"),
            other => other.to_owned(),
        })
        .collect();
    sets.chars().filter(|c| !matches!(c, '"' | '\'')).collect()
}

fn salt_letters() -> Vec<char> {
    format!("{LOWER}{UPPER}{DIGITS}./").chars().collect()
}

fn salt_length(scheme: &str) -> usize {
    match scheme {
        "bcrypt" => 22,
        "sha256_crypt" | "sha512_crypt" => 16,
        _ => 8,
    }
}

fn random_text(candidates: &[char], length: usize) -> Result<String, Error> {
    if candidates.is_empty() {
        return Err(Error::other("password: no characters to choose from"));
    }
    Ok((0..length).map(|_| candidates[rand::random_range(0..candidates.len())]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_sets_have_the_names_they_have_in_python() {
        let of = |specs: &[&str]| {
            candidates(&specs.iter().map(|spec| (*spec).to_owned()).collect::<Vec<_>>())
                .into_iter()
                .collect::<String>()
        };
        assert_eq!(of(&["digits", "?|'", "octdigits"]), "0123456789?|01234567");
        assert_eq!(of(&["hexdigits"]), "0123456789abcdefABCDEF");
        assert_eq!(of(&["printable"]).len(), 98);
        assert!(random_text(&[], 1).is_err());
    }

    #[test]
    fn a_stored_password_is_read_back_and_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/secret");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, "one\n", false).unwrap();
        assert_eq!(write(&path, "two\n", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().as_deref(), Some("one"));
        write(&path, "one salt=ab\n", true).unwrap();
        assert_eq!(split_salt(&read(&path).unwrap().unwrap()), ("one".to_owned(), Some("ab".to_owned())));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(directory.path().join("deep")).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
