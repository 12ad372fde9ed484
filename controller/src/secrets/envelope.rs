//! The text form of a vault: a header, and below it salt, digest and encrypted text, encoded twice in hexadecimal.

use std::sync::Arc;

use super::error::Damage;
use crate::vaulted::HEADER;

/// The vault id of text and passwords without one.
pub const DEFAULT_ID: &str = "default";

const CIPHER: &str = "AES256";
const WIDTH: usize = 80;

/// The content of the text form, still encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The vault id, if the text has one (format 1.2).
    pub id: Option<Arc<str>>,
    /// The salt that the keys are derived with.
    pub(super) salt: Vec<u8>,
    /// The authentication code of `text`.
    pub(super) digest: Vec<u8>,
    /// The encrypted text.
    pub(super) text: Vec<u8>,
}

impl Envelope {
    /// Parses the text form.
    ///
    /// # Errors
    /// If the text is damaged.
    pub fn parse(text: &[u8]) -> Result<Self, Damage> {
        let text = std::str::from_utf8(text).map_err(|error| {
            let before = &text[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            damage(line, "Vault format unhexlify error: Non-hexadecimal digit found")
        })?;
        let mut lines = text.lines();
        let id = parse_header(lines.next().unwrap_or_default())?;
        let body = Body::of(lines);
        let inner = body.decode()?;
        let mut parts = inner.splitn(3, |byte| *byte == b'\n');
        let (Some(salt), Some(digest), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            let what = "Vault vaulttext format error: the salt, the digest and the text are not all there";
            return Err(damage(body.last, what));
        };
        let part = |bytes: &[u8]| {
            unhex(bytes).map_err(|why| damage(body.last, format!("Vault format unhexlify error: {why}")))
        };
        Ok(Self { id, salt: part(salt)?, digest: part(digest)?, text: part(text)? })
    }

    /// Returns the text form, ending in a line feed. An id other than `default` requires format 1.2.
    pub fn write(&self) -> String {
        let mut text = match self.id.as_deref().filter(|id| *id != DEFAULT_ID) {
            Some(id) => format!("{HEADER};1.2;{CIPHER};{id}\n"),
            None => format!("{HEADER};1.1;{CIPHER}\n"),
        };
        let inner = [hex(&self.salt), hex(&self.digest), hex(&self.text)].join("\n");
        let outer = hex(inner.as_bytes());
        for (index, digit) in outer.chars().enumerate() {
            if index > 0 && index % WIDTH == 0 {
                text.push('\n');
            }
            text.push(digit);
        }
        text.push('\n');
        text
    }
}

fn damage(line: usize, what: impl Into<String>) -> Damage {
    Damage { line: u32::try_from(line).unwrap_or(u32::MAX), what: what.into() }
}

/// Parses the first line and returns the vault id.
fn parse_header(line: &str) -> Result<Option<Arc<str>>, Damage> {
    let error = |what: String| damage(1, what);
    let mut words = line.trim().split(';').map(str::trim);
    let (Some(HEADER), Some(version), Some(cipher)) = (words.next(), words.next(), words.next()) else {
        return Err(error(
            "Vault envelope format error: the first line is not `$ANSIBLE_VAULT;1.1;AES256`".to_owned(),
        ));
    };
    if !matches!(version, "1.1" | "1.2") {
        return Err(error(format!("the vault format {version} is not supported: only 1.1 and 1.2 are")));
    }
    if cipher != CIPHER {
        return Err(error(format!("{cipher} cipher could not be found")));
    }
    Ok(words.next().filter(|id| !id.is_empty()).map(Arc::from))
}

/// The lines below the header.
struct Body<'t> {
    lines: Vec<&'t str>,
    /// The number of the last line.
    last: usize,
}

