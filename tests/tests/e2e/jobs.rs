//! Tasks with `async`: what they outlive, and that they are done once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use convoy_tests::program::state_of;
use convoy_tests::project::{Node, Project, Ran, contents};
use convoy_tests::proxy::Proxy;
use convoy_tests::sshd::{Accounts, SshdOptions, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{site, tasks};

/// Counts itself, says something, waits for `go`, says more and fails.
const LINE: &str = "echo x >> {{ place }}/count; echo one; touch {{ place }}/at-work; \
    until [ -e {{ place }}/go ]; do sleep 0.02; done; echo two; echo to the other >&2; exit 3";

/// A job that is followed; its result is to be whole.
fn followed() -> Project {
    tasks(&format!(
        "- name: Long\n  shell: '{LINE}'\n  async: 600\n  poll: 1\n  register: long\n  failed_when: long.rc != 3\n\
         - assert:\n    that:\n      - long.stdout == 'one\\ntwo' and long.stderr == 'to the other'\n      \
         - long is finished and long is started and long is changed\n"
    ))
}

fn begin(project: &Project, words: &[&str]) -> Child {
    project
        .command(["apply", "-i", "hosts", "site.yml"].into_iter().chain(words.iter().copied()))
        .spawn()
        .unwrap()
}

/// Returns whether the journal says that a job has come to this.
fn is_told(project: &Project, state: &str) -> bool {
    let word = format!("\"state\": \"{state}\"");
    let journals = contents(&project.path(".convoy")).unwrap_or_default();
    journals.values().any(|bytes| String::from_utf8_lossy(bytes).contains(&word))
}

fn wait_for(path: &Path) {
    poll(|| Ok(path.exists().then_some(()))).unwrap();
}

/// Returns the folders of jobs that a node keeps.
fn kept(home: &Path) -> Vec<PathBuf> {
    let inside =
        |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    inside(state_of(home).join("convoy/runs")).flat_map(|run| inside(run.join("jobs"))).collect()
}

fn went_well(ran: &Ran, node: &Node) {
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n", "it was done once");
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new(), "nothing is kept of it");
}

