//! Agents of other users, started with sudo or su.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// Behaves like sudo for a user whose password is `right`, without changing the user.
pub(super) const SUDO: &str = r#"#!/bin/sh
while :; do
    case $1 in
    -S | -H) shift ;;
    -n) echo "sudo: a password is required" >&2; exit 1 ;;
    -p) prompt=$2; shift 2 ;;
    -u) [ "$2" = daemon ] && echo "tester is not in the sudoers file." >&2 && exit 1; shift 2 ;;
    *) break ;;
    esac
done
for try in 1 2 3; do
    printf %s "$prompt" >&2
    IFS= read -r password
    [ "$password" = right ] && exec "$@"
    echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1
"#;

/// Behaves like busybox's su: prompts on standard output and reads one line, not a byte more.
const SU: &str = r#"#!/bin/sh
printf "Password: "
IFS= read -r password
[ "$password" = right ] || { echo "su: incorrect password" >&2; exit 1; }
[ "$1 $2" = "nobody -c" ] && exec /bin/sh -c "$3"
"#;

pub(super) fn link_with_sudo(home: &Path, text: Option<&str>) -> Link {
    link_with_program(home, "sudo", text)
}

/// Opens a link to a node on which the program `name` is this script; with `None`, the program is missing there.
fn link_with_program(home: &Path, name: &str, text: Option<&str>) -> Link {
    let bin = home.join("bin");
    fs::create_dir(&bin).unwrap();
    let mut path = bin.to_str().unwrap().to_owned();
    match text {
        Some(text) => {
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
            path.push_str(":/usr/bin:/bin");
        }
        None => {
            for name in "sh uname dd sha256sum id ls mkdir chmod rm mv cat wc gzip".split(' ') {
                std::os::unix::fs::symlink(Path::new("/bin").join(name), bin.join(name)).unwrap();
            }
        }
    }
    let opening = opening(None);
    let mut shell = shell("/bin/sh", home);
    let stream = local::spawn(shell.env("PATH", path).arg("-c").arg(opening.script())).unwrap();
    Link::open(stream, opening, Arc::default())
}

async fn as_user(link: &Link, become_user: Option<Become>, module: &str, args: Map) -> Outcome {
    let order = Order { become_user, ..order(module, args) };
    link.request(vec![step([order])]).await.unwrap().steps.remove(0).remove(0)
}

#[tokio::test]
async fn the_password_is_sent_only_in_answer_to_the_prompt() {
    let home = tempfile::tempdir().unwrap();
    let link = link_with_sudo(home.path(), Some(SUDO));
    for (other, status, text) in [
        (sudo("nobody", Some("wrong")), Status::Failed, "Incorrect sudo password"),
        (sudo("nobody", None), Status::Failed, "Missing sudo password"),
        (
            sudo("daemon", Some("right")),
            Status::Failed,
            "cannot become daemon: tester is not in the sudoers file.",
        ),
        (sudo("nobody", Some("right")), Status::Same, ""),
        (sudo("nobody", Some("not asked for again")), Status::Same, ""),
    ] {
        assert_eq!(msg(&as_user(&link, other, "ping", Map::new()).await), (status, text));
    }
    link.close().await;
}

#[tokio::test]
async fn a_prompt_on_standard_output_is_recognized() {
    let home = tempfile::tempdir().unwrap();
    let link = link_with_program(home.path(), "su", Some(SU));
    let su = |password| Some(Become { method: Method::Su, ..sudo("nobody", password).unwrap() });
    for (password, status, text) in [
        (None, Status::Failed, "Missing su password"),
        (Some("wrong"), Status::Failed, "Incorrect su password"),
        (Some("right"), Status::Same, ""),
    ] {
        assert_eq!(msg(&as_user(&link, su(password), "ping", Map::new()).await), (status, text));
    }
    link.close().await;
}

#[tokio::test]
async fn a_missing_sudo_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let link = link_with_sudo(home.path(), None);
    let outcome = as_user(&link, sudo("nobody", None), "ping", Map::new()).await;
    assert_eq!(msg(&outcome), (Status::Failed, "cannot become nobody: sudo is not installed on this node"));
}

/// Returns whether the tests run as root and sudo works; prints if not.
fn can_become() -> bool {
    let id = std::process::Command::new("sudo").args(["-n", "-u", "nobody", "id", "-un"]).output();
    let able =
        id.is_ok_and(|output| output.stdout == b"nobody\n") && fs::metadata("/root").is_ok_and(|_| is_root());
    if !able {
        eprintln!("skipped: this is not root, or sudo does not work here");
    }
    able
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[tokio::test]
async fn one_agent_per_user_is_started_and_look_ahead_crosses_users() {
    if !can_become() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let contents = Arc::new(Contents::default());
    let digest = contents.add_bytes(*b"for nobody\n");
    let link = link_with(home.path(), opening(None), contents);
    let id = || map! { "_raw_params" => "id -un" };
    for user in ["nobody", "root", "nobody"] {
        let outcome = as_user(&link, sudo(user, None), "command", id()).await;
        assert_eq!(outcome.values.get("stdout").and_then(|text| text.as_str()), Some(user));
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let dest = dir.path().join("file");
    let file = map! { "digest" => digest.to_string(), "size" => 11, "mode" => 0o644, "name" => "file" };
    let args = map! { "src" => file, "dest" => dest.to_str().unwrap() };
    let copy = || step([Order { become_user: sudo("nobody", None), ..order("copy", args.clone()) }]);
    let looked_at = link.request(vec![ping("a"), copy()]).await.unwrap();
    assert_eq!((looked_at.steps.len(), dest.exists()), (1, false), "looking ahead changes nothing");
    let done = link.request(vec![copy(), ping("b")]).await.unwrap();
    assert_eq!((done.steps.len(), msg(&done.steps[0][0])), (1, (Status::Changed, "")));
    assert_eq!(fs::read_to_string(&dest).unwrap(), "for nobody\n");
    assert_eq!(link.request(vec![ping("a"), copy(), ping("b")]).await.unwrap().steps.len(), 3);
    link.close().await;
}
