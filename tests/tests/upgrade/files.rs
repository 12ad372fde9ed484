//! What lies in the homes besides configuration: keystores and JARs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::builder::{Record, Zip};

/// Makes a cluster's own keystores: `corp.jks` with the key `corp`, and a truststore with its certificate. `days` is how long
/// the certificate is good for.
pub(crate) fn keystores(folder: &Path, days: u32) {
    fs::create_dir_all(folder).unwrap();
    keytool(&format!(
        "-genkeypair -keystore {0}/corp.jks -storetype JKS -storepass corpstore -keypass corpkey -alias corp -keyalg RSA \
         -dname CN=apim.corp -validity {days}",
        folder.display()
    ));
    keytool(&format!(
        "-exportcert -keystore {0}/corp.jks -storepass corpstore -alias corp -file {0}/corp.crt",
        folder.display()
    ));
    keytool(&format!(
        "-importcert -noprompt -keystore {0}/client-truststore.jks -storetype JKS -storepass wso2carbon -alias corp -file {0}/corp.crt",
        folder.display()
    ));
    fs::remove_file(folder.join("corp.crt")).unwrap();
}

fn keytool(words: &str) {
    let done = Command::new("keytool").args(words.split_whitespace()).output().unwrap();
    assert!(done.status.success(), "keytool {words}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Makes a JAR, or any other zip file, of files with their content.
pub(crate) fn zip(path: &Path, files: &[(&str, &[u8])]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let add = |zip: Zip, (name, content): &(&str, &[u8])| {
        zip.member(&Record { mode: 0o100_755, ..Record::new(name) }, content)
    };
    fs::write(path, files.iter().fold(Zip::default(), add).done()).unwrap();
}

/// Makes a JAR that holds these files, which say nothing.
pub(crate) fn jar(path: &Path, files: &[&str]) {
    let all: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &b"x"[..])).collect();
    zip(path, &[&[("META-INF/MANIFEST.MF", &b"Manifest-Version: 1.0\r\n"[..])][..], &all].concat());
}
