//! Options and subcommands besides a plain `apply`: usage errors, lists, `exec`, JSON output, settings.

use convoy_tests::project::Project;

use crate::harness::{make_fifo, site};

const SITE: &str = "- name: Web
  hosts: web
  gather_facts: false
  tags: [web]
  tasks:
    - name: Reach
      ping:
      tags: [reach]
    - block:
        - name: Say
          debug: msg=hello
          tags: [say]
- hosts: db
  gather_facts: false
  tasks:
    - ping:
";

fn project_to_list() -> Project {
    let project = site(SITE);
    project
        .file("hosts", "[web]\nweb1\nweb2\n[db]\ndb1\n[all:vars]\nansible_connection=local\n")
        .expect("an inventory");
    project
}

#[test]
fn version_is_printed() {
    let ran = project_to_list().run(["--version"]).unwrap();
    assert_eq!((ran.stdout, ran.code), (format!("convoy {}\n", env!("CARGO_PKG_VERSION")), Some(0)));
}

#[test]
fn wrong_usage_is_exit_code_1() {
    for args in [&["aply"][..], &["apply"], &["apply", "--forks", "many", "site.yml"], &["apply", "none.yml"]]
    {
        let ran = project_to_list().run(args).unwrap();
        assert_eq!((ran.stdout.as_str(), ran.code), ("", Some(1)), "{args:?}: {ran}");
        assert!(ran.stderr.starts_with("error: "), "{args:?}: {ran}");
    }
}

#[test]
fn lists_contact_no_host() {
    let project = project_to_list();
    let mut all = String::new();
    for option in ["--list-hosts", "--list-tasks", "--list-tags", "--syntax-check"] {
        let ran = project.apply([option]).unwrap();
        all.push_str(&format!("==== {option}\n{ran}\n"));
    }
    all.push_str(&format!("==== --limit\n{}", project.apply(["--list-hosts", "--limit", "web2"]).unwrap()));
    insta::assert_snapshot!(all);
}

#[test]
fn exec_runs_a_module_on_all_hosts() {
    let project = Project::new().unwrap();
    let _one = project.node("one").unwrap();
    let _two = project.node("two").unwrap();
    let ran = project.run(["exec", "all", "-i", "hosts", "-m", "ping"]).unwrap();
    let answer =
        |host: &str| format!("{host} | SUCCESS => {{\n    \"changed\": false,\n    \"ping\": \"pong\"\n}}\n");
    assert!(ran.stdout.contains(&answer("one")) && ran.stdout.contains(&answer("two")), "{ran}");
    assert_eq!((ran.stdout.lines().count(), ran.code), (8, Some(0)), "{ran}");
    let ran = project.run(["exec", "one", "-i", "hosts", "-a", "echo hello"]).unwrap();
    assert_eq!(ran.to_string(), "one | CHANGED | rc=0 >>\nhello\n--- exit code 0\n");
    let ran = project.run(["exec", "one", "-i", "hosts", "-a", "/bin/false"]).unwrap();
    assert_eq!(ran.to_string(), "one | FAILED | rc=1 >>\nnon-zero return code\n--- exit code 2\n");
}

/// The job id is printed, `async_status` finds the job, and the time limit is enforced.
#[test]
fn exec_runs_a_module_as_an_async_job() {
    let project = Project::new().unwrap();
    let node = project.node("one").unwrap();
    let exec = |args: &[&str]| project.run(["exec", "one", "-i", "hosts"].iter().chain(args)).unwrap();
    let gate = node.place.join("gate");
    make_fifo(&gate);
    let command = format!("cat {}", gate.display());
    let started = exec(&["-B", "60", "-P", "0", "-a", &command]);
    let job = started
        .stdout
        .split('"')
        .find(|word| word.starts_with('j') && word.contains('.'))
        .unwrap()
        .to_owned();
    let text = format!(
        "one | CHANGED => {{\n    \"ansible_job_id\": \"{job}\",\n    \"changed\": true,\n    \"finished\": 0,\n    \
         \"results_file\": \"[home]\",\n    \"started\": 1\n}}\n--- exit code 0\n"
    );
    let file =
        started.stdout.lines().find_map(|line| line.trim().strip_prefix("\"results_file\": \"")).unwrap();
    let shown = started.to_string().replace(file.trim_end_matches("\","), "[home]");
    // How it is detached depends on the machine.
    let shown: String =
        shown.lines().filter(|line| !line.contains("\"detached\"")).map(|line| format!("{line}\n")).collect();
    assert_eq!(shown, text);
    std::fs::write(&gate, "from the gate").unwrap();
    let jid = format!("jid={job}");
    let finished = || {
        let finished = exec(&["-m", "async_status", "-a", &jid]);
        Ok(finished.stdout.contains("\"finished\": 1").then_some(finished))
    };
    let finished = convoy_tests::sshd::poll(finished).unwrap();
    assert!(finished.stdout.contains("\"stdout\": \"from the gate\""), "{finished}");
    let timed_out = exec(&["-B", "1", "-P", "1", "-m", "shell", "-a", "sleep 60"]);
    let text = "one | FAILED | rc=-1 >>\nasync task did not complete within the requested time - 1s\n--- exit code 2\n";
    assert_eq!(timed_out.to_string(), text);
    let wrong = exec(&["-P", "1"]);
    assert_eq!(wrong.code, Some(1), "{wrong}");
}

