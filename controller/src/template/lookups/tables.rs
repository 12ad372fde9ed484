//! Lookups in tables on the workstation: `ini` and `csvfile`.

use super::Call;
use crate::template::Error;
use crate::template::encoding::Encoding;
use crate::template::jinja::{Val, compile_regex, str};

/// Reads `key=value` words after the first of a term, as older playbooks write options.
pub(super) fn inline(term: &str) -> (String, Vec<(String, String)>) {
    let mut key = Vec::new();
    let mut options = Vec::new();
    for word in term.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some((name, value)) if !key.is_empty() => options.push((name.to_owned(), value.to_owned())),
            _ => key.push(word),
        }
    }
    (key.join(" "), options)
}

/// What a term of `ini` may set.
const INI_OPTIONS: [&str; 9] = [
    "type",
    "file",
    "section",
    "re",
    "encoding",
    "default",
    "case_sensitive",
    "allow_no_value",
    "interpolation",
];

/// Reads a term of `ini`: a key, and options after it.
fn ini_term(term: &str) -> Result<(String, Vec<(String, String)>), Error> {
    let of_term = |word: &str| word.split_once('=').map(|(name, _)| name.to_owned());
    let names = term.split_whitespace().filter_map(of_term);
    if let Some(name) = names.clone().find(|name| !INI_OPTIONS.contains(&name.as_str())) {
        return Err(Error::other(format!("{name} is not a valid option.")));
    }
    if term.split_whitespace().next().is_some_and(|word| word.contains('=')) {
        return Err(Error::other(format!(
            "No key to lookup was provided as first term with in string inline options: {term}"
        )));
    }
    Ok(inline(term))
}

fn read(call: &Call<'_, '_>, lookup: &str, file: &str, encoding: &str) -> Result<String, Error> {
    let path = call.run.context.find(file, "files");
    let path =
        path.ok_or_else(|| Error::other(format!("the lookup {lookup} could not find the file {file}")))?;
    let fault = |why: &str| Error::other(format!("{lookup}: {}: {why}", path.display()));
    let bytes = call.run.read(&path).map_err(|why| fault(&why))?;
    let known = Encoding::named(encoding)
        .ok_or_else(|| fault(&format!("the encoding {encoding} is not supported")))?;
    known.decode(&bytes).ok_or_else(|| fault(&format!("the file is not {encoding}")))
}

fn choose(call: &mut Call<'_, '_>, name: &str, default: &str) -> String {
    call.options.key(name).map_or_else(|| default.to_owned(), |v| str(&v))
}

pub(super) fn ini(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = choose(call, "file", "ansible.ini");
    let section = choose(call, "section", "global");
    let kind = choose(call, "type", "ini");
    let default = choose(call, "default", "");
    let encoding = choose(call, "encoding", "utf-8");
    let interpolates = call.options.key("interpolation").map_or(Ok(true), |v| v.truth())?;
    let is_regex = call.options.key("re").map_or(Ok(false), |v| v.truth())?;
    let fold = !call.options.key("case_sensitive").map_or(Ok(false), |v| v.truth())?;
    let allow_none = call
        .options
        .key("allow_no_value")
        .or(call.options.key("allow_none"))
        .map_or(Ok(false), |v| v.truth())?;
    let mut made = Vec::new();
    for term in call.terms.clone() {
        let (key, options) = ini_term(&str(&term))?;
        let option = |name: &str, value: &str| {
            options
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| value.to_owned(), |(_, value)| value.clone())
        };
        let is_regex = is_regex || option("re", "").eq_ignore_ascii_case("true");
        let text = read(call, "ini", &option("file", &file), &option("encoding", &encoding))?;
        let section = if option("type", &kind) == "properties" {
            "java_properties".into()
        } else {
            option("section", &section)
        };
        let name = option("file", &file);
        let properties = option("type", &kind) == "properties";
        let entries = entries(&text, &section, properties, fold, allow_none)
            .map_err(|fault| Error::other(fault.of(&name)))?
            .ok_or_else(|| Error::other(format!("No section '{section}' in {name}")))?;
        let entries = if interpolates
            && !matches!(option("interpolation", "").to_lowercase().as_str(), "false" | "no" | "off" | "0")
        {
            interpolated(&entries, fold)?
        } else {
            entries
        };
        let regex = if is_regex { Some(compile_regex(&format!("^(?:{key})"), fold, false)?) } else { None };
        let wanted = if fold { key.to_lowercase() } else { key.clone() };
        if let Some(regex) = regex {
            made.extend(
                entries
                    .into_iter()
                    .filter(|(name, _)| regex.is_match(name).unwrap_or(false))
                    .map(|(_, v)| v.map_or(Val::None, Val::from)),
            );
        } else {
            // An option without a value is none.
            match entries.into_iter().rfind(|(name, _)| *name == wanted) {
                Some((_, value)) => made.extend(value.map(Val::from)),
                None => made.push(option("default", &default).into()),
            }
        }
    }
    Ok(made)
}

