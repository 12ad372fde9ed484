//! Machines with systemd: units, `reboot` and `wait_for_connection`.

use convoy_tests::machine::SystemdMachine;
use convoy_tests::project::Project;
use convoy_tests::sshd::poll;

use crate::harness::tasks;

/// Returns a project with these tasks and one machine, which runs until it is dropped.
fn project_with_machine(playbook: &str) -> (Project, SystemdMachine) {
    let project = tasks(playbook);
    let machine = project.machine("m").unwrap();
    (project, machine)
}

#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn systemd_units_are_managed() {
    let playbook = r#"
- copy:
    dest: /etc/systemd/system/sleeper@.service
    mode: '0644'
    content: |
      [Service]
      ExecStart=/bin/sleep 1000
      ExecReload=/bin/true
      [Install]
      WantedBy=multi-user.target
- copy:
    dest: /etc/systemd/system/plain.service
    mode: '0644'
    content: |
      [Service]
      ExecStart=/bin/sleep 1000
- systemd: {name: sleeper@a, state: started, enabled: true}
- service: {name: sleeper@b, state: started, enabled: true}
- systemd_service: {name: sleeper@b, enabled: false, state: stopped, masked: true}
  when: "'again' in ansible_run_tags"
  tags: again
- systemd: {name: plain, enabled: true}
  register: plain
- assert:
    that: "'plain has no [Install] section' in plain.warnings[0]"
"#;
    let (project, _machine) = project_with_machine(playbook);
    let first = project.apply([]).unwrap();
    assert_eq!((first.recap("m").as_str(), first.code), ("ok=6 changed=4 skipped=1", Some(0)), "{first}");
    let second = project.apply([]).unwrap();
    assert_eq!((second.recap("m").as_str(), second.code), ("ok=6 skipped=1", Some(0)), "{second}");
    let third = project.apply(["--tags", "again"]).unwrap();
    assert_eq!((third.recap("m").as_str(), third.code), ("ok=1 changed=1", Some(0)), "{third}");
    let fourth = project.apply(["--tags", "again"]).unwrap();
    assert_eq!((fourth.recap("m").as_str(), fourth.code), ("ok=1", Some(0)), "{fourth}");
    let systemd_module =
        |args: &str| project.run(["exec", "all", "-i", "hosts", "-m", "systemd", "-a", args]).unwrap();
    let restarted = systemd_module("name=sleeper@a state=restarted");
    assert!(restarted.stdout.starts_with("m | CHANGED"), "{restarted}");
    let reloaded = systemd_module("name=sleeper@a state=reloaded");
    assert!(reloaded.stdout.starts_with("m | CHANGED"), "{reloaded}");
    let masked = systemd_module("name=sleeper@b state=started");
    assert!(masked.stdout.contains("Unable to start service sleeper@b: "), "{masked}");
    let missing = systemd_module("name=none state=started");
    assert!(missing.stdout.contains("Could not find the requested service none: host"), "{missing}");
}

#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn a_failing_unit_reports_the_last_lines_of_its_journal() {
    let playbook = r#"
- copy:
    dest: /etc/systemd/system/early.service
    mode: '0644'
    content: |
      [Service]
      Type=oneshot
      ExecStart=/bin/sh -c "echo no port is free; exit 3"
- systemd: {name: early, state: started}
"#;
    let (project, _machine) = project_with_machine(playbook);
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("m").as_str(), ran.code), ("ok=1 changed=1 failed=1", Some(2)), "{ran}");
    assert!(ran.stdout.contains("Unable to start service early: Job for early.service failed"), "{ran}");
    assert!(ran.stdout.contains("The last lines of its journal:"), "{ran}");
    assert!(ran.stdout.contains("no port is free"), "{ran}");
}

#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn reboot_waits_and_the_play_continues() {
    let playbook = r#"
- copy: {dest: /run/before, content: '', mode: '0644'}
- copy: {dest: /etc/kept, content: '', mode: '0644'}
- command: cat /proc/sys/kernel/random/boot_id
  register: before
- reboot: {reboot_timeout: 60}
  register: reboot
- stat: {path: /run/before}
  register: gone
- stat: {path: /etc/kept}
  register: kept
- command: cat /proc/sys/kernel/random/boot_id
  register: after
- assert:
    that:
      - reboot is changed and reboot.rebooted
      - not gone.stat.exists
      - kept.stat.exists
      - before.stdout != after.stdout
"#;
    let (project, _machine) = project_with_machine(playbook);
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("m").as_str(), ran.code), ("ok=8 changed=5", Some(0)), "{ran}");
}

