//! The module `unarchive`: what is sent, and what remains when unpacking is interrupted.

use std::fs;

use convoy_tests::program::RunOutput;
use convoy_tests::project::listing;
use rustix::process::{Signal, kill_process};

use crate::builder::{Tar, Zip};
use crate::harness::{tasks, wait_for_file};
use crate::interruptions::{agent_processes, incompressible_bytes};

/// Returns round trips, bytes sent and bytes received, as printed by `-vv`.
fn traffic(ran: &RunOutput) -> [u64; 3] {
    let line =
        ran.stdout.lines().find(|line| line.contains("round trips in all")).expect("a line with the traffic");
    let numbers: Vec<u64> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().expect("three numbers")
}

#[test]
fn an_unchanged_archive_of_15000_files_is_not_sent_again() {
    let project = tasks("- unarchive: {src: pack.zip, dest: '{{ place }}'}");
    let mut zip = Zip::default();
    for i in 0..15_000 {
        zip = zip.file(&format!("pack/dir{:02}/file{i}.txt", i % 100), &format!("the content of file {i}\n"));
    }
    project.file("files/pack.zip", zip.done()).unwrap();
    let node = project.node("l").unwrap();
    let first = project.apply(["-vv"]).unwrap();
    assert_eq!((first.recap("l").as_str(), first.code), ("ok=1 changed=1", Some(0)), "{first}");
    assert_eq!(
        fs::read_to_string(node.place.join("pack/dir42/file14942.txt")).unwrap(),
        "the content of file 14942\n"
    );
    let again = project.apply(["-vv"]).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=1", Some(0)), "{again}");
    let [trips, sent, received] = traffic(&again);
    assert!(trips <= 2 && sent < 20_000 && received < 4_000, "{again}");
}

#[test]
fn an_agent_killed_while_unpacking_leaves_only_complete_files() {
    let project = tasks("- unarchive: {src: pack.tar, dest: '{{ place }}'}");
    let content =
        String::from_utf8(incompressible_bytes(16 * 1024).iter().map(|byte| b'a' + byte % 26).collect())
            .unwrap();
    let tar = (0..800).fold(Tar::default(), |tar, i| tar.file(&format!("d{}/f{i}", i % 7), &content));
    project.file("files/pack.tar", tar.done()).unwrap();
    let node = project.node("l").unwrap();
    assert_eq!(project.run(["exec", "all", "-i", "hosts", "-m", "ping"]).unwrap().code, Some(0));
    // With a journal it would reconnect and continue.
    let mut apply = project.command(["apply", "-i", "hosts", "site.yml"]);
    let child = apply.env("CONVOY_JOURNAL", "off").spawn().unwrap();
    wait_for_file(&node.place.join("d0"));
    for agent in agent_processes(&node).unwrap() {
        kill_process(agent, Signal::KILL).unwrap();
    }
    project.wait(child).unwrap();
    for directory in fs::read_dir(&node.place).unwrap() {
        for file in fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            assert!(path.file_name().unwrap().to_str().unwrap().starts_with('f'), "{}", path.display());
            assert!(fs::read_to_string(&path).unwrap() == content, "{}", path.display());
        }
    }
    let again = project.apply([]).unwrap();
    assert_eq!((again.recap("l").as_str(), again.code), ("ok=1 changed=1", Some(0)), "{again}");
    let left = listing(&node.place).unwrap();
    assert_eq!(left.lines().count(), 807, "{left}");
}

#[test]
fn an_archive_with_a_path_outside_of_dest_is_rejected_before_anything_is_sent() {
    let project = tasks("- unarchive: {src: pack.zip, dest: '{{ place }}'}");
    project.file("files/pack.zip", Zip::default().file("a", "").file("../../etc/x", "").done()).unwrap();
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    let why = "cannot unpack pack.zip: '../../etc/x' leads out of the destination directory";
    assert!(ran.stdout.contains(why), "{ran}");
    assert_eq!(fs::read_dir(&node.place).unwrap().count(), 0);
}
