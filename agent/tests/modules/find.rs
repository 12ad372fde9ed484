//! `find`.

use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::harness::{Node, text};

fn tree() -> Node {
    let node = Node::new();
    for directory in ["logs", "logs/old", ".git"] {
        std::fs::create_dir(node.path(directory)).unwrap();
    }
    for (name, content) in [
        ("b.txt", "one\ntwo\n"),
        ("a.log", "ready in 3 s\n"),
        (".hidden.log", ""),
        ("logs/c.log", "x"),
        ("logs/old/d.log", "yy\nready\n"),
        (".git/e.log", ""),
    ] {
        node.write(name, content);
        set_mode(&node, name, 0o644);
    }
    set_mode(&node, "b.txt", 0o600);
    std::os::unix::fs::symlink("logs", node.path("link")).unwrap();
    node
}

fn set_mode(node: &Node, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(node.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the paths that were found, below the node's directory.
fn found(node: &Node, outcome: &Outcome) -> Vec<String> {
    let files = outcome.values["files"].as_list().unwrap();
    let path = |file: &Value| file.get("path").and_then(Value::as_str).unwrap().to_owned();
    files.iter().map(|file| path(file).strip_prefix(&node.text("")).unwrap().to_owned()).collect()
}

fn paths(node: &Node) -> Value {
    node.text("").trim_end_matches('/').into()
}

// What is found is what ansible-core 2.18 finds, sorted.
#[test]
fn finds_what_ansible_finds() {
    let mut node = tree();
    let list = |items: &[&str]| items.iter().map(|item| Value::from(*item)).collect::<Value>();
    for (args, expected) in [
        (map! {}, &["a.log", "b.txt"][..]),
        (map! { "hidden" => true }, &[".hidden.log", "a.log", "b.txt"]),
        (map! { "recurse" => true }, &["a.log", "b.txt", ".git/e.log", "logs/c.log", "logs/old/d.log"]),
        (map! { "recurse" => true, "depth" => 2 }, &["a.log", "b.txt", ".git/e.log", "logs/c.log"]),
        (map! { "recurse" => true, "limit" => 2 }, &["a.log", "b.txt"]),
        (map! { "recurse" => true, "patterns" => "c*,d*" }, &["logs/c.log", "logs/old/d.log"]),
        (map! { "patterns" => "*.log,*.txt", "excludes" => "a*" }, &["b.txt"]),
        (map! { "excludes" => "a*" }, &["b.txt"]),
        (map! { "patterns" => list(&["^[ab]\\."]), "use_regex" => true }, &["a.log", "b.txt"]),
        (map! { "patterns" => "log", "use_regex" => true }, &[]),
        (map! { "file_type" => "directory" }, &["logs"]),
        (map! { "file_type" => "link" }, &["link"]),
        (map! { "file_type" => "any" }, &["a.log", "b.txt", "link", "logs"]),
        (map! { "recurse" => true, "follow" => true, "patterns" => "c*" }, &["link/c.log", "logs/c.log"]),
        (map! { "recurse" => true, "contains" => "ready" }, &["a.log", "logs/old/d.log"]),
        (map! { "contains" => "in" }, &[]),
        (map! { "contains" => "in", "read_whole_file" => true }, &["a.log"]),
        (map! { "contains" => "one\\ntwo", "read_whole_file" => true }, &["b.txt"]),
        (map! { "contains" => "one", "encoding" => "latin-1" }, &["b.txt"]),
        (map! { "size" => "9" }, &["a.log"]),
        (map! { "size" => "-8b" }, &["b.txt"]),
        (map! { "size" => "1k" }, &[]),
        (map! { "age" => "1d" }, &[]),
        (map! { "age" => "-1w", "age_stamp" => "ctime" }, &["a.log", "b.txt"]),
        (map! { "mode" => "0600" }, &["b.txt"]),
        (map! { "mode" => "u=rw" }, &["b.txt"]),
        (map! { "mode" => "g=r", "exact_mode" => false }, &["a.log"]),
    ] {
        let mut all = args.clone();
        all.insert("paths".into(), paths(&node));
        let seen = node.run("find", all.clone());
        assert_eq!(seen.status, Status::Same, "{:?}", seen.values);
        assert_eq!(found(&node, &seen), expected, "{args:?}");
        assert_eq!(seen.values["matched"].as_int(), Some(expected.len() as i64), "{args:?}");
        let checked = node.check("find", all);
        assert_eq!(found(&node, &checked), expected, "{args:?}");
    }
}

#[test]
fn tells_what_it_looked_at() {
    let mut node = tree();
    let all = node.run("find", map! { "paths" => paths(&node), "get_checksum" => true });
    assert_eq!((all.values["examined"].as_int(), text(&all, "msg")), (Some(6), "All paths examined"));
    assert_eq!(all.values["skipped_paths"], Map::new().into());
    let first = &all.values["files"].as_list().unwrap()[0];
    assert_eq!(first.get("mode"), Some(&"0644".into()));
    assert_eq!(first.get("checksum"), Some(&"550daefcca0a0eb8c464758d96ab42a40b3846cd".into()));
    let limited = node.run("find", map! { "paths" => paths(&node), "limit" => 1 });
    assert_eq!(text(&limited, "msg"), "Limit of matches reached");
    // A link to a directory above is followed once.
    std::os::unix::fs::symlink("..", node.path("logs/up")).unwrap();
    let args = map! { "paths" => paths(&node), "recurse" => true, "follow" => true, "patterns" => "c.log" };
    let seen = node.run("find", args);
    assert_eq!(found(&node, &seen), ["link/c.log", "logs/c.log"]);
}

#[test]
fn what_cannot_be_searched_is_skipped_and_told() {
    let mut node = tree();
    let file = node.text("a.log");
    std::fs::write(node.path("b.txt"), [0xd6, 0xd0, b'\n']).unwrap();
    let both = vec![Value::from(file.as_str()), node.text("logs").into()];
    let seen = node.run("find", map! { "paths" => both });
    assert_eq!(found(&node, &seen), ["logs/c.log"]);
    assert_eq!(text(&seen, "msg"), "Not all paths examined, check warnings for details");
    let why = format!("'{file}' is not a directory");
    assert_eq!(seen.values["skipped_paths"], map! { file.as_str() => why.as_str() }.into());
    let warning = format!("Skipped '{file}' path due to this access issue: {why}\n");
    assert_eq!(seen.values["warnings"], vec![Value::from(warning)].into());
    let directory = node.text("").trim_end_matches('/').to_owned();
    for (encoding, matched, why) in [
        (Some("gbk"), 1, None),
        (Some("idontexist"), 0, Some("unknown encoding: idontexist".to_owned())),
        (
            Some("utf-8"),
            0,
            Some(format!(
                "Failed to read the file {directory}/b.txt due to an encoding error. current encoding: utf-8"
            )),
        ),
        (
            None,
            0,
            Some(format!(
                "Failed to read the file {directory}/b.txt due to an encoding error. current encoding: None (default \
                 determined by the Python built-in function \"open\")"
            )),
        ),
    ] {
        let args = map! { "paths" => directory.as_str(), "patterns" => "b*", "contains" => "中", "encoding" => encoding };
        let seen = node.run("find", args);
        assert_eq!(seen.values["matched"].as_int(), Some(matched), "{encoding:?}");
        let skipped =
            why.map(|why| (directory.as_str().into(), Value::from(why))).into_iter().collect::<Map>();
        assert_eq!(seen.values["skipped_paths"], skipped.into());
    }
}

#[test]
fn errors() {
    let mut node = tree();
    for (args, expected) in [
        (map! { "age" => "old" }, "failed to process age"),
        (map! { "age" => "1.5d" }, "failed to process age"),
        (map! { "size" => "+1k" }, "failed to process size"),
        (map! { "size" => "99999999t" }, "failed to process size"),
        (map! { "limit" => 0 }, "limit cannot be 0 (use None for unlimited)"),
        (
            map! { "mode" => 0o644 },
            "argument 'mode' is not a string and conversion is not allowed, value is of type int",
        ),
        (map! { "mode" => "rw" }, "mode must be in octal or symbolic form"),
    ] {
        let mut all = args;
        all.insert("paths".into(), paths(&node));
        assert_eq!(node.fails("find", all), expected);
    }
    let args = map! { "paths" => paths(&node), "patterns" => "(", "use_regex" => true };
    assert!(node.fails("find", args).starts_with("Invalid regular expression: '(': "));
    assert_eq!(node.fails("find", map! {}), "missing required arguments: paths");
}
