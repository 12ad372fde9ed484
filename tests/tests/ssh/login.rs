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
    let start = format!(
        "Failed to connect to the host via ssh: {}@127.0.0.1: Permission denied (publickey); ",
        sshd.user
    );
    assert_eq!(
        refusal(&target).await,
        format!(
            "{start}nothing to try; {path} is encrypted and there is no passphrase for it: give one, or `ssh-add {path}`"
        )
    );
    target.passphrase = Some("wrong".to_owned());
    assert_eq!(
        refusal(&target).await,
        format!("{start}nothing to try; {path} does not open with the passphrase given")
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
                "Failed to connect to the host via ssh: {user}@127.0.0.1: Permission denied (publickey); tried 2 keys of \
                 the agent; {open} is open to others (mode 0644): chmod 600 {open}; {none} does not exist",
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
