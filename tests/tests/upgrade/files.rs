//! What lies in the homes besides configuration: keystores and JARs.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Crc;

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
    let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let (mut bytes, mut list) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content);
        let at = number(bytes.len());
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        header.extend(crc.sum().to_le_bytes());
        header.extend(number(content.len()));
        header.extend(number(content.len()));
        header.extend(&number(name.len())[..2]);
        header.extend([0, 0]);
        bytes.write_all(&[b"PK\x03\x04", &header[..], name.as_bytes(), content].concat()).unwrap();
        list.extend(
            [&b"PK\x01\x02\x14\x03"[..], &header, &[0; 6], &(0o100_755u32 << 16).to_le_bytes(), &at].concat(),
        );
        list.extend(name.as_bytes());
    }
    let (count, start, length) = (number(files.len()), number(bytes.len()), number(list.len()));
    bytes.extend(list);
    bytes.extend([&b"PK\x05\x06\0\0\0\0"[..], &count[..2], &count[..2], &length, &start, &[0, 0]].concat());
    fs::write(path, bytes).unwrap();
}

/// Makes a JAR that holds these files, which say nothing.
pub(crate) fn jar(path: &Path, files: &[&str]) {
    let all: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &b"x"[..])).collect();
    zip(path, &[&[("META-INF/MANIFEST.MF", &b"Manifest-Version: 1.0\r\n"[..])][..], &all].concat());
}
