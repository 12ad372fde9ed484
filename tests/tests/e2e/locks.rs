//! Locks: two runs never work on a node at once, and a run that lost its connection is refused if another run has worked
//! on the node in the meantime.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;

use convoy_tests::program::{RunOutput, state_home};
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::{Accounts, SshdOptions, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{first_run, make_fifo, site, tasks, wait_for_file};
use crate::interruptions::agent_processes;

/// A task that waits at a FIFO; two runs must not reach it at once.
const TASK_AT_A_GATE: &str = "- name: At the gate
  shell: 'echo x >> {{ place }}/begun; read line < {{ place }}/gate'";

/// Returns the fields of a lock's record, without the earlier holders.
fn lock_record(directory: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(directory.join("holder")).expect("a record");
    let field = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(field).filter(|(name, _)| name != "before").collect()
}

/// Returns the state directory of a node's login user.
fn state_directory(node: &Node) -> std::path::PathBuf {
    state_home(&node.home).join("convoy")
}

/// Returns the message that names the run holding the lock.
fn busy_message(record: &BTreeMap<String, String>, user: &str) -> String {
    format!(
        "run {} of {} has been working on this node as {user} since {} (generation {})",
        record["run"],
        record["by"],
        printed_time(&record["since"]),
        record["generation"]
    )
}

/// Returns the time of a record as messages print it.
fn printed_time(since: &str) -> String {
    let (_, time) = since.split_once(' ').expect("seconds and a time");
    time.replace('T', " ").replace('Z', " UTC")
}

/// Returns the message that names the process holding the lock.
fn holder_message(lock: &Path, record: &BTreeMap<String, String>) -> String {
    let comm = fs::read_to_string(format!("/proc/{}/comm", record["process"])).expect("it lives");
    format!("It holds {} with process {} ({})", lock.display(), record["process"], comm.trim_end())
}

/// Creates the FIFO at which the task waits.
fn make_gate(node: &Node) {
    make_fifo(&node.place.join("gate"));
}

fn wait_until_begun(node: &Node) {
    wait_for_file(&node.place.join("begun"));
}

fn open_gate(node: &Node) {
    fs::write(node.place.join("gate"), "go\n").expect("a task that waits at the gate");
}

fn start_apply(project: &Project, playbook: &str) -> Child {
    project.command(["apply", "-i", "hosts", playbook]).spawn().expect("convoy")
}

fn send_signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a running process");
}

/// Returns the whole output of a run that is refused at its only task.
fn refused_output(task: &str, msg: &str) -> RunOutput {
    let stars = |text: &str| format!("{text} {}", "*".repeat(79 - text.len()));
    let stdout = format!(
        "\n{}\n\n{}\nfatal: [l]: REFUSED! => {{\"changed\": false, \"msg\": \"{msg}\", \"refused\": true}}\n\n{}\n{:<26} : \
         ok=0    changed=0    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0    refused=1   \n\n",
        stars("PLAY [all]"),
        stars(&format!("TASK [{task}]")),
        stars("PLAY RECAP"),
        "l"
    );
    let stderr = format!(
        "l: task \"{task}\" (site.yml:4:7) and what follows it\n\nhint: continue with `convoy apply -i hosts site.yml`\n"
    );
    RunOutput { stdout, stderr, code: Some(3) }
}

#[test]
fn of_two_simultaneous_runs_one_gets_the_lock() {
    let project = tasks(TASK_AT_A_GATE);
    let node = project.node("l").unwrap();
    make_gate(&node);
    let mut runs = [start_apply(&project, "site.yml"), start_apply(&project, "site.yml")];
    let loser = poll(|| {
        let ended = runs.iter_mut().position(|run| run.try_wait().is_ok_and(|status| status.is_some()));
        Ok(ended)
    })
    .unwrap();
    let record = lock_record(&state_directory(&node));
    let msg = format!(
        "{}; nothing was done here. When it has ended, start again with `convoy apply -i hosts site.yml`. {}",
        busy_message(&record, &node.sshd.user),
        project.normalize(&holder_message(&state_directory(&node).join("lock"), &record))
    );
    open_gate(&node);
    let [first, second] = runs;
    let (lost, won) = if loser == 0 { (first, second) } else { (second, first) };
    assert_eq!(project.wait(lost).unwrap(), refused_output("At the gate", &msg));
    let won = project.wait(won).unwrap();
    assert_eq!((won.recap("l").as_str(), won.code), ("ok=1 changed=1", Some(0)), "{won}");
    assert_eq!(fs::read_to_string(node.place.join("begun")).unwrap(), "x\n");
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains("  refused (1 of 1)  1 "), "{listed}");
    assert!(listed.stdout.contains(&record["run"]), "the run that works is listed by name: {listed}");
}

