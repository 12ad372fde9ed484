//! `file`.

use std::os::unix::fs::{MetadataExt, symlink};

use convoy_protocol::{Diff, Map, Status, map};

use super::harness::{Node, text};

fn state(node: &Node, name: &str, state: &str, more: Map) -> Map {
    let mut args = map! { "path" => node.text(name), "state" => state };
    args.extend(more);
    args
}

#[test]
fn directories() {
    let mut node = Node::new();
    let args = state(&node, "a/b/c", "directory", map! { "mode" => "u=rwx,g=rx,o=" });
    let done = node.converges("file", args);
    assert_eq!((node.mode("a"), node.mode("a/b/c")), (0o750, 0o750));
    assert_eq!((text(&done, "state"), text(&done, "mode")), ("directory", "0750"));
    node.write("a/b/f", "");
    symlink("/nonexistent", node.path("a/l")).unwrap();
    let args = state(&node, "a", "directory", map! { "mode" => "u=rwX,g=,o=", "recurse" => true });
    node.converges("file", args);
    assert_eq!((node.mode("a/b/c"), node.mode("a/b/f")), (0o700, 0o600));
    let error = node.fails("file", state(&node, "a/b/f", "directory", map! {}));
    assert_eq!(error, format!("{} already exists as a file", node.text("a/b/f")));
}

#[test]
fn a_link_that_leads_to_itself_is_there_and_leads_nowhere() {
    let mut node = Node::new();
    symlink("loop", node.path("loop")).unwrap();
    let error = node.fails("file", state(&node, "link", "link", map! { "src" => node.text("loop") }));
    assert!(error.starts_with("src file does not exist, use \"force=yes\""), "{error}");
    node.converges("file", state(&node, "loop", "absent", map! {}));
    assert_eq!(node.names(), Vec::<String>::new());
}

#[test]
fn what_is_removed_is_not_followed() {
    let mut node = Node::new();
    node.write("kept", "x");
    std::fs::create_dir(node.path("gone")).unwrap();
    symlink(node.path("kept"), node.path("gone/link")).unwrap();
    let done = node.converges("file", state(&node, "gone", "absent", map! {}));
    assert_eq!((text(&done, "state"), node.names()), ("absent", vec!["kept".to_owned()]));
    let Diff::Text { before, after } = &done.diff[0] else { panic!("no text") };
    let (gone, link) = (node.text("gone"), node.text("gone/link"));
    assert_eq!(
        before.text,
        format!(
            "{{\n    \"path\": \"{gone}\",\n    \"path_content\": {{\n        \"directories\": [],\n        \"files\": [\n            \"{link}\"\n        ]\n    }},\n    \"state\": \"directory\"\n}}\n"
        )
    );
    assert_eq!(after.text, format!("{{\n    \"path\": \"{gone}\",\n    \"state\": \"absent\"\n}}\n"));
}

#[test]
fn files_and_their_times() {
    let mut node = Node::new();
    let keep = map! { "access_time" => "preserve", "modification_time" => "preserve", "mode" => "0600" };
    node.converges("file", state(&node, "f", "touch", keep));
    assert_eq!(node.mode("f"), 0o600);
    assert_eq!(node.run("file", state(&node, "f", "touch", map! {})).status, Status::Changed);
    assert_eq!(node.run("file", state(&node, "f", "touch", map! {})).status, Status::Changed);
    let time = map! { "modification_time" => "202001020304.05", "access_time" => "preserve" };
    let mut order = Node::order("file", state(&node, "f", "file", time), false);
    order.environment.push(("TZ".into(), "CET-1CEST,M3.5.0,M10.5.0/3".into()));
    assert_eq!(node.obey(&order).status, Status::Changed);
    assert_eq!(std::fs::metadata(node.path("f")).unwrap().mtime(), 1_577_930_645);
    assert_eq!(node.obey(&order).status, Status::Same);
    let error = node.fails("file", state(&node, "g", "file", map! {}));
    assert_eq!(error, format!("file ({}) is absent, cannot continue", node.text("g")));
    let wrong = state(&node, "f", "file", map! { "access_time" => "soon" });
    assert_eq!(
        node.fails("file", wrong),
        "Error while obtaining timestamp for time soon using format %Y%m%d%H%M.%S: time data 'soon' does not match format '%Y%m%d%H%M.%S'"
    );
}

#[test]
fn symbolic_links() {
    let mut node = Node::new();
    node.write("target", "x");
    node.converges("file", state(&node, "l", "link", map! { "src" => "target" }));
    assert_eq!(node.read("l"), "x");
    node.converges("file", state(&node, "l", "link", map! { "src" => node.text("target") }));
    let missing = state(&node, "m", "link", map! { "src" => "nowhere" });
    let error = node.fails("file", missing.clone());
    let nowhere = node.text("nowhere");
    assert_eq!(
        error,
        format!(
            "src file does not exist, use \"force=yes\" if you really want to create the link: {nowhere}"
        )
    );
    let mut forced = missing;
    forced.insert("force".into(), true.into());
    node.converges("file", forced);
    node.write("f", "");
    let error = node.fails("file", state(&node, "f", "link", map! { "src" => "target" }));
    assert_eq!(error, format!("refusing to convert from file to symlink for {}", node.text("f")));
    node.converges("file", state(&node, "f", "link", map! { "src" => "target", "force" => true }));
    node.converges("file", state(&node, "l", "file", map! { "mode" => "0604" }));
    assert_eq!(node.mode("target"), 0o604);
    assert_eq!(node.names(), ["f", "l", "m", "target"]);
}

#[test]
fn hard_links() {
    let mut node = Node::new();
    node.write("target", "x");
    node.converges("file", state(&node, "h", "hard", map! { "src" => node.text("target") }));
    assert_eq!(std::fs::metadata(node.path("h")).unwrap().nlink(), 2);
    node.write("f", "");
    let args = state(&node, "f", "hard", map! { "src" => node.text("target") });
    assert_eq!(node.fails("file", args.clone()), "Cannot link, file exists at destination");
    let mut forced = args;
    forced.insert("force".into(), true.into());
    node.converges("file", forced);
    assert_eq!(node.read("f"), "x");
    let error = node.fails("file", state(&node, "n", "hard", map! { "src" => node.text("none") }));
    assert_eq!(error, "src does not exist");
}

#[test]
fn contradictions_are_refused() {
    let mut node = Node::new();
    node.write("f", "");
    let error = node.fails("file", state(&node, "f", "file", map! { "recurse" => true }));
    assert_eq!(error, "recurse option requires state to be 'directory'");
    let error = node.fails("file", state(&node, "f", "file", map! { "src" => "x" }));
    assert_eq!(error, "src option requires state to be 'link' or 'hard'");
}
