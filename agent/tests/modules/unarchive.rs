//! `unarchive`.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use convoy_protocol::{Diff, Digest, Map, Status, Value, map};

use super::archives::{Header, Record, Tar, Zip};
use super::harness::{Node, text};

/// An archive on the node, and where it shall be unpacked.
fn on_node(node: &Node, archive: &[u8]) -> Map {
    fs::write(node.path("archive"), archive).unwrap();
    fs::create_dir_all(node.path("out")).unwrap();
    map! { "src" => node.text("archive"), "dest" => node.text("out"), "remote_src" => true }
}

fn with(args: &Map, more: Map) -> Map {
    let mut all = args.clone();
    all.extend(more);
    all
}

fn pack() -> Tar {
    Tar::default()
        .dir("./", 0o700)
        .dir("./p/", 0o750)
        .member(&Header { mode: 0o755, ..Header::new("./p/run", b'0') }, b"#!/bin/sh\n")
        .file("./p/conf/deep/a.toml", "a = 1\n")
        .link("./p/link", "run")
        .hard("./p/again", "./p/run")
}

#[test]
fn all_that_an_archive_has() {
    let mut node = Node::new();
    let args = on_node(&node, &pack().gz());
    fs::set_permissions(node.path("out"), fs::Permissions::from_mode(0o755)).unwrap();
    let done = node.converges("unarchive", args.clone());
    assert_eq!((text(&done, "handler"), text(&done, "state")), ("TgzArchive", "directory"));
    assert_eq!((text(&done, "dest"), text(&done, "src")), (&*node.text("out"), &*node.text("archive")));
    assert_eq!((node.read("out/p/run").as_str(), node.mode("out/p/run")), ("#!/bin/sh\n", 0o755));
    assert_eq!((node.read("out/p/conf/deep/a.toml").as_str(), node.mode("out/p")), ("a = 1\n", 0o750));
    assert_eq!(fs::read_link(node.path("out/p/link")).unwrap(), Path::new("run"));
    let meta = |name: &str| fs::metadata(node.path(name)).unwrap();
    assert_eq!(meta("out/p/run").ino(), meta("out/p/again").ino());
    assert_eq!(meta("out/p/conf/deep/a.toml").mtime(), 1_500_000_000);
    // What the archive says of the directory that it was made in is not for the destination.
    assert_eq!(node.mode("out"), 0o755);
    let lines = ">d++++++.?? ./p/\n>f++++++.?? ./p/run\n>d++++++.?? p/conf\n>d++++++.?? p/conf/deep\n\
                 >f++++++.?? ./p/conf/deep/a.toml\n>L++++++.?? ./p/link\n>h++++++.?? ./p/again\n";
    assert_eq!(done.diff, [Diff::Prepared(lines.into())]);
    let listed = node.run("unarchive", with(&args, map! { "list_files" => true }));
    let names = ["./", "./p/", "./p/run", "./p/conf/deep/a.toml", "./p/link", "./p/again"];
    assert_eq!(
        (listed.status, &listed.values["files"]),
        (Status::Same, &names.into_iter().map(Value::from).collect())
    );
}

#[test]
fn what_differs_alone_is_unpacked() {
    let mut node = Node::new();
    let args = on_node(&node, &pack().done());
    node.converges("unarchive", args.clone());
    let ino = |name: &str| fs::metadata(node.path(name)).unwrap().ino();
    let (run, conf) = (ino("out/p/run"), ino("out/p/conf/deep/a.toml"));
    node.write("out/p/conf/deep/a.toml", "b = 2\n");
    fs::remove_file(node.path("out/p/link")).unwrap();
    fs::set_permissions(node.path("out/p"), fs::Permissions::from_mode(0o777)).unwrap();
    node.write("out/p/mine", "not of the archive");
    let done = node.converges("unarchive", args);
    assert_eq!(
        done.diff,
        [Diff::Prepared(".d...p...?? ./p/\n.fc......?? ./p/conf/deep/a.toml\n>L++++++.?? ./p/link\n".into())]
    );
    let ino = |name: &str| fs::metadata(node.path(name)).unwrap().ino();
    assert_eq!((ino("out/p/run"), node.read("out/p/mine").as_str()), (run, "not of the archive"));
    assert_ne!(ino("out/p/conf/deep/a.toml"), conf);
    assert_eq!((node.read("out/p/conf/deep/a.toml").as_str(), node.mode("out/p")), ("a = 1\n", 0o750));
}

