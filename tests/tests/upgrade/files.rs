//! Files in the homes besides the configuration: keystores and JARs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::builder::{Record, Zip};

/// Creates the keystores of a cluster: `corp.jks` with the key `corp`, and a truststore with its certificate, which is
/// valid for `days`.
pub(crate) fn create_keystores(dir: &Path, days: u32) {
    fs::create_dir_all(dir).unwrap();
    keytool(&format!(
        "-genkeypair -keystore {0}/corp.jks -storetype JKS -storepass corpstore -keypass corpkey -alias corp -keyalg RSA \
         -dname CN=apim.corp -validity {days}",
        dir.display()
    ));
    keytool(&format!(
        "-exportcert -keystore {0}/corp.jks -storepass corpstore -alias corp -file {0}/corp.crt",
        dir.display()
    ));
    keytool(&format!(
        "-importcert -noprompt -keystore {0}/client-truststore.jks -storetype JKS -storepass wso2carbon -alias corp -file {0}/corp.crt",
        dir.display()
    ));
    fs::remove_file(dir.join("corp.crt")).unwrap();
}

fn keytool(args: &str) {
    let output = Command::new("keytool").args(args.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "keytool {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a zip file with these names and contents.
pub(crate) fn write_zip(path: &Path, files: &[(&str, &[u8])]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let add = |zip: Zip, (name, content): &(&str, &[u8])| {
        zip.member(&Record { mode: 0o100_755, ..Record::new(name) }, content)
    };
    fs::write(path, files.iter().fold(Zip::default(), add).done()).unwrap();
}

/// Writes a JAR with a manifest and these files.
pub(crate) fn write_jar(path: &Path, files: &[&str]) {
    let all: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &b"x"[..])).collect();
    write_zip(path, &[&[("META-INF/MANIFEST.MF", &b"Manifest-Version: 1.0\r\n"[..])][..], &all].concat());
}
