//! Keys, agents, certificates, and what is said when none fits.

use std::fs;

use convoy::ssh::{HostKeyChecking, Target};
use convoy_tests::sshd::{ClientKey, SshAgent, SshdOptions, output};

use crate::client::{Client, echoes, refusal};

#[tokio::test]
async fn logs_in_with_each_type_of_key() {
    let mut client = Client::new();
    for kind in ["ecdsa", "rsa", "ed25519"] {
        fs::create_dir(client.path(kind)).unwrap();
        client.key = ClientKey::generate(&client.path(kind), kind).unwrap();
        let (_sshd, target) = client.sshd();
        echoes(&target).await;
    }
}

#[tokio::test]
async fn logs_in_with_keys_of_the_agent() {
    for kind in ["ecdsa", "rsa", "ed25519"] {
        let mut client = Client::new();
        let wrong = client.key.clone();
        fs::create_dir(client.path(kind)).unwrap();
        client.key = ClientKey::generate(&client.path(kind), kind).unwrap();
        let agent = SshAgent::start(&[&wrong, &client.key]).unwrap();
        let (_sshd, mut target) = client.sshd();
        target.identity_files = Vec::new();
        target.agent = Some(agent.socket.clone());
        echoes(&target).await;
    }
}

#[tokio::test]
async fn uses_only_the_named_keys_of_the_agent_if_told_so() {
    let client = Client::new();
    let other = ClientKey::generate(client.folder.path(), "ecdsa").unwrap();
    let agent = SshAgent::start(&[&client.key]).unwrap();
    let (sshd, mut target) = client.sshd();
    target.agent = Some(agent.socket.clone());
    target.identity_files = vec![other.path.clone()];
    echoes(&target).await;
    target.identities_only = true;
    assert_eq!(
        refusal(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {}",
            sshd.user,
            other.path.display()
        )
    );
}

#[tokio::test]
async fn opens_an_encrypted_key() {
    let mut client = Client::new();
    fs::create_dir(client.path("locked")).unwrap();
    client.key = ClientKey::encrypted(&client.path("locked"), "ed25519", "open sesame").unwrap();
    let (sshd, mut target) = client.sshd();
    let path = client.key.path.display().to_string();
    let start = format!("Failed to connect to the host via ssh: {}@127.0.0.1: ", sshd.user);
    let locked = format!("{path} is encrypted and its passphrase is unknown: run `ssh-add {path}`");
    assert_eq!(refusal(&target).await, format!("{start}{locked}"));
    target.passphrase = Some("wrong".to_owned());
    assert_eq!(
        refusal(&target).await,
        format!(
            "{start}Permission denied (publickey); nothing to try; {path} cannot be decrypted with the given passphrase"
        )
    );
    target.passphrase = Some("open sesame".to_owned());
    echoes(&target).await;
}

#[tokio::test]
async fn logs_in_with_a_certificate() {
    let client = Client::new();
    let authority = ClientKey::generate(client.folder.path(), "ecdsa").unwrap();
    let mut options = SshdOptions::new(&client.key);
    options.authorized.clear();
    options.configuration.push(format!("TrustedUserCAKeys {}.pub", authority.path.display()));
    let (sshd, target) = client.sshd_with(&options);
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test", "-n", &sshd.user, "-s"])
        .arg(&authority.path)
        .arg(format!("{}.pub", client.key.path.display()));
    output(&mut sign).unwrap();
    echoes(&target).await;
}

#[tokio::test]
async fn names_what_it_tried_when_the_key_is_wrong() {
    let client = Client::new();
    let wrong = ClientKey::generate(client.folder.path(), "ecdsa").unwrap();
    let rsa = ClientKey::generate(client.folder.path(), "rsa").unwrap();
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
            refusal(&target).await,
            format!(
                "Failed to connect to the host via ssh: {user}@127.0.0.1: Permission denied (publickey); tried 2 keys from \
                 the agent; {open} is accessible to others (mode 0644): chmod 600 {open}; {none} does not exist",
                open = open.display(),
                none = client.path("none").display()
            )
        );
    }
    let stranger = Target { user: Some("mallory".to_owned()), ..embedded };
    assert_eq!(
        refusal(&stranger).await,
        format!(
            "Failed to connect to the host via ssh: mallory@127.0.0.1: Permission denied (publickey); tried {}",
            client.key.path.display()
        )
    );
}

