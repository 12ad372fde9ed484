//! Two runs never work on one node at once, and who was away is told who came between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;

use convoy_tests::program::{RunOutput, state_home};
use convoy_tests::project::{Node, Project};
use convoy_tests::sshd::{Accounts, SshdOptions, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::faults::agents;
use crate::harness::{site, tasks};

/// Waits at a gate; what stands behind it is not to be reached by two.
const GATE: &str = "- name: At the gate
  shell: 'echo x >> {{ place }}/begun; read line < {{ place }}/gate'";

/// Returns what the record of a lock says, but for those before.
fn record(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join("holder")).expect("a record");
    let field = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(field).filter(|(name, _)| name != "before").collect()
}

/// Returns the folder of state of who logs in to a node.
fn state(node: &Node) -> std::path::PathBuf {
    state_home(&node.home).join("convoy")
}

/// Returns who has the lock, as it is said.
fn works(record: &BTreeMap<String, String>, user: &str) -> String {
    format!(
        "run {} of {} has been working on this node as {user} since {} (generation {})",
        record["run"],
        record["by"],
        said_time(&record["since"]),
        record["generation"]
    )
}

fn said_time(since: &str) -> String {
    let (_, time) = since.split_once(' ').expect("seconds and a time");
    time.replace('T', " ").replace('Z', " UTC")
}

/// Returns how the holder of a lock is named.
fn holds(lock: &Path, record: &BTreeMap<String, String>) -> String {
    let comm = fs::read_to_string(format!("/proc/{}/comm", record["process"])).expect("it lives");
    format!("It holds {} with process {} ({})", lock.display(), record["process"], comm.trim_end())
}

/// A fifo that a task waits at.
fn gate(node: &Node) {
    let made = std::process::Command::new("mkfifo").arg(node.place.join("gate")).status();
    assert!(made.is_ok_and(|status| status.success()));
}

fn begins(node: &Node) {
    poll(|| Ok(node.place.join("begun").exists().then_some(()))).expect("it begins");
}

fn opens(node: &Node) {
    fs::write(node.place.join("gate"), "go\n").expect("somebody waits");
}

fn apply(project: &Project, playbook: &str) -> Child {
    project.command(["apply", "-i", "hosts", playbook]).spawn().expect("convoy")
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().cast_signed()).expect("a process"), signal).expect("it lives");
}

