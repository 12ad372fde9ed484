//! Prerequisites of the upgrade: the new pack is unpacked, and the old pack tells which files the vendor shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use convoy_tests::program::wso2_file;

use crate::cluster::{CONFIGURATION, Cluster, DROPINS, LIB, LOGGING, Profile};
use crate::files::{write_jar, write_zip};

/// Like the product's script, it must run only once and exits with 0 even if it fails. It also records each call.
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

const NODES: [(&str, Profile); 2] = [("cp1", Profile::KeyManager), ("gw1", Profile::Gateway)];

/// Writes a pack of 4.1.0 with this version in `bin/version.txt`.
fn write_new_pack(path: &Path, version: &str) {
    let templates = ["control-plane", "gateway-worker"].map(|role| {
        let name = format!("wso2am-4.1.0/repository/resources/conf/deployment-templates/{role}.toml");
        (name, wso2_file(&format!("profile-4.1.0-{role}.toml")))
    });
    let (toml, logging) = (wso2_file("deployment-4.1.0.toml"), wso2_file("log4j2-4.1.0.properties"));
    let version = format!("WSO2 API Manager v{version}\n");
    let name = |file: &str| format!("wso2am-4.1.0/{file}");
    let names = [name("bin/version.txt"), name("bin/profileSetup.sh"), name(CONFIGURATION), name(LOGGING)];
    let empty = [LIB, DROPINS, "repository/resources/security"].map(|dir| name(&format!("{dir}/README.txt")));
    let mut files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip([version.as_bytes(), PROFILE_SETUP.as_bytes(), toml.as_bytes(), logging.as_bytes()])
        .collect();
    files.extend(templates.iter().map(|(name, text)| (name.as_str(), text.as_bytes())));
    files.extend(empty.iter().map(|name| (name.as_str(), &b"Put your own here.\n"[..])));
    write_zip(path, &files);
}

/// Returns a cluster without new homes, and the path of a pack.
fn cluster_without_new_homes() -> (Cluster, PathBuf) {
    let cluster = Cluster::local(&NODES);
    for (node, _) in NODES {
        fs::remove_dir_all(cluster.new_path(node, "")).unwrap();
    }
    let pack = cluster.project.path("wso2am-4.1.0.zip");
    write_new_pack(&pack, "4.1.0");
    (cluster, pack)
}

