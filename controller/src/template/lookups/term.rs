//! Terms that carry options, as older playbooks write them (`"user section=integration file=users.ini"`), and the
//! files that such lookups read.

use super::call::Call;
use crate::template::Error;
use crate::template::encoding::Encoding;
use crate::template::jinja::str;

/// A term, taken apart.
#[derive(Debug)]
pub(super) struct Term {
    /// The words before the first option.
    pub(super) key: String,
    /// The options, by name.
    pub(super) options: Vec<(String, String)>,
}

impl Term {
    /// Takes a term apart. A first word with `=` in it belongs to the key.
    pub(super) fn parse(term: &str) -> Self {
        let mut key = Vec::new();
        let mut options = Vec::new();
        for word in term.split(' ').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some((name, value)) if !key.is_empty() => options.push((name.to_owned(), value.to_owned())),
                _ => key.push(word),
            }
        }
        Self { key: key.join(" "), options }
    }

    /// Returns an option of the term, or else what the call says.
    pub(super) fn option(&self, name: &str, default: &str) -> String {
        let option = self.options.iter().find(|(known, _)| known == name);
        option.map_or(default, |(_, value)| value).to_owned()
    }
}

/// Takes an option of the call, as text.
pub(super) fn call_option(call: &mut Call<'_, '_>, name: &str, default: &str) -> String {
    call.options.key(name).map_or_else(|| default.to_owned(), |v| str(&v))
}

/// Returns the text of a file that is searched for as Ansible does.
///
/// # Errors
/// If there is no such file, or it cannot be read, or has another encoding.
pub(super) fn read_file(
    call: &Call<'_, '_>,
    lookup: &str,
    file: &str,
    encoding: &str,
) -> Result<String, Error> {
    let path = call.rendering.context.find(file, "files");
    let path =
        path.ok_or_else(|| Error::other(format!("the lookup {lookup} could not find the file {file}")))?;
    let error = |why: &str| Error::other(format!("{lookup}: {}: {why}", path.display()));
    let bytes = call.rendering.read(&path).map_err(|why| error(&why))?;
    let known = Encoding::named(encoding)
        .ok_or_else(|| error(&format!("the encoding {encoding} is not supported")))?;
    known.decode(&bytes).ok_or_else(|| error(&format!("the file is not {encoding}")))
}