/// Starts a node where `op` logs in and can become `app`.
fn node_with_user_app(project: &Project) -> Node {
    let accounts = Accounts {
        login: "op",
        script: "for name in op app; do account $name word-of-$name; done; chmod 777 /home/app
            sudoers 'op ALL=(ALL:ALL) NOPASSWD: ALL'",
    };
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    project.node_with("l", options).unwrap()
}

/// The agent of a become user takes that user's lock.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn each_user_of_a_node_has_a_lock() {
    let project = tasks(
        "- name: At the gate
  shell: 'touch /home/app/begun; while ! test -e /home/app/go; do sleep 0.05; done'
  become: true
  become_user: app",
    );
    let _node = node_with_user_app(&project);
    let exec = |args: &[&str]| {
        let start = ["exec", "all", "-i", "hosts", "-e", "ansible_user=op"];
        project.run(start.iter().chain(args)).unwrap()
    };
    let exists = |name: &str| exec(&["-m", "stat", "-a", &format!("path=/home/app/{name}")]);
    let args = ["apply", "-i", "hosts", "site.yml", "-e", "ansible_user=op"];
    let first = project.command(args).spawn().unwrap();
    poll(|| Ok(exists("begun").stdout.contains("\"exists\": true").then_some(()))).unwrap();
    let second = project.run(args).unwrap();
    assert_eq!((second.recap("l").as_str(), second.code), ("refused=1", Some(3)), "{second}");
    let message = second.stdout.split("has been working on this node as ").nth(1).unwrap_or_default();
    assert!(
        message.starts_with("app since ") && message.contains("(generation 1); nothing was done here."),
        "{second}"
    );
    assert!(message.contains("It holds /home/app/.local/state/convoy/lock with process"), "{second}");
    // The locks of these users are free.
    for user in ["op", "root"] {
        let ran = exec(&["-b", "--become-user", user, "-m", "command", "-a", "id -un"]);
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    let ran = exec(&["-b", "--become-user", "root", "-m", "command", "-a", "touch /home/app/go"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(project.wait(first).unwrap().code, Some(0));
    let third = project.run(args).unwrap();
    assert_eq!((third.recap("l").as_str(), third.code), ("ok=1 changed=1", Some(0)), "{third}");
}

/// The agent of a become user is given the generation that its predecessor had.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn a_reconnection_as_a_become_user_is_refused_after_another_run() {
    let project = tasks(
        "- shell: touch /home/app/one
- meta: reset_connection
- wait_for: {path: '{{ playbook_dir }}/go', timeout: 60}
  delegate_to: localhost
  become: false
- name: After it
  shell: touch /home/app/after",
    );
    project.file("other.yml", "- hosts: all\n  tasks:\n    - command: touch /home/app/two\n").unwrap();
    let _node = node_with_user_app(&project);
    let user = ["-e", "ansible_user=op", "-b", "--become-user", "app"];
    let spawn = |playbook: &'static str| {
        let args = ["apply", "-i", "hosts", playbook].into_iter().chain(user);
        project.command(args).spawn().unwrap()
    };
    let exists = |name: &str| {
        let path = format!("path=/home/app/{name}");
        let args = ["exec", "all", "-i", "hosts", "-e", "ansible_user=op", "-m", "stat", "-a", &path];
        project.run(args).unwrap().stdout.contains("\"exists\": true")
    };
    let first = spawn("site.yml");
    poll(|| Ok(exists("one").then_some(()))).unwrap();
    let other = project.wait(spawn("other.yml")).unwrap();
    assert_eq!(other.code, Some(0), "{other}");
    project.file("go", "").unwrap();
    let ran = project.wait(first).unwrap();
    let message = ran.stdout.split(" intervened at ").nth(1).unwrap_or_default();
    let rest =
        " as app (generation 2; this run had 1) while this run was disconnected; nothing more was done here.";
    assert!(message.contains(rest), "{ran}");
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1 refused=1", Some(3)), "{ran}");
    assert!(!exists("after"));
}

