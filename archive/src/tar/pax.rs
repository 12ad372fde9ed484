//! POSIX extension records: each is a length, a blank, a name, `=` and a value.

use std::collections::BTreeMap;

use crate::error::{Error, Fault};

/// The attributes of one member, or of all following members.
#[derive(Debug, Clone, Default)]
pub(super) struct Records(BTreeMap<String, String>);

fn damaged() -> Error {
    Error::Damaged("an invalid list of attributes".into())
}

impl Records {
    /// Adds the records in `bytes`. A record with an empty value removes an attribute.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let blank = bytes.iter().take(20).position(|byte| *byte == b' ').ok_or_else(damaged)?;
            let length = str::from_utf8(&bytes[..blank]).ok().and_then(|text| text.parse::<usize>().ok());
            let length =
                length.filter(|length| *length > blank + 1 && *length <= bytes.len()).ok_or_else(damaged)?;
            let (record, rest) = bytes.split_at(length);
            bytes = rest;
            let record = record[blank + 1..].strip_suffix(b"\n").ok_or_else(damaged)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
            let name = String::from_utf8_lossy(&record[..equals]).into_owned();
            // Attributes that are not text, such as extended attributes, are ignored.
            let Ok(value) = str::from_utf8(&record[equals + 1..]) else {
                if matches!(name.as_str(), "path" | "linkpath") {
                    return Err(Fault::NotUtf8.of(&String::from_utf8_lossy(&record[equals + 1..])));
                }
                continue;
            };
            if value.is_empty() {
                self.0.remove(&name);
            } else {
                self.0.insert(name, value.to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        self.text(name).map(|text| text.parse().map_err(|_| damaged())).transpose()
    }

    /// Returns a time, without its fraction of a second.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<i64>, Error> {
        let whole = self.text(name).map(|text| text.split_once('.').map_or(text, |(whole, _)| whole));
        whole.map(|text| text.parse().map_err(|_| damaged())).transpose()
    }

    pub(super) fn size(&self) -> Result<Option<u64>, Error> {
        let size = self.number::<i64>("size")?;
        size.map(|size| u64::try_from(size).map_err(|_| damaged())).transpose()
    }

    /// Returns whether the file has holes that are not stored.
    pub(super) fn is_sparse(&self) -> bool {
        self.0.keys().any(|name| name.starts_with("GNU.sparse."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_records_are_parsed_and_others_refused() {
        let mut records = Records::default();
        records.read(b"12 path=a b\n11 size=77\n14 mtime=1.25\n").unwrap();
        assert_eq!(records.text("path"), Some("a b"));
        assert_eq!((records.size().unwrap(), records.seconds("mtime").unwrap()), (Some(77), Some(1)));
        records.read(b"8 path=\n").unwrap();
        assert_eq!(records.text("path"), None);
        for wrong in [&b"99 path=a\n"[..], b"x", b"3 a", b"5 ab\n", b"9 path=ab"] {
            assert!(Records::default().read(wrong).is_err(), "{wrong:?}");
        }
    }
}
