//! One record of a journal: a line with a checksum, a space, and a JSON object.
//!
//! The checksum shows whether the line is as it was written. The number shows whether a record is missing or out of
//! place. `docs/journal.md` describes the format.

use convoy_protocol::{Map, Value, map};
use flate2::Crc;
use jiff::Timestamp;

use crate::text::json;

/// The number of hexadecimal digits of the checksum.
const DIGITS: usize = 8;

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// Its position in the journal, counted from 0.
    pub(super) number: u64,
    /// When it was written, by a clock that does not go back within a run.
    pub(super) at: Timestamp,
    /// Everything else.
    pub(super) body: Map,
}

impl Record {
    /// Returns the record as a line.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut object = map! { "n" => number(self.number), "at" => format!("{:.3}", self.at) };
        object.extend(self.body.iter().map(|(key, value)| (key.clone(), json::lossless::encode(value))));
        let text = json::map_to_string(&object, json::Style::default());
        format!("{} {text}\n", checksum(text.as_bytes())).into_bytes()
    }

    /// Reads a line. `None` if it is not as it was written; an error if it was written by a version that this one does
    /// not understand.
    pub(super) fn read(line: &[u8]) -> Option<Result<Self, String>> {
        let (digits, text) = line.strip_suffix(b"\n")?.split_at_checked(DIGITS)?;
        let text = text.strip_prefix(b" ")?;
        // Compared as text, so that a checksum in another letter case does not pass.
        (digits == checksum(text).as_bytes()).then(|| Self::parse(text))
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let object = json::from_str(text).map_err(|error| error.to_string())?;
        let mut body = object.as_map().cloned().ok_or("it is not an object")?;
        let number =
            body.shift_remove("n").and_then(|value| value.as_int()).and_then(|n| u64::try_from(n).ok());
        let at = body.shift_remove("at").and_then(|value| value.as_str()?.parse().ok());
        let body = body.iter().map(|(key, value)| (key.clone(), json::lossless::decode(value))).collect();
        Ok(Self { number: number.ok_or("it has no number")?, at: at.ok_or("it has no time")?, body })
    }
}

fn number(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn checksum(text: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(text);
    format!("{:0DIGITS$x}", crc.sum())
}
