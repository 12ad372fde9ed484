//! Certificates, as far as somebody who keeps them wants to know them.

use std::fmt;

use ring::digest;

use super::der::{BIT_STRING, CONTEXT, Element, INTEGER, OID, Reader, SEQUENCE};
use super::name;
use crate::dates::{days_from_civil, rfc3339};
use crate::hex;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const DAY: i64 = 86_400;

/// A second, counted from 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as keytool writes it.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when on it is valid.
    pub not_before: Moment,
    /// Until when it is valid.
    pub not_after: Moment,
    /// The SHA-256 of all of it.
    pub sha256: String,
    /// The SHA-256 of its public key.
    pub key_sha256: String,
    pub(super) public_key: Vec<u8>,
    pub(super) raw_subject: Vec<u8>,
    pub(super) raw_issuer: Vec<u8>,
}

impl Moment {
    /// Returns the whole days from `earlier` on; negative if this is before it.
    pub fn days_after(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).div_euclid(DAY)
    }

    /// Reads one of the two forms in which certificates have times.
    fn read(element: Element<'_>) -> Option<Self> {
        let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
        let (year, rest) = match element.tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                // Two digits mean 1950 to 2049.
                (number(year).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (number(year)?, rest)
            }
            _ => return None,
        };
        let part = |at: usize, range: std::ops::RangeInclusive<i64>| {
            number(rest.get(at..at + 2)?).filter(|part| range.contains(part))
        };
        let (month, day) = (part(0, 1..=12)?, part(2, 1..=31)?);
        let (hour, minute) = (part(4, 0..=23)?, part(6, 0..=59)?);
        let second = if rest.len() == 8 { 0 } else { part(8, 0..=60)? };
        // Some very old ones leave the seconds out.
        if !matches!(rest.len(), 8 | 10) {
            return None;
        }
        let days = days_from_civil(year, month as u32, day as u32);
        Some(Self(days * DAY + hour * 3600 + minute * 60 + second))
    }
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Certificate {
    /// Reads a certificate; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let whole = Reader::new(bytes).take(SEQUENCE).ok()?;
        let mut signed = whole.inside().enter(SEQUENCE).ok()?;
        signed.maybe(CONTEXT).ok()?;
        signed.take(INTEGER).ok()?;
        signed.take(SEQUENCE).ok()?;
        let issuer = signed.take(SEQUENCE).ok()?;
        let mut validity = signed.enter(SEQUENCE).ok()?;
        let not_before = Moment::read(validity.any().ok()?)?;
        let not_after = Moment::read(validity.any().ok()?)?;
        let subject = signed.take(SEQUENCE).ok()?;
        let key = signed.take(SEQUENCE).ok()?;
        let mut parts = key.inside();
        parts.enter(SEQUENCE).ok()?.take(OID).ok()?;
        parts.take(BIT_STRING).ok()?;
        let sha256 = |bytes| hex::encode(digest::digest(&digest::SHA256, bytes).as_ref());
        Some(Self {
            subject: name::read(subject).ok()?,
            issuer: name::read(issuer).ok()?,
            not_before,
            not_after,
            sha256: sha256(whole.whole),
            key_sha256: sha256(key.whole),
            public_key: key.whole.to_vec(),
            raw_subject: subject.whole.to_vec(),
            raw_issuer: issuer.whole.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Option<String> {
        let element = Element { tag, content: text.as_bytes(), whole: &[] };
        Moment::read(element).map(|moment| moment.to_string())
    }

    #[test]
    fn times_are_read() {
        for (tag, text, expected) in [
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "5001010000Z", Some("1950-01-01T00:00:00Z")),
            (GENERALIZED_TIME, "99991231235959Z", Some("9999-12-31T23:59:59Z")),
            (GENERALIZED_TIME, "20500229000000Z", Some("2050-03-01T00:00:00Z")),
            (UTC_TIME, "491331235959Z", None),
            (UTC_TIME, "491231235959", None),
            (UTC_TIME, "49123123595\u{e9}Z", None),
            (UTC_TIME, "+91231235959Z", None),
            (UTC_TIME, "Z", None),
            (GENERALIZED_TIME, "2049123123595Z", None),
            (INTEGER, "491231235959Z", None),
        ] {
            assert_eq!(read(tag, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn days_are_whole() {
        assert_eq!(Moment(DAY).days_after(Moment(1)), 0);
        assert_eq!(Moment(0).days_after(Moment(1)), -1);
        assert_eq!(Moment(3 * DAY).days_after(Moment(DAY)), 2);
    }
}