fn pack_settings(pack: &Path) -> String {
    format!("{{wso2_new_pack: {}}}", pack.display())
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn the_new_home_is_unpacked_and_its_profile_set_up_once() {
    let (cluster, pack) = cluster_without_new_homes();
    let settings = pack_settings(&pack);
    let ran = cluster.apply(&["-e", &settings]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for (node, role) in [("cp1", "control-plane"), ("gw1", "gateway-worker")] {
        assert_eq!(fs::read_to_string(cluster.new_path(node, "profile-setups")).unwrap(), "run\n");
        assert_eq!(cluster.configuration(node)["server"]["server_role"].as_str(), Some(role));
        assert_eq!(cluster.configuration(node)["super_admin"]["password"].as_str(), Some("admin-of-corp"));
    }
    let again = cluster.apply(&["-e", &settings]);
    assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");

    // Interrupted while unpacking and while setting up the profile: the missing files follow, and the profile is not set
    // up twice.
    fs::write(
        cluster.new_path("gw1", ".convoy-unpacked"),
        fs::read_to_string(cluster.new_path("gw1", ".convoy-unpacked"))
            .unwrap()
            .replace("unpacked", "unpacking"),
    )
    .unwrap();
    fs::remove_file(cluster.new_path("gw1", &format!("{LIB}/README.txt"))).unwrap();
    fs::write(cluster.new_path("gw1", ".convoy-profile"), "setting up gateway-worker\n").unwrap();
    let ran = cluster.apply(&["-e", &settings]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stdout.contains("was interrupted, or was for another role (setting up gateway-worker): remove the home and unpack it again"),"{ran}");
    assert!(cluster.new_path("gw1", &format!("{LIB}/README.txt")).exists());
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn wrong_packs_are_errors() {
    let (cluster, pack) = cluster_without_new_homes();
    let assert_fails_with = |settings: &str, message: &str| {
        let ran = cluster.apply(&["-e", settings]);
        assert_eq!(ran.code, Some(2), "{message}: {ran}");
        assert!(ran.stdout.contains(message), "{message}: {ran}");
        assert!(NODES.iter().all(|(node, _)| !cluster.new_path(node, "").exists()), "{ran}");
    };
    assert_fails_with("{}", "does not exist: set wso2_new_pack to the pack of 4.1.0");
    assert_fails_with(
        &format!("{{wso2_new_pack: {}, wso2_new_pack_sha256: 00ff}}", pack.display()),
        "and have the SHA-256 00ff; it has ",
    );
    let other = cluster.project.path("other.zip");
    write_new_pack(&other, "4.0.0");
    assert_fails_with(
        &pack_settings(&other),
        "must be a pack of 4.1.0 with everything in the directory wso2am-4.1.0",
    );
    assert_fails_with(
        &format!("{{wso2_new_pack: {}, wso2_new_home: '{{{{ place }}}}/apim'}}", pack.display()),
        "with everything in the directory apim",
    );
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn a_disk_that_is_too_small_is_an_error() {
    let (cluster, pack) = cluster_without_new_homes();
    let bin = cluster.project.path("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(
        bin.join("df"),
        "#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho x 9 9 1 99% /\n",
    )
    .unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("df")).status().unwrap().success());
    let settings = pack_settings(&pack);
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
    assert!(!cluster.new_path("cp1", "").exists());
}

#[test]
#[cfg_attr(
    not(has_wso2_data),
    ignore = "needs WSO2's product files: set CONVOY_WSO2_DATA to their directory (default ../shared/wso2/data)"
)]
fn the_old_pack_tells_which_files_the_vendor_shipped() {
    let cluster = Cluster::local(&[("one", Profile::AllInOne)]);
    let (lib, dropins) = (cluster.old_path("one", LIB), cluster.old_path("one", DROPINS));
    // Without the pack the first two would be considered the company's, and the last one the vendor's.
    write_jar(&lib.join("shipped-2.0.jar"), &["shipped"]);
    write_jar(&dropins.join("com.vendor.shipped-1.0.jar"), &["shipped"]);
    write_jar(&dropins.join("org.wso2.corp.extension-1.0.jar"), &["own"]);
    let read = |path: PathBuf| fs::read(path).unwrap();
    let pack = cluster.project.path("wso2am-3.1.0.zip");
    let (shipped, bundle) =
        (read(lib.join("shipped-2.0.jar")), read(dropins.join("com.vendor.shipped-1.0.jar")));
    let startup_bundle = read(dropins.join("org.wso2.carbon.apimgt.startup_6.6.163.jar"));
    let (toml, logging) = (wso2_file("deployment-3.1.0.toml"), wso2_file("log4j2-3.1.0.properties"));
    let names = [
        format!("wso2am-3.1.0/{LIB}/shipped-2.0.jar"),
        format!("wso2am-3.1.0/{DROPINS}/com.vendor.shipped-1.0.jar"),
        format!("wso2am-3.1.0/{DROPINS}/org.wso2.carbon.apimgt.startup_6.6.163.jar"),
        format!("wso2am-3.1.0/{CONFIGURATION}"),
        format!("wso2am-3.1.0/{LOGGING}"),
    ];
    let contents = [&shipped[..], &bundle, &startup_bundle, toml.as_bytes(), logging.as_bytes()];
    write_zip(&pack, &names.iter().map(String::as_str).zip(contents).collect::<Vec<_>>());
    // This one was updated since.
    write_jar(&dropins.join("com.vendor.shipped-1.0.jar"), &["updated"]);
    let ran = cluster.apply_file_steps(&["-e", &format!("{{wso2_old_pack: {}}}", pack.display())]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let exists = |file: &str| cluster.new_path("one", file).exists();
    assert!(exists(&format!("{DROPINS}/org.wso2.corp.extension-1.0.jar")), "{ran}");
    for file in [
        format!("{LIB}/shipped-2.0.jar"),
        format!("{DROPINS}/com.vendor.shipped-1.0.jar"),
        format!("{DROPINS}/org.wso2.carbon.apimgt.startup_6.6.163.jar"),
        format!("{DROPINS}/mysql_connector_j_8.0.33_1.0.0.jar"),
    ] {
        assert!(!exists(&file), "{file}: {ran}");
    }
    assert!(
        ran.stdout.contains("not carried over, because 4.1.0 has its own: com.vendor.shipped-1.0.jar"),
        "{ran}"
    );
    let logging = fs::read_to_string(cluster.new_path("one", LOGGING)).unwrap();
    assert!(logging.contains("logger.corp.name"), "{logging}");
    let again = cluster.apply_file_steps(&["-e", &format!("{{wso2_old_pack: {}}}", pack.display())]);
    assert!(again.code == Some(0) && !again.stdout.contains("changed: "), "{again}");
}
