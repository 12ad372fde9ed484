//! Where things are kept, on other file systems too, and what happens where there is no room.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use convoy_protocol::{Status, map};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

use super::super::archives::Tar;
use super::super::harness::{Node, text};
use super::{RUN, Recorded, UNDO};

/// Runs a test with mounts of its own, which end with it.
fn alone(test: impl FnOnce() + Send) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    std::thread::scope(|scope| {
        let run = || {
            #[expect(
                deprecated,
                reason = "only sharing of file descriptors is unsafe to end, and they stay shared"
            )]
            rustix::thread::unshare(UnshareFlags::NEWNS | UnshareFlags::FS).unwrap();
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            test();
        };
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn tmpfs(directory: &Path, options: &str) {
    fs::create_dir_all(directory).unwrap();
    let options = CString::new(options).unwrap();
    mount("tmpfs", directory, "tmpfs", MountFlags::empty(), Some(options.as_c_str())).unwrap();
}

#[test]
fn on_the_same_file_system_it_is_the_very_file() {
    let mut here = Recorded::new();
    here.node.write("a", "old\n");
    let inode = fs::metadata(here.node.path("a")).unwrap().ino();
    let args = map! { "dest" => here.node.text("a"), "content" => "new\n" };
    here.does("copy", args);
    let kept = here.state.path().join("runs").join(RUN).join("kept");
    let inodes: Vec<u64> =
        fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ino()).collect();
    assert_eq!(inodes, [inode]);
    assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn on_another_file_system_it_stays_there() {
    alone(|| {
        let mut here = Recorded::new();
        tmpfs(&here.node.path("m"), "mode=0755");
        fs::create_dir_all(here.node.path("m/conf.d/t/deep")).unwrap();
        here.node.write("m/conf.d/a", "old\n");
        here.node.write("m/conf.d/t/deep/b", "old\n");
        let before = super::listing(&here.node.path("m/conf.d"));
        let args = map! { "dest" => here.node.text("m/conf.d/a"), "content" => "new\n" };
        here.does("copy", args);
        let args = map! { "path" => here.node.text("m/conf.d/t"), "state" => "absent" };
        here.does("file", args);
        let place = here.node.path("m/.convoy-0").join(RUN);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
        for directory in [&place, &here.node.path("m/.convoy-0")] {
            assert_eq!(fs::metadata(directory).unwrap().mode() & 0o7777, 0o700);
        }
        // Nothing is beside the file.
        assert_eq!(fs::read_dir(here.node.path("m/conf.d")).unwrap().count(), 1);
        let done = here.undo(RUN, UNDO);
        assert_eq!(done.status, Status::Changed, "{:?}", done.values);
        assert_eq!(super::listing(&here.node.path("m/conf.d")), before);
    });
}

#[test]
fn where_nothing_can_be_made_it_is_copied() {
    alone(|| {
        let mut here = Recorded::new();
        tmpfs(&here.node.path("m"), "mode=0755");
        // Somebody else has that name.
        here.node.write("m/.convoy-0", "");
        fs::create_dir_all(here.node.path("m/t/deep")).unwrap();
        here.node.write("m/a", "old\n");
        here.node.write("m/t/deep/b", "old\n");
        fs::hard_link(here.node.path("m/t/deep/b"), here.node.path("m/t/c")).unwrap();
        let before = here.listing();
        let args = map! { "dest" => here.node.text("m/a"), "content" => "new\n" };
        here.does("copy", args);
        let args = map! { "path" => here.node.text("m/t"), "state" => "absent" };
        here.does("file", args);
        here.undone(&before);
        let inode = |name: &str| fs::metadata(here.node.path(name)).unwrap().ino();
        assert_eq!(inode("m/t/c"), inode("m/t/deep/b"));
    });
}

#[test]
fn a_directory_with_a_mount_in_it_is_not_moved() {
    alone(|| {
        let mut here = Recorded::new();
        fs::create_dir_all(here.node.path("t/m")).unwrap();
        here.node.write("t/a", "old\n");
        tmpfs(&here.node.path("t/m"), "mode=0755");
        let args = map! { "path" => here.node.text("t"), "state" => "absent" };
        let done = here.node.run("file", args);
        // As without a record: what is mounted cannot be removed.
        assert_eq!(done.status, Status::Failed, "{:?}", done.values);
        assert!(text(&done, "msg").starts_with("cannot remove "), "{:?}", done.values);
        assert!(here.node.path("t/m").exists());
    });
}

