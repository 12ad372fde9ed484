//! The header of a member: 512 bytes of text fields.

use crate::error::Error;

/// The size of a block, in bytes.
pub(crate) const BLOCK: usize = 512;

/// The header of a member.
#[derive(Debug, Clone)]
pub(super) struct Header(pub [u8; BLOCK]);

/// Returns the text of a field, which ends at the first NUL byte.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

/// Parses a number: octal digits or, if the first bit is set, a big-endian two's complement number (GNU).
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        // The second bit is the sign. The value must fit into 64 bits.
        let start =
            if field[0] & 0x40 == 0 { i128::from(field[0] & 0x3f) } else { i128::from(field[0] & 0x3f) - 64 };
        let value = field[1..]
            .iter()
            .try_fold(start, |value, byte| value.checked_mul(256).map(|value| value + i128::from(*byte)))?;
        return i64::try_from(value).ok();
    }
    let digits = str::from_utf8(text(field)).ok()?.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { i64::from_str_radix(digits, 8).ok() }
}

impl Header {
    /// Returns whether the checksum is right: the sum of all bytes, counting the checksum field itself as blanks.
    pub(super) fn is_whole(&self) -> bool {
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| i64::from(*byte)).sum::<i64>();
        number(&self.0[148..156]) == Some(sum(&self.0[..148]) + 8 * i64::from(b' ') + sum(&self.0[156..]))
    }

    fn field(&self, from: usize, to: usize, what: &str) -> Result<i64, Error> {
        number(&self.0[from..to]).ok_or_else(|| Error::Damaged(format!("a header without a valid {what}")))
    }

    fn unsigned<T: TryFrom<i64>>(&self, from: usize, to: usize, what: &str) -> Result<T, Error> {
        T::try_from(self.field(from, to, what)?)
            .map_err(|_| Error::Damaged(format!("a header with an impossible {what}")))
    }

    /// Returns the type flag.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        // GNU's format stores other data where POSIX stores the directory part.
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn target(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(super) fn size(&self) -> Result<u64, Error> {
        self.unsigned(124, 136, "length")
    }

    pub(super) fn mode(&self) -> Result<u32, Error> {
        self.unsigned::<u32>(100, 108, "mode").map(|mode| mode & 0o7777)
    }

    pub(super) fn uid(&self) -> Result<u32, Error> {
        self.unsigned(108, 116, "owner")
    }

    pub(super) fn gid(&self) -> Result<u32, Error> {
        self.unsigned(116, 124, "group")
    }

    pub(super) fn mtime(&self) -> Result<i64, Error> {
        self.field(136, 148, "time")
    }

    fn ustar(&self, from: usize, to: usize) -> String {
        let known = &self.0[257..262] == b"ustar";
        if known { String::from_utf8_lossy(text(&self.0[from..to])).into_owned() } else { String::new() }
    }

    pub(super) fn user(&self) -> String {
        self.ustar(265, 297)
    }

    pub(super) fn group(&self) -> String {
        self.ustar(297, 329)
    }
}

/// Returns whether `block` is the header of a member.
pub(crate) fn is_header(block: &[u8]) -> bool {
    <&[u8; BLOCK]>::try_from(block).is_ok_and(|block| Header(*block).is_whole())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_and_binary_numbers_are_parsed() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        assert_eq!(number(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(number(b"0000648\0"), None);
    }
}
