//! A node whose system directories are this machine's own, seen through a layer that takes all that is written.

use std::fs;
use std::io::Write;

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

use super::harness::Node;

/// The directories that modules may write to.
const DIRECTORIES: [&str; 3] = ["etc", "home", "var"];

/// Runs a test on such a node; says so if that cannot be done here.
///
/// The mounts are in a namespace that only the thread has: with its end, however it ends, they are gone. What is
/// written is in the node's own directory, so that it is seen by [`Node::snapshot`].
pub(crate) fn isolated(test: impl FnOnce(&mut Node) + Send) {
    let mut node = Node::new();
    let node = &mut node;
    std::thread::scope(|scope| {
        let run = move || match mounted(node) {
            Ok(()) => test(node),
            Err(error) => {
                let text = format!("skipped: only root can mount layers over /etc: {error}\n");
                std::io::stderr().write_all(text.as_bytes()).unwrap();
            }
        };
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn mounted(node: &Node) -> rustix::io::Result<()> {
    #[expect(deprecated, reason = "only sharing of file descriptors is unsafe to end, and they stay shared")]
    rustix::thread::unshare(UnshareFlags::NEWNS | UnshareFlags::FS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let layers = node.path("layers");
    fs::create_dir(&layers).unwrap();
    mount("tmpfs", &layers, "tmpfs", MountFlags::empty(), Some(c"mode=0755"))?;
    for directory in DIRECTORIES {
        let (upper, work) = (layers.join(directory), layers.join(format!("{directory}.work")));
        fs::create_dir(&upper).unwrap();
        fs::create_dir(&work).unwrap();
        let options =
            format!("lowerdir=/{directory},upperdir={},workdir={}", upper.display(), work.display());
        let options = std::ffi::CString::new(options).unwrap();
        mount("overlay", format!("/{directory}"), "overlay", MountFlags::empty(), Some(options.as_c_str()))?;
    }
    Ok(())
}

/// Puts an empty directory over another one, as the running test sees it.
pub(crate) fn hide(directory: &str) {
    mount("tmpfs", directory, "tmpfs", MountFlags::empty(), None).unwrap();
}
