//! Whether the node is a machine of its own, a guest, or a container, and of what.

use std::collections::BTreeSet;

use convoy_protocol::{Map, Value, map};

use super::files::Files;

#[derive(Default)]
struct Found {
    /// The first finding: type and role.
    first: Option<(String, &'static str)>,
    guest: BTreeSet<String>,
    host: BTreeSet<String>,
}

impl Found {
    fn guest(&mut self, kind: &str) {
        self.guest.insert(kind.to_owned());
        self.first.get_or_insert_with(|| (kind.to_owned(), "guest"));
    }

    fn host(&mut self, kind: &str) {
        self.host.insert(kind.to_owned());
        self.first.get_or_insert_with(|| (kind.to_owned(), "host"));
    }
}

pub(super) fn collect(files: &Files, facts: &mut Map) {
    let mut found = Found::default();
    containers(files, &mut found);
    xen(files, &mut found);
    firmware(files, &mut found);
    processor(files, &mut found);
    kernel(files, &mut found);
    let (kind, role) = found.first.unwrap_or_else(|| ("NA".to_owned(), "NA"));
    let list = |names: BTreeSet<String>| names.into_iter().map(Value::from).collect::<Value>();
    facts.extend(map! {
        "virtualization_type" => kind,
        "virtualization_role" => role,
        "virtualization_tech_guest" => list(found.guest),
        "virtualization_tech_host" => list(found.host),
    });
}

fn containers(files: &Files, found: &mut Found) {
    for line in files.text("/proc/1/cgroup").lines() {
        if line.contains("/docker/") || (line.contains("/docker-") && line.contains(".scope")) {
            found.guest("docker");
        }
        if line.contains("/lxc/") || line.contains("/machine.slice/machine-lxc") {
            found.guest("lxc");
        }
        if line.contains("/system.slice/containerd.service") {
            found.guest("containerd");
        }
    }
    for variable in files.text("/proc/1/environ").split('\0') {
        match variable.strip_prefix("container=") {
            Some(kind @ ("lxc" | "podman")) => {
                found.guest(kind);
                found.guest("container");
            }
            Some(other) if !other.is_empty() => found.guest("container"),
            _ => {}
        }
    }
    if files.exists("/proc/vz") && !files.exists("/proc/lve") {
        if files.exists("/proc/bc") { found.host("openvz") } else { found.guest("openvz") }
    }
    let systemd = files.line("/run/systemd/container");
    if !systemd.is_empty() {
        found.guest(&systemd);
    }
    if files.exists("/.dockerenv") || files.exists("/.dockerinit") {
        found.guest("docker");
    }
    let known = ["docker", "lxc", "podman", "openvz", "containerd"];
    if !systemd.is_empty() || known.iter().any(|kind| found.guest.contains(*kind)) {
        found.guest.insert("container".to_owned());
    }
}

fn xen(files: &Files, found: &mut Found) {
    if !files.exists("/proc/xen") {
        return;
    }
    if files.text("/proc/xen/capabilities").contains("control_d") {
        found.host("xen");
    } else {
        found.first.get_or_insert_with(|| ("xen".to_owned(), "guest"));
    }
}

/// What the firmware says of its maker.
fn firmware(files: &Files, found: &mut Found) {
    let get = |name: &str| files.line(&format!("/sys/devices/virtual/dmi/id/{name}"));
    let (product, vendor) = (get("product_name"), get("sys_vendor"));
    match product.as_str() {
        "KVM" | "KVM Server" | "Bochs" | "AHV" => found.guest("kvm"),
        "OpenStack Compute" | "OpenStack Nova" => found.guest("openstack"),
        product if product.starts_with("VMware") => found.guest("VMware"),
        product if product.contains("BHYVE") => found.guest("bhyve"),
        _ => {}
    }
    match (vendor.as_str(), product.as_str()) {
        ("oVirt", _) => found.guest("oVirt"),
        ("Red Hat", _) if get("product_family") == "RHV" => found.guest("RHV"),
        ("Red Hat", "RHEV Hypervisor") => found.guest("RHEV"),
        _ => {}
    }
    match get("bios_vendor").as_str() {
        "Xen" => found.guest("xen"),
        "innotek GmbH" => found.guest("virtualbox"),
        "Amazon EC2" | "DigitalOcean" | "Hetzner" => found.guest("kvm"),
        _ => {}
    }
    match vendor.as_str() {
        "QEMU" | "Amazon EC2" | "DigitalOcean" | "Google" | "Scaleway" | "Nutanix" => found.guest("kvm"),
        "KubeVirt" => found.guest("KubeVirt"),
        "Microsoft Corporation" => found.guest("VirtualPC"),
        "Parallels Software International Inc." => found.guest("parallels"),
        "OpenStack Foundation" => found.guest("openstack"),
        _ => {}
    }
}

fn processor(files: &Files, found: &mut Found) {
    for line in files.text("/proc/cpuinfo").lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match (name.trim(), value) {
            ("model name", value) if value.contains("QEMU Virtual CPU") => found.guest("kvm"),
            ("vendor_id", value) if value.contains("User Mode Linux") => found.guest("uml"),
            ("model name", value) if value.contains("UML") => found.guest("uml"),
            ("machine", value) if value.contains("CHRP IBM pSeries (emulated by qemu)") => found.guest("kvm"),
            ("vendor_id", value) if value.contains("PowerVM Lx86") => found.guest("powervm_lx86"),
            ("vendor_id", value) if value.contains("IBM/S390") => {
                found.guest.insert("PR/SM".to_owned());
                found.first.get_or_insert_with(|| ("PR/SM".to_owned(), "LPAR"));
            }
            _ => {}
        }
    }
}

