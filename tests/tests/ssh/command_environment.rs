//! The environment and lifetime of commands on an embedded node and on the tests' sshd.

use std::fs;

use convoy::ssh::RemoteCommand;
use convoy_tests::sshd::{SshdOptions, poll};

use crate::client::{Client, connect, read_process_file, run};

#[tokio::test]
async fn commands_of_an_embedded_node_have_a_clean_environment() {
    let client = Client::new();
    let (node, target) = client.node();
    let session = connect(&target).await;
    let home = node.options.home.display().to_string();
    let (printed, ..) = run(&session, "pwd; env -u PWD -u _ -u SHLVL -u OLDPWD | sort", b"").await;
    assert_eq!(
        String::from_utf8(printed).unwrap(),
        format!(
            "{home}\nHOME={home}\nLOGNAME=deploy\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
             SHELL=/bin/sh\nUSER=deploy\nXDG_STATE_HOME={home}/.local/state\n"
        )
    );
}

#[tokio::test]
async fn dropping_an_embedded_node_ends_its_commands() {
    let client = Client::new();
    let (node, target) = client.node();
    let session = connect(&target).await;
    let RemoteCommand { mut stream, .. } = session.exec("sleep 1000 & echo $!; wait").await.unwrap();
    let status = read_process_file(&mut stream).await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
    // Its parent has ended, so the process that adopts it must reap it.
    let has_ended =
        || Ok(fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")).then_some(()));
    poll(has_ended).unwrap();
}

#[tokio::test]
async fn commands_of_an_sshd_have_the_home_of_its_options() {
    let client = Client::new();
    let mut options = SshdOptions::new(&client.key);
    options.home = Some(client.path("home"));
    fs::create_dir(client.path("home")).unwrap();
    let (_sshd, target) = client.sshd_with(&options);
    let session = connect(&target).await;
    let (printed, ..) = run(&session, "echo $HOME ~", b"").await;
    let home = client.path("home").display().to_string();
    assert_eq!(String::from_utf8(printed).unwrap(), format!("{home} {home}\n"));
}
