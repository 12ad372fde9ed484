//! All kinds of changes are taken back, exactly.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use convoy_protocol::message::{Order, Ticket};
use convoy_protocol::{Map, Status, Value, map};
use proptest::prelude::*;

use super::super::archives::Tar;
use super::super::harness::Node;
use super::{RUN, Recorded, texts};

fn copy(node: &Node, name: &str, content: &str) -> Map {
    map! { "dest" => node.text(name), "content" => content }
}

fn file(node: &Node, name: &str, state: &str) -> Map {
    map! { "path" => node.text(name), "state" => state }
}

/// Gives a file a time long ago and a mode that no umask gives.
fn age(node: &Node, name: &str) {
    let path = node.path(name);
    File::open(&path)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 7))
        .unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o617)).unwrap();
}

#[test]
fn a_file_that_was_replaced_edited_and_removed() {
    let mut here = Recorded::new();
    for name in ["a", "b", "c"] {
        here.node.write(name, "old\n");
        age(&here.node, name);
    }
    let before = here.listing();
    let args = copy(&here.node, "a", "new\n");
    here.does("copy", args);
    let args = map! { "path" => here.node.text("b"), "line" => "more", "backup" => true };
    here.does("lineinfile", args);
    let args = file(&here.node, "c", "absent");
    here.does("file", args);
    // Once more, after the old state is kept.
    let args = copy(&here.node, "a", "newer\n");
    here.does("copy", args);
    let looked = here.view(RUN);
    assert_eq!(looked.status, Status::WouldChange, "{:?}", looked.values);
    here.undone(&before);
}

#[test]
fn what_was_made_goes_and_directories_with_it() {
    let mut here = Recorded::new();
    let before = here.listing();
    let args = file(&here.node, "x/y/z", "directory");
    here.does("file", args);
    let args = copy(&here.node, "x/y/z/new", "new\n");
    here.does("copy", args);
    let args = map! { "path" => here.node.text("x/link"), "src" => "y", "state" => "link" };
    here.does("file", args);
    let args =
        map! { "path" => here.node.text("x/hard"), "src" => here.node.text("x/y/z/new"), "state" => "hard" };
    here.does("file", args);
    let args = file(&here.node, "touched", "touch");
    here.does("file", args);
    here.undone(&before);
}

#[test]
fn links_and_attributes() {
    let mut here = Recorded::new();
    here.node.write("file", "text\n");
    age(&here.node, "file");
    fs::create_dir(here.node.path("directory")).unwrap();
    symlink("directory", here.node.path("current")).unwrap();
    symlink("file", here.node.path("gone")).unwrap();
    let before = here.listing();
    let args =
        map! { "path" => here.node.text("current"), "src" => "other", "state" => "link", "force" => true };
    here.does("file", args);
    let args = file(&here.node, "gone", "absent");
    here.does("file", args);
    let args = map! { "path" => here.node.text("file"), "mode" => "0640" };
    here.does("file", args);
    let args = map! { "path" => here.node.text("directory"), "mode" => "0700", "owner" => "1", "state" => "directory" };
    let is_root = here.node.run("file", args).status == Status::Changed;
    let args = file(&here.node, "file", "touch");
    here.does("file", args);
    here.undone(&before);
    assert!(is_root || !rustix::process::geteuid().is_root());
}

#[test]
fn a_directory_that_was_removed_and_made_again() {
    let mut here = Recorded::new();
    fs::create_dir_all(here.node.path("t/deep")).unwrap();
    here.node.write("t/a", "old\n");
    here.node.write("t/deep/b", "old\n");
    symlink("a", here.node.path("t/link")).unwrap();
    age(&here.node, "t/a");
    let before = here.listing();
    // A file in it is changed first, and again after all has gone and come.
    let args = copy(&here.node, "t/a", "new\n");
    here.does("copy", args);
    let args = file(&here.node, "t", "absent");
    here.does("file", args);
    assert!(!here.node.path("t").exists());
    let args = file(&here.node, "t", "directory");
    here.does("file", args);
    let args = copy(&here.node, "t/a", "newer\n");
    here.does("copy", args);
    here.undone(&before);
}

#[test]
fn an_archive_over_what_is_there_and_a_directory_of_the_node() {
    let mut here = Recorded::new();
    fs::create_dir_all(here.node.path("out/p")).unwrap();
    here.node.write("out/p/old", "mine\n");
    here.node.write("out/p/run", "old\n");
    let archive =
        Tar::default().dir("p/", 0o755).file("p/run", "new\n").file("p/x/y", "1\n").link("p/l", "run").gz();
    fs::write(here.node.path("archive"), archive).unwrap();
    let before = here.listing();
    let args =
        map! { "src" => here.node.text("archive"), "dest" => here.node.text("out"), "remote_src" => true };
    here.does("unarchive", args);
    let args =
        map! { "src" => here.node.text("out/"), "dest" => here.node.text("twin"), "remote_src" => true };
    here.does("copy", args);
    let looked = here.view(RUN);
    let items: Vec<String> = looked.values["items"]
        .as_list()
        .unwrap()
        .iter()
        .map(|item| item.get("path").unwrap().as_str().unwrap().to_owned())
        .collect();
    // What goes with a directory is counted there.
    assert_eq!(items.len(), 4, "{items:?}");
    here.undone(&before);
}

