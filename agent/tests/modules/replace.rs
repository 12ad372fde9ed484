//! `replace`.

use convoy_protocol::{Status, map};

use super::edits::follows_ansible;
use super::harness::{Node, text};
use super::replace_cases::CASES;

#[test]
fn edits_as_ansible_does() {
    follows_ansible("replace", CASES);
}

#[test]
fn backs_up_validates_and_sets_attributes() {
    let mut node = Node::new();
    std::fs::write(node.path("file"), b"one \xff\ntwo\n").unwrap();
    let args = map! { "path" => node.text("file"), "regexp" => "one", "replace" => "1" };
    let mut all = args.clone();
    all.extend(map! { "backup" => true, "validate" => "grep -qa 1 %s", "mode" => "0640" });
    let done = node.converges("replace", all);
    let msg = "1 replacements made and ownership, perms or SE linux context changed";
    assert_eq!((text(&done, "msg"), done.values["rc"].as_int()), (msg, Some(0)));
    assert_eq!(std::fs::read(node.path("file")).unwrap(), b"1 \xff\ntwo\n");
    assert_eq!(std::fs::read(text(&done, "backup_file")).unwrap(), b"one \xff\ntwo\n");
    let mut refused = args;
    refused.extend(map! { "regexp" => "two", "validate" => "grep -qa two %s" });
    assert_eq!(node.fails("replace", refused), "failed to validate: rc:1 error:");
}

#[test]
fn a_section_that_is_not_there_is_no_failure() {
    let mut node = Node::new();
    node.write("file", "one\n");
    let args = map! { "path" => node.text("file"), "regexp" => "o", "after" => "two", "before" => "three" };
    let seen = node.run("replace", args);
    let msg = "Pattern for before/after params did not match the given file: two(?P<subsection>.*?)three";
    assert_eq!((seen.status, text(&seen, "msg")), (Status::Same, msg));
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", "one\n");
    let path = node.text("file");
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    for (args, expected) in [
        (
            map! { "path" => directory.as_str(), "regexp" => "x" },
            format!("Path {directory} is a directory !"),
        ),
        (map! { "path" => format!("{path}x"), "regexp" => "x" }, format!("Path {path}x does not exist !")),
        (
            map! { "path" => path.as_str(), "regexp" => "(o)", "replace" => "\\2" },
            "Unable to process replace due to error: invalid group reference 2 at position 1".to_owned(),
        ),
        (map! { "path" => path.as_str() }, "missing required arguments: regexp".to_owned()),
    ] {
        assert_eq!(node.fails("replace", args), expected);
    }
}