/// Returns whole what a run shows that is refused at its only task.
fn refused(task: &str, msg: &str) -> RunOutput {
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
fn of_two_controllers_in_the_same_second_one_works() {
    let project = tasks(GATE);
    let node = project.node("l").unwrap();
    gate(&node);
    let mut runs = [apply(&project, "site.yml"), apply(&project, "site.yml")];
    let loser = poll(|| {
        let ended = runs.iter_mut().position(|run| run.try_wait().is_ok_and(|status| status.is_some()));
        Ok(ended)
    })
    .unwrap();
    let record = record(&state(&node));
    let msg = format!(
        "{}; nothing was done here. When it has ended, start again with `convoy apply -i hosts site.yml`. {}",
        works(&record, &node.sshd.user),
        project.normalize(&holds(&state(&node).join("lock"), &record))
    );
    opens(&node);
    let [first, second] = runs;
    let (lost, won) = if loser == 0 { (first, second) } else { (second, first) };
    assert_eq!(project.wait(lost).unwrap(), refused("At the gate", &msg));
    let won = project.wait(won).unwrap();
    assert_eq!((won.recap("l").as_str(), won.code), ("ok=1 changed=1", Some(0)), "{won}");
    assert_eq!(fs::read_to_string(node.place.join("begun")).unwrap(), "x\n");
    let listed = project.run(["runs"]).unwrap();
    assert!(listed.stdout.contains("  refused (1 of 1)  1 "), "{listed}");
    assert!(listed.stdout.contains(&record["run"]), "the one that works is known by its name: {listed}");
}

/// A node on which `op` logs in, who may be `app`.
fn app_node(project: &Project) -> Node {
    let accounts = Accounts {
        login: "op",
        script: "for name in op app; do account $name word-of-$name; done; chmod 777 /home/app
            sudoers 'op ALL=(ALL:ALL) NOPASSWD: ALL'",
    };
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    project.node_with("l", options).unwrap()
}

/// Each user of a node has a lock of its own, which another user's agent asks for.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn the_lock_is_that_of_the_user_who_works() {
    let project = tasks(
        "- name: At the gate
  shell: 'touch /home/app/begun; while ! test -e /home/app/go; do sleep 0.05; done'
  become: true
  become_user: app",
    );
    let _node = app_node(&project);
    let exec = |words: &[&str]| {
        let start = ["exec", "all", "-i", "hosts", "-e", "ansible_user=op"];
        project.run(start.iter().chain(words)).unwrap()
    };
    let there = |name: &str| exec(&["-m", "stat", "-a", &format!("path=/home/app/{name}")]);
    let words = ["apply", "-i", "hosts", "site.yml", "-e", "ansible_user=op"];
    let first = project.command(words).spawn().unwrap();
    poll(|| Ok(there("begun").stdout.contains("\"exists\": true").then_some(()))).unwrap();
    let second = project.run(words).unwrap();
    assert_eq!((second.recap("l").as_str(), second.code), ("refused=1", Some(3)), "{second}");
    let said = second.stdout.split("has been working on this node as ").nth(1).unwrap_or_default();
    assert!(
        said.starts_with("app since ") && said.contains("(generation 1); nothing was done here."),
        "{second}"
    );
    assert!(said.contains("It holds /home/app/.local/state/convoy/lock, there with process"), "{second}");
    // Nobody works as these.
    for user in ["op", "root"] {
        let ran = exec(&["-b", "--become-user", user, "-m", "command", "-a", "id -un"]);
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    let ran = exec(&["-b", "--become-user", "root", "-m", "command", "-a", "touch /home/app/go"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(project.wait(first).unwrap().code, Some(0));
    let third = project.run(words).unwrap();
    assert_eq!((third.recap("l").as_str(), third.code), ("ok=1 changed=1", Some(0)), "{third}");
}

/// What another user's agent was given is shown to the next one of that user.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn who_was_away_is_refused_as_another_user() {
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
    let _node = app_node(&project);
    let user = ["-e", "ansible_user=op", "-b", "--become-user", "app"];
    let spawn = |playbook: &'static str| {
        let words = ["apply", "-i", "hosts", playbook].into_iter().chain(user);
        project.command(words).spawn().unwrap()
    };
    let there = |name: &str| {
        let path = format!("path=/home/app/{name}");
        let words = ["exec", "all", "-i", "hosts", "-e", "ansible_user=op", "-m", "stat", "-a", &path];
        project.run(words).unwrap().stdout.contains("\"exists\": true")
    };
    let first = spawn("site.yml");
    poll(|| Ok(there("one").then_some(()))).unwrap();
    let other = project.wait(spawn("other.yml")).unwrap();
    assert_eq!(other.code, Some(0), "{other}");
    project.file("go", "").unwrap();
    let ran = project.wait(first).unwrap();
    let said = ran.stdout.split(" intervened at ").nth(1).unwrap_or_default();
    let rest =
        " as app (generation 2; this run had 1) while this run was disconnected; nothing more was done here.";
    assert!(said.contains(rest), "{ran}");
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1 refused=1", Some(3)), "{ran}");
    assert!(!there("after"));
}

#[test]
fn who_only_looks_is_not_in_the_way() {
    let project = tasks(GATE);
    project.file("look.yml", "- hosts: all\n  tasks:\n    - stat: {path: '{{ place }}'}\n").unwrap();
    project.file("local.yml", "- hosts: localhost\n  tasks:\n    - command: id\n").unwrap();
    let node = project.node("l").unwrap();
    gate(&node);
    let first = apply(&project, "site.yml");
    begins(&node);
    for words in [
        &["apply", "-i", "hosts", "site.yml", "--check"][..],
        &["apply", "-i", "hosts", "look.yml"],
        &["apply", "-i", "hosts", "local.yml"],
        &["exec", "all", "-i", "hosts", "-m", "ping"],
        &["exec", "all", "-i", "hosts", "-m", "command", "-a", "id", "--check"],
    ] {
        let ran = project.run(words).unwrap();
        assert_eq!(ran.code, Some(0), "{words:?}: {ran}");
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
    opens(&node);
    assert_eq!(project.wait(first).unwrap().code, Some(0));
}

/// An undo is a run like others: another one is not disturbed by it.
#[test]
fn an_undo_waits_for_its_turn() {
    let project = tasks(GATE);
    project
        .file("first.yml", "- hosts: all\n  tasks:\n    - copy: {content: x, dest: '{{ place }}/file'}\n")
        .unwrap();
    let node = project.node("l").unwrap();
    assert_eq!(project.run(["apply", "-i", "hosts", "first.yml"]).unwrap().code, Some(0));
    let run = crate::undo::first(&project);
    gate(&node);
    let second = apply(&project, "site.yml");
    begins(&node);
    let undone = project.run(["undo", &run]).unwrap();
    assert_eq!((undone.recap("l").as_str(), undone.code), ("ok=1 refused=1", Some(3)), "{undone}");
    assert!(node.place.join("file").exists());
    opens(&node);
    assert_eq!(project.wait(second).unwrap().code, Some(0));
    assert_eq!(project.run(["undo", &run]).unwrap().code, Some(0));
    assert!(!node.place.join("file").exists());
}

/// The workstation is locked if the inventory has it, and else not.
#[test]
fn the_workstation_is_a_host_if_the_inventory_says_so() {
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
    let waits = |name: &str| poll(|| Ok(place.join(name).exists().then_some(()))).unwrap();
    let named = run("hosts", 1);
    waits("1");
    let others = [run("others", 2), run("others", 3)];
    waits("2");
    waits("3");
    let ran = project.wait(run("hosts", 4)).unwrap();
    assert_eq!((ran.recap("localhost").as_str(), ran.code), ("refused=1", Some(3)), "{ran}");
    assert!(!place.join("4").exists());
    fs::write(place.join("go"), "").unwrap();
    for child in others.into_iter().chain([named]) {
        assert_eq!(project.wait(child).unwrap().code, Some(0));
    }
}

#[test]
fn a_run_enters_again() {
    let project = tasks(
        "- shell: echo x >> {{ place }}/x
- meta: reset_connection
- shell: echo x >> {{ place }}/x
- wait_for_connection:
- shell: echo x >> {{ place }}/x",
    );
    let node = project.node("l").unwrap();
    // Another name of the same machine.
    let line = fs::read_to_string(project.path("hosts")).unwrap();
    project.host(line.replacen("l ", "m ", 1).trim_end()).unwrap();
    for generation in ["1", "2"] {
        let ran = project.apply([]).unwrap();
        assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 changed=3", Some(0)), "{ran}");
        assert_eq!(ran.recap("m"), "ok=4 changed=3", "{ran}");
        assert_eq!(record(&state(&node))["generation"], generation);
    }
}

/// However an agent ends, the next run can work.
#[test]
fn the_lock_ends_with_the_agent() {
    let project = tasks(GATE);
    project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
    let node = project.node("l").unwrap();
    gate(&node);
    for (generation, kill_agent) in [("2", true), ("4", false)] {
        let first = apply(&project, "site.yml");
        begins(&node);
        match kill_agent {
            true => agents(&node).unwrap().iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap()),
            false => {
                signal(&first, Signal::KILL);
                // Its agent finishes what it does.
                let other = project.wait(apply(&project, "other.yml")).unwrap();
                assert_eq!((other.recap("l").as_str(), other.code), ("ok=1 refused=1", Some(3)), "{other}");
                opens(&node);
            }
        }
        let other = project.wait(apply(&project, "other.yml")).unwrap();
        assert_eq!(other.code, Some(0), "{other}");
        assert_eq!(record(&state(&node))["generation"], generation);
        let ran = project.wait(first).unwrap();
        assert_eq!(ran.code, kill_agent.then_some(2), "{ran}");
        if kill_agent {
            // What it had begun is left.
            opens(&node);
        }
        fs::remove_file(node.place.join("begun")).unwrap();
    }
}

/// What a task is followed by that does not swallow a refusal.
const TOLERANT: &str = "
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

/// Returns who came between, as it is said.
fn between(record: &BTreeMap<String, String>, user: &str, had: u64) -> String {
    format!(
        "run {} of {} intervened at {} as {user} (generation {}; this run had {had}) while this run was disconnected; \
         nothing more was done here. What this run knows about the node may be out of date: start again with `convoy \
         apply -i hosts site.yml`",
        record["run"],
        record["by"],
        said_time(&record["since"]),
        record["generation"]
    )
}

/// Expects that nothing was done on the node but what was done before.
fn nothing_after(node: &Node) {
    for name in ["after", "rescued", "always"] {
        assert!(!node.place.join(name).exists(), "{name}");
    }
}

/// A controller that sleeps is left by its agent, and finds another run's traces when it wakes.
#[test]
fn a_controller_that_slept_is_refused() {
    let project = tasks(&format!("{GATE}\n  ignore_unreachable: true{TOLERANT}"));
    project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
    let node = project.node("l").unwrap();
    gate(&node);
    let first = apply(&project, "site.yml");
    begins(&node);
    signal(&first, Signal::STOP);
    // It hears nothing any more: it ends its step and leaves.
    agents(&node).unwrap().iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
    let other = project.wait(apply(&project, "other.yml")).unwrap();
    assert_eq!(other.code, Some(0), "{other}");
    let record = record(&state(&node));
    signal(&first, Signal::CONT);
    let ran = project.wait(first).unwrap();
    let msg = between(&record, &node.sshd.user, 1);
    let line =
        format!("fatal: [l]: REFUSED! => {{\"changed\": false, \"msg\": \"{msg}\", \"refused\": true}}");
    assert!(ran.has_line(&line), "{line}\n{ran}");
    assert_eq!((ran.recap("l").as_str(), ran.code), ("refused=1", Some(3)), "{ran}");
    nothing_after(&node);
    // What the agent had begun when it was killed.
    opens(&node);
    let again = project.apply(["--start-at-task", "After it"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
}

/// Nothing is started anew, should it not be refused.
const REBOOT: &str = "- reboot: {reboot_command: /bin/true, reboot_timeout: 1}\n";

/// A second link is shown to be one, whatever opens it and whatever is asked first.
#[test]
fn a_second_link_is_refused_where_another_run_came_between() {
    for reconnects in ["", "- wait_for_connection: {timeout: 300}\n", REBOOT, "- ping:\n"] {
        let project = tasks(&format!(
            "- command: 'true'\n- meta: reset_connection\n- wait_for: {{path: '{{{{ place }}}}/go', timeout: 60}}\n  \
             delegate_to: localhost\n{reconnects}{}",
            TOLERANT.trim_start()
        ));
        project.file("other.yml", "- hosts: all\n  tasks:\n    - command: 'true'\n").unwrap();
        let node = project.node("l").unwrap();
        let first = apply(&project, "site.yml");
        let begun = || state(&node).join("holder").exists();
        poll(|| Ok(begun().then_some(()))).unwrap();
        let other = project.wait(apply(&project, "other.yml")).unwrap();
        assert_eq!(other.code, Some(0), "{other}");
        let record = record(&state(&node));
        fs::write(node.place.join("go"), "").unwrap();
        let ran = project.wait(first).unwrap();
        assert!(ran.stdout.contains(&between(&record, &node.sshd.user, 1)), "{reconnects}: {ran}");
        assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1 refused=1", Some(3)), "{ran}");
        nothing_after(&node);
    }
}

/// A clock that was set to another time is seen in what is said, and in nothing else.
#[test]
fn a_node_whose_clock_jumps() {
    let project = tasks(GATE);
    let node = project.node("l").unwrap();
    gate(&node);
    let holder = state(&node).join("holder");
    let first = apply(&project, "site.yml");
    begins(&node);
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
    opens(&node);
    assert_eq!(project.wait(first).unwrap().code, Some(0));
    let ran = project.run(["exec", "all", "-i", "hosts", "-m", "command", "-a", "true"]).unwrap();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(record(&state(&node))["generation"], "2");
}

#[test]
fn a_record_that_was_lost_is_told() {
    let project = site("- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n");
    let node = project.node("l").unwrap();
    assert_eq!(project.apply([]).unwrap().code, Some(0));
    fs::write(state(&node).join("holder"), "spoilt").unwrap();
    let ran = project.apply([]).unwrap();
    let warning = "[WARNING]: l: it is unknown which runs worked on this node before: the record\n\
                   of its lock is lost: it has no end\n";
    assert_eq!((ran.stderr.as_str(), ran.code), (warning, Some(0)), "{ran}");
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)), "{ran}");
    assert_eq!(record(&state(&node))["generation"], "3");
}
