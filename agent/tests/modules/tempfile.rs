//! `tempfile`.

use convoy_protocol::{Status, map};

use super::harness::{Node, text};

#[test]
fn every_run_makes_another_one_for_its_owner_alone() {
    let mut node = Node::new();
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    for (state, mode) in [("file", 0o600), ("directory", 0o700)] {
        let args = map! { "path" => directory.clone(), "state" => state, "prefix" => "p.", "suffix" => ".s" };
        let seen = node.check("tempfile", args.clone());
        assert_eq!(seen.status, Status::Unknown);
        let (first, second) = (node.run("tempfile", args.clone()), node.run("tempfile", args));
        for made in [&first, &second] {
            assert_eq!((made.status, text(made, "state")), (Status::Changed, state));
            let name = text(made, "path").strip_prefix(&format!("{directory}/")).unwrap();
            let random = name.strip_prefix("p.").and_then(|name| name.strip_suffix(".s")).unwrap();
            assert_eq!((random.len(), node.mode(name)), (8, mode));
        }
        assert_ne!(text(&first, "path"), text(&second, "path"));
    }
}

#[test]
fn a_name_stays_in_a_directory_that_exists() {
    let mut node = Node::new();
    let missing = node.text("missing");
    let error = node.fails("tempfile", map! { "path" => missing.clone() });
    assert_eq!(error, format!("No such file or directory: {missing}"));
    let error = node.fails("tempfile", map! { "prefix" => "../x" });
    assert_eq!(error, "prefix and suffix are parts of a name, not of a path: ../x");
}