#[test]
fn reading_and_check_mode_need_no_lock() {
    let project = tasks(TASK_AT_A_GATE);
    project.file("look.yml", "- hosts: all\n  tasks:\n    - stat: {path: '{{ place }}'}\n").unwrap();
    project.file("local.yml", "- hosts: localhost\n  tasks:\n    - command: id\n").unwrap();
    let node = project.node("l").unwrap();
    make_gate(&node);
    let first = start_apply(&project, "site.yml");
    wait_until_begun(&node);
    for args in [
        &["apply", "-i", "hosts", "site.yml", "--check"][..],
        &["apply", "-i", "hosts", "look.yml"],
        &["apply", "-i", "hosts", "local.yml"],
        &["exec", "all", "-i", "hosts", "-m", "ping"],
        &["exec", "all", "-i", "hosts", "-m", "command", "-a", "id", "--check"],
    ] {
        let ran = project.run(args).unwrap();
        assert_eq!(ran.code, Some(0), "{args:?}: {ran}");
    }
    let ran = project.run(["exec", "all", "-i", "hosts", "-m", "command", "-a", "id"]).unwrap();
    assert!(
        ran.stdout.starts_with("l | REFUSED! => {\n    \"changed\": false,\n    \"msg\": \"run "),
        "{ran}"
    );
    assert_eq!(ran.code, Some(3), "{ran}");
    let ran = project.apply(["--output", "json"]).unwrap();
    assert!(ran.stdout.contains("\"verdict\": \"refused\""), "{ran}");
    let hosts = "{\"all\": 1, \"changed\": 0, \"failed\": 0, \"unreachable\": 0, \"refused\": 1}";
    let end = format!("\"outcome\": \"refused\", \"code\": 3, \"hosts\": {hosts}, \"errors\": []}}\n");
    assert!(ran.stdout.ends_with(&end), "{ran}");
    open_gate(&node);
    assert_eq!(project.wait(first).unwrap().code, Some(0));
}

#[test]
fn undo_is_refused_while_another_run_holds_the_lock() {
    let project = tasks(TASK_AT_A_GATE);
    project
        .file("first.yml", "- hosts: all\n  tasks:\n    - copy: {content: x, dest: '{{ place }}/file'}\n")
        .unwrap();
    let node = project.node("l").unwrap();
    assert_eq!(project.run(["apply", "-i", "hosts", "first.yml"]).unwrap().code, Some(0));
    let run = first_run(&project);
    make_gate(&node);
    let second = start_apply(&project, "site.yml");
    wait_until_begun(&node);
    let undone = project.run(["undo", &run]).unwrap();
    assert_eq!((undone.recap("l").as_str(), undone.code), ("ok=1 refused=1", Some(3)), "{undone}");
    assert!(node.place.join("file").exists());
    open_gate(&node);
    assert_eq!(project.wait(second).unwrap().code, Some(0));
    assert_eq!(project.run(["undo", &run]).unwrap().code, Some(0));
    assert!(!node.place.join("file").exists());
}

#[test]
fn localhost_is_locked_only_if_the_inventory_names_it() {
    let project = Project::new().unwrap();
    let place = project.path("place");
    fs::create_dir(&place).unwrap();
    let play = format!(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - shell: 'touch {0}/{{{{ n }}}}; while ! test -e \
         {0}/go; do sleep 0.05; done'\n",
        place.display()
    );
    project.file("site.yml", play).unwrap().host("localhost ansible_connection=local").unwrap();
    project.file("others", "web1\n").unwrap();
    let run = |inventory: &str, number: u32| {
        let number = format!("n={number}");
        project.command(["apply", "-i", inventory, "site.yml", "-e", &number]).spawn().unwrap()
    };
    let wait_for_start = |name: &str| wait_for_file(&place.join(name));
    let with_inventory_host = run("hosts", 1);
    wait_for_start("1");
    let others = [run("others", 2), run("others", 3)];
    wait_for_start("2");
    wait_for_start("3");
    let ran = project.wait(run("hosts", 4)).unwrap();
    assert_eq!((ran.recap("localhost").as_str(), ran.code), ("refused=1", Some(3)), "{ran}");
    assert!(!place.join("4").exists());
    fs::write(place.join("go"), "").unwrap();
    for child in others.into_iter().chain([with_inventory_host]) {
        assert_eq!(project.wait(child).unwrap().code, Some(0));
    }
}

