//! `apt` and `package`: real dpkg and apt on layers over the machine's own files, with a repository in a directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use convoy_protocol::{Diff, Map, Status, Value, map};

use super::harness::{Node, text};
use super::isolated::{hide, isolated};

fn run(program: &str, args: &[&str], directory: &Path) -> String {
    let done = Command::new(program).args(args).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Builds a package without files into a directory.
fn build(node: &Node, name: &str, version: &str, more: &str) -> String {
    let tree = node.path(&format!("tree/{name}_{version}"));
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n{more}Description: a test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let file = format!("{name}_{version}_all.deb");
    run(
        "dpkg-deb",
        &["--build", "--root-owner-group", &tree.to_string_lossy(), &file],
        &node.path("repository"),
    );
    file
}

/// Enters the packages in the repository's list, which nothing has read yet.
fn publish(node: &Node) {
    let directory = node.path("repository");
    let mut list = String::new();
    for file in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|ending| ending != "deb") {
            continue;
        }
        let control = run("dpkg-deb", &["--field", &file.to_string_lossy()], &directory);
        let digest = convoy_protocol::Digest::of(&fs::read(&file).unwrap());
        let size = file.metadata().unwrap().len();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        list += &format!("{}\nFilename: ./{name}\nSize: {size}\nSHA256: {digest}\n\n", control.trim_end());
    }
    fs::write(directory.join("Packages"), list).unwrap();
}

/// A node whose only repository is a directory, with `convoyed` in two versions and what it needs.
fn with_repository(test: impl FnOnce(&mut Node) + Send) {
    isolated(|node| {
        fs::create_dir(node.path("repository")).unwrap();
        build(node, "convoyed", "1.0", "");
        build(node, "convoyed-needed", "1.0", "");
        build(node, "convoyed-needing", "1.0", "Depends: convoyed-needed\nProvides: convoyed-virtual\n");
        publish(node);
        for directory in ["/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/var/lib/apt/lists"] {
            hide(directory);
        }
        let line = format!("deb [trusted=yes] copy:{} ./\n", node.text("repository"));
        fs::write("/etc/apt/sources.list", line).unwrap();
        let done = node.run("apt", map! { "update_cache" => true });
        assert_eq!((done.status, done.values["cache_updated"].clone()), (Status::Changed, true.into()));
        test(node);
    });
}

fn installed(name: &str) -> Option<String> {
    let done =
        Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status} ${Version}", name]).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    text.strip_prefix("installed ").map(str::to_owned)
}

fn names(names: &[&str]) -> Value {
    names.iter().map(|name| Value::from(*name)).collect()
}

#[test]
fn packages_come_and_go() {
    with_repository(|node| {
        let done = node.converges("apt", map! { "name" => names(&["convoyed", "convoyed-needing"]) });
        let Diff::Prepared(diff) = &done.diff[0] else { panic!("{:?}", done.diff) };
        assert!(
            diff.contains(
                "The following NEW packages will be installed:\n  convoyed convoyed-needed convoyed-needing\n"
            ),
            "{diff}"
        );
        assert_eq!(installed("convoyed-needed").as_deref(), Some("1.0"));
        assert!(text(&done, "stdout").contains("Setting up convoyed (1.0)"), "{:?}", done.values);
        // What another package stands in for is there.
        assert_eq!(node.run("apt", map! { "name" => "convoyed-virtual" }).status, Status::Same);
        node.converges("apt", map! { "name" => "convoyed-needing", "state" => "absent" });
        node.converges("apt", map! { "autoremove" => true });
        assert_eq!((installed("convoyed-needed"), installed("convoyed").as_deref()), (None, Some("1.0")));
        node.converges("package", map! { "name" => "convoyed*", "state" => "absent", "purge" => true });
        assert_eq!(installed("convoyed"), None);
    });
}

