//! Files of nodes come to the workstation.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use convoy_tests::project::listing;
use convoy_tests::sshd::poll;
use rustix::process::{Signal, kill_process};

use crate::harness::tasks;

#[test]
fn a_file_comes_once_and_again_when_it_has_changed() {
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
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "something was left");
}

#[test]
fn results_are_ansibles() {
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

/// The limit is on what the controller may have in memory that is its own: the file is not in it.
#[test]
fn a_large_file_comes_in_little_memory() {
    const SIZE: u64 = 100 << 20;
    let project = tasks("- fetch: {src: '{{ place }}/large', dest: large, flat: true}");
    let node = project.node("l").unwrap();
    let large = fs::File::create(node.place.join("large")).unwrap();
    large.set_len(SIZE).unwrap();
    for part in 0..16 {
        large.write_all_at(format!("part {part}").as_bytes(), part * (SIZE / 16)).unwrap();
    }
    large.write_all_at(b"end", SIZE - 3).unwrap();
    let convoy = project.command(["apply", "-i", "hosts", "site.yml"]);
    let mut limited = Command::new("sh");
    limited
        .arg("-c")
        .arg("ulimit -d 65536; exec \"$0\" \"$@\"")
        .arg(convoy.get_program())
        .args(convoy.get_args());
    limited.env_clear().envs(convoy.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(convoy.get_current_dir().unwrap());
    limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = project.wait(limited.spawn().unwrap()).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1", Some(0)), "{ran}");
    let (there, here) =
        (fs::read(node.place.join("large")).unwrap(), fs::read(project.path("large")).unwrap());
    assert!(there == here && here.len() as u64 == SIZE);
}

#[test]
fn an_agent_killed_within_a_fetch_leaves_the_old_file() {
    let project = tasks("- fetch: {src: '{{ place }}/large', dest: out/large, flat: true}");
    let node = project.node("l").unwrap();
    let large = fs::File::create(node.place.join("large")).unwrap();
    large.set_len(100 << 20).unwrap();
    project.file("out/large", "old").unwrap();
    let child = project.command(["apply", "-i", "hosts", "site.yml"]).spawn().unwrap();
    // The file has begun to come.
    let is_coming = || fs::read_dir(project.path("out")).is_ok_and(|entries| entries.count() > 1);
    poll(|| Ok(is_coming().then_some(()))).unwrap();
    let agents = crate::faults::agents(&node).unwrap();
    kill_process(agents[0], Signal::KILL).unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("unreachable=1", Some(4)), "{ran}");
    assert_eq!(fs::read_to_string(project.path("out/large")).unwrap(), "old");
    assert_eq!(fs::read_dir(project.path("out")).unwrap().count(), 1, "something was left");
}
