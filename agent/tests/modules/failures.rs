//! What can go wrong while a file is replaced.

use std::process::Command;

use convoy_agent::system::{Attributes, Bytes};
use convoy_protocol::map;

use super::harness::Node;

#[test]
fn what_was_changed_in_between_is_not_overwritten() {
    let mut node = Node::new();
    node.write("file", "seen");
    let seen = node.system.lstat(&node.path("file")).unwrap();
    node.write("file", "changed by someone else");
    let path = node.path("file");
    let error =
        node.system.replace(&path, seen.as_ref(), Bytes::Memory(b"new"), Attributes::default()).unwrap_err();
    assert_eq!(
        error.msg,
        format!(
            "{} was changed by another program while convoy was working on it; nothing was written, run the task again",
            path.display()
        )
    );
    let error = node.system.replace(&path, None, Bytes::Memory(b"new"), Attributes::default()).unwrap_err();
    assert!(error.msg.contains("was changed by another program"));
    assert_eq!(
        (node.read("file").as_str(), node.names()),
        ("changed by someone else", vec!["file".to_owned()])
    );
}

/// Mounts a file system of one megabyte; unmounts it when dropped.
struct SmallDisk<'a>(&'a std::path::Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a std::path::Path) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0).status().ok();
    }
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let mut node = Node::new();
    let disk = node.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let Some(_mounted) = SmallDisk::mount(&disk) else {
        // Only root may mount; what cannot be tried here is said to be skipped.
        std::io::Write::write_all(&mut std::io::stderr(), b"skipped: cannot mount a small disk\n").unwrap();
        return;
    };
    node.write("disk/file", "old");
    let args = map! { "content" => "x".repeat(2 << 20), "dest" => node.text("disk/file") };
    let error = node.fails("copy", args);
    assert_eq!(error, format!("cannot write {}: No space left on device", node.text("disk/file")));
    let left: Vec<_> = std::fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((node.read("disk/file").as_str(), left), ("old", vec!["file".into()]));
}

const VICTIM: &str = "CONVOY_TEST_REPLACE";

/// Replaces a file again and again until it is killed; does nothing unless the other test asks for it.
#[test]
fn victim_that_replaces_a_file_for_ever() {
    let Some(path) = std::env::var_os(VICTIM).map(std::path::PathBuf::from) else { return };
    let mut node = Node::new();
    let contents = ["a", "b"].map(|letter| letter.repeat(1 << 20));
    for content in contents.iter().cycle() {
        let there = node.system.lstat(&path).unwrap();
        let bytes = Bytes::Memory(content.as_bytes());
        node.system.replace(&path, there.as_ref(), bytes, Attributes::default()).unwrap();
    }
}

#[test]
fn killed_at_any_moment_the_file_is_whole() {
    let node = Node::new();
    node.write("file", &"a".repeat(1 << 20));
    for round in 0..12_u64 {
        let inode =
            |node: &Node| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(node.path("file")).unwrap());
        let first = inode(&node);
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "failures::victim_that_replaces_a_file_for_ever"])
            .env(VICTIM, node.path("file"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Once it is at work it is killed at a moment that differs from round to round.
        while inode(&node) == first {
            assert_eq!(victim.try_wait().unwrap(), None, "the victim died by itself");
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 700));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let content = node.read("file");
        let letter = content.chars().next().unwrap();
        assert!(
            content.len() == 1 << 20 && content.chars().all(|c| c == letter),
            "half a file in round {round}"
        );
    }
}
