//! Host keys: `known_hosts` files, host certificates and revoked keys.

use std::fs;
use std::path::Path;

use convoy::ssh::HostKeyChecking;
use convoy_tests::sshd::{ClientKey, SshdOptions, output, poll};

use crate::client::{Client, assert_connects, connect, connection_error};

#[tokio::test]
async fn a_changed_host_key_is_rejected_before_the_login() {
    let client = Client::new();
    let (sshd, mut target) = client.verbose_sshd();
    let other = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
    let old = other.public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let file = client.path("known_hosts");
    fs::write(&file, format!("# old\n[127.0.0.1]:{} {old}\n", sshd.port)).unwrap();
    let expected = format!(
        "Failed to connect to the host via ssh: the host key of web1 (127.0.0.1 port {port}), ssh-ed25519 {new}, \
         differs from the one in {file}:2, ecdsa-sha2-nistp256 {old}; if the host was not reinstalled, someone may be \
         intercepting the connection; if it was, remove the old key: ssh-keygen -R '[127.0.0.1]:{port}' -f {file}",
        port = sshd.port,
        new = fingerprint(&sshd.dir().join("host_ed25519.pub")),
        old = fingerprint(&other.path),
        file = file.display(),
    );
    assert_eq!(connection_error(&target).await, expected);
    target.host_key_checking = HostKeyChecking::AcceptNew;
    assert_eq!(connection_error(&target).await, expected);
    poll(|| Ok((sshd.log().matches("[preauth]").count() >= 2).then_some(()))).unwrap();
    assert!(!sshd.log().contains("userauth-request"), "{}", sshd.log());
}

#[tokio::test]
async fn an_unknown_host_key_is_rejected_or_added_as_configured() {
    let client = Client::new();
    let (sshd, mut target) = client.verbose_sshd();
    let file = client.path("folder/known_hosts");
    target.known_hosts = Some(vec![file.clone()]);
    let line = sshd.known_hosts("ed25519").unwrap();
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: the host key of web1 (127.0.0.1 port {}), ssh-ed25519 {}, is unknown; \
             compare it with `ssh-keygen -l` on the host, then add to {}: {}",
            sshd.port,
            fingerprint(&sshd.dir().join("host_ed25519.pub")),
            file.display(),
            line.trim_end()
        )
    );
    assert!(!sshd.log().contains("userauth-request"), "{}", sshd.log());
    target.host_key_checking = HostKeyChecking::AcceptNew;
    connect(&target).await.close().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), line);
    target.host_key_checking = HostKeyChecking::Strict;
    connect(&target).await.close().await;
}

#[tokio::test]
async fn the_key_type_in_known_hosts_is_requested() {
    let client = Client::new();
    let mut options = SshdOptions::new(&client.key);
    options.host_key_types = vec!["rsa", "ed25519", "ecdsa"];
    let (sshd, mut target) = client.sshd_with(&options);
    for key_type in ["rsa", "ecdsa", "ed25519"] {
        fs::write(client.path("known_hosts"), sshd.known_hosts(key_type).unwrap()).unwrap();
        assert_connects(&target).await;
    }
    // Another name of the same server, hashed.
    target.address = "localhost".to_owned();
    let line = format!("[localhost]:{} {}\n", sshd.port, sshd.host_key("ecdsa").unwrap());
    fs::write(client.path("hashed"), line).unwrap();
    output(std::process::Command::new("ssh-keygen").arg("-H").arg("-f").arg(client.path("hashed"))).unwrap();
    target.known_hosts = Some(vec![client.path("hashed")]);
    assert_connects(&target).await;
}

#[tokio::test]
async fn a_revoked_host_key_is_rejected() {
    let client = Client::new();
    let (sshd, target) = client.sshd();
    let file = client.path("known_hosts");
    let known = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{known}@revoked * {}\n", sshd.host_key("ed25519").unwrap())).unwrap();
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: the host key of web1 (127.0.0.1 port {}), ssh-ed25519 {}, is revoked by {}:2",
            sshd.port,
            fingerprint(&sshd.dir().join("host_ed25519.pub")),
            file.display()
        )
    );
}