#[test]
fn an_archive_of_the_workstation_is_fetched_only_if_something_differs() {
    let mut node = Node::new();
    fs::create_dir(node.path("out")).unwrap();
    let archive = Zip::default()
        .dir("d/")
        .file("d/f", "one")
        .member(&Record { mode: 0, system: 0, ..Record::new("dos") }, b"")
        .link("l", "dos")
        .done_large();
    let manifest = convoy_archive::read(&mut Cursor::new(&archive)).unwrap().encode();
    let manifest = node.content_bytes("manifest", &manifest, 0o644);
    let mut src = node.content_bytes("pack.zip", &archive, 0o644);
    src.insert("manifest".into(), manifest["digest"].clone());
    let args = map! { "src" => src.clone(), "dest" => node.text("out") };
    let done = node.converges("unarchive", args.clone());
    assert_eq!((text(&done, "src"), text(&done, "handler")), ("pack.zip", "ZipArchive"));
    assert_eq!((node.read("out/d/f").as_str(), node.mode("out/dos")), ("one", 0o666 & !node.system.umask()));
    // The archive cannot be had any more, and is not missed.
    node.forget_content(&src);
    assert_eq!(node.run("unarchive", args.clone()).status, Status::Same);
    fs::remove_file(node.path("out/d/f")).unwrap();
    let digest = Digest::of(&archive);
    assert_eq!(node.fails("unarchive", args), format!("no content {digest}"));
}

#[test]
fn what_is_damaged_on_its_way_places_nothing_and_is_made_up_for() {
    let mut node = Node::new();
    fs::create_dir(node.path("out")).unwrap();
    let archive = Zip::default().file("a", "one").file("b", "two").done();
    let manifest = convoy_archive::read(&mut Cursor::new(&archive)).unwrap().encode();
    let manifest = node.content_bytes("manifest", &manifest, 0o644);
    let mut src = node.content_bytes("pack.zip", &archive, 0o644);
    src.insert("manifest".into(), manifest["digest"].clone());
    let args = map! { "src" => src.clone(), "dest" => node.text("out") };
    let other = Zip::default().file("a", "one").file("b", "2 2").done();
    node.replace_content(&src, &other);
    assert_eq!(node.fails("unarchive", args.clone()), "b has changed since it was looked at");
    node.replace_content(&src, &Zip::default().file("a", "one").done());
    assert_eq!(node.fails("unarchive", args.clone()), "pack.zip has changed since it was looked at");
    node.replace_content(&src, &archive);
    node.converges("unarchive", args);
    assert_eq!((node.read("out/a").as_str(), node.read("out/b").as_str()), ("one", "two"));
}

#[test]
fn creates_keeps_it_from_being_looked_at() {
    let mut node = Node::new();
    let args = on_node(&node, b"no archive");
    node.write("there", "");
    let same = node.run("unarchive", with(&args, map! { "creates" => node.text("there") }));
    let msg = format!("skipped, since {} exists", node.text("there"));
    assert_eq!((same.status, same.values), (Status::Same, map! { "skipped" => true, "msg" => msg }));
}

