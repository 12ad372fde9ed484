//! Archives made by common programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use convoy_archive::Format;

use super::{file, names, read};

fn run(directory: &Path, line: &str) {
    let output = Command::new("sh").args(["-c", line]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn archives_of_common_programs_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("in");
    fs::create_dir_all(place.join("deep")).unwrap();
    let text = "some text, again and again\n".repeat(20_000);
    fs::write(place.join("deep/text"), &text).unwrap();
    fs::write(place.join("empty"), "").unwrap();
    fs::set_permissions(place.join("empty"), fs::Permissions::from_mode(0o755)).unwrap();
    for (line, format) in [
        ("zip -q -r ../out deep empty && mv ../out.zip ../out", Format::Zip),
        ("zip -q -0 -r - deep empty > ../out", Format::Zip),
        ("tar -cf ../out deep empty", Format::Tar),
        ("tar --format=v7 -cf ../out deep empty", Format::Tar),
        ("tar --format=posix -cf ../out deep empty", Format::Tar),
        ("tar -czf ../out deep empty", Format::TarGz),
        ("tar -cjf ../out deep empty", Format::TarBz2),
        ("tar -cJf ../out deep empty", Format::TarXz),
        ("tar --zstd -cf ../out deep empty", Format::TarZst),
        // Several consecutive frames, streams or members form one stream.
        (
            "tar -cf ../tar deep empty && (head -c 700 ../tar | zstd -q; tail -c +701 ../tar | zstd -q) > ../out",
            Format::TarZst,
        ),
        ("(head -c 700 ../tar | xz; tail -c +701 ../tar | xz) > ../out", Format::TarXz),
        ("(head -c 700 ../tar | bzip2; tail -c +701 ../tar | bzip2) > ../out", Format::TarBz2),
        ("(head -c 700 ../tar | gzip; tail -c +701 ../tar | gzip) > ../out", Format::TarGz),
    ] {
        run(&place, line);
        let manifest = read(&fs::read(directory.path().join("out")).unwrap());
        assert_eq!(manifest.format, format, "{line}");
        assert_eq!(manifest.entries[2].mode, Some(0o755), "{line}");
        let expected =
            [("deep/".into(), convoy_archive::Kind::Dir), file("deep/text", &text), file("empty", "")];
        assert_eq!(names(manifest), expected, "{line}");
    }
}

#[test]
fn damage_is_detected_in_every_compression() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("text"), (0..60_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>())
        .unwrap();
    for line in [
        "tar -czf out text",
        "tar -cjf out text",
        "tar -cJf out text",
        "tar --zstd -cf out text",
        "rm -f out; zip -q - text > out",
    ] {
        run(directory.path(), line);
        let mut bytes = fs::read(directory.path().join("out")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        let why = super::error(&bytes);
        let known = why.starts_with("it is damaged: ")
            || why.starts_with("'text' does not match its ")
            || why.starts_with("it is truncated");
        assert!(known, "{line}: {why}");
    }
}
