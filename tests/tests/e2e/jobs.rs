//! Tasks with `async`: their jobs survive what interrupts a run, and run exactly once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use convoy_tests::program::{RunOutput, state_home};
use convoy_tests::project::{Node, Project, contents};
use convoy_tests::proxy::Proxy;
use convoy_tests::sshd::{Accounts, SshdOptions, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{site, tasks, wait_for_file};

/// Adds a line to `count`, prints something, waits for the file `go`, prints more and fails.
const SCRIPT: &str = "echo x >> {{ place }}/count; echo one; touch {{ place }}/at-work; \
    until [ -e {{ place }}/go ]; do sleep 0.02; done; echo two; echo to the other >&2; exit 3";

/// Returns a project with a polled job, followed by a check that its result is complete.
fn project_with_polled_job() -> Project {
    tasks(&format!(
        "- name: Long\n  shell: '{SCRIPT}'\n  async: 600\n  poll: 1\n  register: long\n  failed_when: long.rc != 3\n\
         - assert:\n    that:\n      - long.stdout == 'one\\ntwo' and long.stderr == 'to the other'\n      \
         - long is finished and long is started and long is changed\n"
    ))
}

/// Starts `convoy apply` with these further arguments.
fn start_apply(project: &Project, args: &[&str]) -> Child {
    project
        .command(["apply", "-i", "hosts", "site.yml"].into_iter().chain(args.iter().copied()))
        .spawn()
        .unwrap()
}

/// Returns whether a journal has recorded this state of a job.
fn journal_has_state(project: &Project, state: &str) -> bool {
    let word = format!("\"state\": \"{state}\"");
    let journals = contents(&project.path(".convoy")).unwrap_or_default();
    journals.values().any(|bytes| String::from_utf8_lossy(bytes).contains(&word))
}

/// Returns the directories of jobs that a node keeps.
fn kept_jobs(home: &Path) -> Vec<PathBuf> {
    let entries =
        |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries(state_home(home).join("convoy/runs")).flat_map(|run| entries(run.join("jobs"))).collect()
}

fn assert_job_ran_once(ran: &RunOutput, node: &Node) {
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    assert_eq!(
        fs::read_to_string(node.place.join("count")).unwrap(),
        "x\n",
        "the job did not run exactly once"
    );
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new(), "the job was not removed");
}

/// Returns the name of the only job in the output of a run.
fn job_name(ran: &RunOutput) -> String {
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
fn a_job_is_polled_until_it_ends() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let child = start_apply(&project, &["-v"]);
    wait_for_file(&node.place.join("at-work"));
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    assert_job_ran_once(&ran, &node);
    let name = job_name(&ran);
    for line in
        [format!("<l> job {name} has started, detached by setsid"), format!("ASYNC FAILED on l: jid={name}")]
    {
        assert!(ran.has_line(&line), "{line}: {ran}");
    }
    let last = ran.stdout.lines().rfind(|line| line.starts_with("<l> after "));
    assert!(
        last.is_some_and(|line| line.ends_with(" s: two") || line.ends_with(" s: to the other")),
        "{ran}"
    );
    let shown = project.run(["runs", "show", "last", "--output", "json"]).unwrap();
    for state in ["begins", "begun", "moves", "failed"] {
        assert!(shown.stdout.contains(&format!("\"job\": \"{name}\", \"state\": \"{state}\"")), "{shown}");
    }
}

#[test]
fn a_job_survives_a_lost_connection() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = start_apply(&project, &["-v"]);
    wait_for_file(&node.place.join("at-work"));
    proxy.disconnect();
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    assert_job_ran_once(&ran, &node);
    let name = job_name(&ran);
    let lost = format!("job {name} of task \"Long\" continues on the host; reconnecting to it");
    assert!(ran.stderr.replace('\n', " ").contains(&lost), "{ran}");
    assert!(ran.stdout.contains(&format!("<l> following job {name} again after ")), "{ran}");
}

/// The result that the node sends is lost.
#[test]
fn a_job_survives_a_disconnect_before_its_result_arrives() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = start_apply(&project, &[]);
    wait_for_file(&node.place.join("at-work"));
    let directory = poll(|| Ok(kept_jobs(&node.home).pop())).unwrap();
    proxy.hold(false, true);
    fs::write(node.place.join("go"), "").unwrap();
    wait_for_file(&directory.join("outcome"));
    wait_until_answer_is_held(&proxy);
    proxy.disconnect();
    proxy.hold(false, false);
    let ran = project.wait(child).unwrap();
    assert_job_ran_once(&ran, &node);
}

/// Waits until an answer of the node is held back.
fn wait_until_answer_is_held(proxy: &Proxy) {
    proxy.hold(false, true);
    poll(|| Ok((proxy.held_bytes() > 0).then_some(()))).unwrap();
}

