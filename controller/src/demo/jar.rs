//! Writes JARs for the demo: zip archives with uncompressed files.

use flate2::Crc;

/// The signature of a file's header.
const LOCAL: u32 = 0x0403_4b50;
/// The signature of an entry in the central directory.
const CENTRAL: u32 = 0x0201_4b50;
/// The signature of the end of the central directory.
const END: u32 = 0x0605_4b50;
/// The version of the format that is needed to extract stored files.
const VERSION_NEEDED: u16 = 10;
/// January 1, 1980, the first day of the format.
const DATE: u16 = (1 << 5) | 1;

/// Returns a JAR with a manifest of `attributes`, and `files`.
pub(super) fn jar(attributes: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<u8> {
    let mut manifest = "Manifest-Version: 1.0\r\n".to_owned();
    for (name, value) in attributes {
        manifest += &format!("{name}: {value}\r\n");
    }
    let all: Vec<(&str, &str)> =
        std::iter::once(("META-INF/MANIFEST.MF", &*manifest)).chain(files.iter().copied()).collect();
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in &all {
        let at = size(archive.len());
        let common = header(name, content.as_bytes());
        archive.extend([&LOCAL.to_le_bytes()[..], &common, name.as_bytes(), content.as_bytes()].concat());
        directory.extend([&CENTRAL.to_le_bytes()[..], &VERSION_NEEDED.to_le_bytes(), &common].concat());
        // No comment, disk 0, no attributes of either kind; then the offset of the file's header.
        directory.extend([&[0; 10][..], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let count = u16::try_from(all.len()).unwrap_or(u16::MAX).to_le_bytes();
    let (start, length) = (size(archive.len()), size(directory.len()));
    archive.extend(directory);
    archive.extend([&END.to_le_bytes()[..], &[0; 4], &count, &count].concat());
    archive.extend([&length.to_le_bytes()[..], &start.to_le_bytes(), &[0; 2]].concat());
    archive
}

/// Returns the fields that the header of a file and its entry in the central directory share.
fn header(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let length = size(content.len()).to_le_bytes();
    let name = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    // Flags, method and time are zero: no flags, stored, midnight.
    [
        &VERSION_NEEDED.to_le_bytes()[..],
        &[0; 6],
        &DATE.to_le_bytes(),
        &crc.sum().to_le_bytes(),
        &length,
        &length,
        &name,
        &[0; 2],
    ]
    .concat()
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn sizes_and_offsets_are_consistent() {
        let jar = jar(&[], &[("a", "bc")]);
        // A header has 30 bytes before the name, a directory entry has 46, the end has 22.
        let manifest = ("META-INF/MANIFEST.MF".len(), "Manifest-Version: 1.0\r\n".len());
        let files = 30 + manifest.0 + manifest.1 + 30 + 1 + 2;
        let directory = 46 + manifest.0 + 46 + 1;
        assert_eq!(jar.len(), files + directory + 22);
        assert_eq!(jar[files..files + 4], CENTRAL.to_le_bytes());
        assert_eq!(jar[jar.len() - 6..jar.len() - 2], size(files).to_le_bytes());
    }

    #[test]
    fn zip_programs_find_no_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jar");
        std::fs::write(&file, jar(&[("Bundle-Name", "a")], &[("x/y.txt", "text\n")])).unwrap();
        // Those that are installed.
        for (program, words) in
            [("unzip", &["-t"][..]), ("jar", &["tf"]), ("python3", &["-m", "zipfile", "-t"])]
        {
            if let Ok(output) = Command::new(program).args(words).arg(&file).output() {
                assert!(output.status.success(), "{program}: {output:?}");
            }
        }
    }
}