/// Returns the name of the only job that a run tells of.
fn name_of_job(ran: &Ran) -> String {
    let words = ran.stdout.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let is_name = |word: &&str| {
        let parts = word.strip_prefix('j').and_then(|rest| rest.split_once('.'));
        parts.is_some_and(|(first, _)| first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut names: Vec<&str> = words.filter(is_name).map(|word| word.trim_end_matches(".scope")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1, "{ran}");
    names[0].to_owned()
}

#[test]
fn it_is_followed_to_its_end() {
    let project = followed();
    let node = project.node("l").unwrap();
    let child = begin(&project, &["-v"]);
    wait_for(&node.place.join("at-work"));
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    went_well(&ran, &node);
    let name = name_of_job(&ran);
    for line in [
        format!("<l> the job {name} has begun, detached by setsid"),
        format!("ASYNC FAILED on l: jid={name}"),
    ] {
        assert!(ran.says(&line), "{line}: {ran}");
    }
    let last = ran.stdout.lines().rfind(|line| line.starts_with("<l> after "));
    assert!(
        last.is_some_and(|line| line.ends_with(" s: two") || line.ends_with(" s: to the other")),
        "{ran}"
    );
    let told = project.run(["runs", "show", "last", "--output", "json"]).unwrap();
    for state in ["begins", "begun", "moves", "failed"] {
        assert!(told.stdout.contains(&format!("\"job\": \"{name}\", \"state\": \"{state}\"")), "{told}");
    }
}

#[test]
fn a_connection_that_is_cut() {
    let project = followed();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = begin(&project, &["-v"]);
    wait_for(&node.place.join("at-work"));
    proxy.cut();
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    went_well(&ran, &node);
    let name = name_of_job(&ran);
    let lost = format!("the job {name} of the task \"Long\" goes on there, and is looked for again");
    assert!(ran.stderr.replace('\n', " ").contains(&lost), "{ran}");
    assert!(ran.stdout.contains(&format!("<l> the job {name} is followed again, after ")), "{ran}");
}

/// The node's answer that the job has ended is lost.
#[test]
fn a_cut_between_the_end_and_its_answer() {
    let project = followed();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = begin(&project, &[]);
    wait_for(&node.place.join("at-work"));
    let folder = poll(|| Ok(kept(&node.home).pop())).unwrap();
    proxy.hold(false, true);
    fs::write(node.place.join("go"), "").unwrap();
    wait_for(&folder.join("outcome"));
    end_of_answer(&proxy);
    proxy.cut();
    proxy.hold(false, false);
    let ran = project.wait(child).unwrap();
    went_well(&ran, &node);
}

/// Waits until something that the node says is held back.
fn end_of_answer(proxy: &Proxy) {
    proxy.hold(false, true);
    poll(|| Ok((proxy.waiting() > 0).then_some(()))).unwrap();
}

/// No byte comes through, and nobody says that it is so: after 30 s the controller gives the connection up.
#[test]
fn a_black_hole() {
    let project = followed();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = begin(&project, &["-v"]);
    wait_for(&node.place.join("at-work"));
    proxy.hold(true, true);
    fs::write(node.place.join("go"), "").unwrap();
    // The agent has to be given up first.
    while !is_told(&project, "lost") {
        std::thread::sleep(Duration::from_millis(200));
    }
    proxy.hold(false, false);
    let ran = project.wait(child).unwrap();
    went_well(&ran, &node);
    assert!(ran.stderr.replace('\n', " ").contains("[WARNING]: l: no answer for 30 s; the job "), "{ran}");
}

#[test]
fn a_restart_of_sshd() {
    let project = followed();
    let mut node = project.node("l").unwrap();
    let child = begin(&project, &[]);
    wait_for(&node.place.join("at-work"));
    node.sshd.restart().unwrap();
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    went_well(&ran, &node);
}

/// Another run asks for what a killed controller has left.
#[test]
fn a_controller_that_is_killed() {
    let project = followed();
    let node = project.node("l").unwrap();
    let mut child = begin(&project, &[]);
    wait_for(&node.place.join("at-work"));
    child.kill().unwrap();
    child.wait().unwrap();
    let name = name_of_job(&project.run(["runs", "show", "last", "--output", "json"]).unwrap());
    project
        .file(
            "ask.yml",
            "- hosts: all\n  gather_facts: false\n  tasks:\n    \
             - async_status: {jid: '{{ jid }}'}\n      register: long\n      until: long is finished\n      retries: 600\n      \
             delay: 0.1\n      failed_when: long.rc | default(0) != 3\n    \
             - assert: {that: \"long.stdout == 'one\\\\ntwo' and long.stderr == 'to the other'\"}\n    \
             - async_status: {jid: '{{ jid }}', mode: cleanup}\n",
        )
        .unwrap();
    let jid = format!("jid={name}");
    let asking = project.command(["apply", "-i", "hosts", "ask.yml", "-e", &jid]).spawn().unwrap();
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(asking).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=3 changed=1", Some(0)), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new());
}

/// The run itself goes on where it stopped: it follows the same job again.
#[test]
fn a_controller_that_is_killed_and_resumed() {
    let project = followed();
    let node = project.node("l").unwrap();
    let mut child = begin(&project, &[]);
    wait_for(&node.place.join("at-work"));
    child.kill().unwrap();
    child.wait().unwrap();
    let resuming = project.command(["resume"]).spawn().unwrap();
    fs::write(node.place.join("go"), "").unwrap();
    went_well(&project.wait(resuming).unwrap(), &node);
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new());
}

#[test]
fn a_job_whose_process_is_killed() {
    let project = followed();
    let node = project.node("l").unwrap();
    let child = begin(&project, &[]);
    wait_for(&node.place.join("at-work"));
    let folder = poll(|| Ok(kept(&node.home).pop())).unwrap();
    let begun = fs::read_to_string(folder.join("begun")).unwrap();
    let pid = begun.lines().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let results = folder.join("outcome").display().to_string();
    project.normalise(&name, "[job]");
    project.normalise(results, "[results]");
    let failed = ran.stdout.lines().find(|line| line.starts_with("fatal: ")).unwrap().replace(&name, "[job]");
    assert!(
        failed.contains(
            "\"msg\": \"the job [job] ended without a result: it was killed, or the node went down; how far it \
             came is unknown\""
        ),
        "{ran}"
    );
    assert!(ran.says(&format!("ASYNC FAILED on l: jid={name}")), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");

    // Nobody knows how far it came, so that it is not begun again until someone says so.
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("failed=1", Some(2)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");
    fs::write(node.place.join("go"), "").unwrap();
    let again = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\nx\n");
}

#[test]
fn one_that_is_left_alone_is_asked_for_later() {
    let project = site(&format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: '{LINE}'\n      async: 600\n      poll: 0\n      \
         register: long\n    - assert:\n        that:\n          - long.started == 1 and long.finished == 0 and long is changed\n          \
         - long is not finished and long.results_file is search(long.ansible_job_id)\n    \
         - async_status: {{jid: '{{{{ long.ansible_job_id }}}}'}}\n      register: working\n    \
         - assert: {{that: working.finished == 0 and working is not changed}}\n    - file: {{path: '{{{{ place }}}}/go', state: touch}}\n\
         - hosts: all\n  gather_facts: false\n  tasks:\n    - async_status: {{jid: '{{{{ long.ansible_job_id }}}}'}}\n      register: done\n      \
         until: done is finished\n      retries: 600\n      delay: 0.1\n      failed_when: done.rc | default(0) != 3\n    \
         - assert: {{that: \"done.stdout == 'one\\\\ntwo' and done.ansible_job_id == long.ansible_job_id\"}}\n    \
         - async_status: {{jid: '{{{{ long.ansible_job_id }}}}', mode: cleanup}}\n    \
         - async_status: {{jid: '{{{{ long.ansible_job_id }}}}'}}\n      ignore_errors: true\n      register: gone\n    \
         - assert: {{that: gone.msg == 'could not find job' and gone.finished == 1}}\n"
    ));
    let node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=10 changed=3 ignored=1", Some(0)), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new());
}

#[test]
fn modules_of_all_kinds_in_loops_and_with_retries() {
    let project = tasks(
        r#"
- shell: echo {{ item }}
  async: 60
  poll: 1
  loop: [a, b]
  register: all
- assert: {that: "all.results | map(attribute='stdout') == ['a', 'b']"}
- script: hello.sh
  async: 60
  poll: 1
  register: script
- assert: {that: "script.stdout == 'hello\n'"}
- copy: {src: large, dest: '{{ place }}/large'}
  async: '{{ 6 * 10 }}'
  poll: '{{ 1 }}'
- copy: {src: large, dest: '{{ place }}/large'}
  async: 60
  poll: 1
  register: same
- assert: {that: same is not changed}
- wait_for: {path: '{{ place }}/large'}
  async: 60
  poll: 1
- shell: echo x >> {{ place }}/tries; test $(wc -l < {{ place }}/tries) = 2
  async: 60
  poll: 1
  register: tried
  until: tried is succeeded
  delay: 0
- assert: {that: tried.attempts == 2}
- command: sleep 1000
  async: 1
  poll: 1
  register: late
  ignore_errors: true
- assert: {that: late.msg == 'async task did not complete within the requested time - 1s'}
- command: 'true'
  async: 0
  register: plain
- assert: {that: plain.ansible_job_id is undefined}
- ping:
  async: 60
  delegate_to: other
  poll: 1
"#,
    );
    project.file("files/hello.sh", "#!/bin/sh\necho hello\n").unwrap();
    project.file("files/large", crate::faults::noise(700_000)).unwrap();
    let node = project.node("l").unwrap();
    project.file("hosts", fs::read_to_string(project.path("hosts")).unwrap()).unwrap();
    project.host("other ansible_connection=local").unwrap();
    let ran = project.apply(["-l", "l"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=15 changed=5 ignored=1", Some(0)), "{ran}");
    assert_eq!(fs::read(node.place.join("large")).unwrap().len(), 700_000);
    assert_eq!((kept(&node.home), kept(&project.home())), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_hidden_stays_hidden() {
    let project = tasks(
        "- shell: 'echo hunter2; touch {{ place }}/at-work; until [ -e {{ place }}/go ]; do sleep 0.02; done'\n  async: 60\n  \
         poll: 1\n  no_log: true\n  register: hidden\n- shell: test '{{ hidden.stdout }}' = hunter2\n",
    );
    let node = project.node("l").unwrap();
    let child = begin(&project, &["-vvv"]);
    wait_for(&node.place.join("at-work"));
    let folder = poll(|| Ok(kept(&node.home).pop())).unwrap();
    assert!(!folder.join("output").exists());
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=2", Some(0)), "{ran}");
    assert!(!ran.to_string().contains("hunter2"), "{ran}");
    let journal = contents(&project.path(".convoy")).unwrap();
    assert!(journal.values().all(|bytes| !bytes.windows(7).any(|part| part == b"hunter2")));
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new());
}

/// The job is the other user's: in its folders, over another connection, in the end gone.
#[test]
#[cfg_attr(not(may_mount), ignore = "only root can make accounts for a test")]
fn as_another_user() {
    let project = tasks(
        "- shell: 'echo x >> ~/count; id -un; until [ -e ~/go ]; do sleep 0.02; done; cat ~/count'\n  async: 600\n  poll: 1\n  \
         become: true\n  become_user: app\n  register: long\n- assert: {that: \"long.stdout == 'app\\nx'\"}\n\
         - command: find /home/app/.local/state/convoy/runs -name 'j*'\n  become: true\n  become_user: app\n  register: kept\n\
         - assert: {that: kept.stdout == ''}\n",
    );
    let accounts = Accounts {
        login: "op",
        lines: "account op word; account app word; sudoers 'op ALL=(app) NOPASSWD: ALL'",
    };
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = begin(&project, &[]);
    poll(|| Ok(is_told(&project, "begun").then_some(()))).unwrap();
    proxy.cut();
    // Not by another run: as long as the job lives that user's part of the node is locked.
    let go = ["exec", "all", "-i", "hosts", "-b", "--become-user", "app", "-m", "shell", "-a", "touch ~/go"];
    assert_eq!(project.run(go).unwrap().code, Some(3));
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-F", "none", "-p"]);
    ssh.arg(node.sshd.port.to_string()).arg("-i").arg(&project.key().path);
    let go = ssh.args(["op@127.0.0.1", "sudo -n -H -u app sh -c 'touch ~/go'"]).output().unwrap();
    assert!(go.status.success(), "{go:?}");
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 changed=2", Some(0)), "{ran}");
}

#[test]
fn what_cannot_be_a_job() {
    let project = tasks(
        "- debug: msg=x\n  async: 5\n  ignore_errors: true\n- fetch: {src: /etc/hosts, dest: x}\n  async: 5\n  ignore_errors: true\n\
         - async_status: {jid: none}\n  ignore_errors: true\n",
    );
    let _node = project.node("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=3 ignored=3", Some(0)), "{ran}");
    let failed: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("fatal: ")).collect();
    let refused = |name: &str| {
        format!(
            "fatal: [l]: FAILED! => {{\"changed\": false, \"msg\": \"This action ({name}) does not support async.\"}}"
        )
    };
    let unknown = "fatal: [l]: FAILED! => {\"ansible_job_id\": \"none\", \"changed\": false, \"finished\": 1, \"msg\": \"could not \
        find job\", \"started\": 1}";
    // Ansible shows of `debug` only what it says.
    let debug = refused("debug").replace("\"changed\": false, ", "");
    assert_eq!(failed, [&*debug, &*refused("fetch"), unknown], "{ran}");
}

#[test]
fn check_mode_begins_nothing_and_says_how_it_would() {
    let project = tasks(
        "- command: touch {{ place }}/x\n  async: 60\n  poll: 1\n- command: touch {{ place }}/y\n  async: 60\n  poll: 0\n  register: y\n\
         - async_status: {jid: '{{ y.ansible_job_id }}'}\n- copy: {content: x, dest: '{{ place }}/z'}\n  async: 60\n",
    );
    let node = project.node("l").unwrap();
    let ran = project.apply(["-C", "-v"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1 skipped=2 unknown=1", Some(0)), "{ran}");
    let of = |msg: &str| format!("\"detached\": \"setsid\", \"msg\": \"{msg}\"");
    for msg in
        ["Command would have run if not in check mode", "The job would have been begun if not in check mode"]
    {
        assert!(ran.stdout.contains(&of(msg)), "{ran}");
    }
    assert_eq!(fs::read_dir(&node.place).unwrap().count(), 0);
    assert_eq!(kept(&node.home), Vec::<PathBuf>::new());
}

/// The job takes away the very connection over which it was begun, and all processes of its service.
#[test]
#[cfg_attr(not(may_boot), ignore = "only root can boot systemd on a layer over this machine's files")]
fn in_a_scope_of_its_own_where_systemd_runs() {
    let project = tasks(
        "- shell: systemctl restart sshd && sleep 1 && cat /proc/self/cgroup\n  async: 60\n  poll: 1\n  register: long\n\
         - debug: {var: long.stdout_lines}\n",
    );
    let _machine = project.machine("m").unwrap();
    let would = project.apply(["-C", "-v"]).unwrap();
    assert!(would.stdout.contains("\"detached\": \"systemd-run --scope, otherwise setsid\""), "{would}");
    let ran = project.apply(["-v"]).unwrap();
    assert_eq!((ran.recap("m").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    let name = name_of_job(&ran);
    assert!(
        ran.says(&format!(
            "<m> the job {name} has begun, detached by systemd-run --scope (convoy-{name}.scope)"
        )),
        "{ran}"
    );
    assert!(ran.stdout.contains(&format!("/system.slice/convoy-{name}.scope\"")), "{ran}");
}
