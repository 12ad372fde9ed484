//! `copy` and `template`.

use convoy_protocol::{Diff, DiffSide, Status, Value, map};

use super::harness::{Node, text};
use super::isolated::isolated;

#[test]
fn text_becomes_a_file() {
    let mut node = Node::new();
    let done = node
        .converges("copy", map! { "content" => "abc", "dest" => node.text("file"), "mode" => "u=rw,g=r,o=" });
    assert_eq!((node.read("file").as_str(), node.mode("file")), ("abc", 0o640));
    assert_eq!(text(&done, "checksum"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(text(&done, "md5sum"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!((text(&done, "mode"), text(&done, "state")), ("0640", "file"));
    assert_eq!((done.values["size"].as_int(), text(&done, "dest")), (Some(3), node.text("file").as_str()));
    let side = |header: &str, text: &str| DiffSide { header: header.into(), text: text.into() };
    let expected = Diff::Text { before: side("", ""), after: side(&node.text("file"), "abc") };
    assert_eq!(done.diff, [expected]);
    // Only the mode differs: nothing is written, and the difference is in the attributes.
    let done =
        node.converges("copy", map! { "content" => "abc", "dest" => node.text("file"), "mode" => "0600" });
    let json =
        |mode: &str| format!("{{\n    \"mode\": \"{mode}\",\n    \"path\": \"{}\"\n}}\n", node.text("file"));
    assert_eq!(done.diff, [Diff::Text { before: side("", &json("0640")), after: side("", &json("0600")) }]);
}

#[test]
fn maps_become_json() {
    let mut node = Node::new();
    let content = map! { "b" => 1, "a" => vec![Value::from(true)] };
    node.converges("copy", map! { "content" => content, "dest" => node.text("file") });
    assert_eq!(node.read("file"), r#"{"b": 1, "a": [true]}"#);
}

#[test]
fn bytes_stay_as_they_are() {
    let mut node = Node::new();
    node.converges("copy", map! { "content" => &[0xfe, 0xed, 0][..], "dest" => node.text("file") });
    assert_eq!(std::fs::read(node.path("file")).unwrap(), [0xfe, 0xed, 0]);
}

#[test]
fn content_is_fetched_only_if_it_is_needed() {
    let mut node = Node::new();
    node.write("file", "same");
    let args = map! { "src" => node.missing_content("file", "same", 0o644), "dest" => node.text("file") };
    assert_eq!(node.run("copy", args).status, Status::Same);
    node.write("file", "other");
    let args =
        map! { "src" => node.content("x.conf", "new", 0o600), "dest" => node.text(""), "mode" => "preserve" };
    let done = node.converges("copy", args);
    assert_eq!((node.read("x.conf").as_str(), node.mode("x.conf")), ("new", 0o600));
    assert_eq!(std::fs::read_to_string(text(&done, "src")).unwrap(), "new");
}

#[test]
fn directories_are_made_for_a_destination_with_a_slash() {
    let mut node = Node::new();
    let src = node.content("x.conf", "new", 0o600);
    let args = map! { "src" => src.clone(), "dest" => node.text("a/b/"), "directory_mode" => "0700" };
    node.converges("copy", args);
    assert_eq!((node.read("a/b/x.conf").as_str(), node.mode("a"), node.mode("a/b")), ("new", 0o700, 0o700));
    let error = node.fails("copy", map! { "src" => src, "dest" => node.text("no/where") });
    assert_eq!(error, format!("Destination directory {} does not exist", node.text("no")));
}

#[test]
fn links_are_replaced_or_followed() {
    let mut node = Node::new();
    node.write("target", "old");
    std::os::unix::fs::symlink("target", node.path("link")).unwrap();
    node.converges("copy", map! { "content" => "new", "dest" => node.text("link"), "follow" => true });
    assert_eq!((node.read("target").as_str(), node.path("link").is_symlink()), ("new", true));
    node.converges("copy", map! { "content" => "new", "dest" => node.text("link") });
    assert!(!node.path("link").is_symlink());
}

#[test]
fn force_backup_validate_and_checksum() {
    let mut node = Node::new();
    node.write("file", "old");
    let base = map! { "content" => "new", "dest" => node.text("file") };
    let with = |more: convoy_protocol::Map| {
        let mut args = base.clone();
        args.extend(more);
        args
    };
    assert_eq!(node.run("copy", with(map! { "force" => false })).status, Status::Same);
    assert_eq!(node.read("file"), "old");
    assert_eq!(node.fails("copy", with(map! { "validate" => "grep -q old %s" })), "failed to validate");
    let error = node.fails("copy", with(map! { "checksum" => "0" }));
    assert_eq!(error, "Copied file does not match the expected checksum. Transfer failed.");
    let done = node.converges("copy", with(map! { "backup" => true, "validate" => "grep -q new %s" }));
    assert_eq!(std::fs::read_to_string(text(&done, "backup_file")).unwrap(), "old");
}

#[test]
fn trees_from_the_workstation() {
    let mut node = Node::new();
    let mut file = node.content("f", "deep", 0o640);
    file.extend(map! { "path" => "sub/f", "kind" => "file" });
    let entries = vec![
        Value::from(map! { "path" => "sub", "kind" => "dir", "mode" => 0o755 }),
        file.into(),
        map! { "path" => "l", "kind" => "link", "target" => "sub/f" }.into(),
    ];
    let tree = |slash: bool| map! { "name" => "tree", "slash" => slash, "tree" => entries.clone() };
    let args = map! {
        "src" => tree(false), "dest" => node.text("out"), "mode" => "preserve", "directory_mode" => "0750",
    };
    node.converges("copy", args);
    assert_eq!((node.read("out/tree/l").as_str(), node.mode("out/tree/sub/f")), ("deep", 0o640));
    assert_eq!((node.mode("out/tree/sub"), node.mode("out")), (0o750, 0o750));
    node.converges("copy", map! { "src" => tree(true), "dest" => node.text("flat") });
    assert_eq!(node.read("flat/sub/f"), "deep");
}

#[test]
fn trees_and_files_of_the_node() {
    let mut node = Node::new();
    std::fs::create_dir_all(node.path("from/sub")).unwrap();
    node.write("from/sub/f", "deep");
    std::os::unix::fs::symlink("sub/f", node.path("from/l")).unwrap();
    let args = |src: &str, dest: &str| map! { "src" => src, "dest" => dest, "remote_src" => true };
    node.converges("copy", args(&node.text("from"), &node.text("to")));
    assert_eq!(node.read("to/from/sub/f"), "deep");
    assert!(node.path("to/from/l").is_symlink());
    node.converges("copy", args(&node.text("from/"), &node.text("flat")));
    assert_eq!(node.read("flat/l"), "deep");
    node.converges("copy", args(&node.text("from/sub/f"), &node.text("g")));
    assert_eq!(node.read("g"), "deep");
    let error = node.fails("copy", args(&node.text("none"), &node.text("g")));
    assert_eq!(error, format!("Source {} not found", node.text("none")));
}

#[test]
fn links_in_a_tree_have_the_owner_that_is_asked_for() {
    use std::os::unix::fs::{MetadataExt, symlink};
    isolated(|node| {
        std::fs::create_dir(node.path("from")).unwrap();
        node.write("from/f", "x");
        symlink("f", node.path("from/l")).unwrap();
        let args = |owner: &str| {
            let src = format!("{}/", node.text("from"));
            map! { "src" => src, "dest" => node.text("to"), "remote_src" => true, "owner" => owner }
        };
        let (daemon, bin) = (args("daemon"), args("bin"));
        node.converges("copy", daemon);
        let owner = |name: &str| std::fs::symlink_metadata(node.path(name)).unwrap().uid();
        assert_eq!((owner("to/f"), owner("to/l"), owner("from/l")), (1, 1, 0));
        node.converges("copy", bin);
        let owner = |name: &str| std::fs::symlink_metadata(node.path(name)).unwrap().uid();
        assert_eq!((owner("to/f"), owner("to/l"), owner("from/l")), (2, 2, 0));
    });
}

#[test]
fn templates_are_put_like_files() {
    let mut node = Node::new();
    let src = node.content("app.conf.j2", "port = 1\n", 0o644);
    node.converges("template", map! { "src" => src, "dest" => node.text("app.conf"), "mode" => "0640" });
    assert_eq!((node.read("app.conf").as_str(), node.mode("app.conf")), ("port = 1\n", 0o640));
    let error = node.fails("template", map! { "src" => "app.conf.j2", "dest" => node.text("app.conf") });
    assert_eq!(error, "src is no template that the controller has rendered");
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", "old");
    let dest = node.text("file");
    for (args, expected) in [
        (map! { "dest" => dest.as_str() }, "src (or content) is required"),
        (map! { "dest" => node.text(""), "content" => "x" }, "can not use content with a dir as dest"),
        (map! { "content" => "x" }, "dest is required"),
        (
            map! { "content" => "x", "dest" => dest.as_str(), "owner" => "no such user" },
            "chown failed: failed to look up user no such user",
        ),
        (
            map! { "content" => "x", "dest" => dest.as_str(), "group" => "no such group" },
            "chgrp failed: failed to look up group no such group",
        ),
        (
            map! { "content" => "x", "dest" => dest.as_str(), "mode" => "rw" },
            "mode must be in octal or symbolic form",
        ),
        (
            map! { "content" => "x", "dest" => dest.as_str(), "attributes" => "+i" },
            "attributes is not supported by convoy: set them by running chattr with the command module",
        ),
    ] {
        assert_eq!(node.fails("copy", args), expected);
    }
    assert_eq!(node.names(), ["file"]);
}
