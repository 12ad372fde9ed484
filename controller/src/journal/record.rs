//! One line of a journal: a checksum, a blank, and a record as a JSON object.
//!
//! Each record has its number, so that none is missing or stands in another's place, and its time.

use convoy_protocol::{Map, Value, map};
use flate2::Crc;
use jiff::Timestamp;

use crate::json;

/// The digits of the checksum.
const DIGITS: usize = 8;

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// Counted from 0.
    pub(super) number: u64,
    /// When it was written, by a clock that never goes back within a run.
    pub(super) at: Timestamp,
    /// What it says.
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

    /// Reads a line; `None` if it is not as it was written.
    pub(super) fn read(line: &[u8]) -> Option<Result<Self, String>> {
        let (digits, text) = line.strip_suffix(b"\n")?.split_at_checked(DIGITS)?;
        let text = text.strip_prefix(b" ")?;
        // As text: another letter case would be another file.
        (digits == checksum(text).as_bytes()).then(|| Self::parse(text))
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let object = json::from_str(text).map_err(|error| error.to_string())?;
        let mut body = object.as_map().cloned().ok_or("it is no object")?;
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
