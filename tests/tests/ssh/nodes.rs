//! What commands find on an embedded node and under the sshd of the tests.

use std::fs;

use convoy::ssh::RemoteCommand;
use convoy_tests::sshd::{SshdOptions, poll};

use crate::client::{Client, connect, process_of, run};

#[tokio::test]
async fn a_node_has_its_own_home_and_a_clean_environment() {
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
async fn a_node_takes_its_commands_with_it() {
    let client = Client::new();
    let (node, target) = client.node();
    let session = connect(&target).await;
    let RemoteCommand { mut stream, .. } = session.exec("sleep 1000 & echo $!; wait").await.unwrap();
    let status = process_of(&mut stream).await;
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
    // Its parent is gone, so whoever adopts it buries it.
    let dead = || Ok(fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")).then_some(()));
    poll(dead).unwrap();
}

#[tokio::test]
async fn an_sshd_has_the_home_that_it_was_given() {
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