#[test]
fn members_are_chosen() {
    let mut node = Node::new();
    let tar = || {
        Tar::default()
            .file("a/x.txt", "1")
            .file("a/y.conf", "2")
            .file("b/x.txt", "3")
            .hard("c", "a/y.conf")
            .done()
    };
    let names = |node: &Node| {
        let all = node.snapshot().into_keys().filter(|path| path.is_file());
        let names =
            all.filter_map(|path| Some(path.strip_prefix(node.path("out")).ok()?.display().to_string()));
        names.collect::<Vec<_>>().join(" ")
    };
    let patterns = |words: &[&str]| words.iter().map(|word| Value::from(*word)).collect::<Value>();
    for (option, words, left) in [
        ("include", &["a"][..], "a/x.txt a/y.conf"),
        ("include", &["*.txt"], "a/x.txt b/x.txt"),
        ("include", &["c"], "c"),
        ("exclude", &["a/"], "b/x.txt c"),
        ("exclude", &["x.txt"], "a/y.conf c"),
        ("exclude", &["[ab]/?.txt", "c"], "a/y.conf"),
        ("extra_opts", &["--strip-components=1", "--exclude=b"], "x.txt y.conf"),
        ("extra_opts", &["--strip-components", "2"], ""),
    ] {
        let args = with(&on_node(&node, &tar()), map! { option => patterns(words) });
        let expected = if left.is_empty() { Status::Same } else { Status::Changed };
        assert_eq!(node.run("unarchive", args.clone()).status, expected, "{words:?}");
        assert_eq!(names(&node), left, "{words:?}");
        assert_eq!(node.run("unarchive", args).status, Status::Same, "{words:?}");
        fs::remove_dir_all(node.path("out")).unwrap();
    }
    let args = on_node(&node, &tar());
    let failed = format!("failed to unpack {} to {}", node.text("archive"), node.text("out"));
    for (more, why) in [
        (map! { "include" => "none" }, format!("{failed}: include: 'none' matches nothing in the archive")),
        (
            map! { "extra_opts" => "--strip-components=1" },
            format!("cannot unpack {}: 'b/x.txt' occurs twice", node.text("archive")),
        ),
        (map! { "extra_opts" => "--strip-components=x" }, "extra_opts: --strip-components needs a number of directories, not 'x'".into()),
        (
            map! { "extra_opts" => "--transform=s/a/b/" },
            "extra_opts: unrecognized option '--transform=s/a/b/': convoy unpacks by itself, without tar, and knows \
             --strip-components=N, --no-same-owner, --same-owner, --numeric-owner, --same-permissions, --no-same-permissions, \
             --no-overwrite-dir, --keep-newer-files and --exclude=PATTERN"
                .into(),
        ),
        (map! { "include" => "a", "exclude" => "b" }, "parameters are mutually exclusive: include|exclude".into()),
        (map! { "copy" => false }, "parameters are mutually exclusive: copy|remote_src".into()),
        (map! { "mode" => "u=foo" }, "mode must be in octal or symbolic form".into()),
        (map! { "owner" => "no such user" }, "chown failed: failed to look up user no such user".into()),
    ] {
        assert_eq!(node.fails("unarchive", with(&args, more)), why);
    }
}

#[test]
fn modes_of_the_task_start_from_those_of_the_archive() {
    let mut node = Node::new();
    let zip = Zip::default()
        .dir("d/")
        .file("d/f", "")
        .member(&Record { mode: 0o100_755, ..Record::new("run") }, b"")
        .done();
    let args = with(&on_node(&node, &zip), map! { "mode" => "u+rwX-x,g-rwx,o=x" });
    node.converges("unarchive", args.clone());
    assert_eq!((node.mode("out/d/f"), node.mode("out/run"), node.mode("out/d")), (0o601, 0o601, 0o601));
    node.converges("unarchive", with(&args, map! { "mode" => "0750" }));
    assert_eq!((node.mode("out/d/f"), node.mode("out/d")), (0o750, 0o750));
}

#[test]
fn special_bits_are_set_only_if_asked_for() {
    let mut node = Node::new();
    let tar = Tar::default().member(&Header { mode: 0o4755, ..Header::new("run", b'0') }, b"").done();
    let args = on_node(&node, &tar);
    let done = node.converges("unarchive", args.clone());
    let warning = format!(
        "1 members of {} have a set-user-id, set-group-id or sticky bit, such as run; it is not set without extra_opts: --same-permissions",
        node.text("archive")
    );
    assert_eq!((node.mode("out/run"), &done.values["warnings"]), (0o755, &vec![Value::from(warning)].into()));
    let done = node.converges("unarchive", with(&args, map! { "extra_opts" => "--same-permissions" }));
    assert_eq!((node.mode("out/run"), done.values.get("warnings")), (0o4755, None));
}

