//! Detects what some tests need and not every machine has, and sets a `cfg` for each. A test whose `cfg` is missing is
//! listed as ignored, with the reason, instead of passing without having tested anything.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (name, available) in [
        ("has_wso2_data", has_wso2_data()),
        ("can_mount", can_mount()),
        ("can_boot_systemd", can_boot_systemd()),
    ] {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if available {
            println!("cargo::rustc-cfg={name}");
        }
    }
}

/// Returns whether the directory of WSO2's product files exists, which are not part of this tree.
fn has_wso2_data() -> bool {
    println!("cargo::rerun-if-env-changed=CONVOY_WSO2_DATA");
    // The same path as `convoy_tests::program::wso2_data`; a build script runs in its package's directory.
    let path = std::env::var("CONVOY_WSO2_DATA").unwrap_or_else(|_| "../shared/wso2/data".to_owned());
    let dir = Path::new("..").join(path);
    let exists = dir.is_dir();
    if exists {
        println!("cargo::rerun-if-changed={}", dir.display());
    }
    exists
}

/// Returns whether this user can mount a file system in a mount namespace.
fn can_mount() -> bool {
    println!("cargo::rerun-if-env-changed=USER");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    unshare.output().is_ok_and(|done| done.status.success())
}

/// Returns whether systemd is installed and this user can boot it in namespaces.
fn can_boot_systemd() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && \
        mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r && \
        mount -t cgroup2 cgroup2 /mnt/r/sys";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--fork", "--cgroup", "--propagation", "private", "sh", "-c", script]);
    Path::new("/lib/systemd/systemd").exists() && unshare.output().is_ok_and(|done| done.status.success())
}