impl<'t> Body<'t> {
    fn of(lines: impl Iterator<Item = &'t str>) -> Self {
        let lines: Vec<&str> = lines.collect();
        let count = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |index| index + 1);
        Self { last: count + 1, lines }
    }

    /// Decodes the outer hexadecimal encoding.
    fn decode(&self) -> Result<Vec<u8>, Damage> {
        let digits: Vec<u8> = self.lines.iter().flat_map(|line| line.bytes()).collect();
        unhex(&digits).map_err(|why| {
            let line = match why {
                Unhex::OddLength => self.lines.iter().position(|line| line.len() % 2 == 1),
                Unhex::NotHex => {
                    self.lines.iter().position(|line| !line.bytes().all(|b| b.is_ascii_hexdigit()))
                }
            };
            damage(line.map_or(self.last, |index| index + 2), format!("Vault format unhexlify error: {why}"))
        })
    }
}

#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Unhex {
    #[error("Odd-length string")]
    OddLength,
    #[error("Non-hexadecimal digit found")]
    NotHex,
}

fn unhex(digits: &[u8]) -> Result<Vec<u8>, Unhex> {
    if digits.len() % 2 == 1 {
        return Err(Unhex::OddLength);
    }
    let nibble =
        |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok()).ok_or(Unhex::NotHex);
    digits.chunks_exact(2).map(|pair| Ok(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Envelope, (u32, String)> {
        Envelope::parse(text.as_bytes()).map_err(|damage| (damage.line, damage.what))
    }

    #[test]
    fn written_text_is_parsed_back() {
        for (id, header) in [
            (None, "$ANSIBLE_VAULT;1.1;AES256\n"),
            (Some("default"), "$ANSIBLE_VAULT;1.1;AES256\n"),
            (Some("dev"), "$ANSIBLE_VAULT;1.2;AES256;dev\n"),
        ] {
            let envelope = Envelope {
                id: id.map(Arc::from),
                salt: vec![1; 32],
                digest: vec![2; 32],
                text: vec![0xab; 48],
            };
            let text = envelope.write();
            assert!(text.starts_with(header) && text.ends_with('\n'), "{text}");
            assert!(text.lines().skip(1).all(|line| line.len() <= WIDTH), "{text}");
            let parsed = parse(&text).unwrap();
            assert_eq!(parsed.id.as_deref(), id.filter(|id| *id != "default"));
            assert_eq!(
                (parsed.salt, parsed.digest, parsed.text),
                (envelope.salt, envelope.digest, envelope.text)
            );
        }
    }

    #[test]
    fn damage_is_reported_with_its_line() {
        let text = Envelope { id: None, salt: vec![1; 32], digest: vec![2; 32], text: vec![3; 48] }.write();
        let lines: Vec<&str> = text.lines().collect();
        let join = |lines: &[&str]| lines.join("\n");
        let with = |index: usize, line: &str| {
            let mut lines = lines.clone();
            lines[index] = line;
            join(&lines)
        };
        let odd = lines[2][1..].to_owned();
        let not_hex = lines[3].replacen('3', "z", 1);
        let short = join(&lines[..2]);
        for (text, line, what) in [
            (
                String::new(),
                1,
                "Vault envelope format error: the first line is not `$ANSIBLE_VAULT;1.1;AES256`",
            ),
            (
                with(0, "$ANSIBLE_VAULT;1.0;AES"),
                1,
                "the vault format 1.0 is not supported: only 1.1 and 1.2 are",
            ),
            (with(0, "$ANSIBLE_VAULT;1.1;AES"), 1, "AES cipher could not be found"),
            (with(2, &odd), 3, "Vault format unhexlify error: Odd-length string"),
            (with(3, &not_hex), 4, "Vault format unhexlify error: Non-hexadecimal digit found"),
            (with(3, "é3"), 4, "Vault format unhexlify error: Odd-length string"),
            (
                format!("{short}\n\n"),
                2,
                "Vault vaulttext format error: the salt, the digest and the text are not all there",
            ),
        ] {
            assert_eq!(parse(&text).unwrap_err(), (line, what.to_owned()), "{text}");
        }
        assert_eq!(Envelope::parse(b"$ANSIBLE_VAULT;1.1;AES256\n\xff").unwrap_err().line, 2);
    }
}
