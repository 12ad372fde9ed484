//! How the kernel was started and how busy it is, and the names by which others know the node.

use convoy_protocol::{Map, Value, map};

use super::files::Files;

pub(super) fn command_line(files: &Files, facts: &mut Map) {
    let text = files.text("/proc/cmdline");
    let (mut last, mut all) = (Map::new(), Map::new());
    for word in words(&text) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Value::from(value)),
            None => (word, true.into()),
        };
        last.insert(name.as_str().into(), value.clone());
        let value = match all.get(name.as_str()) {
            None => value,
            // What stands there several times has all of its values.
            Some(before) => {
                let mut values = before.as_list().map_or_else(|| vec![before.clone()], <[Value]>::to_vec);
                values.push(value);
                values.into()
            }
        };
        all.insert(name.into(), value);
    }
    facts.extend(map! { "cmdline" => last, "proc_cmdline" => all });
}

/// Splits at blanks that are not quoted; quotes stay.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.trim().chars() {
        match quote {
            None if c.is_whitespace() => words.push(String::new()),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ => {}
        }
        if let Some(word) = words.last_mut().filter(|_| quote.is_some() || !c.is_whitespace()) {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

pub(super) fn load(files: &Files, facts: &mut Map) {
    let text = files.text("/proc/loadavg");
    let numbers: Vec<f64> = text.split_whitespace().take(3).filter_map(|word| word.parse().ok()).collect();
    if let [one, five, fifteen] = numbers[..] {
        facts.insert("loadavg".into(), map! { "1m" => one, "5m" => five, "15m" => fifteen }.into());
    }
}

/// The public keys of the node's SSH server.
pub(super) fn host_keys(files: &Files, facts: &mut Map) {
    for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
        let places = ["/etc/ssh", "/etc/openssh", "/etc"];
        let texts =
            places.iter().map(|directory| files.text(&format!("{directory}/ssh_host_{kind}_key.pub")));
        let Some(text) = texts.into_iter().find(|text| !text.is_empty()) else { continue };
        let mut words = text.split_whitespace();
        if let (Some(name), Some(key)) = (words.next(), words.next()) {
            facts.insert(format!("ssh_host_key_{kind}_public").into(), key.into());
            facts.insert(format!("ssh_host_key_{kind}_public_keytype").into(), name.into());
        }
    }
}

/// The name by which iSCSI knows the node.
pub(super) fn iscsi(files: &Files, facts: &mut Map) {
    let iscsi = files.text("/etc/iscsi/initiatorname.iscsi");
    let iqn = iscsi.lines().find_map(|line| line.strip_prefix("InitiatorName=")).unwrap_or_default();
    facts.insert("iscsi_iqn".into(), iqn.trim().into());
}

/// The name by which NVMe over fabrics knows the node.
pub(super) fn nvme(files: &Files, facts: &mut Map) {
    let nvme = files.text("/etc/nvme/hostnqn");
    let nqn = nvme.lines().find(|line| line.starts_with("nqn.")).unwrap_or_default();
    facts.insert("hostnqn".into(), nqn.trim().into());
}

/// The names of the node's Fibre Channel ports.
pub(super) fn fibre_channel(files: &Files, facts: &mut Map) {
    let ports = files.names("/sys/class/fc_host");
    let port = |host: &String| files.line(&format!("/sys/class/fc_host/{host}/port_name"));
    let names = ports.iter().map(port).filter(|name| !name.is_empty());
    let names: Value = names.map(|name| Value::from(name.trim_start_matches("0x"))).collect();
    facts.insert("fibre_channel_wwn".into(), names);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in all {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = Files::below(dir.path());
        (dir, files)
    }

    #[test]
    fn the_command_line_is_taken_apart() {
        let (_dir, files) =
            files(&[("proc/cmdline", "ro root=UUID=1 console=tty0 console=ttyS0 x=\"a b\" quiet\n")]);
        let mut facts = Map::new();
        command_line(&files, &mut facts);
        let mut expected = map! { "ro" => true, "root" => "UUID=1", "console" => "ttyS0", "x" => "\"a b\"", "quiet" => true };
        assert_eq!(facts["cmdline"], expected.clone().into());
        expected.insert("console".into(), vec![Value::from("tty0"), Value::from("ttyS0")].into());
        assert_eq!(facts["proc_cmdline"], expected.into());
    }

    #[test]
    fn names_and_keys_are_read() {
        let (_dir, files) = files(&[
            ("proc/loadavg", "0.25 1.50 2.00 1/100 7\n"),
            ("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3 root@x\n"),
            ("etc/iscsi/initiatorname.iscsi", "## note\nInitiatorName=iqn.1993-08.org:01:a\n"),
            ("etc/nvme/hostnqn", "nqn.2014-08.org:uuid:b\n"),
            ("sys/class/fc_host/host0/port_name", "0x10000090fa1658de\n"),
        ]);
        let mut facts = Map::new();
        load(&files, &mut facts);
        host_keys(&files, &mut facts);
        iscsi(&files, &mut facts);
        nvme(&files, &mut facts);
        fibre_channel(&files, &mut facts);
        let expected = map! {
            "loadavg" => map! { "1m" => 0.25, "5m" => 1.5, "15m" => 2.0 },
            "ssh_host_key_ed25519_public" => "AAAAC3",
            "ssh_host_key_ed25519_public_keytype" => "ssh-ed25519",
            "iscsi_iqn" => "iqn.1993-08.org:01:a",
            "hostnqn" => "nqn.2014-08.org:uuid:b",
            "fibre_channel_wwn" => vec![Value::from("10000090fa1658de")],
        };
        assert_eq!(facts, expected);
    }
}
