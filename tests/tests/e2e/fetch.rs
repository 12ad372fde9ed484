//! The module `fetch`: copies files from nodes to the workstation.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use convoy_tests::project::listing;
use convoy_tests::sshd::poll;
use rustix::process::{Signal, kill_process};

use crate::harness::tasks;

#[test]
fn a_file_is_fetched_once_and_again_after_it_changed() {
    let project = tasks(
        "- fetch: {src: '{{ place }}/log', dest: home}
  register: r
- debug: {var: r.dest}",
    );
    let node = project.node("l").unwrap();
    let log = node.place.join("log");
    fs::write(&log, "test").unwrap();
    let home = project.path("home");
    let target = home.join("l").join(log.strip_prefix("/").unwrap());

    let checked = project.apply(["--check"]).unwrap();
    assert_eq!((checked.recap("l").as_str(), checked.code), ("ok=1 skipped=1", Some(0)), "{checked}");
    assert!(!home.exists());
    let first = project.apply([]).unwrap();
    assert_eq!((first.recap("l").as_str(), first.code), ("ok=2 changed=1", Some(0)), "{first}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "test");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();

    let before = listing(&home).unwrap();
    let second = project.apply([]).unwrap();
    assert_eq!((second.recap("l").as_str(), second.code), ("ok=2", Some(0)), "{second}");
    assert_eq!(listing(&home).unwrap(), before);
    fs::write(&log, "longer than before").unwrap();
    let third = project.apply([]).unwrap();
    assert_eq!((third.recap("l").as_str(), third.code), ("ok=2 changed=1", Some(0)), "{third}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "longer than before");
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn results_are_the_same_as_ansibles() {
    let project = tasks(
        "- fetch: {src: '{{ place }}/log', dest: '{{ playbook_dir }}/out/', flat: true}
  register: new
- fetch: {src: '{{ place }}/log', dest: out/log, flat: true, validate_checksum: false}
  register: same
- fetch: {src: '{{ place }}/none', dest: out}
  register: gone
  ignore_errors: true
- fetch: {src: '{{ place }}', dest: out, fail_on_missing: false}
  register: folder
- fetch: {src: '{{ place }}/log', dest: out, flat: true}
  register: taken
  ignore_errors: true
- fetch: {src: '{{ item }}', dest: many}
  loop: ['{{ place }}/log', /etc/../etc/hostname, /etc/passwd]
  register: many
- assert:
    that:
      - new is changed
      - new.checksum == 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3'
      - new.remote_checksum == new.checksum
      - new.md5sum == '098f6bcd4621d373cade4e832627b4f6'
      - new.remote_md5sum is none
      - new.dest == playbook_dir ~ '/out/log'
      - same is not changed and same is not failed
      - same.checksum == new.checksum and same.md5sum == new.md5sum
      - same.file == place ~ '/log' and same.dest == new.dest
      - gone is failed and gone is not changed
      - gone.msg == 'the remote file does not exist, not transferring, ignored'
      - gone.file == place ~ '/none'
      - folder is not changed and folder is not failed
      - folder.msg == 'remote file is a directory, fetch cannot work on directories, not transferring, ignored'
      - taken is failed
      - taken.msg is search('dest is an existing directory, use a trailing slash')
      - many is changed and many.results | length == 3
      - many.results[1].dest == playbook_dir ~ '/many/l/etc/hostname'",
    );
    let node = project.node("l").unwrap();
    fs::write(node.place.join("log"), "test").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=7 changed=2 ignored=2", Some(0)), "{ran}");
    assert_eq!(fs::read(project.path("many/l/etc/passwd")).unwrap(), fs::read("/etc/passwd").unwrap());
}

/// The limit applies to the controller's private memory, which must not hold the whole file.
#[test]
fn a_large_file_is_fetched_in_limited_memory() {
    const SIZE: u64 = 100 << 20;
    let project = tasks("- fetch: {src: '{{ place }}/large', dest: large, flat: true}");
    let node = project.node("l").unwrap();
    let large = fs::File::create(node.place.join("large")).unwrap();
    large.set_len(SIZE).unwrap();
    for part in 0..16 {
        large.write_all_at(format!("part {part}").as_bytes(), part * (SIZE / 16)).unwrap();
    }
    large.write_all_at(b"end", SIZE - 3).unwrap();
    let limit = "ulimit -d 65536; exec \"$0\" \"$@\"";
    let mut command = project.command_under(&["sh", "-c", limit], ["apply", "-i", "hosts", "site.yml"]);
    let ran = project.wait(command.spawn().unwrap()).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1", Some(0)), "{ran}");
    let (remote, local) =
        (fs::read(node.place.join("large")).unwrap(), fs::read(project.path("large")).unwrap());
    assert!(remote == local && local.len() as u64 == SIZE);
}

#[test]
fn an_agent_killed_during_a_fetch_leaves_the_old_file() {
    let project = tasks("- fetch: {src: '{{ place }}/large', dest: out/large, flat: true}");
    let node = project.node("l").unwrap();
    let large = fs::File::create(node.place.join("large")).unwrap();
    large.set_len(100 << 20).unwrap();
    project.file("out/large", "old").unwrap();
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    let has_started = || fs::read_dir(project.path("out")).is_ok_and(|entries| entries.count() > 1);
    poll(|| Ok(has_started().then_some(()))).unwrap();
    let agents = crate::interruptions::agent_processes(&node).unwrap();
    kill_process(agents[0], Signal::KILL).unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("unreachable=1", Some(4)), "{ran}");
    assert_eq!(fs::read_to_string(project.path("out/large")).unwrap(), "old");
    assert_eq!(fs::read_dir(project.path("out")).unwrap().count(), 1, "a temporary file was left");
}
