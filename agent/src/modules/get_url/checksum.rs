//! The digest that a file must have.

use std::path::Path;

use super::args::Args;
use super::request::request;
use crate::args::Arg;
use crate::failure::Failure;
use crate::http;
use crate::system::{Algorithm, SystemView};

/// The longest list of digests, in bytes.
const LIMIT: u64 = 4 << 20;

/// A digest that a file must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    digits: String,
}

impl Checksum {
    /// Reads what the task says, and fetches a list of digests if it names one.
    pub(super) fn of(text: &str, args: &Args, view: &SystemView) -> Result<Self, Failure> {
        let (name, digits) = text.split_once(':').ok_or_else(|| {
            Failure::new("The checksum parameter has to be in format <algorithm>:<checksum>")
        })?;
        let algorithm = Algorithm::convert(&name.to_lowercase().into()).map_err(|_| {
            Failure::new(format!(
                "the checksum's algorithm '{name}' is none of {}",
                Algorithm::CHOICES.join(", ")
            ))
        })?;
        let digits = if digits.contains("://") { listed(digits, args, view)? } else { digits.to_owned() };
        let digits: String = digits.chars().filter(char::is_ascii_alphanumeric).collect();
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Failure::new("The checksum format is invalid"));
        }
        Ok(Self { algorithm, digits: digits.to_ascii_lowercase() })
    }

    /// Returns whether the file at `path` has it.
    pub(super) fn is_of(&self, view: &SystemView, path: &Path) -> Result<bool, Failure> {
        Ok(view.can_read(path) && view.checksum(path, self.algorithm)? == self.digits)
    }

    /// Checks that what was fetched from `url` has it.
    pub(super) fn verify(&self, view: &SystemView, url: &str, path: &Path) -> Result<(), Failure> {
        let found = view.checksum(path, self.algorithm)?;
        if found == self.digits {
            return Ok(());
        }
        let name = http::Url::parse(url).map(|url| url.to_string()).unwrap_or_default();
        Err(Failure::new(format!("The checksum for {name} did not match {}; it was {found}.", self.digits)))
    }
}

fn listed(list: &str, args: &Args, view: &SystemView) -> Result<String, Failure> {
    let failed = |error: http::Error| Failure::new(error.to_string());
    let mut response = http::send(view, request(args, view, "GET", list)?).map_err(failed)?;
    let shown = response.url.to_string();
    if response.status != 200 {
        return Err(Failure::new("Request failed")
            .with("status_code", i64::from(response.status))
            .with("response", http::status_text(&response))
            .with("url", shown));
    }
    let bytes = http::read_all(&mut response.body, LIMIT).map_err(failed)?;
    let name = http::Url::parse(&args.url).map(|url| url.file_name().to_owned()).map_err(failed)?;
    find(&String::from_utf8_lossy(&bytes), &name)
        .ok_or_else(|| Failure::new(format!("Unable to find a checksum for file '{name}' in '{shown}'")))
}

/// Finds the digest of the file `name` in a list as `sha256sum` and its like write it, or the only one there is.
fn find(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if let [line] = lines[..]
        && line.split_whitespace().count() == 1
    {
        return Some(line.trim().to_owned());
    }
    lines.into_iter().find_map(|line| {
        let (digits, file) = line.split_once(' ')?;
        let file = file.strip_prefix([' ', '*']).unwrap_or(file).trim_end();
        (file.trim_start_matches(['.', '/']) == name).then(|| digits.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_digests() {
        assert_eq!(find("abc\n", "x").as_deref(), Some("abc"));
        let list = "aa  other\nbb *./x\ncc  x y\n";
        assert_eq!(find(list, "x").as_deref(), Some("bb"));
        assert_eq!(find(list, "x y").as_deref(), Some("cc"));
        assert_eq!(find(list, "y"), None);
    }
}
