//! Interactive runs on a terminal: prompts, pauses and `--step`.

use convoy_tests::project::Project;
use convoy_tests::terminal::Terminal;

use crate::harness::{site, tasks};

/// Applies `site.yml` on a terminal and answers these questions with these texts. Returns what was shown, and the exit
/// code.
fn apply_on_terminal(project: &Project, options: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut command = project.command(["apply", "-i", "hosts", "site.yml"].iter().chain(options));
    let mut terminal = Terminal::start(command.env("NO_COLOR", "1")).unwrap();
    for (question, answer) in answers {
        terminal.answer(question, answer).unwrap();
    }
    terminal.finish().unwrap()
}

const PROMPTS: &str = "- hosts: l
  gather_facts: false
  vars_prompt:
    - {name: who, prompt: Who is it, private: false}
    - {name: word, default: open, confirm: true}
    - {name: given, prompt: Never asked}
    - {name: raw, unsafe: true, default: '{{ who }}'}
    - {name: hashed, default: x, encrypt: sha512_crypt, salt: '{{ who }}', salt_size: 4}
  tasks:
    - debug: msg={{ who }}-{{ word }}-{{ given }}-{{ raw }}
    - debug: msg={{ hashed }}
";

#[test]
fn vars_prompt_asks_for_variables() {
    let project = site(PROMPTS);
    project.local("l").unwrap();
    let (shown, code) = apply_on_terminal(
        &project,
        &["-e", "given=given"],
        &[
            ("Who is it: ", "ann\n"),
            ("word [open]: ", "a\n"),
            ("confirm word [open]: ", "b\n"),
            ("VALUES ENTERED DO NOT MATCH", ""),
            ("word [open]: ", "\n"),
            ("confirm word [open]: ", "\n"),
            ("raw [ann]: ", "{{ nonsense }}\n"),
            ("hashed [x]: ", "secret\n"),
        ],
    );
    assert!(shown.contains("\"msg\": \"ann-open-given-{{ nonsense }}\""), "{shown}");
    assert!(shown.contains("\"msg\": \"$6$rounds=656000$ann$"), "{shown}");
    assert!(shown.contains("Who is it: ann") && !shown.contains("raw [ann]: {"), "{shown}");
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn without_a_terminal_a_prompted_variable_needs_a_default() {
    let project = site(PROMPTS);
    project.local("l").unwrap();
    let refused = project.apply([]).unwrap();
    let expected = "error: the variable `who` must be asked for, and there is no terminal
  --> site.yml:4:7
   |
 4 |     - {name: who, prompt: Who is it, private: false}
   |       ^
hint: give it with -e who=VALUE, or a `default`

error: the variable `given` must be asked for, and there is no terminal
  --> site.yml:6:7
   |
 6 |     - {name: given, prompt: Never asked}
   |       ^
hint: give it with -e given=VALUE, or a `default`
";
    assert_eq!((refused.stderr.as_str(), refused.stdout.as_str(), refused.code), (expected, "", Some(1)));
    let given = project.apply(["-e", "who=ann given=g"]).unwrap();
    assert!(given.stdout.contains("\"msg\": \"ann-open-g-ann\""), "{given}");
}

#[test]
fn a_pause_asks_once_for_all_hosts() {
    let project = tasks(
        "- {name: Ask, pause: {prompt: Go on}, register: asked}\n- debug: msg={{ inventory_hostname }}={{ asked.user_input }}",
    );
    project.local("l").unwrap();
    project.local("m").unwrap();
    let (shown, code) = apply_on_terminal(&project, &[], &[("Go on:", "yes\n")]);
    assert_eq!(shown.matches("Go on:").count(), 1, "{shown}");
    for host in ["l", "m"] {
        assert!(shown.contains(&format!("\"msg\": \"{host}=yes\"")), "{shown}");
    }
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn a_pause_can_be_continued_early_or_aborted() {
    let project = tasks(
        "- {name: First, pause: {seconds: 600}}\n- {name: Second, pause: {minutes: 10}}\n- debug: msg=never",
    );
    project.local("l").unwrap();
    let controls = "ctrl+C then 'A' = abort)";
    let (shown, code) = apply_on_terminal(
        &project,
        &[],
        &[
            (controls, "\u{3}"),
            ("Press 'C' to continue the play or 'A' to abort", "c"),
            (controls, "\u{3}"),
            ("Press 'C' to continue the play or 'A' to abort", "A"),
        ],
    );
    assert!(shown.contains("\"msg\": \"user requested abort!\"") && !shown.contains("never"), "{shown}");
    assert_eq!(code, Some(2), "{shown}");
}

#[test]
fn a_pause_without_a_terminal_does_not_wait_for_input() {
    let project =
        tasks("- pause: prompt=x\n- {pause: {seconds: 0}, register: r}\n- debug: msg={{ r.stdout }}");
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert!(ran.stderr.contains("Not waiting for response to prompt as stdin is not interactive"), "{ran}");
    assert!(ran.has_line("Pausing for 1 seconds") && ran.stdout.contains("Paused for 1."), "{ran}");
}

#[test]
fn step_asks_before_each_task() {
    let project = tasks(
        "- {name: One, debug: msg=1}\n- {name: Two, debug: msg=2}\n- {name: Three, debug: msg=3}\n- {name: Four, debug: msg=4}",
    );
    project.local("l").unwrap();
    let (shown, code) = apply_on_terminal(
        &project,
        &["--step"],
        &[
            ("Perform task: TASK: One (N)o/(y)es/(c)ontinue: ", "y\n"),
            ("Perform task: TASK: Two (N)o/(y)es/(c)ontinue: ", "\n"),
            ("Perform task: TASK: Three (N)o/(y)es/(c)ontinue: ", "c\n"),
        ],
    );
    let done: Vec<_> = (1..=4)
        .filter(|i| shown.contains(&format!("\"msg\": {i}")) || shown.contains(&format!("\"msg\": \"{i}\"")))
        .collect();
    assert_eq!((done, code), (vec![1, 3, 4], Some(0)), "{shown}");
    let refused = project.apply(["--step"]).unwrap();
    assert_eq!(refused.stderr, "error: --step asks before each task, and there is no terminal\n");
}

#[test]
fn start_at_task_with_an_unknown_name_is_an_error() {
    let project = tasks("- {name: Install it, debug: msg=1}");
    project.local("l").unwrap();
    let ran = project.apply(["--start-at-task", "Instal it"]).unwrap();
    let expected = "error: no matching task \"Instal it\" found
  = note: --start-at-task can only follow static includes
hint: did you mean `Install it`?
";
    assert_eq!((ran.stderr.as_str(), ran.code), (expected, Some(1)));
}
