//! Which distribution it is.

use std::path::Path;

use convoy_protocol::{Map, map};

use super::slurp;
use crate::system::Look;

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
        "rhel" => ("RedHat", "RedHat"),
        "centos" => ("CentOS", "RedHat"),
        "fedora" => ("Fedora", "RedHat"),
        "rocky" => ("Rocky", "RedHat"),
        "almalinux" => ("AlmaLinux", "RedHat"),
        "ol" => ("OracleLinux", "RedHat"),
        "amzn" => ("Amazon", "RedHat"),
        "sles" => ("SLES", "Suse"),
        "opensuse-leap" => ("openSUSE Leap", "Suse"),
        "opensuse-tumbleweed" => ("openSUSE Tumbleweed", "Suse"),
        "alpine" => ("Alpine", "Alpine"),
        "arch" => ("Archlinux", "Archlinux"),
        "gentoo" => ("Gentoo", "Gentoo"),
        "photon" => ("VMware Photon OS", "RedHat"),
        _ => {
            let name = pretty.split_whitespace().next().unwrap_or("Linux").to_owned();
            return (name.clone(), name);
        }
    };
    (name.to_owned(), family.to_owned())
}

pub(super) fn collect(_look: &Look, facts: &mut Map) {
    let path = if Path::new("/etc/os-release").exists() { "/etc/os-release" } else { "/usr/lib/os-release" };
    let text = slurp(path);
    let get = |name: &str| variable(&text, name).unwrap_or_default();
    let (name, family) = names(&get("ID"), &get("NAME"));
    let mut version = get("VERSION_ID");
    let debian = slurp("/etc/debian_version");
    // Only this file of Debian's knows the point release.
    if get("ID") == "debian" && debian.trim().starts_with(|c: char| c.is_ascii_digit()) {
        version = debian.trim().to_owned();
    }
    if version.is_empty() {
        version = "NA".to_owned();
    }
    let mut release = get("VERSION_CODENAME");
    if release.is_empty() {
        let quoted = get("VERSION").split_once('(').and_then(|(_, rest)| Some(rest.split_once(')')?.0.to_owned()));
        release = quoted.unwrap_or_else(|| "NA".to_owned());
    }
    let major = version.split('.').next().unwrap_or_default();
    facts.extend(map! {
        "distribution" => name,
        "distribution_version" => version.as_str(),
        "distribution_major_version" => major,
        "distribution_release" => release.as_str(),
        "distribution_file_path" => path,
        "distribution_file_variety" => family.as_str(),
        "distribution_file_parsed" => !text.is_empty(),
        "os_family" => family,
    });
    if let Some((_, minor)) = version.split_once('.') {
        facts.insert("distribution_minor_version".into(), minor.into());
    }
    lsb(facts);
}

/// Adds what /etc/lsb-release says, where there is one.
fn lsb(facts: &mut Map) {
    let text = slurp("/etc/lsb-release");
    let get = |name: &str| variable(&text, name);
    let (Some(id), Some(release)) = (get("DISTRIB_ID"), get("DISTRIB_RELEASE")) else { return };
    let major = release.split('.').next().unwrap_or_default().to_owned();
    facts.insert(
        "lsb".into(),
        map! {
            "id" => id,
            "release" => release,
            "major_release" => major,
            "codename" => get("DISTRIB_CODENAME"),
            "description" => get("DISTRIB_DESCRIPTION"),
        }
        .into(),
    );
}

pub(super) fn package_manager(_look: &Look, facts: &mut Map) {
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
        assert_eq!(names("void", "Void Linux"), ("Void".into(), "Void".into()));
    }
}
