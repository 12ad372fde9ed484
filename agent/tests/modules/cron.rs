//! `cron`, in files and through a program that keeps tables as `crontab` does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use convoy_protocol::{Diff, Map, Status, Value, map};

use super::harness::{Node, text};

/// Keeps each user's table in a file of the directory it lies in.
const CRONTAB: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 9
user=own
if [ "$1" = -u ]; then user=$2; shift 2; fi
case $1 in
-l) [ -e "table.$user" ] || { echo "no crontab for $user" >&2; exit 1; }; cat "table.$user" ;;
-)
    cat >new
    if grep -q refused new; then rm new; echo "errors in crontab file" >&2; exit 1; fi
    mv new "table.$user"
    ;;
esac
"#;

fn in_file(node: &Node, more: Map) -> Map {
    let mut args = map! { "name" => "rotate", "job" => "/bin/rotate", "user" => "root", "cron_file" => node.text("jobs") };
    args.extend(more);
    args
}

fn names(outcome: &convoy_protocol::Outcome, of: &str) -> Vec<String> {
    let list = outcome.values[of].as_list().unwrap();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_job_comes_changes_and_goes_with_its_file() {
    let mut node = Node::new();
    let made = node.converges("cron", in_file(&node, map! { "hour" => "5,2", "minute" => 0 }));
    assert_eq!(node.read("jobs"), "#Ansible: rotate\n0 5,2 * * * root /bin/rotate\n");
    assert_eq!(node.mode("jobs"), 0o644);
    assert_eq!((names(&made, "jobs"), names(&made, "envs")), (vec!["rotate".to_owned()], Vec::new()));
    assert_eq!(text(&made, "cron_file"), node.text("jobs"));
    let Diff::Text { before, after } = &made.diff[0] else { panic!("{:?}", made.diff) };
    assert_eq!((before.header.as_str(), before.text.as_str()), (node.text("jobs").as_str(), ""));
    assert_eq!(after.text, node.read("jobs"));

    let job = map! { "special_time" => "reboot", "disabled" => true, "job" => "\n/bin/new\n" };
    node.converges("cron", in_file(&node, job));
    assert_eq!(node.read("jobs"), "#Ansible: rotate\n#@reboot root /bin/new\n");
    node.converges("cron", in_file(&node, map! { "name" => "other", "dom" => 1, "month" => 2, "dow" => 3 }));
    let others = "#Ansible: other\n* * 1 2 3 root /bin/rotate\n";
    assert_eq!(node.read("jobs"), format!("#Ansible: rotate\n#@reboot root /bin/new\n{others}"));

    let absent = map! { "state" => "absent" };
    node.converges("cron", in_file(&node, absent.clone()));
    assert_eq!(node.read("jobs"), others);
    let gone = node.converges("cron", in_file(&node, map! { "name" => "other", "state" => "absent" }));
    assert_eq!(text(&gone, "state"), "absent");
    let Diff::Text { after, .. } = &gone.diff[0] else { panic!("{:?}", gone.diff) };
    assert_eq!((after.header.as_str(), after.text.as_str()), ("/dev/null", ""));
    assert_eq!(node.names(), Vec::<String>::new());
    assert_eq!(node.run("cron", in_file(&node, absent)).status, Status::Same);
}

#[test]
fn what_others_wrote_stays_and_a_line_end_is_added() {
    let mut node = Node::new();
    node.write("jobs", "# mine\n1 2 * * * root /bin/rotate");
    node.converges("cron", in_file(&node, map! { "minute" => 1, "hour" => 2 }));
    assert_eq!(node.read("jobs"), "# mine\n#Ansible: rotate\n1 2 * * * root /bin/rotate\n");
    node.write("jobs", "#Ansible: rotate\n* * * * * root /bin/rotate");
    node.converges("cron", in_file(&node, map! {}));
    assert_eq!(node.read("jobs"), "#Ansible: rotate\n* * * * * root /bin/rotate\n");
}

#[test]
fn variables_stand_where_they_are_asked_for() {
    let mut node = Node::new();
    let set = |node: &Node, name: &str, more: Map| {
        let mut args = map! { "name" => name, "value" => "x y", "env" => true };
        args.extend(more);
        in_file(node, Map::new())
            .into_iter()
            .filter(|(key, _)| !matches!(key.as_str(), Some("name" | "job")))
            .chain(args)
            .collect::<Map>()
    };
    node.converges("cron", set(&node, "B", map! {}));
    node.converges("cron", set(&node, "A", map! { "insertbefore" => "B" }));
    let made = node.converges("cron", set(&node, "C", map! { "insertafter" => "A" }));
    assert_eq!(node.read("jobs"), "A=\"x y\"\nC=\"x y\"\nB=\"x y\"\n");
    assert_eq!(names(&made, "envs"), ["A", "C", "B"]);
    node.converges("cron", set(&node, "C", map! { "value" => "z" }));
    let error = node.fails("cron", set(&node, "D", map! { "insertafter" => "Z" }));
    assert_eq!(error, "Variable named 'Z' not found.");
    node.converges("cron", set(&node, "A", map! { "state" => "absent" }));
    assert_eq!(node.read("jobs"), "C=\"z\"\nB=\"x y\"\n");
}

#[test]
fn the_old_table_is_kept_if_asked_for() {
    let mut node = Node::new();
    node.write("jobs", "# mine\n");
    let order = Node::order("cron", in_file(&node, map! { "backup" => true }), false);
    let done = node.obey(&order);
    let kept = text(&done, "backup_file").to_owned();
    assert_eq!(fs::read_to_string(&kept).unwrap(), "# mine\n");
    fs::remove_file(kept).unwrap();
    assert_eq!(node.obey(&order).values.get("backup_file"), None);
}

#[test]
fn a_users_table_goes_through_the_program() {
    let mut node = Node::new();
    let directory = node.text("bin");
    fs::create_dir(&directory).unwrap();
    fs::write(node.path("bin/crontab"), CRONTAB).unwrap();
    fs::set_permissions(node.path("bin/crontab"), fs::Permissions::from_mode(0o755)).unwrap();
    node.environment = vec![("PATH".into(), format!("{directory}:/usr/bin:/bin"))];

    let job = map! { "name" => "a", "job" => "/bin/a", "special_time" => "daily" };
    let made = node.converges("cron", job.clone());
    assert_eq!(node.read("bin/table.own"), "#Ansible: a\n@daily /bin/a\n");
    let Diff::Text { before, .. } = &made.diff[0] else { panic!("{:?}", made.diff) };
    assert_eq!(before.header, "crontab");
    let mut of_other = job.clone();
    of_other.insert("user".into(), "deploy".into());
    let made = node.converges("cron", of_other.clone());
    assert_eq!(node.read("bin/table.deploy"), "#Ansible: a\n@daily /bin/a\n");
    let Diff::Text { before, .. } = &made.diff[0] else { panic!("{:?}", made.diff) };
    assert_eq!(before.header, "crontab for user \"deploy\"");
    of_other.insert("job".into(), "refused".into());
    assert_eq!(node.fails("cron", of_other), "errors in crontab file");
    assert_eq!(node.read("bin/table.deploy"), "#Ansible: a\n@daily /bin/a\n");
    node.converges("cron", map! { "name" => "a", "state" => "absent" });
    assert_eq!(node.read("bin/table.own"), "");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let mut node = Node::new();
    node.write("jobs", "");
    for (more, expected) in [
        (
            map! { "cron_file" => "/etc/crontab" },
            "Will not manage /etc/crontab via cron_file, see documentation.",
        ),
        (
            map! { "special_time" => "daily", "hour" => 1 },
            "You must specify time and date fields or special time.",
        ),
        (map! { "env" => true, "name" => "a b" }, "Invalid name for environment variable"),
        (
            map! { "user" => Value::null() },
            "To use cron_file=... parameter you must specify user=... as well",
        ),
        (map! { "job" => Value::null() }, "You must specify 'job' to install a new cron job or variable"),
        (
            map! { "insertafter" => "A" },
            "Insertafter and insertbefore parameters are valid only with env=yes",
        ),
        (
            map! { "job" => "a\nb" },
            "Job should not contain line breaks: cron would take each line for an entry",
        ),
        (
            map! { "insertafter" => "A", "insertbefore" => "B" },
            "parameters are mutually exclusive: insertafter|insertbefore",
        ),
    ] {
        assert_eq!(node.fails("cron", in_file(&node, more)), expected);
    }
    let warned = node.run("cron", in_file(&node, map! { "cron_file" => node.text("a.b") }));
    let warning = "Filename portion of cron_file (\"a.b\") should consist solely of upper- and lower-case letters, \
        digits, underscores, and hyphens";
    assert_eq!(warned.values["warnings"], vec![Value::from(warning)].into());
}
