//! Text encodings, by Python's names for them.

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Ascii,
    Latin1,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// Returns the encoding called `name`, if it is supported.
    pub(super) fn named(name: &str) -> Option<Self> {
        let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        Some(match plain.as_str() {
            "utf8" => Self::Utf8,
            "ascii" | "usascii" => Self::Ascii,
            "iso88591" | "latin1" | "l1" => Self::Latin1,
            "utf16le" => Self::Utf16Le,
            "utf16be" => Self::Utf16Be,
            _ => return None,
        })
    }

    /// Encodes text. Returns `None` if the encoding lacks one of its characters.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        Some(match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec())?,
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<_>>()?,
            Self::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        })
    }

    /// Decodes text. Returns `None` if the bytes are not valid in this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        let wide = |join: fn([u8; 2]) -> u16| {
            let units = bytes.chunks(2).map(|pair| Some(join(pair.try_into().ok()?)));
            String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
        };
        match self {
            Self::Utf16Le => wide(u16::from_le_bytes),
            Self::Utf16Be => wide(u16::from_be_bytes),
            Self::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
            Self::Ascii if !bytes.is_ascii() => None,
            Self::Utf8 | Self::Ascii => std::str::from_utf8(bytes).ok().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_text_is_decoded_to_the_same_text() {
        for (name, text, bytes) in [
            ("utf-8", "é", &[0xc3, 0xa9][..]),
            ("ISO8859-1", "é", &[0xe9]),
            ("utf_16_le", "é😀", &[0xe9, 0, 0x3d, 0xd8, 0, 0xde]),
            ("utf-16-be", "é", &[0, 0xe9]),
            ("ascii", "e", b"e"),
        ] {
            let encoding = Encoding::named(name).unwrap();
            assert_eq!(encoding.encode(text).as_deref(), Some(bytes), "{name}");
            assert_eq!(encoding.decode(bytes).as_deref(), Some(text), "{name}");
        }
        assert_eq!(Encoding::Latin1.encode("ł"), None);
        assert_eq!(Encoding::Ascii.encode("é"), None);
        assert_eq!(Encoding::Utf16Le.decode(&[1]), None);
        assert_eq!(Encoding::named("ebcdic"), None);
    }
}