#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn reboot_fails_if_the_machine_does_not_come_back() {
    let (project, machine) = project_with_machine("- reboot: {reboot_timeout: 4, connect_timeout: 1}");
    machine.stay_off().unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("m").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    assert!(
        ran.stdout.contains("\"msg\": \"Timed out waiting for last boot time check (timeout=4)\""),
        "{ran}"
    );
    assert!(ran.stdout.contains("\"rebooted\": false"), "{ran}");
    poll(|| Ok((!machine.listens()).then_some(()))).unwrap();
}

#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn wait_for_connection_waits_for_a_rebooting_machine() {
    let playbook = r#"
- copy: {dest: /run/before, content: '', mode: '0644'}
- shell: (sleep 0.1; systemctl reboot) >/dev/null 2>&1 &
# The link may be lost in the meantime.
- wait_for: {timeout: 1}
  ignore_unreachable: true
- wait_for_connection: {timeout: 60, sleep: 0}
  register: waited
- stat: {path: /run/before}
  register: gone
- assert: {that: [not gone.stat.exists, waited.elapsed is defined, waited is not changed]}
"#;
    let (project, _machine) = project_with_machine(playbook);
    let ran = project.apply([]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn reboot_is_complete_when_boot_time_and_test_command_say_so() {
    let playbook = r#"
- reboot:
    boot_time_command: cat {{ place }}/boot
    reboot_command: /bin/sh {{ place }}/go
    test_command: test -e {{ place }}/ready
    reboot_timeout: 30
"#;
    let project = tasks(playbook);
    let node = project.node("l").unwrap();
    std::fs::write(node.place.join("boot"), "1").unwrap();
    // It disconnects and is ready a second later.
    let reboot_script = format!(
        "cd {}\necho 2 >boot\n(sleep 1; touch ready) >/dev/null 2>&1 &\nkill $(cut -d' ' -f4 /proc/$PPID/stat)\n",
        node.place.display()
    );
    std::fs::write(node.place.join("go"), reboot_script).unwrap();
    let checked = project.apply(["--check"]).unwrap();
    assert_eq!((checked.recap("l").as_str(), checked.code), ("ok=1 changed=1", Some(0)), "{checked}");
    assert_eq!(std::fs::read_to_string(node.place.join("boot")).unwrap(), "1");
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1", Some(0)), "{ran}");
    assert!(node.place.join("ready").exists());
}

#[test]
fn reboot_failures_have_ansibles_messages() {
    let playbook = r#"
- reboot: {reboot_command: /bin/false}
- reboot: {boot_time_command: 'echo odd >&2; exit 7', reboot_command: /bin/false}
- reboot: {search_paths: [/nonexistent]}
- reboot: {reboot_command: none at all, search_paths: [/nonexistent]}
- reboot: {boot_time_command: echo 1, reboot_command: /bin/true, reboot_timeout: 1}
- reboot: {boot_time_command: 'cat {{ place }}/boot', reboot_command: "/bin/sh -c 'echo 2 >{{ place }}/boot'", test_command: /bin/false, reboot_timeout: 1}
"#;
    let project = tasks(&playbook.replace("}\n", "}\n  ignore_errors: true\n"));
    let node = project.node("l").unwrap();
    std::fs::write(node.place.join("boot"), "1").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=6 ignored=6", Some(0)), "{ran}");
    for msg in [
        "Reboot command failed. Error was: ', non-zero return code'",
        "reboot: failed to get host boot time info, rc: 7, stdout: , stderr: odd",
        "Unable to find command \\\"shutdown\\\" in search paths: ['/nonexistent']",
        "Unable to find command \\\"none\\\" in search paths: ['/nonexistent']",
        "Timed out waiting for last boot time check (timeout=1)",
        "Timed out waiting for post-reboot test command (timeout=1)",
    ] {
        assert!(ran.stdout.contains(&format!("\"msg\": \"{msg}\"")), "{msg}\n{ran}");
    }
}

#[test]
fn reboot_is_refused_with_a_local_connection() {
    let project = tasks("- reboot:");
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    let msg = "Running reboot with local connection would reboot the control node.";
    assert!(ran.stdout.contains(&format!("\"msg\": \"{msg}\"")), "{ran}");
}

#[test]
fn wait_for_connection_times_out() {
    let project = tasks("- wait_for_connection: {timeout: 2, connect_timeout: 1}");
    // Nobody listens on this port.
    project.host("l ansible_host=127.0.0.1 ansible_port=1").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    assert!(ran.stdout.contains("timed out waiting for ping module test: "), "{ran}");
    let checked = project.apply(["--check"]).unwrap();
    assert_eq!((checked.recap("l").as_str(), checked.code), ("skipped=1", Some(0)), "{checked}");
}

#[test]
fn wait_for_connection_succeeds_at_once_on_a_reachable_node() {
    let project = tasks("- wait_for_connection:\n- ping:");
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2", Some(0)), "{ran}");
}
