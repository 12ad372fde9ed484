//! `ini`: values from an INI file, or a file of Java properties, on the workstation.

use super::call::Call;
use super::term::{Term, call_option, read_file};
use crate::template::Error;
use crate::template::jinja::{Val, compile_regex, str};
use crate::text::ini;

/// The options that a term may have.
const OPTIONS: [&str; 9] = [
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

/// Takes a term apart: a key, and options after it.
///
/// # Errors
/// If there is no key, or an option is unknown.
fn parse_term(term: &str) -> Result<Term, Error> {
    let mut names = term.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    if let Some(name) = names.find(|name| !OPTIONS.contains(name)) {
        return Err(Error::other(format!("{name} is not a valid option.")));
    }
    if term.split_whitespace().next().is_some_and(|word| word.contains('=')) {
        return Err(Error::other(format!(
            "No key to lookup was provided as first term with in string inline options: {term}"
        )));
    }
    Ok(Term::parse(term))
}

pub(super) fn ini(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let file = call_option(call, "file", "ansible.ini");
    let section = call_option(call, "section", "global");
    let kind = call_option(call, "type", "ini");
    let default = call_option(call, "default", "");
    let encoding = call_option(call, "encoding", "utf-8");
    let interpolates = call.options.named_flag("interpolation", true)?;
    let is_regex = call.options.named_flag("re", false)?;
    let fold = !call.options.named_flag("case_sensitive", false)?;
    let allow_none = call
        .options
        .key("allow_no_value")
        .or(call.options.key("allow_none"))
        .map_or(Ok(false), |v| v.truth())?;
    let mut found = Vec::new();
    for term in call.terms.clone() {
        let term = parse_term(&str(&term))?;
        let is_regex = is_regex || term.option("re", "").eq_ignore_ascii_case("true");
        let text = read_file(call, "ini", &term.option("file", &file), &term.option("encoding", &encoding))?;
        let name = term.option("file", &file);
        // Properties have no sections.
        let is_properties = term.option("type", &kind) == "properties";
        let section = if is_properties { "java_properties".into() } else { term.option("section", &section) };
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
            && !matches!(
                term.option("interpolation", "").to_lowercase().as_str(),
                "false" | "no" | "off" | "0"
            ) {
            interpolate(&entries, fold)?
        } else {
            entries
        };
        if is_regex {
            let regex = compile_regex(&format!("^(?:{})", term.key), fold, false)?;
            found.extend(
                entries
                    .into_iter()
                    .filter(|(name, _)| regex.is_match(name).unwrap_or(false))
                    .map(|(_, v)| v.map_or(Val::None, Val::from)),
            );
        } else {
            let key = if fold { term.key.to_lowercase() } else { term.key.clone() };
            // A key without a value yields nothing, not even the default.
            match entries.into_iter().rfind(|(name, _)| *name == key) {
                Some((_, value)) => found.extend(value.map(Val::from)),
                None => found.push(term.option("default", &default).into()),
            }
        }
    }
    Ok(found)
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

/// Replaces `%(name)s` by the value of another key, and `%%` by `%`.
fn interpolate(entries: &Entries, fold: bool) -> Result<Entries, Error> {
    let each = |(name, value): &(String, Option<String>)| {
        let value = value.as_deref().map(|value| interpolate_value(value, entries, fold, 10)).transpose()?;
        Ok((name.clone(), value))
    };
    entries.iter().map(each).collect()
}

fn interpolate_value(value: &str, entries: &Entries, fold: bool, depth: u8) -> Result<String, Error> {
    if depth == 0 {
        return Err(Error::other(format!("ini: values refer to each other too deeply: '{value}'")));
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
            let found = found.ok_or_else(|| {
                Error::other(format!("ini: '{value}' refers to '{name}', which is not set"))
            })?;
            text.push_str(&interpolate_value(found, entries, fold, depth - 1)?);
            rest = after;
        } else {
            return Err(Error::other(format!("'%' must be followed by '%' or '(', found: '%{rest}'")));
        }
    }
    text.push_str(rest);
    Ok(text)
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
    fn values_refer_to_other_keys() {
        let fill = |text: &str| {
            let entries = entries(text, "one", &FOLDED).unwrap().unwrap();
            interpolate(&entries, true)
                .map(|all| all.last().unwrap().1.clone().unwrap())
                .map_err(|e| e.message)
        };
        assert_eq!(fill("[one]\nhome = /h\nb = %(HOME)s/x, 5%%\n").as_deref(), Ok("/h/x, 5%"));
        let error = fill("[one]\nb = %u x\n").unwrap_err();
        assert_eq!(error, "'%' must be followed by '%' or '(', found: '%u x'");
        assert!(fill("[one]\nb = %(none)s\n").unwrap_err().contains("refers to 'none'"));
        assert!(fill("[one]\nb = %(b)s\n").unwrap_err().contains("too deeply"));
    }

    #[test]
    fn a_term_begins_with_its_key() {
        let error = |term: &str| parse_term(term).unwrap_err().message;
        assert_eq!(parse_term("a b section=x").unwrap().key, "a b");
        assert_eq!(error("wrong=x"), "wrong is not a valid option.");
        assert_eq!(
            error("file=x"),
            "No key to lookup was provided as first term with in string inline options: file=x"
        );
    }
}
