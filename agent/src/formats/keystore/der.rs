//! The encoding of keystores and certificates: DER, and of BER the lengths that are told by an end mark, since some
//! programs write PKCS12 so.

use std::borrow::Cow;

use thiserror::Error;

/// How deep elements without a length may lie in each other.
const DEPTH: usize = 16;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// The tag of a value that is made of others.
pub(super) const CONSTRUCTED: u8 = 0x20;
/// The tag `[0]` of a value within; `CONTEXT + 1` is `[1]`.
pub(super) const CONTEXT: u8 = 0xa0;

/// Why bytes cannot be read.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub(super) enum DerError {
    #[error("an element ends too soon")]
    Truncated,
    #[error("an element is not what stands there by the standard")]
    Unexpected,
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

/// Elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the next element.
    pub(super) fn any(&mut self) -> Result<Element<'a>, DerError> {
        self.element(0)
    }

    /// Returns the next element, which must have a tag.
    pub(super) fn take(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        let element = self.any()?;
        if element.tag == tag { Ok(element) } else { Err(DerError::Unexpected) }
    }

    /// Returns the next element if it has a tag.
    pub(super) fn maybe(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Returns what is in the next element, which must have a tag.
    pub(super) fn enter(&mut self, tag: u8) -> Result<Self, DerError> {
        self.take(tag).map(|element| element.inside())
    }

    /// Returns the next element, a whole number that is not negative.
    pub(super) fn number(&mut self) -> Result<u32, DerError> {
        let digits = self.take(INTEGER)?.content;
        let digits = digits.strip_prefix(&[0]).unwrap_or(digits);
        if digits.len() > 4 {
            return Err(DerError::Unexpected);
        }
        Ok(digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }

    fn element(&mut self, depth: usize) -> Result<Element<'a>, DerError> {
        let all = self.rest;
        let [tag, first, after @ ..] = all else { return Err(DerError::Truncated) };
        // No tag of what is read here has a second byte.
        if tag & 0x1f == 0x1f {
            return Err(DerError::Unexpected);
        }
        let (content, rest) = match first {
            0x80 => return self.indefinite_length(*tag, after, depth),
            0..0x80 => split(after, usize::from(*first))?,
            0x81..=0x84 => {
                let (digits, after) = split(after, usize::from(first & 0x7f))?;
                let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
                split(after, length)?
            }
            _ => return Err(DerError::Unexpected),
        };
        self.rest = rest;
        Ok(Element { tag: *tag, content, whole: &all[..all.len() - rest.len()] })
    }

    /// Returns an element whose end is a mark behind what it holds.
    fn indefinite_length(
        &mut self,
        tag: u8,
        content: &'a [u8],
        depth: usize,
    ) -> Result<Element<'a>, DerError> {
        if tag & CONSTRUCTED == 0 || depth > DEPTH {
            return Err(DerError::Unexpected);
        }
        let all = self.rest;
        let mut inside = Self::new(content);
        loop {
            let end = inside.rest;
            let element = inside.element(depth + 1)?;
            if element.tag == 0 && element.content.is_empty() {
                self.rest = inside.rest;
                let content = &content[..content.len() - end.len()];
                return Ok(Element { tag, content, whole: &all[..all.len() - inside.rest.len()] });
            }
        }
    }
}

impl<'a> Element<'a> {
    /// Returns the text of a string of two bytes a character.
    pub(super) fn wide_text(&self) -> String {
        let units: Vec<u16> =
            self.content.as_chunks().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
        String::from_utf16_lossy(&units)
    }

    /// Returns the elements within.
    pub(super) fn inside(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// Returns the bytes of a string of bytes, which BER may have in pieces.
    pub(super) fn bytes(&self) -> Result<Cow<'a, [u8]>, DerError> {
        if self.tag & CONSTRUCTED == 0 {
            return Ok(Cow::Borrowed(self.content));
        }
        let mut all = Vec::new();
        let mut pieces = self.inside();
        while !pieces.is_empty() {
            all.extend_from_slice(pieces.take(OCTET_STRING)?.content);
        }
        Ok(Cow::Owned(all))
    }
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), DerError> {
    bytes.split_at_checked(at).ok_or(DerError::Truncated)
}
