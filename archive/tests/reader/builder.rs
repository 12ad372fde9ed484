//! Writes archives, including some that no honest program writes.

use std::io::Write as _;

/// A tar archive.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

/// The header fields of a member of a tar archive.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) target: &'a str,
    pub(crate) mtime: u32,
}

impl<'a> Header<'a> {
    pub(crate) fn new(name: &'a str, kind: u8) -> Self {
        Self { name: name.as_bytes(), kind, mode: 0o644, uid: 0, target: "", mtime: 1_500_000_000 }
    }
}

impl Tar {
    pub(crate) fn member(mut self, header: &Header<'_>, content: &[u8]) -> Self {
        let mut block = [0; 512];
        block[..header.name.len()].copy_from_slice(header.name);
        let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(100, &format!("{:07o}", header.mode));
        put(108, &format!("{:07o}", header.uid));
        put(116, &format!("{:07o}", header.uid));
        put(124, &format!("{:011o}", content.len()));
        put(136, &format!("{:011o}", header.mtime));
        put(148, "        ");
        put(157, header.target);
        put(257, "ustar\x0000");
        block[156] = header.kind;
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(block);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.member(&Header::new(name, b'0'), content.as_bytes())
    }

    pub(crate) fn dir(self, name: &str, mode: u32) -> Self {
        self.member(&Header { mode, ..Header::new(name, b'5') }, b"")
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.member(&Header { target, ..Header::new(name, b'2') }, b"")
    }

    pub(crate) fn hard(self, name: &str, target: &str) -> Self {
        self.member(&Header { target, ..Header::new(name, b'1') }, b"")
    }

    pub(crate) fn special(self, name: &str, kind: u8) -> Self {
        self.member(&Header::new(name, kind), b"")
    }

    pub(crate) fn done(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    pub(crate) fn gz(self) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&self.done()).unwrap();
        packer.finish().unwrap()
    }
}

/// A zip archive.
#[derive(Default)]
pub(crate) struct Zip {
    bytes: Vec<u8>,
    list: Vec<u8>,
    count: u16,
}

/// The header fields of a member of a zip archive.
pub(crate) struct Record<'a> {
    pub(crate) name: &'a [u8],
    /// The name in the member's own header; the same as in the list if `None`.
    pub(crate) local_name: Option<&'a [u8]>,
    pub(crate) mode: u32,
    pub(crate) system: u8,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    /// Added to the true checksum and size.
    pub(crate) lies: (u32, u32),
    pub(crate) extra: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        let (local_name, flags, lies, extra) = (None, 0, (0, 0), &b""[..]);
        Self { name: name.as_bytes(), local_name, mode: 0o100_644, system: 3, flags, method: 8, lies, extra }
    }
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_le_bytes()
}

impl Zip {
    pub(crate) fn member(mut self, record: &Record<'_>, content: &[u8]) -> Self {
        let offset = u32::try_from(self.bytes.len()).unwrap();
        let packed = if record.method == 8 { deflated(content) } else { content.to_vec() };
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut middle = Vec::new();
        middle.extend([20, 0]);
        middle.extend(record.flags.to_le_bytes());
        middle.extend(record.method.to_le_bytes());
        // 2017-05-11 15:30:00
        middle.extend((15u16 << 11 | 30 << 5).to_le_bytes());
        middle.extend((37u16 << 9 | 5 << 5 | 11).to_le_bytes());
        middle.extend(crc.sum().wrapping_add(record.lies.0).to_le_bytes());
        middle.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        middle.extend(u32::try_from(content.len()).unwrap().wrapping_add(record.lies.1).to_le_bytes());
        let local = record.local_name.unwrap_or(record.name);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&middle);
        self.bytes.extend(length(local));
        self.bytes.extend([0, 0]);
        self.bytes.extend(local);
        self.bytes.extend(packed);
        self.list.extend(b"PK\x01\x02");
        self.list.extend([30, record.system]);
        self.list.extend(&middle);
        self.list.extend(length(record.name));
        self.list.extend(length(record.extra));
        self.list.extend([0; 6]);
        self.list.extend((record.mode << 16).to_le_bytes());
        self.list.extend(offset.to_le_bytes());
        self.list.extend(record.name);
        self.list.extend(record.extra);
        self.count += 1;
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.member(&Record::new(name), content.as_bytes())
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.member(&Record { mode: 0o040_755, method: 0, ..Record::new(name) }, b"")
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.member(&Record { mode: 0o120_777, method: 0, ..Record::new(name) }, target.as_bytes())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        let Self { mut bytes, list, count } = self;
        let offset = u32::try_from(bytes.len()).unwrap();
        bytes.extend(&list);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend(count.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(u32::try_from(list.len()).unwrap().to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    /// As [`done`](Self::done), with all numbers of the end-of-archive record in a zip64 record.
    pub(crate) fn done_large(self) -> Vec<u8> {
        let Self { mut bytes, list, count } = self;
        let offset = bytes.len() as u64;
        bytes.extend(&list);
        let record = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0]);
        bytes.extend([0; 8]);
        for number in [count.into(), count.into(), list.len() as u64, offset] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(record.to_le_bytes());
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([0xff; 12]);
        bytes.extend([0, 0]);
        bytes
    }
}