/// Options of a section, in order; one may have no value.
type Entries = Vec<(String, Option<String>)>;

/// What is wrong with a table.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// A section has an option twice.
    Twice { number: usize, key: String, section: String },
    /// A line is neither section nor option.
    NoOption { number: usize, line: String },
}

impl Fault {
    /// Returns what is wrong with this file, in the words of Python's reader.
    fn of(&self, file: &str) -> String {
        match self {
            Self::Twice { number, key, section } => format!(
                "Duplicate option in '{file}': While reading from '<???>' [line {number:2}]: option '{key}' in section \
                 '{section}' already exists"
            ),
            Self::NoOption { number, line } => {
                format!("{file}: Source contains parsing errors: '<???>'\n\t[line {number:2}]: '{line}'")
            }
        }
    }
}

/// The entries of a section, with those of `[DEFAULT]` before them; nothing if there is no such section.
///
/// # Errors
/// If any section has an option twice, or a line is none.
fn entries(
    text: &str,
    section: &str,
    properties: bool,
    fold: bool,
    allow_none: bool,
) -> Result<Option<Entries>, Fault> {
    let mut current = if properties { section.to_owned() } else { String::new() };
    let mut all: Vec<(String, String, Option<String>)> = Vec::new();
    let mut is_there = properties || section == "DEFAULT";
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            name.clone_into(&mut current);
            is_there |= name == section;
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some((of, _, value)) = all.last_mut()
            && *of == current
        {
            let value = value.get_or_insert_default();
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        let (key, value) = match trimmed.split_once(['=', ':']) {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None if allow_none => (trimmed, None),
            None => return Err(Fault::NoOption { number, line: line.to_owned() }),
        };
        let key = if fold { key.to_lowercase() } else { key.to_owned() };
        if all.iter().any(|(of, known, _)| *of == current && *known == key) {
            return Err(Fault::Twice { number, key, section: current });
        }
        all.push((current.clone(), key, value));
    }
    let of = |wanted: &str| {
        let entries = all.iter().filter(|(of, ..)| of == wanted);
        entries.map(|(_, key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    let mut found = of("DEFAULT");
    if section != "DEFAULT" {
        found.extend(of(section));
    }
    Ok(is_there.then_some(found))
}

/// Puts values in the place of `%(name)s`, and `%` in that of `%%`.
fn interpolated(entries: &Entries, fold: bool) -> Result<Entries, Error> {
    let each = |(name, value): &(String, Option<String>)| {
        let value = value.as_deref().map(|value| filled(value, entries, fold, 10)).transpose()?;
        Ok((name.clone(), value))
    };
    entries.iter().map(each).collect()
}

fn filled(value: &str, entries: &Entries, fold: bool, depth: u8) -> Result<String, Error> {
    if depth == 0 {
        return Err(Error::other(format!("ini: values need each other too deeply: '{value}'")));
    }
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            text.push('%');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(")s")) {
            let wanted = if fold { name.to_lowercase() } else { name.to_owned() };
            let found =
                entries.iter().rfind(|(known, _)| *known == wanted).and_then(|(_, value)| value.as_deref());
            let found = found
                .ok_or_else(|| Error::other(format!("ini: '{value}' needs '{name}', which is not there")))?;
            text.push_str(&filled(found, entries, fold, depth - 1)?);
            rest = after;
        } else {
            return Err(Error::other(format!("'%' must be followed by '%' or '(', found: '%{rest}'")));
        }
    }
    text.push_str(rest);
    Ok(text)
}

pub(super) fn csvfile(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = choose(call, "file", "ansible.csv");
    let delimiter = choose(call, "delimiter", "TAB");
    let (column, key_column) = (choose(call, "col", "1"), choose(call, "keycol", "0"));
    let default = call.options.key("default");
    let encoding = choose(call, "encoding", "utf-8");
    let mut made = Vec::new();
    for term in call.terms.clone() {
        let (key, options) = inline(&str(&term));
        let option = |name: &str, value: &str| {
            options
                .iter()
                .find(|(known, _)| known == name)
                .map_or_else(|| value.to_owned(), |(_, value)| value.clone())
        };
        if key.is_empty() {
            return Err(Error::other("Search key is required but was not found"));
        }
        let delimiter = match &*option("delimiter", &delimiter) {
            "TAB" | "t" => '\t',
            other => other.chars().next().unwrap_or('\t'),
        };
        let index = |text: String| {
            text.parse::<usize>().map_err(|_| Error::other(format!("csvfile: '{text}' is no column")))
        };
        let (column, key_column) = (index(option("col", &column))?, index(option("keycol", &key_column))?);
        let text = read(call, "csvfile", &option("file", &file), &option("encoding", &encoding))?;
        let row =
            text.lines().map(|line| cells(line, delimiter)).find(|row| row.get(key_column) == Some(&key));
        match (row, &default) {
            (Some(mut row), _) if column < row.len() => made.push(row.swap_remove(column).into()),
            (Some(_), _) => return Err(Error::other("csvfile: list index out of range")),
            (None, Some(default)) => made.push(default.clone()),
            (None, None) => {}
        }
    }
    Ok(made)
}

fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            c if c == delimiter && !quoted => cells.push(String::new()),
            c => cell.push(c),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_table_is_told() {
        let of = |text: &str, section: &str| entries(text, section, false, true, false);
        let pair = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let text = "[DEFAULT]\na = 0\n[one]\nB: 1\n  and more\n# c = 2\n[two]\nb = 3\n";
        assert_eq!(of(text, "one"), Ok(Some(vec![pair("a", "0"), pair("b", "1\nand more")])));
        assert_eq!(of(text, "three"), Ok(None));
        let error = "Duplicate option in 'x.ini': While reading from '<???>' [line  3]: option 'b' in section 'one' \
            already exists";
        assert_eq!(of("[one]\nb = 1\nB = 2\n", "two").unwrap_err().of("x.ini"), error);
        let error = "x.ini: Source contains parsing errors: '<???>'\n\t[line  2]: 'b'";
        assert_eq!(of("[one]\nb\n", "one").unwrap_err().of("x.ini"), error);
        assert_eq!(
            entries("[one]\nb = 1\nB = 2\n", "one", false, false, false),
            Ok(Some(vec![pair("b", "1"), pair("B", "2")]))
        );
    }

    #[test]
    fn values_may_hold_others() {
        let fill = |text: &str| {
            let entries = entries(text, "one", false, true, false).unwrap().unwrap();
            interpolated(&entries, true)
                .map(|all| all.last().unwrap().1.clone().unwrap())
                .map_err(|e| e.message)
        };
        assert_eq!(fill("[one]\nhome = /h\nb = %(HOME)s/x, 5%%\n").as_deref(), Ok("/h/x, 5%"));
        let error = fill("[one]\nb = %u x\n").unwrap_err();
        assert_eq!(error, "'%' must be followed by '%' or '(', found: '%u x'");
        assert!(fill("[one]\nb = %(none)s\n").unwrap_err().contains("needs 'none'"));
        assert!(fill("[one]\nb = %(b)s\n").unwrap_err().contains("too deeply"));
    }

    #[test]
    fn an_option_may_have_no_value() {
        let found = entries("[one]\na\nb =\n", "one", false, true, true);
        assert_eq!(found, Ok(Some(vec![("a".into(), None), ("b".into(), Some(String::new()))])));
    }

    #[test]
    fn a_term_begins_with_its_key() {
        let error = |term: &str| ini_term(term).unwrap_err().message;
        assert_eq!(ini_term("a b section=x").unwrap().0, "a b");
        assert_eq!(error("wrong=x"), "wrong is not a valid option.");
        assert_eq!(
            error("file=x"),
            "No key to lookup was provided as first term with in string inline options: file=x"
        );
    }
}
