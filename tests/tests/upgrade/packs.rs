//! Prerequisites: the new home is made of a pack; what is one's own is told by the old one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::{CONFIGURATION, Cluster, DROPINS, LIB, LOGGING, Part, data};
use crate::files::{jar, zip};

/// As the product's: it does its work once, counts how often it was asked, and never says by its status that it failed.
const PROFILE_SETUP: &str = r#"#!/bin/sh
home=$(cd "$(dirname "$0")/.." && pwd)
echo run >> "$home/profile-setups"
profile=${1#-Dprofile=}
template=$home/repository/resources/conf/deployment-templates/$profile.toml
[ -f "$template" ] || { echo 'Profile is not specified properly, please try again'; exit 0; }
mv "$home/repository/conf/deployment.toml" "$home/repository/conf/deployment.toml.backup"
cp "$template" "$home/repository/conf/deployment.toml"
echo 'Finished the optimizations'
"#;

const NODES: [(&str, Part); 2] = [("cp1", Part::KeyManager), ("gw1", Part::Gateway)];

/// Makes a pack of 4.1.0.
fn new_pack(path: &Path, version: &str) {
    let templates = ["control-plane", "gateway-worker"].map(|role| {
        let name = format!("wso2am-4.1.0/repository/resources/conf/deployment-templates/{role}.toml");
        (name, data(&format!("profile-4.1.0-{role}.toml")))
    });
    let (toml, logging) = (data("deployment-4.1.0.toml"), data("log4j2-4.1.0.properties"));
    let version = format!("WSO2 API Manager v{version}\n");
    let name = |file: &str| format!("wso2am-4.1.0/{file}");
    let names = [name("bin/version.txt"), name("bin/profileSetup.sh"), name(CONFIGURATION), name(LOGGING)];
    let empty =
        [LIB, DROPINS, "repository/resources/security"].map(|folder| name(&format!("{folder}/README.txt")));
    let mut files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip([version.as_bytes(), PROFILE_SETUP.as_bytes(), toml.as_bytes(), logging.as_bytes()])
        .collect();
    files.extend(templates.iter().map(|(name, text)| (name.as_str(), text.as_bytes())));
    files.extend(empty.iter().map(|name| (name.as_str(), &b"Put your own here.\n"[..])));
    zip(path, &files);
}

/// A cluster without new homes, and packs beside the playbook.
fn cluster() -> (Cluster, PathBuf) {
    let cluster = Cluster::local(&NODES);
    for (node, _) in NODES {
        fs::remove_dir_all(cluster.in_new(node, "")).unwrap();
    }
    let pack = cluster.project.path("wso2am-4.1.0.zip");
    new_pack(&pack, "4.1.0");
    (cluster, pack)
}

fn settings(pack: &Path) -> String {
    format!("{{wso2_new_pack: {}}}", pack.display())
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_home_is_unpacked_and_made_ready_once() {
    let (cluster, pack) = cluster();
    let settings = settings(&pack);
    let ran = cluster.apply(&["-e", &settings]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for (node, role) in [("cp1", "control-plane"), ("gw1", "gateway-worker")] {
        assert_eq!(fs::read_to_string(cluster.in_new(node, "profile-setups")).unwrap(), "run\n");
        assert_eq!(cluster.configuration(node)["server"]["server_role"].as_str(), Some(role));
        assert_eq!(cluster.configuration(node)["super_admin"]["password"].as_str(), Some("admin-of-corp"));
    }
    let again = cluster.apply(&["-e", &settings]);
    assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");

    // Cut off after half of the files: the rest follows, and the profile is not set up twice.
    fs::write(
        cluster.in_new("gw1", ".convoy-unpacked"),
        fs::read_to_string(cluster.in_new("gw1", ".convoy-unpacked"))
            .unwrap()
            .replace("unpacked", "unpacking"),
    )
    .unwrap();
    fs::remove_file(cluster.in_new("gw1", &format!("{LIB}/README.txt"))).unwrap();
    fs::write(cluster.in_new("gw1", ".convoy-profile"), "setting up gateway-worker\n").unwrap();
    let ran = cluster.apply(&["-e", &settings]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stdout.contains("was interrupted, or was for another role (setting up gateway-worker): remove the home and unpack it again"), "{ran}");
    assert!(cluster.in_new("gw1", &format!("{LIB}/README.txt")).exists());
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn packs_that_are_not_the_right_ones_are_refused() {
    let (cluster, pack) = cluster();
    let refused = |settings: &str, message: &str| {
        let ran = cluster.apply(&["-e", settings]);
        assert_eq!(ran.code, Some(2), "{message}: {ran}");
        assert!(ran.stdout.contains(message), "{message}: {ran}");
        assert!(NODES.iter().all(|(node, _)| !cluster.in_new(node, "").exists()), "{ran}");
    };
    refused("{}", "does not exist: set wso2_new_pack to the pack of 4.1.0");
    refused(
        &format!("{{wso2_new_pack: {}, wso2_new_pack_sha256: 00ff}}", pack.display()),
        "and have the SHA-256 00ff; it has ",
    );
    let other = cluster.project.path("other.zip");
    new_pack(&other, "4.0.0");
    refused(&settings(&other), "must be a pack of 4.1.0 with everything in the directory wso2am-4.1.0");
    refused(
        &format!("{{wso2_new_pack: {}, wso2_new_home: '{{{{ place }}}}/apim'}}", pack.display()),
        "with everything in the directory apim",
    );
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_disk_that_is_too_small_is_refused() {
    let (cluster, pack) = cluster();
    let bin = cluster.project.path("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(
        bin.join("df"),
        "#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho x 9 9 1 99% /\n",
    )
    .unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("df")).status().unwrap().success());
    let settings = settings(&pack);
    let playbook = convoy_tests::program::repository().join("playbooks/wso2-apim/upgrade.yml");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let child = cluster
        .project
        .command(["apply", &playbook.display().to_string(), "-i", "hosts", "-e", &settings])
        .env("PATH", path)
        .spawn()
        .unwrap();
    let ran = cluster.project.wait(child).unwrap();
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stdout.contains("has 1024 bytes free, but twice the "), "{ran}");
    assert!(!cluster.in_new("cp1", "").exists());
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn what_the_vendor_shipped_is_told_by_the_old_pack() {
    let cluster = Cluster::local(&[("one", Part::AllInOne)]);
    let (lib, dropins) = (cluster.in_old("one", LIB), cluster.in_old("one", DROPINS));
    // Without the pack these would be taken for the company's, and the last one for the vendor's.
    jar(&lib.join("shipped-2.0.jar"), &["shipped"]);
    jar(&dropins.join("com.vendor.shipped-1.0.jar"), &["shipped"]);
    jar(&dropins.join("org.wso2.corp.extension-1.0.jar"), &["own"]);
    let read = |path: PathBuf| fs::read(path).unwrap();
    let pack = cluster.project.path("wso2am-3.1.0.zip");
    let (shipped, bundle) =
        (read(lib.join("shipped-2.0.jar")), read(dropins.join("com.vendor.shipped-1.0.jar")));
    let startup = read(dropins.join("org.wso2.carbon.apimgt.startup_6.6.163.jar"));
    let (toml, logging) = (data("deployment-3.1.0.toml"), data("log4j2-3.1.0.properties"));
    let names = [
        format!("wso2am-3.1.0/{LIB}/shipped-2.0.jar"),
        format!("wso2am-3.1.0/{DROPINS}/com.vendor.shipped-1.0.jar"),
        format!("wso2am-3.1.0/{DROPINS}/org.wso2.carbon.apimgt.startup_6.6.163.jar"),
        format!("wso2am-3.1.0/{CONFIGURATION}"),
        format!("wso2am-3.1.0/{LOGGING}"),
    ];
    let contents = [&shipped[..], &bundle, &startup, toml.as_bytes(), logging.as_bytes()];
    zip(&pack, &names.iter().map(String::as_str).zip(contents).collect::<Vec<_>>());
    // One that was updated since.
    jar(&dropins.join("com.vendor.shipped-1.0.jar"), &["updated"]);
    let ran = cluster.steps(&["-e", &format!("{{wso2_old_pack: {}}}", pack.display())]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let there = |file: &str| cluster.in_new("one", file).exists();
    assert!(there(&format!("{DROPINS}/org.wso2.corp.extension-1.0.jar")), "{ran}");
    for not in [
        format!("{LIB}/shipped-2.0.jar"),
        format!("{DROPINS}/com.vendor.shipped-1.0.jar"),
        format!("{DROPINS}/org.wso2.carbon.apimgt.startup_6.6.163.jar"),
        format!("{DROPINS}/mysql_connector_j_8.0.33_1.0.0.jar"),
    ] {
        assert!(!there(&not), "{not}: {ran}");
    }
    assert!(
        ran.stdout.contains("not carried over, because 4.1.0 has its own: com.vendor.shipped-1.0.jar"),
        "{ran}"
    );
    let logging = fs::read_to_string(cluster.in_new("one", LOGGING)).unwrap();
    assert!(logging.contains("logger.corp.name"), "{logging}");
    let again = cluster.steps(&["-e", &format!("{{wso2_old_pack: {}}}", pack.display())]);
    assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");
}
