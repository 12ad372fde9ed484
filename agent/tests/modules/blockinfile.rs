//! `blockinfile`.

use convoy_protocol::{Status, map};

use super::blockinfile_cases::CASES;
use super::edits::follows_ansible;
use super::harness::{Node, text};

#[test]
fn edits_as_ansible_does() {
    follows_ansible("blockinfile", CASES);
}

#[test]
fn creates_backs_up_and_validates() {
    let mut node = Node::new();
    let args =
        map! { "path" => node.text("sub/file"), "block" => "one", "create" => true, "marker" => "# {mark}" };
    let done = node.converges("blockinfile", args.clone());
    assert_eq!(
        (text(&done, "msg"), node.read("sub/file").as_str()),
        ("File created", "# BEGIN\none\n# END\n")
    );
    let mut more = args.clone();
    more.extend(
        map! { "block" => "two", "backup" => true, "validate" => "grep -q two %s", "mode" => "0600" },
    );
    let done = node.converges("blockinfile", more);
    assert_eq!(text(&done, "msg"), "Block inserted and ownership, perms or SE linux context changed");
    assert_eq!((node.read("sub/file").as_str(), node.mode("sub/file")), ("# BEGIN\ntwo\n# END\n", 0o600));
    let kept = std::fs::read_to_string(text(&done, "backup_file")).unwrap();
    assert_eq!(kept, "# BEGIN\none\n# END\n");
    let mut refused = args.clone();
    refused.extend(map! { "block" => "three", "validate" => "grep -q four %s" });
    assert_eq!(node.fails("blockinfile", refused), "failed to validate: rc:1 error:");
    let mut gone = args;
    gone.insert("state".into(), "absent".into());
    node.converges("blockinfile", gone);
    assert_eq!(node.read("sub/file"), "");
    let missing = map! { "path" => node.text("none"), "state" => "absent", "create" => true };
    let seen = node.run("blockinfile", missing);
    assert_eq!(
        (seen.status, text(&seen, "msg")),
        (Status::Same, &*format!("File {} not present", node.text("none")))
    );
}

#[test]
fn other_encodings_and_links_are_kept() {
    let mut node = Node::new();
    std::fs::write(node.path("latin"), b"\xe9\n").unwrap();
    std::os::unix::fs::symlink("latin", node.path("link")).unwrap();
    let args = map! { "path" => node.text("link"), "block" => "\u{fc}", "encoding" => "latin-1", "marker" => "#{mark}" };
    node.converges("blockinfile", args);
    assert_eq!(std::fs::read(node.path("latin")).unwrap(), b"\xe9\n#BEGIN\n\xfc\n#END\n");
    assert!(node.path("link").is_symlink());
    // What is no UTF-8 stays as it is.
    let args = map! { "path" => node.text("latin"), "block" => "x", "marker" => "#{mark}" };
    node.converges("blockinfile", args);
    assert_eq!(std::fs::read(node.path("latin")).unwrap(), b"\xe9\n#BEGIN\nx\n#END\n");
    let args = map! { "path" => node.text("latin"), "block" => "\u{20ac}", "encoding" => "latin-1" };
    let error = format!("what {} holds is not valid in the encoding latin-1", node.text("latin"));
    assert_eq!(node.fails("blockinfile", args), error);
    let args = map! { "path" => node.text("latin"), "block" => "x", "encoding" => "none" };
    assert_eq!(node.fails("blockinfile", args), "unknown encoding: none");
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", "one\n");
    let path = node.text("file");
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    for (args, expected) in [
        (map! { "path" => directory.as_str() }, format!("Path {directory} is a directory !")),
        (map! { "path" => format!("{path}x") }, format!("Path {path}x does not exist !")),
        (
            map! { "path" => path.as_str(), "insertafter" => "a", "insertbefore" => "b" },
            "parameters are mutually exclusive: insertbefore|insertafter".to_owned(),
        ),
        (
            map! { "path" => path.as_str(), "block" => "x", "validate" => "true" },
            "validate must contain %s: true".to_owned(),
        ),
    ] {
        assert_eq!(node.fails("blockinfile", args), expected);
    }
    let bad = node.fails("blockinfile", map! { "path" => path, "block" => "x", "insertafter" => "(" });
    assert!(bad.starts_with("Invalid regular expression: '(': "), "{bad}");
}
