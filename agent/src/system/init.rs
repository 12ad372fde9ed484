//! Detects the node's service manager.

use std::fs;
use std::path::Path;

use super::SystemView;

impl SystemView {
    /// Returns Ansible's name of the node's service manager, such as `systemd`.
    pub fn service_manager(&self) -> String {
        let first = fs::read_to_string("/proc/1/comm").unwrap_or_default();
        let runs_systemd = ["/run/systemd/system/", "/dev/.run/systemd/", "/dev/.systemd/"];
        let is_there = |path: &str| Path::new(path).exists();
        let init = fs::read_link("/sbin/init").unwrap_or_default();
        let name = match first.trim() {
            "procd" => "openwrt_init",
            "runit-init" => "runit",
            "svscan" => "svc",
            "openrc-init" => "openrc",
            // The other names do not identify the service manager.
            name if !name.is_empty() && name != "init" && !name.ends_with("sh") => name,
            _ if self.program("systemctl").is_some() && runs_systemd.into_iter().any(is_there) => "systemd",
            _ if self.program("initctl").is_some() && is_there("/etc/init/") => "upstart",
            _ if is_there("/sbin/openrc") => "openrc",
            _ if self.program("systemctl").is_some() && init.ends_with("systemd") => "systemd",
            _ if is_there("/etc/init.d/") => "sysvinit",
            _ => "service",
        };
        name.to_owned()
    }

    /// Returns whether the agent runs in a chroot.
    pub fn is_chroot(&self) -> bool {
        let at = |path: &str| self.stat(Path::new(path)).ok().flatten().map(|meta| (meta.dev, meta.ino));
        // If the root of process 1 is not accessible, compare with the usual inode numbers of a file system's root.
        match (at("/proc/1/root/."), at("/")) {
            (Some(first), Some(own)) => first != own,
            (None, Some((_, ino))) => !matches!(ino, 2 | 128 | 256),
            _ => false,
        }
    }
}
