//! Login with keys, agents and certificates, and the errors when none is accepted.

use std::fs;

use convoy::ssh::{HostKeyChecking, Target};
use convoy_tests::sshd::{ClientKey, SshAgent, Sshd, SshdOptions, output};

use crate::client::{Client, assert_connects, connection_error};

/// Starts an sshd that accepts only certificates of an authority, which is returned as well.
fn sshd_with_authority(client: &Client) -> (Sshd, Target, ClientKey) {
    let authority = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
    let mut options = SshdOptions::new(&client.key);
    options.authorized.clear();
    options.configuration.push(format!("TrustedUserCAKeys {}.pub", authority.path.display()));
    let (sshd, target) = client.sshd_with(&options);
    (sshd, target, authority)
}

#[tokio::test]
async fn login_works_with_each_key_type() {
    let mut client = Client::new();
    for key_type in ["ecdsa", "rsa", "ed25519"] {
        fs::create_dir(client.path(key_type)).unwrap();
        client.key = ClientKey::generate(&client.path(key_type), key_type).unwrap();
        let (_sshd, target) = client.sshd();
        assert_connects(&target).await;
    }
}

#[tokio::test]
async fn login_works_with_keys_of_the_agent() {
    for key_type in ["ecdsa", "rsa", "ed25519"] {
        let mut client = Client::new();
        let wrong = client.key.clone();
        fs::create_dir(client.path(key_type)).unwrap();
        client.key = ClientKey::generate(&client.path(key_type), key_type).unwrap();
        let agent = SshAgent::start(&[&wrong, &client.key]).unwrap();
        let (_sshd, mut target) = client.sshd();
        target.identity_files = Vec::new();
        target.agent = Some(agent.socket.clone());
        assert_connects(&target).await;
    }
}

#[tokio::test]
async fn identities_only_limits_the_keys_of_the_agent() {
    let client = Client::new();
    let other = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
    let agent = SshAgent::start(&[&client.key]).unwrap();
    let (sshd, mut target) = client.sshd();
    target.agent = Some(agent.socket.clone());
    target.identity_files = vec![other.path.clone()];
    assert_connects(&target).await;
    target.identities_only = true;
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {}",
            sshd.user,
            other.path.display()
        )
    );
}

#[tokio::test]
async fn an_encrypted_key_needs_its_passphrase() {
    let mut client = Client::new();
    fs::create_dir(client.path("locked")).unwrap();
    client.key = ClientKey::encrypted(&client.path("locked"), "ed25519", "open sesame").unwrap();
    let (sshd, mut target) = client.sshd();
    let path = client.key.path.display().to_string();
    let start = format!("Failed to connect to the host via ssh: {}@127.0.0.1: ", sshd.user);
    let locked = format!("{path} is encrypted and its passphrase is unknown: run `ssh-add {path}`");
    assert_eq!(connection_error(&target).await, format!("{start}{locked}"));
    target.passphrase = Some("wrong".to_owned());
    assert_eq!(
        connection_error(&target).await,
        format!(
            "{start}Permission denied (publickey); nothing to try; {path} cannot be decrypted with the given passphrase"
        )
    );
    target.passphrase = Some("open sesame".to_owned());
    assert_connects(&target).await;
}

#[tokio::test]
async fn login_works_with_a_certificate() {
    let client = Client::new();
    let (sshd, target, authority) = sshd_with_authority(&client);
    certify(&client, &authority, &["-n", &sshd.user]);
    assert_connects(&target).await;
}

