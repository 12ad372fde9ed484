//! `password`: a password of chance, kept in a file on the workstation.

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

/// What a term, or the call, asks for.
struct Wish {
    path: String,
    length: usize,
    chars: Vec<String>,
    encrypt: Option<String>,
}

pub(super) fn password(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    call.rendering.require_impure("the lookup password")?;
    let mut shared = Wish {
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
            let mut wish = Wish {
                path,
                chars: shared.chars.clone(),
                encrypt: shared.encrypt.clone(),
                length: shared.length,
            };
            options.iter().try_for_each(|(name, value)| set(&mut wish, name, value))?;
            one(call, &wish)
        })
        .collect()
}

fn set(wish: &mut Wish, name: &str, value: &str) -> Result<(), Error> {
    match name {
        "length" => {
            let wrong = || Error::other(format!("password: length must be a whole number, got '{value}'"));
            wish.length = value.trim().parse().map_err(|_| wrong())?;
        }
        "chars" => {
            let comma = value.contains(",,").then(|| ",".to_owned());
            let parts = value.replace(",,", ",");
            let parts = parts.split(',').filter(|part| !part.is_empty()).map(str::to_owned);
            wish.chars = comma.into_iter().chain(parts).collect();
        }
        "encrypt" => wish.encrypt = Some(value.to_owned()).filter(|scheme| !scheme.is_empty()),
        "ident" | "seed" => {
            return Err(Error::other(format!("password: `{name}` is not supported")));
        }
        _ => {
            return Err(Error::other(format!("Unrecognized parameter(s) given to password lookup: {name}")));
        }
    }
    Ok(())
}

fn one(call: &Call<'_, '_>, wish: &Wish) -> Result<Val, Error> {
    let candidates = candidates(&wish.chars);
    if wish.path == "/dev/null" {
        return given(call, wish, chance(&candidates, wish.length)?, None);
    }
    let path = place(call, &wish.path);
    let fault = |error: io::Error| Error::other(format!("password: {}: {error}", path.display()));
    loop {
        let known = known(&path).map_err(fault)?;
        let (password, mut salt) = match &known {
            Some(text) => split(text),
            None => (chance(&candidates, wish.length)?, None),
        };
        let salted = salt.is_some();
        if let (Some(scheme), false) = (&wish.encrypt, salted) {
            salt = Some(chance(&salt_letters(), salt_length(scheme))?);
        }
        if known.is_none() || salted != salt.is_some() {
            let line = salt
                .as_ref()
                .map_or_else(|| format!("{password}\n"), |salt| format!("{password} salt={salt}\n"));
            match keep(&path, &line, known.is_some()) {
                // Somebody else was faster: theirs counts.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                kept => kept.map_err(fault)?,
            }
        }
        return given(call, wish, password, salt);
    }
}

/// Returns the password as it was asked for: in clear, or as a hash.
fn given(call: &Call<'_, '_>, wish: &Wish, password: String, salt: Option<String>) -> Result<Val, Error> {
    let Some(scheme) = &wish.encrypt else { return Ok(password.into()) };
    let scheme = scheme.strip_suffix("_crypt").unwrap_or(scheme);
    let salt = salt.map_or(Val::None, Val::from);
    call.rendering.filter("password_hash", password.into(), Args::of([scheme.into(), salt]))
}

/// Returns where a password is kept: beside the playbook, unless the path is absolute.
fn place(call: &Call<'_, '_>, name: &str) -> PathBuf {
    let path = expand_user(name);
    match call.rendering.context.search.last() {
        Some(folder) if path.is_relative() => folder.join(path),
        _ => path,
    }
}

/// Returns what is kept at a path, if anything is.
fn known(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the salt off that is kept behind a password.
fn split(text: &str) -> (String, Option<String>) {
    match text.rsplit_once(" salt=") {
        Some((password, salt)) => (password.to_owned(), Some(salt.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Writes the file whole; if none is there yet, only if that is still so.
fn keep(path: &Path, line: &str, replaces: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(line.as_bytes())?;
    file.as_file().sync_all()?;
    let placed = if replaces { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|error| error.error)
}

/// Returns the characters that a password may have: sets that Python's `string` names, and others as they stand.
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

fn chance(candidates: &[char], length: usize) -> Result<String, Error> {
    if candidates.is_empty() {
        return Err(Error::other("password: there are no characters to choose from"));
    }
    Ok((0..length).map(|_| candidates[rand::random_range(0..candidates.len())]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_named_as_in_python() {
        let of = |specs: &[&str]| {
            candidates(&specs.iter().map(|spec| (*spec).to_owned()).collect::<Vec<_>>())
                .into_iter()
                .collect::<String>()
        };
        assert_eq!(of(&["digits", "?|'", "octdigits"]), "0123456789?|01234567");
        assert_eq!(of(&["hexdigits"]), "0123456789abcdefABCDEF");
        assert_eq!(of(&["printable"]).len(), 98);
        assert!(chance(&[], 1).is_err());
    }

    #[test]
    fn what_is_kept_is_read_again_and_never_overwritten_by_chance() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/secret");
        assert_eq!(known(&path).unwrap(), None);
        keep(&path, "one\n", false).unwrap();
        assert_eq!(keep(&path, "two\n", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(known(&path).unwrap().as_deref(), Some("one"));
        keep(&path, "one salt=ab\n", true).unwrap();
        assert_eq!(split(&known(&path).unwrap().unwrap()), ("one".to_owned(), Some("ab".to_owned())));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("deep")).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
