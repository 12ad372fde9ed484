//! Which distribution it is.

use std::path::Path;

use convoy_protocol::{Map, map};

use super::files::Files;

/// Returns a variable of /etc/os-release.
fn variable(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}

/// Returns Ansible's name of a distribution, and that of its family.
fn names(id: &str, pretty: &str) -> (String, String) {
    let (name, family) = match id {
        "debian" => ("Debian", "Debian"),
        "ubuntu" => ("Ubuntu", "Debian"),
        "linuxmint" => ("Linux Mint", "Debian"),
        "kali" => ("Kali", "Debian"),
        "raspbian" => ("Debian", "Debian"),
        "pop" => ("Pop!_OS", "Debian"),
        "devuan" => ("Devuan", "Debian"),
        "parrot" => ("Parrot", "Debian"),
        "deepin" => ("Deepin", "Debian"),
        "rhel" => ("RedHat", "RedHat"),
        "centos" => ("CentOS", "RedHat"),
        "fedora" => ("Fedora", "RedHat"),
        "rocky" => ("Rocky", "RedHat"),
        "almalinux" => ("AlmaLinux", "RedHat"),
        "ol" => ("OracleLinux", "RedHat"),
        "amzn" => ("Amazon", "RedHat"),
        "sles" => ("SLES", "Suse"),
        "sled" => ("SLED", "Suse"),
        "opensuse-leap" => ("openSUSE Leap", "Suse"),
        "opensuse-tumbleweed" => ("openSUSE Tumbleweed", "Suse"),
        "alpine" => ("Alpine", "Alpine"),
        "arch" => ("Archlinux", "Archlinux"),
        "gentoo" => ("Gentoo", "Gentoo"),
        "manjaro" => ("Manjaro", "Archlinux"),
        "photon" => ("VMware Photon OS", "RedHat"),
        _ => {
            let name = pretty.split_whitespace().next().unwrap_or("Linux").to_owned();
            return (name.clone(), name);
        }
    };
    (name.to_owned(), family.to_owned())
}

/// Returns what stands in parentheses.
fn quoted(text: &str) -> Option<String> {
    Some(text.split_once('(')?.1.split_once(')')?.0.to_owned())
}

/// Returns the version, which some distributions keep elsewhere in full.
fn version(files: &Files, text: &str) -> String {
    let id = variable(text, "ID").unwrap_or_default();
    let plain = variable(text, "VERSION_ID").unwrap_or_default();
    let other = |name: &str| {
        let line = files.line(name);
        line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
    };
    let found = match id.as_str() {
        "debian" => other("/etc/debian_version"),
        "alpine" => other("/etc/alpine-release"),
        "centos" => other("/etc/centos-release")
            .map(|version| version.split('.').take(2).collect::<Vec<_>>().join(".")),
        _ => None,
    };
    found.or(Some(plain)).filter(|version| !version.is_empty()).unwrap_or_else(|| "NA".to_owned())
}

/// Returns the code name; of SUSE the service pack.
fn release(files: &Files, text: &str, family: &str, version: &str) -> String {
    if family == "Suse" {
        return version.split_once('.').map_or("0", |(_, minor)| minor).to_owned();
    }
    if files.text("/etc/centos-release").contains("Stream") {
        return "Stream".to_owned();
    }
    let system = || quoted(&files.text("/etc/system-release"));
    let found = match variable(text, "VERSION_CODENAME") {
        Some(name) => Some(name),
        None => variable(text, "VERSION").and_then(|version| quoted(&version)).or_else(system),
    };
    found.filter(|name| !name.is_empty()).unwrap_or_else(|| "NA".to_owned())
}

pub(super) fn collect(files: &Files, has_lsb_release: bool, facts: &mut Map) {
    let path = if files.exists("/etc/os-release") { "/etc/os-release" } else { "/usr/lib/os-release" };
    let text = files.text(path);
    let get = |name: &str| variable(&text, name).unwrap_or_default();
    let (mut name, family) = names(&get("ID"), &get("NAME"));
    if name == "SLES" && files.link("/etc/products.d/baseproduct") == "SLES_SAP.prod" {
        "SLES_SAP".clone_into(&mut name);
    }
    let version = version(files, &text);
    let release = release(files, &text, &family, &version);
    let (variety, file) = match (name.as_str(), family.as_str()) {
        ("Amazon", _) => ("Amazon", path),
        ("CentOS", _) => ("CentOS", "/etc/centos-release"),
        (_, "Suse") => ("SUSE", path),
        ("Alpine", _) => ("Alpine", "/etc/alpine-release"),
        (_, "RedHat") => ("RedHat", "/etc/redhat-release"),
        (_, family) => (family, path),
    };
    let (major, minor) =
        version.split_once('.').map_or((&*version, None), |(major, minor)| (major, Some(minor)));
    let minor = match name.as_str() {
        "Amazon" => Some(minor.unwrap_or("NA")),
        "Debian" => minor,
        _ => None,
    };
    if let Some(minor) = minor {
        facts.insert("distribution_minor_version".into(), minor.into());
    }
    lsb(files, has_lsb_release, &text, facts);
    facts.extend(map! {
        "distribution" => name.as_str(),
        "distribution_version" => version.as_str(),
        "distribution_major_version" => major,
        "distribution_release" => release.as_str(),
        "distribution_file_path" => file,
        "distribution_file_variety" => variety,
        "distribution_file_parsed" => !text.is_empty(),
        "os_family" => family.as_str(),
    });
}

