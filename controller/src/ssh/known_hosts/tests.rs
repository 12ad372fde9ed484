//! Compares the reader with a table, and with `ssh-keygen -F` and `-H`.

use std::process::Command;

use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN+Wjn4+4Fcvl2JlKpggT+wCRxpSvtqqpVrQrKN1/A22";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).expect("a public key")
}

fn read(text: &str, host: &str, port: u16) -> HostKeys {
    let mut known = HostKeys::default();
    known.read(text, Path::new("known_hosts"), host, port);
    known
}

fn lines(entries: &[Entry]) -> Vec<usize> {
    entries.iter().map(|entry| entry.line).collect()
}

/// The host fields of a file; line numbers start at 1.
const HOSTS: [&str; 12] = [
    "web1",
    "web1.example.com,10.0.0.1",
    "*.example.com,!db.example.com",
    "[web1]:2222",
    "10.0.0.?",
    "[10.0.0.1]:*",
    "!web1,*",
    "WEB2",
    "::1",
    "[::1]:2222",
    "we*1",
    "a*b*c",
];

fn hosts_file() -> String {
    HOSTS.iter().map(|hosts| format!("{hosts} {ED25519} some comment\n")).collect()
}

#[test]
fn names_and_patterns_match_as_in_openssh() {
    let table: [(&str, u16, &[usize], &[usize]); 12] = [
        ("web1", 22, &[1, 11], &[]),
        ("web1", 2222, &[4, 7], &[1, 11]),
        ("web1.example.com", 22, &[2, 3, 7], &[]),
        ("db.example.com", 22, &[7], &[]),
        ("10.0.0.1", 22, &[2, 5, 7], &[]),
        ("10.0.0.1", 2222, &[6, 7], &[2, 5]),
        ("10.0.0.12", 22, &[7], &[]),
        ("Web2", 22, &[7, 8], &[]),
        ("::1", 22, &[7, 9], &[]),
        ("::1", 2222, &[7, 10], &[9]),
        ("axxbxxbc", 22, &[7, 12], &[]),
        ("axxbxxb", 22, &[7], &[]),
    ];
    for (host, port, keys, portless) in table {
        let known = read(&hosts_file(), host, port);
        assert_eq!(
            (lines(&known.keys), lines(&known.portless)),
            (keys.to_vec(), portless.to_vec()),
            "{host}:{port}"
        );
    }
}

/// Returns the lines that OpenSSH finds for a name.
fn openssh_finds(file: &Path, name: &str) -> Vec<usize> {
    let found =
        Command::new("ssh-keygen").arg("-f").arg(file).args(["-F", name]).output().expect("ssh-keygen");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.split_once("found: line ")?.1.split(' ').next()?.parse().ok())
        .collect()
}

#[test]
fn plain_and_hashed_lines_are_found_where_ssh_keygen_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    let names = [
        ("web1", 22),
        ("web1", 2222),
        ("web1.example.com", 22),
        ("10.0.0.1", 22),
        ("::1", 2222),
        ("a-b-c", 22),
    ];
    let mut found = 0;
    for hash in [false, true] {
        std::fs::write(&file, hosts_file()).unwrap();
        if hash {
            assert!(
                Command::new("ssh-keygen").args(["-H", "-f"]).arg(&file).output().unwrap().status.success()
            );
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains("|1|"), hash);
        for (host, port) in names {
            let known = read(&text, host, port);
            assert_eq!(
                lines(&known.keys),
                openssh_finds(&file, &host_name(host, port)),
                "{host}:{port} {hash}"
            );
            found += known.keys.len();
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn lines_that_openssh_ignores_are_ignored() {
    let text = format!(
        "\n# web1 {ED25519}\n   \n#web1 {ED25519}\nweb1\nweb1 ssh-ed25519\nweb1 ssh-ed25519 AAAA\n\
         @unknown web1 {ED25519}\n@revoked\n|1|bad|bad {ED25519}\n|2|x|y {ED25519}\n \tweb1 \t {ED25519}\r\nweb1 1024 35 1234\n"
    );
    let known = read(&text, "web1", 22);
    let all = [lines(&known.keys), lines(&known.authorities), lines(&known.revoked)];
    assert_eq!(all, [vec![12], vec![], vec![]]);
}

#[test]
fn markers_make_authorities_and_revoked_keys() {
    let text = format!(
        "@cert-authority *.example.com {ED25519}\n@revoked * {OTHER}\n@cert-authority web1 {OTHER}\n"
    );
    let known = read(&text, "web1.example.com", 22);
    assert_eq!(
        (lines(&known.keys), lines(&known.authorities), lines(&known.revoked)),
        (vec![], vec![1], vec![2])
    );
    assert!(known.has_authority() && known.is_authority(&key(ED25519)) && !known.is_authority(&key(OTHER)));
    assert_eq!(known.status(&key(ED25519)), KeyStatus::Unknown);
}

#[test]
fn a_key_is_known_unknown_changed_or_revoked() {
    let entry = |text, line| Entry { key: key(text), file: "known_hosts".into(), line };
    let at = |lines: &[(&str, &str)]| -> String {
        lines.iter().map(|(hosts, key)| format!("{hosts} {key}\n")).collect()
    };
    let (old, new) = (entry(OTHER, 1), entry(ED25519, 2));
    let table = [
        (at(&[]), KeyStatus::Unknown),
        // As in OpenSSH, a key recorded without the port counts if none is recorded with it.
        (at(&[("web1", ED25519)]), KeyStatus::Known),
        (at(&[("web1", OTHER)]), KeyStatus::Unknown),
        (at(&[("[web1]:2222", ED25519)]), KeyStatus::Known),
        (at(&[("[web1]:2222", OTHER), ("[web1]:2222", ED25519)]), KeyStatus::Known),
        (at(&[("[web1]:2222", OTHER)]), KeyStatus::Changed(&old)),
        (at(&[("[web1]:2222", OTHER), ("web1", ED25519)]), KeyStatus::Changed(&old)),
        (at(&[("[web1]:2222", ED25519), ("@revoked *", ED25519)]), KeyStatus::Revoked(&new)),
    ];
    for (text, expected) in table {
        assert_eq!(read(&text, "web1", 2222).status(&key(ED25519)), expected, "{text}");
    }
}

#[test]
fn a_missing_file_is_empty_and_an_unreadable_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(HostKeys::lookup(&[missing], "web1", 22).unwrap().keys.is_empty());
    let file = folder.path().to_owned();
    let error = HostKeys::lookup(std::slice::from_ref(&file), "web1", 22).unwrap_err();
    let text = format!("cannot read {}: Is a directory (os error 21)", file.display());
    assert_eq!(error.to_string(), text);
}
