//! Interrupted runs: whatever happens, a file has either its old or its new content.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Command;

use convoy_tests::project::{Node, listing};
use convoy_tests::sshd::{output, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{tasks, wait_for_file};

/// Large enough to interrupt the transfer.
const SIZE: usize = 8 << 20;

/// Returns bytes that cannot be compressed, so that sending them takes time.
pub(crate) fn incompressible_bytes(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Returns the agent processes of a node: those whose program is in its cache.
pub(crate) fn agent_processes(node: &Node) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let program = fs::read_link(entry.path().join("exe")).unwrap_or_default();
        if program.starts_with(&node.home) {
            found.extend(Pid::from_raw(pid));
        }
    }
    Ok(found)
}

/// Returns the total size of the files below a directory.
fn bytes_below(directory: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // It may have been removed in the meantime.
        let Ok(data) = entry.metadata() else { continue };
        sum += if data.is_dir() { bytes_below(&entry.path()).unwrap_or(0) } else { data.len() };
    }
    Ok(sum)
}

#[test]
fn an_agent_killed_during_a_copy_leaves_the_old_file() {
    let project = tasks("- copy: {src: large, dest: '{{ place }}/large', mode: '0644'}");
    let new = incompressible_bytes(SIZE);
    project.file("files/large", &new).unwrap();
    let node = project.node("l").unwrap();
    let target = node.place.join("large");
    fs::write(&target, "old").unwrap();

    // Install the agent first, so that only content arrives later.
    assert_eq!(project.run(["exec", "all", "-i", "hosts", "-m", "ping"]).unwrap().code, Some(0));
    let before = bytes_below(&node.home).unwrap();
    // With a journal it would reconnect and continue.
    let mut apply = project.command(["apply", "-i", "hosts", "site.yml"]);
    let child = apply.env("CONVOY_JOURNAL", "off").spawn().unwrap();
    // Wait until part of the content has arrived.
    poll(|| {
        let arrived = (bytes_below(&node.home)? + bytes_below(&node.place)?).saturating_sub(before);
        Ok((arrived > (SIZE / 8) as u64).then_some(()))
    })
    .unwrap();
    let running = agent_processes(&node).unwrap();
    assert_eq!(running.len(), 1);
    kill_process(running[0], Signal::KILL).unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("unreachable=1", Some(4)), "{ran}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");

    let again = project.apply([]).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=1 changed=1", Some(0)), "{again}");
    assert!(fs::read(&target).unwrap() == new);
    let left = listing(&node.place).unwrap();
    assert_eq!(left.lines().count(), 1, "{left}");
}

#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to mount a file system")]
fn a_full_disk_is_reported_and_leaves_the_old_file() {
    let project = tasks("- copy: {src: large, dest: '{{ place }}/small/large'}");
    project.file("files/large", vec![b'x'; 4 << 20]).unwrap();
    let node = project.node("l").unwrap();
    let small = node.place.join("small");
    fs::create_dir(&small).unwrap();
    let _mounted = SmallFileSystem::mount(&small).unwrap();
    fs::write(small.join("large"), "old").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    assert!(ran.stdout.contains("No space left on device"), "{ran}");
    assert_eq!(fs::read_to_string(small.join("large")).unwrap(), "old");
    assert_eq!(fs::read_dir(&small).unwrap().count(), 1);
}

/// A mounted file system of 1 MiB. Dropping it unmounts it.
struct SmallFileSystem<'p>(&'p Path);

impl<'p> SmallFileSystem<'p> {
    fn mount(path: &'p Path) -> io::Result<Self> {
        output(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(path))?;
        Ok(Self(path))
    }
}

impl Drop for SmallFileSystem<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[test]
fn ctrl_c_finishes_the_current_step_and_reports_the_rest() {
    let project = tasks(
        "- command: mkfifo {{ place }}/gate
- name: Under way
  shell: 'touch {{ place }}/begun; read line < {{ place }}/gate; touch {{ place }}/ended'
- name: Not begun
  file: {path: '{{ place }}/never', state: touch}",
    );
    let node = project.node("l").unwrap();
    let mut child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    wait_for_file(&node.place.join("begun"));
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut stderr_text = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !stderr_text.contains("Ctrl-C") {
        assert_ne!(stderr.read_line(&mut stderr_text).unwrap(), 0, "{stderr_text}");
    }
    // The command is still waiting at the gate.
    assert!(!node.place.join("ended").exists());
    fs::write(node.place.join("gate"), "go\n").unwrap();
    stderr.read_to_string(&mut stderr_text).unwrap();
    let mut ran = project.wait(child).unwrap();
    ran.stderr = project.normalize(&stderr_text);
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(node.place.join("ended").exists(), "{ran}");
    assert!(!node.place.join("never").exists(), "{ran}");
    insta::assert_snapshot!(ran);
}