#[test]
fn where_there_is_no_room_nothing_is_changed() {
    alone(|| {
        let mut node = Node::new();
        tmpfs(&node.path("state"), "size=1m,mode=0700");
        tmpfs(&node.path("m"), "size=8m,mode=0755");
        node.write("m/.convoy-0", "");
        node.write("m/a", &"x".repeat(1_200_000));
        node.begin(&node.path("state"), RUN);
        let args = map! { "dest" => node.text("m/a"), "content" => "new\n" };
        let done = node.run("copy", args);
        let state = node.path("state").join("runs");
        let says = format!(
            "cannot back up {} for undo: it has 1200 kB, but {} is on a file system with only 1044 \
             kB free, of which 52 kB are reserved; nothing was changed. Free some space: {} has the backups of earlier \
             runs, the oldest first",
            node.text("m/a"),
            state.join(RUN).display(),
            state.display()
        );
        assert_eq!((done.status, text(&done, "msg")), (Status::Failed, says.as_str()));
        assert_eq!(node.read("m/a").len(), 1_200_000);
        assert_eq!(fs::read_dir(node.path("m")).unwrap().count(), 2, "something is left of the attempt");
        // Not even the record has room.
        fs::write(node.path("state/full"), vec![0; 1 << 20]).unwrap_err();
        let put = |node: &mut Node, number: u32| {
            let args = map! { "dest" => node.text(&format!("m/{number}")), "content" => "new\n" };
            node.run("copy", args)
        };
        // What is left of its last block is soon used up.
        let (number, done) = (0..100)
            .map(|number| (number, put(&mut node, number)))
            .find(|(_, done)| done.status != Status::Changed)
            .unwrap();
        let says = "cannot record a change for undo: No space left on device; \
                    nothing was changed";
        assert_eq!((done.status, text(&done, "msg")), (Status::Failed, says));
        assert!(!node.path(&format!("m/{number}")).exists());
        // With room again, the record is whole.
        fs::remove_file(node.path("state/full")).unwrap();
        assert_eq!(put(&mut node, number).status, Status::Changed);
        node.begin(&node.path("state"), UNDO);
        let done = node.run("undo", map! { "run" => RUN });
        assert_eq!(done.status, Status::Changed, "{:?}", done.values);
        assert_eq!(fs::read_dir(node.path("m")).unwrap().count(), 2);
    });
}

#[test]
fn extended_attributes_come_back() {
    let mut here = Recorded::new();
    here.node.write("a", "old\n");
    let path = here.node.path("a");
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&path, "user.note", b"=\xff \n", flags).is_err() {
        return;
    }
    let args = map! { "dest" => here.node.text("a"), "content" => "new\n" };
    here.does("copy", args);
    let mut value = [0; 16];
    assert!(rustix::fs::getxattr(&path, "user.note", &mut value[..]).is_err());
    assert_eq!(here.undo(RUN, UNDO).status, Status::Changed);
    let length = rustix::fs::getxattr(&path, "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"=\xff \n");
}

#[test]
fn a_large_archive_is_one_write_and_taken_back_whole() {
    let archive = (0..1000).fold(Tar::default(), |tar, number| {
        tar.file(&format!("p/{}/{number}", number % 50), &format!("{number}\n"))
    });
    let mut here = Recorded::new();
    fs::write(here.node.path("archive"), archive.gz()).unwrap();
    fs::create_dir(here.node.path("out")).unwrap();
    let before = here.listing();
    let args =
        map! { "src" => here.node.text("archive"), "dest" => here.node.text("out"), "remote_src" => true };
    here.does("unarchive", args);
    // One line for each file, one or two for each directory: no more.
    let lines = here.record().lines().count();
    assert!((1052..1160).contains(&lines), "{lines}");
    assert_eq!(here.undo(RUN, UNDO).status, Status::Changed);
    assert_eq!(here.listing(), before);
}