#[test]
fn a_run_can_reconnect_while_it_holds_the_lock() {
    let project = tasks(
        "- shell: echo x >> {{ place }}/x
- meta: reset_connection
- shell: echo x >> {{ place }}/x
- wait_for_connection:
- shell: echo x >> {{ place }}/x",
    );
    let node = project.node("l").unwrap();
    // The same machine under another name.
    let line = fs::read_to_string(project.path("hosts")).unwrap();
    project.host(line.replacen("l ", "m ", 1).trim_end()).unwrap();
    for generation in ["1", "2"] {
        let ran = project.apply([]).unwrap();
        assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 changed=3", Some(0)), "{ran}");
        assert_eq!(ran.recap("m"), "ok=4 changed=3", "{ran}");
        assert_eq!(lock_record(&state_directory(&node))["generation"], generation);
    }
}

/// The next run can work whether the agent or the controller was killed.
#[test]
fn the_lock_is_released_when_the_agent_ends() {
    let project = tasks(TASK_AT_A_GATE);
    project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
    let node = project.node("l").unwrap();
    make_gate(&node);
    for (generation, kill_agent) in [("2", true), ("4", false)] {
        let first = start_apply(&project, "site.yml");
        wait_until_begun(&node);
        match kill_agent {
            true => agent_processes(&node)
                .unwrap()
                .iter()
                .for_each(|pid| kill_process(*pid, Signal::KILL).unwrap()),
            false => {
                send_signal(&first, Signal::KILL);
                // The agent finishes its step first.
                let other = project.wait(start_apply(&project, "other.yml")).unwrap();
                assert_eq!((other.recap("l").as_str(), other.code), ("ok=1 refused=1", Some(3)), "{other}");
                open_gate(&node);
            }
        }
        let other = project.wait(start_apply(&project, "other.yml")).unwrap();
        assert_eq!(other.code, Some(0), "{other}");
        assert_eq!(lock_record(&state_directory(&node))["generation"], generation);
        let ran = project.wait(first).unwrap();
        assert_eq!(ran.code, kill_agent.then_some(2), "{ran}");
        if kill_agent {
            // The command that the agent started still waits.
            open_gate(&node);
        }
        fs::remove_file(node.place.join("begun")).unwrap();
    }
}

/// Tasks that tolerate every failure, and must not tolerate a refusal.
const TOLERANT_TASKS: &str = "
- block:
    - name: After it
      copy: {content: x, dest: '{{ place }}/after'}
      ignore_errors: true
      ignore_unreachable: true
      failed_when: false
      register: after
      until: after is not failed
      retries: 3
      delay: 0
  rescue:
    - file: {path: '{{ place }}/rescued', state: touch}
  always:
    - file: {path: '{{ place }}/always', state: touch}";

/// Returns the message that names the run that worked on the node in the meantime.
fn stale_message(record: &BTreeMap<String, String>, user: &str, had: u64) -> String {
    format!(
        "run {} of {} intervened at {} as {user} (generation {}; this run had {had}) while this run was disconnected; \
         nothing more was done here. What this run knows about the node may be out of date: start again with `convoy \
         apply -i hosts site.yml`",
        record["run"],
        record["by"],
        printed_time(&record["since"]),
        record["generation"]
    )
}

/// Asserts that none of the tolerant tasks ran.
fn assert_nothing_ran_after(node: &Node) {
    for name in ["after", "rescued", "always"] {
        assert!(!node.place.join(name).exists(), "{name}");
    }
}