#[test]
fn versions() {
    with_repository(|node| {
        node.converges("apt", map! { "name" => "convoyed=1.*" });
        build(node, "convoyed", "2.0", "");
        publish(node);
        // Its lists do not know of it yet.
        let present = map! { "name" => "convoyed", "state" => "latest" };
        assert_eq!(node.run("apt", present.clone()).status, Status::Same);
        let mut fresh = present.clone();
        fresh.insert("update_cache".into(), true.into());
        assert_eq!(node.check("apt", fresh.clone()).status, Status::Unknown);
        let done = node.run("apt", fresh);
        assert_eq!((done.status, installed("convoyed").as_deref()), (Status::Changed, Some("2.0")));
        assert_eq!(done.values["cache_updated"], true.into());
        assert_eq!(node.run("apt", present).status, Status::Same);
        assert_eq!(node.run("apt", map! { "name" => "convoyed>=1.5" }).status, Status::Same);
        let down = map! { "name" => "convoyed=1.0" };
        let failed = node.run("apt", down.clone());
        assert_eq!((failed.status, installed("convoyed").as_deref()), (Status::Failed, Some("2.0")));
        assert!(text(&failed, "msg").contains("--allow-downgrades"), "{:?}", failed.values);
        let mut allowed = down;
        allowed.insert("allow_downgrade".into(), true.into());
        node.converges("apt", allowed);
        assert_eq!(installed("convoyed").as_deref(), Some("1.0"));
        node.converges("apt", map! { "upgrade" => "dist" });
        assert_eq!(installed("convoyed").as_deref(), Some("2.0"));
        for (name, expected) in [
            ("convoyed=3.0", "no available installation candidate for convoyed=3.0"),
            ("convoyed>=3.0", "no available installation candidate for convoyed>=3.0"),
            ("convoyed-none", "No package matching 'convoyed-none' is available"),
            ("convoyed-none*", "No package(s) matching 'convoyed-none*' available"),
            ("a=b=c", "invalid package spec: a=b=c"),
        ] {
            assert_eq!(node.fails("apt", map! { "name" => name }), expected);
        }
    });
}

#[test]
fn a_package_that_was_installed_for_another_is_wanted_for_itself() {
    with_repository(|node| {
        node.converges("apt", map! { "name" => "convoyed-needing" });
        let marked = node.run("apt", map! { "name" => "convoyed-needed" });
        assert_eq!(marked.status, Status::Ran, "{:?}", marked.values);
        assert_eq!(node.run("apt", map! { "name" => "convoyed-needed" }).status, Status::Same);
        node.converges(
            "apt",
            map! { "name" => "convoyed-needing", "state" => "absent", "autoremove" => true },
        );
        assert_eq!(installed("convoyed-needed").as_deref(), Some("1.0"));
    });
}

#[test]
fn files_of_packages() {
    with_repository(|node| {
        let file = build(node, "convoyed-file", "1.0", "Depends: convoyed-needed\n");
        node.converges("apt", map! { "deb" => node.text(&format!("repository/{file}")) });
        assert_eq!(installed("convoyed-needed").as_deref(), Some("1.0"));
        node.write("no.deb", "no package");
        let error = node.fails("apt", map! { "deb" => node.text("no.deb") });
        assert!(error.starts_with("Unable to install package: "), "{error}");
    });
}

#[test]
fn lists_that_are_young_are_left_alone() {
    with_repository(|node| {
        let young = map! { "update_cache" => true, "cache_valid_time" => 3600 };
        let same = node.run("apt", young.clone());
        assert_eq!((same.status, same.values["cache_updated"].clone()), (Status::Same, false.into()));
        fs::remove_dir_all(node.path("repository")).unwrap();
        let failed = node.run("apt", map! { "update_cache" => true, "update_cache_retries" => 1 });
        assert_eq!(failed.status, Status::Failed);
        assert!(
            text(&failed, "msg").starts_with("Failed to update apt cache after 1 retries: "),
            "{:?}",
            failed.values
        );
    });
}

#[test]
fn arguments_refused() {
    let mut node = Node::new();
    let install = |more: Map| {
        let mut args = map! { "name" => "convoyed" };
        args.extend(more);
        args
    };
    for (module, args, expected) in [
        (
            "apt",
            install(map! { "policy_rc_d" => 101 }),
            "policy_rc_d is not supported by convoy: it would stay in force if the run was stopped in between",
        ),
        ("apt", map! { "deb" => "/a.deb", "state" => "absent" }, "deb only supports state=present"),
        (
            "apt",
            map! { "deb" => "https://example.org/a.deb" },
            "deb: an address is not supported by convoy: fetch the file by get_url first",
        ),
        (
            "apt",
            install(map! { "upgrade" => "yes" }),
            "parameters are mutually exclusive: deb|package|upgrade",
        ),
        (
            "package",
            install(map! { "use" => "dnf" }),
            "use: dnf is not supported by convoy: there is only apt",
        ),
    ] {
        assert_eq!(node.fails(module, args), expected);
    }
}

#[test]
fn another_package_manager_is_named() {
    isolated(|node| {
        hide("/usr/bin");
        fs::write("/usr/bin/dnf", "#!/bin/sh\n").unwrap();
        fs::set_permissions("/usr/bin/dnf", std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let expected =
            "the packages of this node are managed by dnf, which convoy does not know: use command";
        assert_eq!(node.fails("package", map! { "name" => "unzip" }), expected);
        fs::remove_file("/usr/bin/dnf").unwrap();
        let expected = "there is no package manager on this node that convoy knows";
        assert_eq!(node.fails("package", map! { "name" => "unzip" }), expected);
    });
}
