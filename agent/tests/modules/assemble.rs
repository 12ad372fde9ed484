//! `assemble`.

use convoy_protocol::{Map, Status, Value, map};

use super::harness::{Node, text};

fn fragments() -> Node {
    let node = Node::new();
    std::fs::create_dir_all(node.path("conf.d/directory")).unwrap();
    for (name, content) in
        [("20-b", "b\n"), ("10-a", "a"), (".hidden", "h\n"), ("30-c.bak", "c"), ("directory/x", "x")]
    {
        node.write(&format!("conf.d/{name}"), content);
    }
    std::os::unix::fs::symlink("20-b", node.path("conf.d/40-link")).unwrap();
    node
}

// The contents are those that ansible-core 2.18 makes.
#[test]
fn fragments_come_in_the_order_of_their_names() {
    let mut node = fragments();
    for (args, expected) in [
        (map! {}, "h\na\nb\nc\nb\n"),
        (map! { "ignore_hidden" => true }, "a\nb\nc\nb\n"),
        (map! { "regexp" => "^[12]" }, "a\nb\n"),
        (map! { "regexp" => "nothing" }, ""),
        (map! { "ignore_hidden" => true, "delimiter" => "--" }, "a\n--\nb\n--\nc\n--\nb\n"),
        (map! { "regexp" => "^[12]", "delimiter" => "\\x41\\n" }, "a\nA\nb\n"),
        (map! { "regexp" => "^[12]", "delimiter" => "" }, "a\nb\n"),
    ] {
        let mut all = args.clone();
        all.extend(map! { "src" => node.text("conf.d"), "dest" => node.text("whole") });
        let seen = node.check("assemble", all.clone());
        let done = node.run("assemble", all.clone());
        assert_eq!(node.read("whole"), expected, "{args:?}");
        assert_eq!((text(&done, "msg"), text(&done, "src")), ("OK", &*node.text("conf.d")));
        assert_eq!(text(&seen, "checksum"), text(&done, "checksum"));
        assert_eq!(node.run("assemble", all).status, Status::Same);
    }
}

#[test]
fn fragments_of_the_workstation_are_put_together_on_the_node() {
    let mut node = Node::new();
    let entry = |mut content: Map, path: &str| {
        content.extend(map! { "path" => path, "kind" => "file" });
        Value::from(content)
    };
    let entries = vec![
        entry(node.content("a", "a", 0o644), "a"),
        map! { "path" => "directory", "kind" => "dir", "mode" => 0o755 }.into(),
        entry(node.content("x", "x", 0o644), "directory/x"),
        entry(node.content("b", "b", 0o644), "b"),
    ];
    let tree = map! { "name" => "conf.d", "slash" => false, "tree" => entries };
    let args = map! { "src" => tree, "dest" => node.text("whole"), "remote_src" => false, "mode" => "0600" };
    let done = node.converges("assemble", args.clone());
    assert_eq!((node.read("whole").as_str(), node.mode("whole")), ("a\nb", 0o600));
    assert_eq!(text(&done, "md5sum").len(), 32);
    let mut more = args;
    more.extend(map! { "delimiter" => "#", "backup" => true, "validate" => "grep -q '#' %s" });
    let done = node.converges("assemble", more);
    assert_eq!(std::fs::read_to_string(text(&done, "backup_file")).unwrap(), "a\nb");
}

#[test]
fn errors() {
    let mut node = fragments();
    let (directory, file) = (node.text("conf.d"), node.text("conf.d/10-a"));
    for (args, expected) in [
        (map! { "src" => node.text("none") }, format!("Source ({}) does not exist", node.text("none"))),
        (map! { "src" => file.as_str() }, format!("Source ({file}) is not a directory")),
        (
            map! { "src" => node.content("f", "x", 0o644), "remote_src" => false },
            "Source (f) is not a directory".to_owned(),
        ),
        (
            map! { "src" => directory.as_str(), "validate" => "true" },
            "validate must contain %s: true".to_owned(),
        ),
        (
            map! { "src" => directory.as_str(), "validate" => "grep -q z %s" },
            "failed to validate: rc:1 error:".to_owned(),
        ),
        (
            map! { "src" => directory.as_str(), "delimiter" => "\\" },
            "cannot read the delimiter '\\': it ends with a backslash".to_owned(),
        ),
    ] {
        let mut all = args;
        all.insert("dest".into(), node.text("whole").into());
        assert_eq!(node.fails("assemble", all), expected);
    }
}