/// Adds what `lsb_release` would say, where there is one, else what /etc/lsb-release says.
fn lsb(files: &Files, has_program: bool, release: &str, facts: &mut Map) {
    let text = files.text("/etc/lsb-release");
    let get = |name: &str, other: &str| {
        let own = variable(&text, &format!("DISTRIB_{name}"));
        own.or_else(|| variable(release, other).filter(|_| has_program))
    };
    let id = get("ID", "NAME").map(|name| name.split_whitespace().next().unwrap_or_default().to_owned());
    let (Some(id), Some(version)) = (id, get("RELEASE", "VERSION_ID")) else { return };
    let major = version.split('.').next().unwrap_or_default().to_owned();
    facts.insert(
        "lsb".into(),
        map! {
            "id" => id,
            "release" => version,
            "major_release" => major,
            "codename" => get("CODENAME", "VERSION_CODENAME"),
            "description" => get("DESCRIPTION", "PRETTY_NAME"),
        }
        .into(),
    );
}

pub(super) fn package_manager(facts: &mut Map) {
    let dnf = if Path::new("/usr/bin/dnf5").exists() { "dnf5" } else { "dnf" };
    let known = [
        ("/usr/bin/dnf5", dnf),
        ("/usr/bin/dnf", dnf),
        ("/usr/bin/microdnf", dnf),
        ("/usr/bin/yum", "yum"),
        ("/usr/bin/apt-get", "apt"),
        ("/usr/bin/zypper", "zypper"),
        ("/sbin/apk", "apk"),
        ("/usr/bin/pacman", "pacman"),
        ("/usr/bin/emerge", "portage"),
        ("/usr/bin/xbps-install", "xbps"),
    ];
    // On a Debian with another's manager installed, Debian's counts.
    let debian = Path::new("/etc/debian_version").exists() && Path::new("/usr/bin/apt-get").exists();
    let found = known.iter().find(|(path, _)| Path::new(path).exists()).map_or("unknown", |(_, name)| name);
    facts.insert("pkg_mgr".into(), if debian { "apt" } else { found }.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_lose_their_quotes() {
        let text = "ID=ubuntu\nVERSION=\"22.04.3 LTS (Jammy)\"\nVERSION_ID='22.04'\n";
        assert_eq!(variable(text, "ID").as_deref(), Some("ubuntu"));
        assert_eq!(variable(text, "VERSION_ID").as_deref(), Some("22.04"));
        assert_eq!(variable(text, "NAME"), None);
        assert_eq!(names("ubuntu", ""), ("Ubuntu".into(), "Debian".into()));
        assert_eq!(quoted("39 (Server)").as_deref(), Some("Server"));
        assert_eq!(names("void", "Void Linux"), ("Void".into(), "Void".into()));
    }

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
        VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
    const UBUNTU: &str = "PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\n\
        VERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n";
    const RHEL: &str =
        "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.3 (Plow)\"\nID=\"rhel\"\nVERSION_ID=\"9.3\"\n";
    const CENTOS: &str = "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n";
    const STREAM: &str = "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n";
    const ROCKY: &str =
        "NAME=\"Rocky Linux\"\nVERSION=\"9.3 (Blue Onyx)\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"\n";
    const FEDORA: &str = "NAME=\"Fedora Linux\"\nVERSION=\"39 (Server Edition)\"\nID=fedora\nVERSION_ID=39\nVERSION_CODENAME=\"\"\n";
    const SLES: &str = "NAME=\"SLES\"\nVERSION=\"15-SP5\"\nVERSION_ID=\"15.5\"\nID=\"sles\"\n";
    const LEAP: &str =
        "NAME=\"openSUSE Leap\"\nVERSION=\"15.5\"\nID=\"opensuse-leap\"\nVERSION_ID=\"15.5\"\n";
    const ALPINE: &str = "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.4\n";
    const AMAZON: &str = "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"\n";

    #[test]
    fn distributions_are_named_as_in_ansible() {
        let none = ("unused", "");
        for (release, other, expected) in [
            (DEBIAN, ("debian_version", "12.4\n"), "Debian 12.4 12 bookworm Debian 4"),
            (UBUNTU, ("debian_version", "bookworm/sid\n"), "Ubuntu 22.04 22 jammy Debian -"),
            (RHEL, none, "RedHat 9.3 9 Plow RedHat -"),
            (
                CENTOS,
                ("centos-release", "CentOS Linux release 7.9.2009 (Core)\n"),
                "CentOS 7.9 7 Core RedHat -",
            ),
            (STREAM, ("centos-release", "CentOS Stream release 9\n"), "CentOS 9 9 Stream RedHat -"),
            (ROCKY, none, "Rocky 9.3 9 Blue Onyx RedHat -"),
            (FEDORA, none, "Fedora 39 39 NA RedHat -"),
            (SLES, none, "SLES 15.5 15 5 Suse -"),
            (LEAP, none, "openSUSE Leap 15.5 15 5 Suse -"),
            (ALPINE, ("alpine-release", "3.18.4\n"), "Alpine 3.18.4 3 NA Alpine -"),
            (AMAZON, none, "Amazon 2023 2023 NA RedHat NA"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("etc")).unwrap();
            std::fs::write(dir.path().join("etc/os-release"), release).unwrap();
            std::fs::write(dir.path().join("etc").join(other.0), other.1).unwrap();
            let mut facts = Map::new();
            collect(&Files::below(dir.path()), false, &mut facts);
            let shown = [
                "distribution",
                "distribution_version",
                "distribution_major_version",
                "distribution_release",
                "os_family",
                "distribution_minor_version",
            ]
            .map(|name| {
                facts.get(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or("-".into())
            });
            assert_eq!(shown.join(" "), expected);
        }
    }
}
