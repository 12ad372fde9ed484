//! What runs the node's services.

use std::fs;
use std::path::Path;

use super::SystemView;

impl SystemView {
    /// Returns Ansible's name for what runs the node's services, such as `systemd`.
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
            // These say nothing of what runs the services.
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

    /// Returns whether the agent sees another root than the node's first process does.
    pub fn is_chroot(&self) -> bool {
        let at = |path: &str| self.stat(Path::new(path)).ok().flatten().map(|meta| (meta.dev, meta.ino));
        // Who may not see the first process's root is told apart by the inode that a file system's root has.
        match (at("/proc/1/root/."), at("/")) {
            (Some(first), Some(own)) => first != own,
            (None, Some((_, ino))) => !matches!(ino, 2 | 128 | 256),
            _ => false,
        }
    }
}