/// Both ends stay connected, and nothing arrives: after 30 s the controller gives up the connection.
#[test]
fn a_job_survives_a_link_that_drops_everything() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = start_apply(&project, &["-v"]);
    wait_for_file(&node.place.join("at-work"));
    proxy.hold(true, true);
    fs::write(node.place.join("go"), "").unwrap();
    // Wait until the controller has given up the connection.
    while !journal_has_state(&project, "lost") {
        std::thread::sleep(Duration::from_millis(200));
    }
    proxy.hold(false, false);
    let ran = project.wait(child).unwrap();
    assert_job_ran_once(&ran, &node);
    assert!(ran.stderr.replace('\n', " ").contains("[WARNING]: l: no answer for 30 s; job "), "{ran}");
}

#[test]
fn a_job_survives_a_restart_of_sshd() {
    let project = project_with_polled_job();
    let mut node = project.node("l").unwrap();
    let child = start_apply(&project, &[]);
    wait_for_file(&node.place.join("at-work"));
    node.sshd.restart().unwrap();
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    assert_job_ran_once(&ran, &node);
}

#[test]
fn another_run_can_collect_the_job_of_a_killed_controller() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let mut child = start_apply(&project, &[]);
    wait_for_file(&node.place.join("at-work"));
    child.kill().unwrap();
    child.wait().unwrap();
    let name = job_name(&project.run(["runs", "show", "last", "--output", "json"]).unwrap());
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
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new());
}

#[test]
fn resume_polls_the_job_of_a_killed_controller() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let mut child = start_apply(&project, &[]);
    wait_for_file(&node.place.join("at-work"));
    child.kill().unwrap();
    child.wait().unwrap();
    let resuming = project.command(["resume"]).spawn().unwrap();
    fs::write(node.place.join("go"), "").unwrap();
    assert_job_ran_once(&project.wait(resuming).unwrap(), &node);
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_job_fails_and_is_not_restarted_without_confirmation() {
    let project = project_with_polled_job();
    let node = project.node("l").unwrap();
    let child = start_apply(&project, &[]);
    wait_for_file(&node.place.join("at-work"));
    let directory = poll(|| Ok(kept_jobs(&node.home).pop())).unwrap();
    let begun = fs::read_to_string(directory.join("begun")).unwrap();
    let pid = begun.lines().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("failed=1", Some(2)), "{ran}");
    let name = directory.file_name().unwrap().to_string_lossy().into_owned();
    let results = directory.join("outcome").display().to_string();
    project.substitute(&name, "[job]");
    project.substitute(results, "[results]");
    let failed = ran.stdout.lines().find(|line| line.starts_with("fatal: ")).unwrap().replace(&name, "[job]");
    assert!(
        failed.contains(
            "\"msg\": \"the job [job] ended without a result: it was killed, or the node went down; how far it \
             came is unknown\""
        ),
        "{ran}"
    );
    assert!(ran.has_line(&format!("ASYNC FAILED on l: jid={name}")), "{ran}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");

    // How far the job came is unknown, so it is restarted only if the user says so.
    let resumed = project.run(["resume"]).unwrap();
    assert_eq!((resumed.recap("l").as_str(), resumed.code), ("failed=1", Some(2)), "{resumed}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\n");
    fs::write(node.place.join("go"), "").unwrap();
    let again = project.run(["resume", "--in-doubt=again"]).unwrap();
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(fs::read_to_string(node.place.join("count")).unwrap(), "x\nx\n");
}

#[test]
fn a_job_with_poll_0_is_checked_with_async_status() {
    let project = site(&format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: '{SCRIPT}'\n      async: 600\n      poll: 0\n      \
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
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new());
}