#[test]
fn owners_of_the_archive_and_of_the_task() {
    let mut node = Node::new();
    if node.system.uid() != 0 {
        return;
    }
    let owned = Header { uid: 1234, ..Header::new("top/f", b'0') };
    let args = on_node(&node, &Tar::default().member(&owned, b"").link("l", "top/f").done());
    let owner = |node: &Node, name: &str| fs::symlink_metadata(node.path(name)).unwrap().uid();
    node.converges("unarchive", args.clone());
    assert_eq!((owner(&node, "out/top/f"), owner(&node, "out/top"), owner(&node, "out")), (1234, 0, 0));
    node.converges("unarchive", with(&args, map! { "owner" => "77" }));
    assert_eq!((owner(&node, "out/top/f"), owner(&node, "out/top"), owner(&node, "out/l")), (77, 77, 77));
    assert_eq!(
        node.run("unarchive", with(&args, map! { "extra_opts" => "--no-same-owner" })).status,
        Status::Same
    );
}

#[test]
fn newer_files_are_kept_if_asked_for() {
    let mut node = Node::new();
    let args = on_node(&node, &Tar::default().file("f", "old").done());
    node.write("out/f", "new");
    let same = node.run("unarchive", with(&args, map! { "keep_newer" => true }));
    assert_eq!((same.status, node.read("out/f").as_str()), (Status::Same, "new"));
    // Of the same second, and so as old as the archive can tell: tar keeps that, too.
    let second = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    fs::File::open(node.path("out/f")).unwrap().set_modified(second).unwrap();
    assert_eq!(node.run("unarchive", with(&args, map! { "keep_newer" => true })).status, Status::Same);
    node.converges("unarchive", args);
    assert_eq!(node.read("out/f"), "old");
}

#[test]
fn nothing_is_placed_through_links_of_the_node() {
    let mut node = Node::new();
    let args = on_node(&node, &Tar::default().file("first", "1").file("d/f", "x").done());
    fs::create_dir(node.path("elsewhere")).unwrap();
    symlink(node.path("elsewhere"), node.path("out/d")).unwrap();
    let failed = format!("failed to unpack {} to {}", node.text("archive"), node.text("out"));
    assert_eq!(
        node.fails("unarchive", args.clone()),
        format!(
            "{failed}: {} is a symbolic link that leads out of it, to {}",
            node.text("out/d"),
            node.text("elsewhere")
        )
    );
    fs::remove_file(node.path("out/d")).unwrap();
    symlink("nowhere", node.path("out/d")).unwrap();
    assert_eq!(
        node.fails("unarchive", args.clone()),
        format!(
            "{failed}: {} is a symbolic link to no directory, where the archive has a directory",
            node.text("out/d")
        )
    );
    fs::remove_file(node.path("out/d")).unwrap();
    // One that stays inside is a directory like others, and one in the place of a file is replaced, not followed.
    fs::create_dir(node.path("out/real")).unwrap();
    symlink("real", node.path("out/d")).unwrap();
    node.write("elsewhere/secret", "untouched");
    symlink(node.path("elsewhere/secret"), node.path("out/first")).unwrap();
    node.converges("unarchive", args);
    assert_eq!(
        (node.read("out/real/f").as_str(), node.read("elsewhere/secret").as_str()),
        ("x", "untouched")
    );
    assert_eq!(node.read("out/first"), "1");
}

#[test]
fn what_is_in_the_way() {
    let mut node = Node::new();
    let args = on_node(
        &node,
        &Tar::default().file("aaa", "").file("d/f", "").link("l", "x").hard("n", "aaa").done(),
    );
    let failed = format!("failed to unpack {} to {}", node.text("archive"), node.text("out"));
    for (name, what) in [
        ("aaa", "a directory, where the archive has a file"),
        ("l", "a directory, where the archive has a symbolic link"),
        ("n", "a directory, where the archive has a file"),
    ] {
        fs::create_dir(node.path("out").join(name)).unwrap();
        assert_eq!(
            node.fails("unarchive", args.clone()),
            format!("{failed}: {} is {what}", node.path("out").join(name).display())
        );
        fs::remove_dir(node.path("out").join(name)).unwrap();
    }
    node.write("out/d", "");
    assert_eq!(
        node.fails("unarchive", args),
        format!("{failed}: {} is a file, where the archive has a directory", node.text("out/d"))
    );
}

