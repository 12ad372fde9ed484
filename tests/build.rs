//! Finds out what this machine has that not every test can do without: a test that lacks it is listed as ignored, with
//! the reason, instead of passing without having tested anything.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (name, has) in
        [("has_wso2_data", has_wso2_data()), ("may_mount", may_mount()), ("may_boot", may_boot())]
    {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if has {
            println!("cargo::rustc-cfg={name}");
        }
    }
}

/// Returns whether there is the folder of the product's own files, which are not part of this tree.
fn has_wso2_data() -> bool {
    println!("cargo::rerun-if-env-changed=CONVOY_WSO2_DATA");
    // As `convoy_tests::program::wso2_data` has it; we stand in `tests/`.
    let given = std::env::var("CONVOY_WSO2_DATA").unwrap_or_else(|_| "../shared/wso2/data".to_owned());
    let folder = Path::new("..").join(given);
    let has = folder.is_dir();
    if has {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    has
}

/// Returns whether this user may mount something where nobody else sees it.
fn may_mount() -> bool {
    println!("cargo::rerun-if-env-changed=USER");
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    unshare.output().is_ok_and(|done| done.status.success())
}

/// Returns whether this user may boot systemd in namespaces of its own.
fn may_boot() -> bool {
    let script = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && \
        mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r && \
        mount -t cgroup2 cgroup2 /mnt/r/sys";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--fork", "--cgroup", "--propagation", "private", "sh", "-c", script]);
    Path::new("/lib/systemd/systemd").exists() && unshare.output().is_ok_and(|done| done.status.success())
}