#[test]
fn in_check_mode_and_without_a_run_nothing_is_recorded() {
    let mut here = Recorded::new();
    let args = copy(&here.node, "a", "new\n");
    here.node.check("copy", args);
    assert!(!here.state.path().join("runs").exists());
    let looked = here.view(RUN);
    assert_eq!((looked.status, looked.values["recorded"].as_bool()), (Status::Same, Some(false)));
    for name in ["", "..", "a/b", ".hidden"] {
        let done = here.view(name);
        assert_eq!(super::text(&done, "msg"), format!("'{name}' is not a valid run name"));
    }
}

#[test]
fn what_was_done_besides_is_told() {
    let mut here = Recorded::new();
    let args = map! { "_raw_params" => "true" };
    here.does("command", args.clone());
    here.does("command", args.clone());
    here.does("shell", args);
    let looked = here.view(RUN);
    let beyond = looked.values["beyond"].as_list().unwrap().to_vec();
    let told: Vec<_> = beyond
        .iter()
        .map(|beyond| {
            let text = |name: &str| beyond.get(name).unwrap().as_str().unwrap().to_owned();
            format!("{}: {}, {:?}", text("module"), text("why"), beyond.get("count").unwrap().as_int())
        })
        .collect();
    assert_eq!(told, ["command: it runs a command, Some(2)", "shell: it runs a command, Some(1)"]);
    assert_eq!(looked.status, Status::Same);
    assert_eq!(texts(&looked.values["lost"]), [""; 0]);
}

#[test]
fn what_is_undone_elsewhere_is_not_told() {
    let mut here = Recorded::new();
    for number in [7, 8] {
        let ticket = Some(Ticket { number, quiet: false, once: true });
        let order = Node::order("command", map! { "_raw_params" => "true" }, false);
        assert_eq!(here.node.obey(&Order { ticket, ..order }).status, Status::Changed);
    }
    for (elsewhere, count) in [(vec![], Some(2)), (vec![7], Some(1)), (vec![7, 8, 9], None)] {
        let elsewhere = elsewhere.into_iter().map(Value::from).collect::<Value>();
        let looked =
            here.node.obey(&Node::order("undo", map! { "run" => RUN, "elsewhere" => elsewhere }, true));
        let told = looked.values["beyond"].as_list().unwrap().first().cloned();
        assert_eq!(told.and_then(|told| told.get("count")?.as_int()), count);
    }
}

/// What a run may do to one of a few paths.
#[derive(Debug, Clone)]
enum Act {
    Copy(usize, u8),
    Append(usize),
    Directory(usize),
    Absent(usize),
    Link(usize),
    Mode(usize, bool),
    Touch(usize),
    /// Another agent goes on.
    Restart,
}

const NAMES: [&str; 6] = ["a", "a/b", "a/b/c", "d", "d/e", "f"];

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    prop_oneof![
        (name(), any::<u8>()).prop_map(|(name, text)| Act::Copy(name, text)),
        name().prop_map(Act::Append),
        name().prop_map(Act::Directory),
        name().prop_map(Act::Absent),
        name().prop_map(Act::Link),
        (name(), any::<bool>()).prop_map(|(name, wide)| Act::Mode(name, wide)),
        name().prop_map(Act::Touch),
        Just(Act::Restart),
    ]
}

fn does(here: &mut Recorded, act: &Act) {
    let path = |name: &usize| here.node.text(NAMES[*name]);
    let (module, args) = match act {
        Act::Copy(name, text) => ("copy", map! { "dest" => path(name), "content" => format!("{text}\n") }),
        Act::Append(name) => {
            ("lineinfile", map! { "path" => path(name), "line" => "more", "create" => true })
        }
        Act::Directory(name) => ("file", map! { "path" => path(name), "state" => "directory" }),
        Act::Absent(name) => ("file", map! { "path" => path(name), "state" => "absent" }),
        Act::Link(name) => (
            "file",
            map! { "path" => path(name), "src" => "d", "state" => "link", "force" => true, "follow" => false },
        ),
        Act::Mode(name, wide) => {
            ("file", map! { "path" => path(name), "mode" => if *wide { "0755" } else { "0700" } })
        }
        Act::Touch(name) => ("file", map! { "path" => path(name), "state" => "touch" }),
        Act::Restart => return here.node.begin(here.state.path(), RUN),
    };
    // It may fail, where a file is above.
    here.node.run(module, args);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_run_does_is_taken_back(before in proptest::collection::vec(act(), 0..8), run in proptest::collection::vec(act(), 1..12)) {
        let mut here = Recorded::new();
        here.node.begin(here.state.path(), "20261128-000000-abcde");
        before.iter().filter(|act| !matches!(act, Act::Restart)).for_each(|act| does(&mut here, act));
        let listing = here.listing();
        here.node.begin(here.state.path(), RUN);
        run.iter().for_each(|act| does(&mut here, act));
        let after = super::without_times(here.listing());
        let done = here.undo(RUN, super::UNDO);
        prop_assert!(matches!(done.status, Status::Changed | Status::Same), "{:?}\n{}", done.values, here.record());
        prop_assert_eq!(here.listing(), listing, "{}", here.record());
        let back = here.undo(super::UNDO, super::AGAIN);
        prop_assert!(matches!(back.status, Status::Changed | Status::Same), "{:?}", back.values);
        prop_assert_eq!(super::without_times(here.listing()), after, "{}", here.record());
    }
}