#[test]
fn archives_made_to_escape_place_nothing() {
    let mut node = Node::new();
    let first = || Tar::default().file("first", "1");
    for (bytes, why) in [
        (first().file("../x", "").done(), "'../x' leads out of the destination directory"),
        (first().file("/x", "").done(), "'/x' has an absolute name"),
        (
            first().link("l", "/").file("l/x", "").done(),
            "'l/x' would be unpacked through the symbolic link 'l' of the same archive",
        ),
        (first().special("dev", b'3').done(), "'dev' is a device, which cannot be unpacked"),
        (first().file("FIRST", "").done(), "'FIRST' differs from 'first' only in case"),
        (
            first().hard("h", "/etc/passwd").done(),
            "'h' is a hard link to '/etc/passwd', which is not an earlier file of the archive",
        ),
        (first().gz()[..60].to_vec(), "it is truncated"),
    ] {
        let args = on_node(&node, &bytes);
        assert_eq!(node.fails("unarchive", args), format!("cannot unpack {}: {why}", node.text("archive")));
        assert_eq!(fs::read_dir(node.path("out")).unwrap().count(), 0);
    }
}

#[test]
fn an_archive_larger_than_the_file_system() {
    let mut node = Node::new();
    let space = node.system.space(&node.path("")).unwrap();
    let mut manifest = convoy_archive::read(&mut Cursor::new(Tar::default().file("f", "x").done())).unwrap();
    if let convoy_archive::Kind::File { size, .. } = &mut manifest.entries[0].kind {
        *size = 1 << 60;
    }
    fs::create_dir(node.path("out")).unwrap();
    let manifest = node.content_bytes("manifest", &manifest.encode(), 0o644);
    let mut src = node.missing_content("pack.tar", "", 0o644);
    src.insert("manifest".into(), manifest["digest"].clone());
    let error = node.fails("unarchive", map! { "src" => src, "dest" => node.text("out") });
    let expected =
        format!("failed to unpack pack.tar to {}: it takes {} bytes, ", node.text("out"), 1u64 << 60);
    assert!(error.starts_with(&expected) && error.ends_with(" are free on that file system"), "{error}");
    assert!(space.bytes < 1 << 60);
}

#[test]
fn errors() {
    let mut node = Node::new();
    let args = on_node(&node, b"some text");
    let archive = node.text("archive");
    assert_eq!(
        node.fails("unarchive", args.clone()),
        format!(
            "Failed to find handler for \"{archive}\": it is neither a zip archive nor a tar archive, plain or compressed with gzip, bzip2, xz or zstd"
        )
    );
    node.write("empty", "");
    for (more, why) in [
        (map! { "src" => node.text("none") }, format!("Source '{}' does not exist", node.text("none"))),
        (map! { "src" => node.text("out") }, format!("Source '{}' is not a file", node.text("out"))),
        (
            map! { "src" => node.text("empty") },
            format!("Invalid archive '{}', the file is 0 bytes", node.text("empty")),
        ),
        (
            map! { "dest" => node.text("none") },
            format!("dest '{}' must be an existing dir", node.text("none")),
        ),
        (map! { "dest" => node.text("archive") }, format!("dest '{archive}' must be an existing dir")),
        (
            map! { "remote_src" => false },
            format!("{archive} is a file of the workstation, but its content was not sent with the task"),
        ),
        (
            map! { "unsafe_writes" => true },
            "unsafe_writes is not supported by convoy: an interruption would leave a partial file".into(),
        ),
    ] {
        assert_eq!(node.fails("unarchive", with(&args, more)), why);
    }
}