#[tokio::test]
async fn a_failed_login_reports_the_keys_that_were_tried() {
    let client = Client::new();
    let wrong = ClientKey::generate(client.dir.path(), "ecdsa").unwrap();
    let rsa = ClientKey::generate(client.dir.path(), "rsa").unwrap();
    let open = client.path("open");
    fs::copy(&wrong.path, &open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let agent = SshAgent::start(&[&wrong, &rsa]).unwrap();
    let (sshd, mut target) = client.sshd();
    let (node, embedded) = client.node();
    target.known_hosts = None;
    target.host_key_checking = HostKeyChecking::Off;
    target.identity_files = vec![wrong.path.clone(), open.clone(), client.path("none")];
    target.agent = Some(agent.socket.clone());
    for (user, port) in [(sshd.user.as_str(), sshd.port), ("deploy", node.port)] {
        (target.user, target.port) = (Some(user.to_owned()), port);
        assert_eq!(
            connection_error(&target).await,
            format!(
                "Failed to connect to the host via ssh: {user}@127.0.0.1: Permission denied (publickey); tried 2 keys from \
                 the agent; {open} is accessible to others (mode 0644): chmod 600 {open}; {none} does not exist",
                open = open.display(),
                none = client.path("none").display()
            )
        );
    }
    let unknown_user = Target { user: Some("mallory".to_owned()), ..embedded };
    assert_eq!(
        connection_error(&unknown_user).await,
        format!(
            "Failed to connect to the host via ssh: mallory@127.0.0.1: Permission denied (publickey); tried {}",
            client.key.path.display()
        )
    );
}

#[tokio::test]
async fn encrypted_keys_in_old_formats_need_their_passphrase() {
    for (key_type, format) in [("rsa", "PEM"), ("rsa", "PKCS8"), ("ecdsa", "PKCS8")] {
        let mut client = Client::new();
        let dir = client.path("locked");
        fs::create_dir(&dir).unwrap();
        client.key = ClientKey::generate(&dir, key_type).unwrap();
        let mut rewrite = std::process::Command::new("ssh-keygen");
        rewrite.args(["-q", "-p", "-m", format, "-P", "", "-N", "open sesame", "-f"]).arg(&client.key.path);
        output(&mut rewrite).unwrap();
        let (_sshd, mut target) = client.sshd();
        let path = client.key.path.display().to_string();
        let locked = format!("{path} is encrypted and its passphrase is unknown: run `ssh-add {path}`");
        let refused = connection_error(&target).await;
        assert!(refused.ends_with(&locked), "{key_type} {format}: {refused}");
        target.passphrase = Some("open sesame".to_owned());
        assert_connects(&target).await;
    }
}

#[tokio::test]
async fn the_passphrase_of_a_key_that_the_server_rejects_is_not_needed() {
    let client = Client::new();
    let dir = client.path("other");
    fs::create_dir(&dir).unwrap();
    let other = ClientKey::encrypted(&dir, "ed25519", "open sesame").unwrap();
    let (sshd, mut target) = client.sshd();
    target.identity_files = vec![other.path.clone()];
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {}",
            sshd.user,
            other.path.display()
        )
    );
}

#[tokio::test]
async fn an_unreadable_key_is_reported() {
    let client = Client::new();
    let (sshd, mut target) = client.sshd();
    let path = client.path("broken");
    fs::write(&path, "-----BEGIN DSA PRIVATE KEY-----\nx\n-----END DSA PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    target.identity_files = vec![path.clone()];
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); nothing to try; {path} is \
             not a supported private key (Could not read key); `ssh-keygen -p -f {path}` converts it to the current format",
            sshd.user,
            path = path.display()
        )
    );
}

/// Signs the client's key and returns the path of the certificate.
fn certify(client: &Client, authority: &ClientKey, args: &[&str]) -> std::path::PathBuf {
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test"]).args(args).arg("-s").arg(&authority.path);
    output(sign.arg(format!("{}.pub", client.key.path.display()))).unwrap();
    format!("{}-cert.pub", client.key.path.display()).into()
}

#[tokio::test]
async fn a_separate_certificate_file_works_with_a_key_of_the_agent() {
    for key_type in ["ed25519", "rsa"] {
        let mut client = Client::new();
        fs::create_dir(client.path(key_type)).unwrap();
        client.key = ClientKey::generate(&client.path(key_type), key_type).unwrap();
        let (sshd, mut target, authority) = sshd_with_authority(&client);
        let made = certify(&client, &authority, &["-n", &sshd.user]);
        let certificate = client.path("elsewhere-cert.pub");
        fs::rename(made, &certificate).unwrap();
        let agent = SshAgent::start(&[&client.key]).unwrap();
        target.agent = Some(agent.socket.clone());
        target.certificate_files = vec![certificate.clone()];
        assert_connects(&target).await;
        target.identity_files.clear();
        assert_connects(&target).await;
        // Without the agent, with the key file.
        target.agent = None;
        target.identity_files = vec![client.key.path.clone()];
        assert_connects(&target).await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_reported() {
    let client = Client::new();
    let (sshd, target, authority) = sshd_with_authority(&client);
    let certificate = certify(&client, &authority, &["-n", &sshd.user, "-V", "20000101:20010101"]);
    let (certificate, key) = (certificate.display(), client.key.path.display());
    assert_eq!(
        connection_error(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {certificate}, \
             {key}; the certificate {certificate} has expired",
            sshd.user
        )
    );
}
