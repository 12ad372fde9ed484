//! What the command asks at a terminal. util-linux's `script` has one.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use convoy_tests::project::Project;

use crate::harness::{site, tasks};

/// The command at a terminal of its own.
struct Terminal {
    child: Child,
    shown: String,
}

impl Terminal {
    /// Runs `site.yml` with these options.
    fn apply(project: &Project, options: &[&str]) -> Self {
        let convoy = project.command(["apply", "-i", "hosts", "site.yml"].iter().chain(options));
        let words = std::iter::once(convoy.get_program()).chain(convoy.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &format!("exec {}", line.join(" ")), "/dev/null"]).env_clear();
        command.envs(convoy.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "dumb").env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(folder) = convoy.get_current_dir() {
            command.current_dir(folder);
        }
        Self { child: command.spawn().unwrap(), shown: String::new() }
    }

    /// Waits until this is shown, then types.
    fn answer(&mut self, question: &str, answer: &str) -> &mut Self {
        let mut byte = [0];
        let from = self.shown.len();
        while !self.shown[from..].contains(question) {
            let read = self.child.stdout.as_mut().unwrap().read(&mut byte).unwrap();
            assert!(read > 0, "it ended without asking {question:?}:\n{}", self.shown);
            // What is drawn beyond ASCII is of no interest.
            self.shown.push(char::from(byte[0]));
        }
        self.child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
        self
    }

    /// Returns all that was shown, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        self.child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        self.shown.extend(rest.into_iter().map(char::from));
        (self.shown.clone(), self.child.wait().unwrap().code())
    }
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
fn variables_are_asked_for() {
    let project = site(PROMPTS);
    project.local("l").unwrap();
    let mut terminal = Terminal::apply(&project, &["-e", "given=given"]);
    terminal
        .answer("Who is it: ", "ann\n")
        .answer("word [open]: ", "a\n")
        .answer("confirm word [open]: ", "b\n")
        .answer("VALUES ENTERED DO NOT MATCH", "")
        .answer("word [open]: ", "\n")
        .answer("confirm word [open]: ", "\n")
        .answer("raw [ann]: ", "{{ nonsense }}\n")
        .answer("hashed [x]: ", "secret\n");
    let (shown, code) = terminal.end();
    assert!(shown.contains("\"msg\": \"ann-open-given-{{ nonsense }}\""), "{shown}");
    assert!(shown.contains("\"msg\": \"$6$rounds=656000$ann$"), "{shown}");
    assert!(shown.contains("Who is it: ann") && !shown.contains("raw [ann]: {"), "{shown}");
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn without_a_terminal_a_variable_has_its_default_or_nothing_is_done() {
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
fn a_pause_waits_for_the_user_and_once_for_all_hosts() {
    let project = tasks(
        "- {name: Ask, pause: {prompt: Go on}, register: asked}\n- debug: msg={{ inventory_hostname }}={{ asked.user_input }}",
    );
    project.local("l").unwrap();
    project.local("m").unwrap();
    let mut terminal = Terminal::apply(&project, &[]);
    terminal.answer("Go on:", "yes\n");
    let (shown, code) = terminal.end();
    assert_eq!(shown.matches("Go on:").count(), 1, "{shown}");
    for host in ["l", "m"] {
        assert!(shown.contains(&format!("\"msg\": \"{host}=yes\"")), "{shown}");
    }
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn a_pause_can_be_cut_short_and_given_up() {
    let project = tasks(
        "- {name: First, pause: {seconds: 600}}\n- {name: Second, pause: {minutes: 10}}\n- debug: msg=never",
    );
    project.local("l").unwrap();
    let mut terminal = Terminal::apply(&project, &[]);
    let controls = "ctrl+C then 'A' = abort)";
    terminal
        .answer(controls, "\u{3}")
        .answer("Press 'C' to continue the play or 'A' to abort", "c")
        .answer(controls, "\u{3}")
        .answer("Press 'C' to continue the play or 'A' to abort", "A");
    let (shown, code) = terminal.end();
    assert!(shown.contains("\"msg\": \"user requested abort!\"") && !shown.contains("never"), "{shown}");
    assert_eq!(code, Some(2), "{shown}");
}

#[test]
fn a_pause_without_a_terminal_waits_for_time_only() {
    let project =
        tasks("- pause: prompt=x\n- {pause: {seconds: 0}, register: r}\n- debug: msg={{ r.stdout }}");
    project.local("l").unwrap();
    let ran = project.apply([]).unwrap();
    assert!(ran.stderr.contains("Not waiting for response to prompt as stdin is not interactive"), "{ran}");
    assert!(ran.has_line("Pausing for 1 seconds") && ran.stdout.contains("Paused for 1."), "{ran}");
}

#[test]
fn step_by_step() {
    let project = tasks(
        "- {name: One, debug: msg=1}\n- {name: Two, debug: msg=2}\n- {name: Three, debug: msg=3}\n- {name: Four, debug: msg=4}",
    );
    project.local("l").unwrap();
    let mut terminal = Terminal::apply(&project, &["--step"]);
    terminal
        .answer("Perform task: TASK: One (N)o/(y)es/(c)ontinue: ", "y\n")
        .answer("Perform task: TASK: Two (N)o/(y)es/(c)ontinue: ", "\n")
        .answer("Perform task: TASK: Three (N)o/(y)es/(c)ontinue: ", "c\n");
    let (shown, code) = terminal.end();
    let done: Vec<_> = (1..=4)
        .filter(|i| shown.contains(&format!("\"msg\": {i}")) || shown.contains(&format!("\"msg\": \"{i}\"")))
        .collect();
    assert_eq!((done, code), (vec![1, 3, 4], Some(0)), "{shown}");
    let refused = project.apply(["--step"]).unwrap();
    assert_eq!(refused.stderr, "error: --step asks before each task, and there is no terminal\n");
}

#[test]
fn a_task_to_start_at_that_is_not_there() {
    let project = tasks("- {name: Install it, debug: msg=1}");
    project.local("l").unwrap();
    let ran = project.apply(["--start-at-task", "Instal it"]).unwrap();
    let expected = "error: no matching task \"Instal it\" found
  = note: --start-at-task can only follow static includes
hint: did you mean `Install it`?
";
    assert_eq!((ran.stderr.as_str(), ran.code), (expected, Some(1)));
}
