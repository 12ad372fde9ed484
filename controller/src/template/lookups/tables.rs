//! Lookups in tables on the workstation: `ini` and `csvfile`.

use super::Call;
use crate::ini;
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
        let name = option("file", &file);
        // Properties have no sections.
        let is_properties = option("type", &kind) == "properties";
        let section = if is_properties { "java_properties".into() } else { option("section", &section) };
        let options = ini::Options {
            inline_comments: false,
            fold_keys: fold,
            allow_no_value: allow_none,
            first_section: Some(if is_properties { &section } else { "" }),
        };
        let entries = entries(&text, &section, &options)
            .map_err(|error| Error::other(reason(&error, &name)))?
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

/// Keys of a section with their values, in order; a key may have no value.
type Entries = Vec<(String, Option<String>)>;

/// Returns the entries of a section, after those of `[DEFAULT]`; nothing if there is no such section.
///
/// # Errors
/// If the text cannot be read.
fn entries<'t>(
    text: &'t str,
    section: &str,
    options: &ini::Options<'_>,
) -> Result<Option<Entries>, ini::Error<'t>> {
    let mut sections = ini::sections(text, options)?;
    let always = ["DEFAULT"].into_iter().chain(options.first_section);
    if !sections.contains_key(section) && !always.into_iter().any(|name| name == section) {
        return Ok(None);
    }
    let found = ["DEFAULT", section].into_iter().filter_map(|name| sections.shift_remove(name)).flatten();
    Ok(Some(found.map(|(key, entry)| (key, entry.value)).collect()))
}

/// Returns why a file cannot be read, as Ansible words it.
fn reason(error: &ini::Error<'_>, file: &str) -> String {
    match error {
        ini::Error::Duplicate { line, section, key, .. } => format!(
            "Duplicate option in '{file}': While reading from '<???>' [line {:2}]: option '{key}' in section \
             '{section}' already exists",
            line.place.line
        ),
        ini::Error::NoSection(line) | ini::Error::NotAnEntry(line) => format!(
            "{file}: Source contains parsing errors: '<???>'\n\t[line {:2}]: '{}'",
            line.place.line, line.raw
        ),
    }
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
            "TAB" | "t" | "" => b'\t',
            other => other.as_bytes()[0],
        };
        if !delimiter.is_ascii() {
            return Err(Error::other("csvfile: the delimiter is not an ASCII character"));
        }
        let index = |text: String| {
            text.parse::<usize>().map_err(|_| Error::other(format!("csvfile: '{text}' is no column")))
        };
        let (column, key_column) = (index(option("col", &column))?, index(option("keycol", &key_column))?);
        let text = read(call, "csvfile", &option("file", &file), &option("encoding", &encoding))?;
        let row = row(&text, delimiter, key_column, &key);
        let row = row.map_err(|error| Error::other(format!("csvfile: {error}")))?;
        match (row, &default) {
            (Some(row), _) => {
                let cell = row.get(column).ok_or_else(|| Error::other("csvfile: list index out of range"))?;
                made.push(cell.into());
            }
            (None, Some(default)) => made.push(default.clone()),
            (None, None) => {}
        }
    }
    Ok(made)
}

/// Returns the first row whose cell in column `key_column` is `key`.
fn row(
    text: &str,
    delimiter: u8,
    key_column: usize,
    key: &str,
) -> Result<Option<csv::StringRecord>, csv::Error> {
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter);
    let mut rows = reader.from_reader(text.as_bytes()).into_records();
    rows.find(|row| row.as_ref().map_or(true, |row| row.get(key_column) == Some(key))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDED: ini::Options<'static> = ini::Options {
        inline_comments: false,
        fold_keys: true,
        allow_no_value: false,
        first_section: Some(""),
    };

    #[test]
    fn entries_of_a_section_follow_the_defaults() {
        let of = |section: &str| {
            let text = "[DEFAULT]\na = 0\n[one]\nB: 1\n  and more\n# c = 2\n[two]\nb = 3\n";
            entries(text, section, &FOLDED).unwrap()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(of("one"), Some(vec![pair("a", "0"), pair("b", "1\nand more")]));
        assert_eq!(of("DEFAULT"), Some(vec![pair("a", "0")]));
        assert_eq!(of("three"), None);
        let properties = ini::Options { first_section: Some("java_properties"), ..FOLDED };
        assert_eq!(entries("a=1\n", "java_properties", &properties), Ok(Some(vec![pair("a", "1")])));
        assert_eq!(entries("", "java_properties", &properties), Ok(Some(vec![])));
    }

    #[test]
    fn errors_have_the_words_of_pythons_reader() {
        let error = |text: &str| reason(&entries(text, "two", &FOLDED).unwrap_err(), "x.ini");
        assert_eq!(
            error("[one]\nb = 1\nB = 2\n"),
            "Duplicate option in 'x.ini': While reading from '<???>' [line  3]: option 'b' in section 'one' already \
             exists"
        );
        assert_eq!(error("[one]\nb\n"), "x.ini: Source contains parsing errors: '<???>'\n\t[line  2]: 'b'");
    }

    #[test]
    fn values_may_hold_others() {
        let fill = |text: &str| {
            let entries = entries(text, "one", &FOLDED).unwrap().unwrap();
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

    /// What Python's `csv` makes of the same.
    #[test]
    fn cells_are_read_as_python_reads_them() {
        let cells = |text: &str| {
            let row = row(text, b',', 0, "a").unwrap().unwrap();
            row.iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for (text, expected) in [
            ("b,1\n\na,2,3\na,4\n", vec!["a", "2", "3"]),
            ("a, \"x\" ,\r\n", vec!["a", " \"x\" ", ""]),
            ("\"a\",\"say \"\"x\"\", he\",\"1,2\"3\n", vec!["a", "say \"x\", he", "1,23"]),
            ("a,x\"y\"z,\"\"\n", vec!["a", "x\"y\"z", ""]),
            ("a,\"two\nlines\",\"\"x\"\n", vec!["a", "two\nlines", "x\""]),
            ("a,\"open\n,\"\"", vec!["a", "open\n,\""]),
        ] {
            assert_eq!(cells(text), expected, "{text}");
        }
        assert!(row("a,1\n", b',', 0, "b").unwrap().is_none());
        assert_eq!(row("1\ta\n", b'\t', 1, "a").unwrap().unwrap().get(0), Some("1"));
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