/// Its agent is gone when it wakes up.
#[test]
fn a_suspended_controller_is_refused_after_another_run() {
    let project = tasks(&format!("{TASK_AT_A_GATE}\n  ignore_unreachable: true{TOLERANT_TASKS}"));
    project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
    let node = project.node("l").unwrap();
    make_gate(&node);
    let first = start_apply(&project, "site.yml");
    wait_until_begun(&node);
    send_signal(&first, Signal::STOP);
    // As the agent would end by itself once it hears nothing from the controller.
    agent_processes(&node).unwrap().iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
    let other = project.wait(start_apply(&project, "other.yml")).unwrap();
    assert_eq!(other.code, Some(0), "{other}");
    let record = lock_record(&state_directory(&node));
    send_signal(&first, Signal::CONT);
    let ran = project.wait(first).unwrap();
    let msg = stale_message(&record, &node.sshd.user, 1);
    let line =
        format!("fatal: [l]: REFUSED! => {{\"changed\": false, \"msg\": \"{msg}\", \"refused\": true}}");
    assert!(ran.has_line(&line), "{line}\n{ran}");
    assert_eq!((ran.recap("l").as_str(), ran.code), ("refused=1", Some(3)), "{ran}");
    assert_nothing_ran_after(&node);
    // The command that the agent had started still waits.
    open_gate(&node);
    let again = project.apply(["--start-at-task", "After it"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
}

/// Reboots nothing if it is not refused.
const REBOOT_TASK: &str = "- reboot: {reboot_command: /bin/true, reboot_timeout: 1}\n";

/// This holds for whatever task reconnects.
#[test]
fn a_reconnection_is_refused_after_another_run() {
    for reconnecting_task in ["", "- wait_for_connection: {timeout: 300}\n", REBOOT_TASK, "- ping:\n"] {
        let project = tasks(&format!(
            "- command: 'true'\n- meta: reset_connection\n- wait_for: {{path: '{{{{ place }}}}/go', timeout: 60}}\n  \
             delegate_to: localhost\n{reconnecting_task}{}",
            TOLERANT_TASKS.trim_start()
        ));
        project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
        let node = project.node("l").unwrap();
        let first = start_apply(&project, "site.yml");
        wait_for_file(&state_directory(&node).join("holder"));
        let other = project.wait(start_apply(&project, "other.yml")).unwrap();
        assert_eq!(other.code, Some(0), "{other}");
        let record = lock_record(&state_directory(&node));
        fs::write(node.place.join("go"), "").unwrap();
        let ran = project.wait(first).unwrap();
        assert!(
            ran.stdout.contains(&stale_message(&record, &node.sshd.user, 1)),
            "{reconnecting_task}: {ran}"
        );
        assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1 refused=1", Some(3)), "{ran}");
        assert_nothing_ran_after(&node);
    }
}

#[test]
fn a_changed_clock_affects_only_the_printed_time() {
    let project = tasks(TASK_AT_A_GATE);
    let node = project.node("l").unwrap();
    make_gate(&node);
    let holder = state_directory(&node).join("holder");
    let first = start_apply(&project, "site.yml");
    wait_until_begun(&node);
    let text = fs::read_to_string(&holder).unwrap();
    let since = text.lines().find(|line| line.starts_with("since ")).unwrap();
    let body = text.replace(since, "since 4070908800 2099-01-01T00:00:00Z");
    let (body, _) = body.rsplit_once("check ").unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    fs::write(&holder, format!("{body}check {:08x}\n", crc.sum())).unwrap();
    let second = project.apply([]).unwrap();
    assert!(
        second.stdout.contains(" since 2099-01-01 00:00:00 UTC (generation 1); nothing was done"),
        "{second}"
    );
    assert_eq!(second.code, Some(3), "{second}");
    open_gate(&node);
    assert_eq!(project.wait(first).unwrap().code, Some(0));
    let ran = project.run(["exec", "all", "-i", "hosts", "-m", "command", "-a", "true"]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(lock_record(&state_directory(&node))["generation"], "2");
}

#[test]
fn a_damaged_lock_record_is_reported() {
    let project = site("- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n");
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    fs::write(state_directory(&node).join("holder"), "spoilt").unwrap();
    let ran = project.apply([]).unwrap();
    let warning = "[WARNING]: l: it is unknown which runs worked on this node before: the record\n\
                   of its lock is lost: it is incomplete\n";
    assert_eq!((ran.stderr.as_str(), ran.code), (warning, Some(0)), "{ran}");
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)), "{ran}");
    assert_eq!(lock_record(&state_directory(&node))["generation"], "3");
}
