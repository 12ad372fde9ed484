//! `lineinfile`.

use convoy_protocol::map;

use super::edits::follows_ansible;
use super::harness::{Node, text};
use super::lineinfile_cases::CASES;

#[test]
fn edits_as_ansible_does() {
    follows_ansible("lineinfile", CASES);
}

#[test]
fn a_missing_line_end_does_not_join_two_lines() {
    let mut node = Node::new();
    node.write("file", "one");
    let args = map! { "path" => node.text("file"), "line" => "two", "insertafter" => "^one" };
    node.converges("lineinfile", args);
    assert_eq!(node.read("file"), "one\ntwo\n");
}

#[test]
fn creates_backs_up_and_validates() {
    let mut node = Node::new();
    let path = node.text("sub/file");
    let args = map! { "path" => path, "line" => "one", "create" => true, "mode" => "0600" };
    let done = node.converges("lineinfile", args.clone());
    assert_eq!(text(&done, "msg"), "line added and ownership, perms or SE linux context changed");
    assert_eq!((node.read("sub/file").as_str(), node.mode("sub/file")), ("one\n", 0o600));
    let mut more = args.clone();
    more.extend(map! { "line" => "two", "backup" => true, "validate" => "grep -q two %s" });
    let done = node.converges("lineinfile", more);
    assert_eq!(std::fs::read_to_string(text(&done, "backup")).unwrap(), "one\n");
    let mut refused = args;
    refused.extend(map! { "line" => "three", "validate" => "grep -q four %s" });
    assert_eq!(node.fails("lineinfile", refused), "failed to validate: rc:1 error:");
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", "one\n");
    let path = node.text("file");
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    for (args, expected) in [
        (map! { "path" => path.as_str() }, "line is required with state=present".to_owned()),
        (
            map! { "path" => path.as_str(), "state" => "absent" },
            "one of line, search_string, or regexp is required with state=absent".to_owned(),
        ),
        (
            map! { "path" => path.as_str(), "line" => "x", "backrefs" => true },
            "regexp is required with backrefs=true".to_owned(),
        ),
        (
            map! { "path" => format!("{path}x"), "line" => "x" },
            format!("Destination {path}x does not exist !"),
        ),
        (map! { "path" => directory.as_str(), "line" => "x" }, format!("Path {directory} is a directory !")),
        (
            map! { "path" => path.as_str(), "line" => "x", "validate" => "true" },
            "validate must contain %s: true".to_owned(),
        ),
        (
            map! { "path" => path.as_str(), "line" => "x", "unsafe_writes" => true },
            "unsafe_writes is not supported by convoy: an interruption would leave a partial file".to_owned(),
        ),
    ] {
        assert_eq!(node.fails("lineinfile", args), expected);
    }
}