#[tokio::test]
async fn host_certificates_of_a_trusted_authority_are_accepted() {
    let client = Client::new();
    let authority = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
    let certified = ClientKey::generate(client.dir.path(), "rsa").unwrap();
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test", "-h", "-n", "127.0.0.1", "-s"]).arg(&authority.path);
    output(sign.arg(format!("{}.pub", certified.path.display()))).unwrap();
    let mut options = SshdOptions::new(&client.key);
    options.configuration.push(format!("HostKey {}", certified.path.display()));
    options.configuration.push(format!("HostCertificate {}-cert.pub", certified.path.display()));
    let (sshd, mut target) = client.sshd_with(&options);
    let file = client.path("known_hosts");
    fs::write(&file, format!("@cert-authority [127.0.0.1]:* {}\n", authority.public)).unwrap();
    assert_connects(&target).await;

    target.address = "localhost".to_owned();
    fs::write(&file, format!("@cert-authority * {}\n", authority.public)).unwrap();
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: the host key of web1 (localhost port {}), ssh-rsa {}, comes with a \
             certificate of a trusted authority that is for other host names",
            sshd.port,
            fingerprint(&certified.path)
        )
    );
}

#[tokio::test]
async fn invalid_host_certificates_are_rejected() {
    for (args, problem) in [
        (&["-h", "-n", "127.0.0.*"][..], None),
        (&["-h"], None),
        (&["-h", "-n", "web*,other"], Some("is for other host names")),
        (&["-h", "-n", "127.0.0.1", "-V", "20000101:20010101"], Some("has expired")),
        (&["-h", "-n", "127.0.0.1", "-V", "20900101:20910101"], Some("is not valid yet")),
        (&["-n", "127.0.0.1"], Some("is not a host certificate")),
    ] {
        let client = Client::new();
        let authority = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
        let certified = ClientKey::generate(client.dir.path(), "rsa").unwrap();
        let mut sign = std::process::Command::new("ssh-keygen");
        sign.args(["-q", "-I", "test"]).args(args).arg("-s").arg(&authority.path);
        output(sign.arg(format!("{}.pub", certified.path.display()))).unwrap();
        let mut options = SshdOptions::new(&client.key);
        options.configuration.push(format!("HostKey {}", certified.path.display()));
        options.configuration.push(format!("HostCertificate {}-cert.pub", certified.path.display()));
        let (sshd, target) = client.sshd_with(&options);
        let file = client.path("known_hosts");
        let trusted = format!("@cert-authority * {}\n", authority.public);
        fs::write(&file, &trusted).unwrap();
        let Some(problem) = problem else {
            assert_connects(&target).await;
            continue;
        };
        let error = connection_error(&target).await;
        // sshd does not load a user certificate as a host certificate, and presents only the key.
        let unknown = args[0] != "-h" && error.contains("is unknown");
        assert!(
            error.ends_with(&format!("of a trusted authority that {problem}")) || unknown,
            "{args:?}: {error}"
        );
        // The key itself can be in known_hosts.
        let key: Vec<&str> = certified.public.split(' ').take(2).collect();
        fs::write(&file, format!("{trusted}[127.0.0.1]:{} {}\n", sshd.port, key.join(" "))).unwrap();
        assert_connects(&target).await;
        // Certificates of a revoked authority are invalid.
        fs::write(&file, format!("{trusted}@revoked * {}\n", authority.public)).unwrap();
        if !unknown {
            assert!(connection_error(&target).await.ends_with("known_hosts:2"));
        }
    }
}

#[tokio::test]
async fn keys_in_the_revoked_keys_file_are_rejected() {
    let client = Client::new();
    let (sshd, mut target) = client.sshd();
    let file = client.path("revoked");
    target.revoked = Some(file.clone());
    fs::write(&file, format!("# none\n{}\n", client.key.public)).unwrap();
    assert_connects(&target).await;
    fs::write(&file, format!("# ours\n{} comment\n", sshd.host_key("ed25519").unwrap())).unwrap();
    let error = connection_error(&target).await;
    assert!(error.ends_with(&format!("is revoked by {}:2", file.display())), "{error}");
    let start = format!(
        "Failed to connect to the host via ssh: cannot read the revoked keys in {}: ",
        file.display()
    );
    fs::write(&file, b"SSHKRL\n\0xyz").unwrap();
    let list = "it is a binary key revocation list; convoy reads text with one public key per line";
    assert_eq!(connection_error(&target).await, format!("{start}{list}"));
    fs::remove_file(&file).unwrap();
    assert_eq!(connection_error(&target).await, format!("{start}No such file or directory (os error 2)"));
}

fn fingerprint(key: &Path) -> String {
    let printed =
        output(std::process::Command::new("ssh-keygen").arg("-lf").arg(key)).expect("a fingerprint");
    printed.split(' ').nth(1).expect("a fingerprint").to_owned()
}