#[test]
fn jobs_work_for_all_kinds_of_modules_in_loops_and_with_retries() {
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
    project.file("files/large", crate::interruptions::incompressible_bytes(700_000)).unwrap();
    let node = project.node("l").unwrap();
    project.file("hosts", fs::read_to_string(project.path("hosts")).unwrap()).unwrap();
    project.host("other ansible_connection=local").unwrap();
    let ran = project.apply(["-l", "l"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=15 changed=5 ignored=1", Some(0)), "{ran}");
    assert_eq!(fs::read(node.place.join("large")).unwrap().len(), 700_000);
    assert_eq!((kept_jobs(&node.home), kept_jobs(&project.home())), (Vec::new(), Vec::new()));
}

#[test]
fn a_job_with_no_log_keeps_no_output() {
    let project = tasks(
        "- shell: 'echo hunter2; touch {{ place }}/at-work; until [ -e {{ place }}/go ]; do sleep 0.02; done'\n  async: 60\n  \
         poll: 1\n  no_log: true\n  register: hidden\n- shell: test '{{ hidden.stdout }}' = hunter2\n",
    );
    let node = project.node("l").unwrap();
    let child = start_apply(&project, &["-vvv"]);
    wait_for_file(&node.place.join("at-work"));
    let directory = poll(|| Ok(kept_jobs(&node.home).pop())).unwrap();
    assert!(!directory.join("output").exists());
    fs::write(node.place.join("go"), "").unwrap();
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=2 changed=2", Some(0)), "{ran}");
    assert!(!ran.to_string().contains("hunter2"), "{ran}");
    let journal = contents(&project.path(".convoy")).unwrap();
    assert!(journal.values().all(|bytes| !bytes.windows(7).any(|part| part == b"hunter2")));
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new());
}

/// The job's files are in that user's directories and are removed in the end.
#[test]
#[cfg_attr(not(can_mount), ignore = "needs root to create accounts")]
fn a_job_of_another_user_survives_a_lost_connection() {
    let project = tasks(
        "- shell: 'echo x >> ~/count; id -un; until [ -e ~/go ]; do sleep 0.02; done; cat ~/count'\n  async: 600\n  poll: 1\n  \
         become: true\n  become_user: app\n  register: long\n- assert: {that: \"long.stdout == 'app\\nx'\"}\n\
         - command: find /home/app/.local/state/convoy/runs -name 'j*'\n  become: true\n  become_user: app\n  register: kept\n\
         - assert: {that: kept.stdout == ''}\n",
    );
    let accounts = Accounts {
        login: "op",
        script: "account op word; account app word; sudoers 'op ALL=(app) NOPASSWD: ALL'",
    };
    let options = SshdOptions { accounts: Some(accounts), ..SshdOptions::new(project.key()) };
    let node = project.node_with("l", options).unwrap();
    let proxy = project.proxy(&node, Duration::ZERO).unwrap();
    let child = start_apply(&project, &[]);
    poll(|| Ok(journal_has_state(&project, "begun").then_some(()))).unwrap();
    proxy.disconnect();
    // Another run cannot do it: while the job runs, that user's lock on the node is held.
    let finish_job =
        ["exec", "all", "-i", "hosts", "-b", "--become-user", "app", "-m", "shell", "-a", "touch ~/go"];
    assert_eq!(project.run(finish_job).unwrap().code, Some(3));
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-F", "none", "-p"]);
    ssh.arg(node.sshd.port.to_string()).arg("-i").arg(&project.key().path);
    let finish_job = ssh.args(["op@127.0.0.1", "sudo -n -H -u app sh -c 'touch ~/go'"]).output().unwrap();
    assert!(finish_job.status.success(), "{finish_job:?}");
    let ran = project.wait(child).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=4 changed=2", Some(0)), "{ran}");
}

#[test]
fn actions_that_do_not_support_async_fail() {
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
    // Ansible prints only the message of a failed `debug`.
    let debug = refused("debug").replace("\"changed\": false, ", "");
    assert_eq!(failed, [&*debug, &*refused("fetch"), unknown], "{ran}");
}

#[test]
fn check_mode_starts_no_job_and_reports_how_it_would() {
    let project = tasks(
        "- command: touch {{ place }}/x\n  async: 60\n  poll: 1\n- command: touch {{ place }}/y\n  async: 60\n  poll: 0\n  register: y\n\
         - async_status: {jid: '{{ y.ansible_job_id }}'}\n- copy: {content: x, dest: '{{ place }}/z'}\n  async: 60\n",
    );
    let node = project.node("l").unwrap();
    let ran = project.apply(["-C", "-v"]).unwrap();
    assert_eq!((ran.recap("l").as_str(), ran.code), ("ok=1 changed=1 skipped=2 unknown=1", Some(0)), "{ran}");
    let fields = |msg: &str| format!("\"detached\": \"setsid\", \"msg\": \"{msg}\"");
    for msg in
        ["Command would have run if not in check mode", "The job would have been begun if not in check mode"]
    {
        assert!(ran.stdout.contains(&fields(msg)), "{ran}");
    }
    assert_eq!(fs::read_dir(&node.place).unwrap().count(), 0);
    assert_eq!(kept_jobs(&node.home), Vec::<PathBuf>::new());
}

/// The job restarts sshd, which ends the connection that started it and all processes of sshd's service.
#[test]
#[cfg_attr(not(can_boot_systemd), ignore = "needs root to boot systemd in namespaces")]
fn with_systemd_a_job_runs_in_a_scope_of_its_own() {
    let project = tasks(
        "- shell: systemctl restart sshd && sleep 1 && cat /proc/self/cgroup\n  async: 60\n  poll: 1\n  register: long\n\
         - debug: {var: long.stdout_lines}\n",
    );
    let _machine = project.machine("m").unwrap();
    let checked = project.apply(["-C", "-v"]).unwrap();
    assert!(checked.stdout.contains("\"detached\": \"systemd-run --scope, otherwise setsid\""), "{checked}");
    let ran = project.apply(["-v"]).unwrap();
    assert_eq!((ran.recap("m").as_str(), ran.code), ("ok=2 changed=1", Some(0)), "{ran}");
    let name = job_name(&ran);
    assert!(
        ran.has_line(&format!(
            "<m> job {name} has started, detached by systemd-run --scope (convoy-{name}.scope)"
        )),
        "{ran}"
    );
    assert!(ran.stdout.contains(&format!("/system.slice/convoy-{name}.scope\"")), "{ran}");
}
