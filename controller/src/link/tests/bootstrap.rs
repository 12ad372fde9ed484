//! Agents started through real shells.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::link::LinkError;
use crate::link::agents::for_machine;

fn agent_name() -> String {
    format!("agent-{}", for_machine(std::env::consts::ARCH).unwrap().digest)
}

/// Makes a directory with links to the programs of this machine, except those named.
fn programs(dir: &Path, without: &[&str]) -> PathBuf {
    let bin = dir.join("bin");
    fs::create_dir(&bin).unwrap();
    for name in "sh uname dd sha256sum id ls mkdir chmod rm mv cat wc gzip".split(' ') {
        if !without.contains(&name) {
            let found = ["/usr/bin", "/bin"]
                .map(|dir| Path::new(dir).join(name))
                .into_iter()
                .find(|path| path.exists());
            symlink(found.unwrap(), bin.join(name)).unwrap();
        }
    }
    bin
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts the agent with this command; returns how many bytes were sent.
async fn start(command: &mut Command) -> Result<u64, LinkError> {
    let opening = opening(Some(vec![ping("hello")]));
    let stream = local::spawn(command.arg("-c").arg(opening.command())).unwrap();
    let link = Link::open(stream, opening, Arc::default());
    let answer = link.first_answer().await?.unwrap();
    assert_eq!(answer.steps[0][0].values, map! { "ping" => "hello" });
    let sent = link.bytes().0;
    link.close().await;
    Ok(sent)
}

#[tokio::test]
async fn the_agent_is_sent_once_and_again_when_damaged() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join(".cache/convoy");
    let packed = for_machine(std::env::consts::ARCH).unwrap().packed.len() as u64;
    for sent in [true, false] {
        let bytes = start(&mut shell("sh", home.path())).await.unwrap();
        assert_eq!(bytes > packed, sent, "{bytes} bytes");
        assert_eq!(names(&cache), [agent_name()]);
    }
    fs::write(cache.join(agent_name()), "#!/bin/sh\necho stolen\n").unwrap();
    assert!(start(&mut shell("sh", home.path())).await.unwrap() > packed);
    assert!(start(&mut shell("sh", home.path())).await.unwrap() < packed);
}

#[tokio::test]
async fn the_agent_starts_under_any_login_shell() {
    for name in ["sh", "dash", "bash", "zsh", "fish", "tcsh", "busybox"] {
        if !Path::new("/bin").join(name).exists() && !Path::new("/usr/bin").join(name).exists() {
            eprintln!("skipped: {name} is not installed");
            continue;
        }
        let home = tempfile::tempdir().unwrap();
        for _ in ["sent", "cached"] {
            let mut command = shell(name, home.path());
            if name == "busybox" {
                command.arg("ash");
            }
            start(&mut command).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[tokio::test]
async fn output_of_the_login_shell_is_skipped_or_reported_if_no_agent_starts() {
    let home = tempfile::tempdir().unwrap();
    let opening = opening(Some(vec![ping("hello")]));
    let noisy = format!("echo Welcome to node1; {}", opening.command());
    let stream = local::spawn(shell("sh", home.path()).arg("-c").arg(noisy)).unwrap();
    let link = Link::open(stream, opening, Arc::default());
    assert_eq!(link.first_answer().await.unwrap().unwrap().steps[0][0].status, Status::Same);

    let cases = [
        ("echo This account is disabled", "the shell on the node ended", "This account is disabled"),
        ("yes", "the node prints other text instead of starting an agent", ""),
    ];
    for (command, why, noise) in cases {
        let stream = local::spawn(shell("sh", home.path()).arg("-c").arg(command)).unwrap();
        let link = Link::open(stream, super::opening(None), Arc::default());
        let LinkError::Start { why: found, noise: printed } = link.welcome().await.unwrap_err() else {
            panic!()
        };
        assert_eq!(found, why);
        assert!(printed.starts_with(noise), "{printed}");
    }
}

#[tokio::test]
async fn without_a_usable_home_the_agent_is_cached_elsewhere() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".cache"), "a file").unwrap();
    let open = elsewhere.path().join("open");
    fs::create_dir_all(open.join(".cache/convoy")).unwrap();
    fs::set_permissions(open.join(".cache/convoy"), fs::Permissions::from_mode(0o777)).unwrap();
    for unusable in [Some(home.path()), Some(&*open), Some(Path::new("/nonexistent")), None] {
        let mut command = shell("sh", unusable.unwrap_or(Path::new("/")));
        let run = elsewhere.path().join("run");
        fs::create_dir(&run).unwrap();
        command.env("XDG_RUNTIME_DIR", &run);
        if unusable.is_none() {
            command.env_remove("HOME");
        }
        start(&mut command).await.unwrap();
        assert_eq!(names(&run.join("convoy")), [agent_name()]);
        fs::remove_dir_all(run).unwrap();
    }
    assert_eq!(names(&open.join(".cache/convoy")), [""; 0]);
}

#[tokio::test]
async fn a_node_reports_what_it_lacks() {
    let home = tempfile::tempdir().unwrap();
    for (without, why) in [
        ("dd", "dd is missing: install coreutils or busybox"),
        ("sha256sum", "sha256sum is missing: install coreutils or busybox"),
        ("uname", "convoy carries no agent for the machine type vax"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let bin = programs(dir.path(), &[without]);
        if without == "uname" {
            program(&bin.join("uname"), "#!/bin/sh\necho vax\n");
        }
        let error = start(shell("/bin/sh", home.path()).env("PATH", bin)).await.unwrap_err();
        assert_eq!(error, LinkError::Start { why: why.into(), noise: String::new() });
        assert_eq!(error.to_string(), format!("cannot start the agent: {why}"));
    }
    let dir = tempfile::tempdir().unwrap();
    let bin = programs(dir.path(), &["gzip"]);
    let sent = start(shell("/bin/sh", home.path()).env("PATH", bin)).await.unwrap();
    assert!(
        sent > for_machine(std::env::consts::ARCH).unwrap().size as u64,
        "without gzip it is sent uncompressed"
    );
}

#[tokio::test]
async fn the_agent_keeps_the_umask_of_the_login() {
    let home = tempfile::tempdir().unwrap();
    for _sent_and_cached in 0..2 {
        let opening = opening(Some(vec![step([order("shell", map! { "_raw_params" => "umask" })])]));
        let script = format!("umask 027; {}", opening.command());
        let stream = local::spawn(shell("sh", home.path()).arg("-c").arg(script)).unwrap();
        let answer = Link::open(stream, opening, Arc::default()).first_answer().await.unwrap().unwrap();
        assert_eq!(answer.steps[0][0].values.get("stdout").and_then(|text| text.as_str()), Some("0027"));
    }
}