/// Each event has a section in `docs/json-output.md`.
#[test]
fn json_output_has_the_documented_events() {
    let project = project_to_list();
    let ran = project.apply(["--output", "json"]).unwrap();
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)), "{ran}");
    let page =
        std::fs::read_to_string(convoy_tests::program::repository().join("docs/json-output.md")).unwrap();
    let mut events = Vec::new();
    for line in ran.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        let name = event["event"].as_str().unwrap_or_default().to_owned();
        assert!(page.contains(&format!("\n## {name}\n")), "not documented: {line}");
        events.push((name, line));
    }
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    let task = |hosts: usize| [&["task_start", "working"][..], &["result"].repeat(hosts)].concat();
    let mut expected = vec!["playbook_start", "play_start"];
    expected.extend([task(2), task(2), vec!["play_start"], task(1), vec!["recap", "end"]].concat());
    assert_eq!(names, expected, "{ran}");
    let recap = r#"{"event": "recap", "hosts": {"db1": {"ok": 1, "changed": 0, "unreachable": 0, "failed": 0, "skipped": 0, "rescued": 0, "ignored": 0, "unknown": 0, "refused": 0}, "#;
    let last = ran.stdout.lines().rev().take(2).collect::<Vec<_>>();
    let end = r#"{"event": "end", "outcome": "finished", "code": 0, "hosts": {"all": 3, "changed": 0, "failed": 0, "unreachable": 0, "refused": 0}, "errors": []}"#;
    assert_eq!(last[0], end, "{ran}");
    assert!(last[1].starts_with(recap), "{ran}");
}

/// The environment takes precedence over `ansible.cfg`, and the command line over both.
#[test]
fn settings_are_read_from_ansible_cfg_environment_and_command_line() {
    let project = site(
        "- hosts: l:nobody\n  tasks:\n    - debug: {msg: '{{ ansible_forks }} {{ m }}', var: omit}\n      when: false\n\
         \x20   - debug: msg='{{ ansible_forks }} {{ m }}'\n      vars: {m: {b: 2}}\n",
    );
    project.host("l\n[all:vars]\nm={'a': 1}").unwrap();
    let config = "[defaults]\ninventory = hosts\nforks = 3\ngathering = explicit\nhash_behaviour = merge\n\
                  display_skipped_hosts = no\nfork = 1\n[inventory]\nhost_pattern_mismatch = ignore\n";
    project.file("ansible.cfg", config).unwrap();
    let ran = project.run(["apply", "-v", "site.yml"]).unwrap();
    let expected = "Using [folder]/site/ansible.cfg as config file
setting inventory = hosts (from [folder]/site/ansible.cfg:2)
setting host_pattern_mismatch = ignore (from [folder]/site/ansible.cfg:9)
setting forks = 3 (from [folder]/site/ansible.cfg:3)
setting gathering = explicit (from [folder]/site/ansible.cfg:4)
setting hash_behaviour = merge (from [folder]/site/ansible.cfg:5)
setting display_skipped_hosts = no (from [folder]/site/ansible.cfg:6)

PLAY [l:nobody] ****************************************************************

TASK [debug] *******************************************************************
ok: [l] => {
    \"msg\": \"3 {'a': 1, 'b': 2}\"
}
";
    assert!(ran.stdout.starts_with(expected), "{ran}");
    let warning = "[WARNING]: `fork` in [defaults] is not a setting that convoy knows\n\
                   ([folder]/site/ansible.cfg:7:1); did you mean `forks`?\n";
    assert_eq!(ran.stderr.replace('\n', " "), warning.replace('\n', " "), "{ran}");
    let child = project.command(["apply", "-f", "5", "site.yml"]).env("ANSIBLE_FORKS", "4").spawn().unwrap();
    assert!(project.wait(child).unwrap().stdout.contains("\"5 {'a'"));
}