#[tokio::test]
async fn opens_keys_in_old_formats() {
    for (kind, format) in [("rsa", "PEM"), ("rsa", "PKCS8"), ("ecdsa", "PKCS8")] {
        let mut client = Client::new();
        let folder = client.path("locked");
        fs::create_dir(&folder).unwrap();
        client.key = ClientKey::generate(&folder, kind).unwrap();
        let mut rewrite = std::process::Command::new("ssh-keygen");
        rewrite.args(["-q", "-p", "-m", format, "-P", "", "-N", "open sesame", "-f"]).arg(&client.key.path);
        output(&mut rewrite).unwrap();
        let (_sshd, mut target) = client.sshd();
        let path = client.key.path.display().to_string();
        let locked = format!("{path} is encrypted and its passphrase is unknown: run `ssh-add {path}`");
        let refused = refusal(&target).await;
        assert!(refused.ends_with(&locked), "{kind} {format}: {refused}");
        target.passphrase = Some("open sesame".to_owned());
        echoes(&target).await;
    }
}

/// An encrypted key that the server would not take is not asked for.
#[tokio::test]
async fn tells_whether_an_encrypted_key_would_be_taken() {
    let client = Client::new();
    let folder = client.path("other");
    fs::create_dir(&folder).unwrap();
    let other = ClientKey::encrypted(&folder, "ed25519", "open sesame").unwrap();
    let (sshd, mut target) = client.sshd();
    target.identity_files = vec![other.path.clone()];
    assert_eq!(
        refusal(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {}",
            sshd.user,
            other.path.display()
        )
    );
}

#[tokio::test]
async fn says_that_a_key_cannot_be_read() {
    let client = Client::new();
    let (sshd, mut target) = client.sshd();
    let path = client.path("broken");
    fs::write(&path, "-----BEGIN DSA PRIVATE KEY-----\nx\n-----END DSA PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    target.identity_files = vec![path.clone()];
    assert_eq!(
        refusal(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); nothing to try; {path} is \
             not a supported private key (Could not read key); `ssh-keygen -p -f {path}` converts it to the current format",
            sshd.user,
            path = path.display()
        )
    );
}

/// Signs the client's key; returns where the certificate is.
fn certify(client: &Client, authority: &ClientKey, words: &[&str]) -> std::path::PathBuf {
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test"]).args(words).arg("-s").arg(&authority.path);
    output(sign.arg(format!("{}.pub", client.key.path.display()))).unwrap();
    format!("{}-cert.pub", client.key.path.display()).into()
}

#[tokio::test]
async fn uses_a_certificate_from_elsewhere_with_a_key_of_the_agent() {
    for kind in ["ed25519", "rsa"] {
        let mut client = Client::new();
        fs::create_dir(client.path(kind)).unwrap();
        client.key = ClientKey::generate(&client.path(kind), kind).unwrap();
        let authority = ClientKey::generate(client.folder.path(), "ecdsa").unwrap();
        let mut options = SshdOptions::new(&client.key);
        options.authorized.clear();
        options.configuration.push(format!("TrustedUserCAKeys {}.pub", authority.path.display()));
        let (sshd, mut target) = client.sshd_with(&options);
        let made = certify(&client, &authority, &["-n", &sshd.user]);
        let certificate = client.path("elsewhere-cert.pub");
        fs::rename(made, &certificate).unwrap();
        let agent = SshAgent::start(&[&client.key]).unwrap();
        target.agent = Some(agent.socket.clone());
        target.certificate_files = vec![certificate.clone()];
        echoes(&target).await;
        target.identity_files.clear();
        echoes(&target).await;
        // Without the agent, from the file.
        target.agent = None;
        target.identity_files = vec![client.key.path.clone()];
        echoes(&target).await;
    }
}

#[tokio::test]
async fn says_that_a_certificate_has_expired() {
    let client = Client::new();
    let authority = ClientKey::generate(client.folder.path(), "ecdsa").unwrap();
    let mut options = SshdOptions::new(&client.key);
    options.authorized.clear();
    options.configuration.push(format!("TrustedUserCAKeys {}.pub", authority.path.display()));
    let (sshd, target) = client.sshd_with(&options);
    let certificate = certify(&client, &authority, &["-n", &sshd.user, "-V", "20000101:20010101"]);
    let (certificate, key) = (certificate.display(), client.key.path.display());
    assert_eq!(
        refusal(&target).await,
        format!(
            "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); tried {certificate}, \
             {key}; the certificate {certificate} has expired",
            sshd.user
        )
    );
}