fn kernel(files: &Files, found: &mut Found) {
    let modules = files.text("/proc/modules");
    let loaded = |name: &str| modules.lines().any(|line| line.split(' ').next() == Some(name));
    if loaded("kvm") {
        found.host("kvm");
    }
    if loaded("vboxdrv") {
        found.host("virtualbox");
    }
    if loaded("virtio") {
        found.host.insert("kvm".to_owned());
        found.first.get_or_insert_with(|| ("kvm".to_owned(), "guest"));
    }
    if files.exists("/dev/kvm") {
        found.host("kvm");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns type, role and techniques of a node that has these files.
    fn of(files: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut facts = Map::new();
        collect(&Files::below(dir.path()), &mut facts);
        let text = |name: &str| facts[name].as_str().unwrap().to_owned();
        let list = |name: &str| {
            let list = facts[name].as_list().unwrap();
            list.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join("+")
        };
        let techniques = [list("virtualization_tech_guest"), list("virtualization_tech_host")].join("/");
        format!("{} {} {techniques}", text("virtualization_type"), text("virtualization_role"))
    }

    #[test]
    fn each_kind_is_told_by_what_it_leaves() {
        let dmi = "sys/devices/virtual/dmi/id";
        let (vendor, product, bios) =
            (format!("{dmi}/sys_vendor"), format!("{dmi}/product_name"), format!("{dmi}/bios_vendor"));
        for (files, expected) in [
            (&[][..], "NA NA /"),
            (&[("proc/1/cgroup", "0::/docker/0a1b\n")], "docker guest container+docker/"),
            (&[(".dockerenv", "")], "docker guest container+docker/"),
            (&[("proc/1/cgroup", "1:name=systemd:/lxc/web\n")], "lxc guest container+lxc/"),
            (&[("proc/1/environ", "A=b\0container=podman\0")], "podman guest container+podman/"),
            (
                &[("run/systemd/container", "systemd-nspawn\n")],
                "systemd-nspawn guest container+systemd-nspawn/",
            ),
            (&[("proc/vz", "")], "openvz guest container+openvz/"),
            (&[("proc/xen/capabilities", "control_d\n")], "xen host /xen"),
            (&[(vendor.as_str(), "QEMU\n")], "kvm guest kvm/"),
            (&[(bios.as_str(), "Amazon EC2\n")], "kvm guest kvm/"),
            (&[(product.as_str(), "VMware Virtual Platform\n")], "VMware guest VMware/"),
            (&[(bios.as_str(), "innotek GmbH\n")], "virtualbox guest virtualbox/"),
            (&[(vendor.as_str(), "Microsoft Corporation\n")], "VirtualPC guest VirtualPC/"),
            (&[("proc/modules", "kvm 1 0\nvirtio 1 0\n")], "kvm host /kvm"),
            (&[("proc/modules", "virtio 1 0\n")], "kvm guest /kvm"),
            (&[("dev/kvm", ""), (vendor.as_str(), "QEMU")], "kvm guest kvm/kvm"),
            (&[("proc/cpuinfo", "vendor_id\t: IBM/S390\n")], "PR/SM LPAR PR/SM/"),
        ] {
            assert_eq!(of(files), expected, "{files:?}");
        }
    }
}
