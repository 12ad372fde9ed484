//! Writes the parts of DER that a key and a certificate need.

// The tags of the elements.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Returns an element with its length, whose content is the concatenated parts.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | significant.len().to_le_bytes()[0]);
            out.extend(significant);
        }
    }
    out.extend(parts.concat());
    out
}

/// Returns a bit string of whole octets.
pub(super) fn bits(octets: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], octets])
}

/// Returns an object identifier.
pub(super) fn identifier(arcs: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        for arc in std::iter::once(first * 40 + second).chain(rest.iter().copied()) {
            let groups =
                (0..5).rev().map(|group| (arc >> (7 * group)) & 0x7f).skip_while(|group| *group == 0);
            let mut groups: Vec<u8> = groups.filter_map(|group| u8::try_from(group).ok()).collect();
            let last = groups.pop().unwrap_or(0);
            out.extend(groups.iter().map(|group| 0x80 | group));
            out.push(last);
        }
    }
    element(OBJECT_IDENTIFIER, &[&out])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_shortest_form() {
        for (length, expected) in
            [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (256, &[4, 0x82, 1, 0])]
        {
            let written = element(OCTET_STRING, &[&vec![7; length]]);
            assert_eq!((&written[..expected.len()], written.len()), (expected, expected.len() + length));
        }
    }

    #[test]
    fn identifiers_are_written_in_base_128() {
        assert_eq!(identifier(&[1, 2, 840, 10045, 2, 1]), [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
        assert_eq!(identifier(&[2, 5, 4, 3]), [6, 3, 0x55, 4, 3]);
        assert_eq!(identifier(&[1, 3, 0]), [6, 2, 0x2b, 0]);
    }
}
