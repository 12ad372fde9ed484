//! Names of subjects and issuers, written as keytool writes them: what says most first.

use super::der::{DerError, Element, OID, SEQUENCE, SET};
use super::oid;

/// Keywords for kinds of attributes, by their identifiers.
const KEYWORDS: [(&str, &str); 18] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SURNAME"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATION"),
    ("2.5.4.46", "DNQ"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
    ("1.3.6.1.4.1.42.2.11.2.1", "IP"),
];

/// Reads a name.
pub(super) fn read(name: Element<'_>) -> Result<String, DerError> {
    let mut parts = Vec::new();
    let mut sets = name.inside();
    while !sets.is_empty() {
        let mut set = sets.enter(SET)?;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let mut attribute = set.enter(SEQUENCE)?;
            let kind = oid::dotted(attribute.take(OID)?.content);
            let value = value(attribute.any()?);
            let keyword = KEYWORDS.iter().find(|(known, _)| *known == kind);
            attributes.push(match keyword {
                Some((_, keyword)) => format!("{keyword}={value}"),
                None => format!("OID.{kind}={value}"),
            });
        }
        parts.push(attributes.join(" + "));
    }
    parts.reverse();
    Ok(parts.join(", "))
}

fn value(element: Element<'_>) -> String {
    let content = element.content;
    let latin1 = || content.iter().copied().map(char::from).collect();
    let text = match element.tag {
        // UTF-8.
        0x0c => String::from_utf8_lossy(content).into_owned(),
        // Strings of ASCII, by their standards; the fourth was ever used as Latin-1.
        0x12 | 0x13 | 0x16 | 0x14 | 0x1b => latin1(),
        // Two bytes a character.
        0x1e => element.wide_text(),
        _ => return format!("#{}", crate::hex::encode(element.whole)),
    };
    let needs_quotes = text.contains([',', '+', '=', '\n', '<', '>', '#', ';', '\\', '"'])
        || text.starts_with(' ')
        || text.ends_with(' ')
        || text.contains("  ");
    if !needs_quotes {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
