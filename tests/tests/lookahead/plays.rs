//! Random plays, small enough to read when a test fails.

use std::fmt;

use proptest::prelude::*;

/// A play, and the files that exist before it runs.
#[derive(Clone)]
pub(crate) struct Play {
    /// The number of hosts.
    pub(crate) hosts: usize,
    /// The paths and contents of the files that exist before.
    pub(crate) files: Vec<(String, String)>,
    /// Keywords of the play.
    pub(crate) keywords: Vec<&'static str>,
    /// Whether `become` is used: starting an agent for each user and host takes time.
    pub(crate) uses_become: bool,
    /// Its `pre_tasks` and `tasks`.
    pub(crate) tasks: [Vec<Entry>; 2],
    /// Its two handlers.
    pub(crate) handlers: [Task; 2],
}

/// The files of a play.
#[derive(Default)]
pub(crate) struct Project {
    /// The playbook.
    pub(crate) site: String,
    /// The names and contents of included files.
    pub(crate) included: Vec<(String, String)>,
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.site)?;
        self.included.iter().try_for_each(|(name, text)| write!(f, "# {name}\n{text}"))
    }
}

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hosts, files {:?}:\n{}", self.hosts, self.files, self.project())
    }
}

/// An entry of a list of tasks.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// A task.
    Task(Task),
    /// A `stat` task, and a task whose condition or content depends on the result.
    Depends {
        /// The path for `stat`.
        path: String,
        /// The condition of the second task, or `always`.
        condition: String,
        /// Whether the result is passed on by `set_fact`.
        via_fact: bool,
    },
    /// A block with its `rescue` and `always`.
    Block([Vec<Entry>; 3]),
    /// `meta: flush_handlers`.
    Flush,
    /// Facts are gathered, and one of them is written to this path.
    Facts(String),
    /// Tasks in an included file, with a keyword of the include.
    Include(Vec<Entry>, Option<&'static str>),
}

/// Replaces the shared directory in a path by that of the host.
fn use_host_directory(path: &mut String) {
    *path = path.replace("/shared/", "/{{ inventory_hostname }}/");
}

impl Entry {
    fn make_independent(&mut self) {
        match self {
            Self::Task(task) => task.make_independent(),
            Self::Block(parts) => parts.iter_mut().flatten().for_each(Self::make_independent),
            Self::Depends { path, .. } | Self::Facts(path) => use_host_directory(path),
            Self::Include(entries, keyword) => {
                entries.iter_mut().for_each(Self::make_independent);
                *keyword = keyword.filter(|keyword| !keyword.starts_with("run_once"));
            }
            Self::Flush => {}
        }
    }

    fn replace_hidden_write(&mut self) {
        match self {
            Self::Task(task) => task.replace_hidden_write(),
            Self::Block(parts) => parts.iter_mut().flatten().for_each(Self::replace_hidden_write),
            Self::Include(entries, _) => entries.iter_mut().for_each(Self::replace_hidden_write),
            Self::Depends { .. } | Self::Flush | Self::Facts(_) => {}
        }
    }
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Its action.
    pub(crate) action: Action,
    /// Further keywords.
    pub(crate) keywords: Vec<&'static str>,
}

/// The action of a task, with a path from `paths`.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Copy(String, &'static str),
    Line(String, &'static str),
    File(String, &'static str),
    Creates(String),
    Append(String),
    Read(String),
    Wait(String),
    Until(String),
    UntilThere(String),
    Loop(String, Vec<&'static str>),
    Fail,
    Debug,
}

fn paths() -> impl Strategy<Value = String> {
    let folder = prop_oneof![3 => Just("{{ inventory_hostname }}"), 2 => Just("shared")];
    let name = prop_oneof![Just("x"), Just("y"), Just("{{ inventory_hostname }}")];
    (folder, name).prop_map(|(folder, name)| format!("{{{{ root }}}}/{folder}/{name}"))
}

fn contents() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["one", "two", "of {{ inventory_hostname }}"])
}

fn actions() -> impl Strategy<Value = Action> {
    let states = prop::sample::select(vec!["touch", "absent", "directory", "file"]);
    let items = prop::collection::vec(contents(), 0..3);
    prop_oneof![
        4 => (paths(), contents()).prop_map(|(path, text)| Action::Copy(path, text)),
        3 => (paths(), contents()).prop_map(|(path, text)| Action::Line(path, text)),
        3 => (paths(), states).prop_map(|(path, state)| Action::File(path, state)),
        2 => paths().prop_map(Action::Creates),
        2 => paths().prop_map(Action::Append),
        2 => paths().prop_map(Action::Read),
        1 => paths().prop_map(Action::Wait),
        1 => paths().prop_map(Action::Until),
        1 => paths().prop_map(Action::UntilThere),
        2 => (paths(), items).prop_map(|(path, items)| Action::Loop(path, items)),
        1 => Just(Action::Fail),
        1 => Just(Action::Debug),
    ]
}

fn tasks() -> impl Strategy<Value = Task> {
    let keywords = [
        (0.2, "delegate_to: b"),
        (0.1, "run_once: true"),
        (0.15, "when: inventory_hostname == 'b'"),
        (0.3, "notify: first"),
        (0.1, "notify: [second]"),
        (0.5, "ignore_errors: true"),
        (0.1, "changed_when: true"),
        (0.1, "any_errors_fatal: true"),
        (0.05, "check_mode: true"),
        (0.05, "failed_when: false"),
        (0.05, "throttle: 1"),
        (0.25, "become: true"),
        (0.7, "become_user: nobody"),
    ];
    let keywords: Vec<_> = keywords.map(|(chance, text)| prop::option::weighted(chance, Just(text))).into();
    (actions(), keywords).prop_map(|(action, keywords)| {
        let mut keywords: Vec<&str> = keywords.into_iter().flatten().collect();
        // A task has each keyword only once.
        keywords.dedup_by_key(|text| text.split(':').next().unwrap_or_default());
        Task { action, keywords }
    })
}

fn entries() -> impl Strategy<Value = Entry> {
    let condition =
        prop::sample::select(vec!["when: seen.stat.exists", "when: not seen.stat.exists", "always"]);
    let leaf = prop_oneof![
        8 => tasks().prop_map(Entry::Task),
        2 => (paths(), condition, any::<bool>()).prop_map(|(path, condition, via_fact)| {
            Entry::Depends { path, condition: condition.to_owned(), via_fact }
        }),
        1 => Just(Entry::Flush),
        1 => paths().prop_map(Entry::Facts),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let list = |sizes: std::ops::Range<usize>| prop::collection::vec(inner.clone(), sizes);
        let keyword = prop::option::of(prop::sample::select(vec![
            "when: inventory_hostname == 'a'",
            "when: seen is defined",
            "loop: [one, two]",
            "run_once: true",
            "apply: {become: true, become_user: nobody}",
        ]));
        prop_oneof![
            2 => [list(1..4).boxed(), list(0..2).boxed(), list(0..2).boxed()].prop_map(Entry::Block),
            1 => (list(1..4), keyword).prop_map(|(entries, keyword)| Entry::Include(entries, keyword)),
        ]
    })
}

/// Generates plays.
pub(crate) fn plays() -> impl Strategy<Value = Play> {
    let file =
        (prop::sample::select(vec!["a", "b", "shared"]), prop::sample::select(vec!["x", "y", "a", "b"]));
    let content = prop::sample::select(vec!["one", "one\ntwo\n", "of a", "of b"]);
    let files = prop::collection::vec((file, content), 0..4).prop_map(|files| {
        files
            .into_iter()
            .map(|((folder, name), text)| (format!("{folder}/{name}"), text.to_owned()))
            .collect()
    });
    let keywords = [
        (0.2, "serial: 1"),
        (0.15, "any_errors_fatal: true"),
        (0.15, "force_handlers: true"),
        (0.15, "max_fail_percentage: 40"),
        (0.15, "gather_subset: [min]"),
    ];
    let keywords: Vec<_> = keywords.map(|(chance, text)| prop::option::weighted(chance, Just(text))).into();
    let section = |sizes| prop::collection::vec(entries(), sizes);
    let uses_become = prop::bool::weighted(0.2);
    let tasks = ([section(0..3).boxed(), section(1..9).boxed()], [tasks(), tasks()]);
    (2..4_usize, files, keywords, uses_become, tasks).prop_map(
        |(hosts, files, keywords, uses_become, (tasks, handlers))| Play {
            hosts,
            files,
            keywords: keywords.into_iter().flatten().collect(),
            uses_become,
            tasks,
            handlers,
        },
    )
}

impl Play {
    /// Replaces commands that write files without reporting a change by commands that only read: check mode cannot
    /// predict the former.
    pub(crate) fn without_hidden_writes(mut self) -> Self {
        self.tasks.iter_mut().flatten().for_each(Entry::replace_hidden_write);
        self.handlers.iter_mut().for_each(Task::replace_hidden_write);
        self
    }

    /// Removes everything that couples the hosts, and sets the strategy.
    pub(crate) fn with_independent_hosts(mut self, strategy: &'static str) -> Self {
        let couples_hosts = |keyword: &&str| {
            ["any_errors_fatal", "serial", "max_fail_percentage"].iter().any(|name| keyword.starts_with(name))
        };
        self.keywords.retain(|keyword| !couples_hosts(keyword));
        self.keywords.push(strategy);
        self.tasks.iter_mut().flatten().for_each(Entry::make_independent);
        self.handlers.iter_mut().for_each(Task::make_independent);
        self
    }

    /// Returns the playbook and the files that it includes.
    pub(crate) fn project(&self) -> Project {
        let facts = self.keywords.iter().any(|keyword| keyword.starts_with("gather_subset"));
        let mut lines = vec!["- hosts: all".to_owned(), format!("  gather_facts: {facts}")];
        lines.extend(self.keywords.iter().map(|keyword| format!("  {keyword}")));
        let mut writer = YamlWriter::default();
        for (section, entries) in ["pre_tasks", "tasks"].into_iter().zip(&self.tasks) {
            if !entries.is_empty() {
                lines.push(format!("  {section}:"));
                writer.write(entries, 4, &mut lines);
            }
        }
        lines.push("  handlers:".to_owned());
        for (name, handler) in ["first", "second"].into_iter().zip(&self.handlers) {
            let start = lines.len();
            handler.write(4, &mut lines, name);
            // Ansible has no handlers with `run_once`, and a handler that notifies itself would be pointless.
            let kept = |line: &String| !line.contains(" run_once:") && !line.contains(" notify:");
            let handler_lines = lines.split_off(start);
            lines.extend(handler_lines.into_iter().filter(kept));
        }
        let mut project = Project { site: lines.join("\n") + "\n", included: writer.included };
        if !self.uses_become {
            for text in project.included.iter_mut().map(|(_, text)| text).chain([&mut project.site]) {
                *text = text.replace("become: true", "become: false");
            }
        }
        project
    }
}

/// Writes entries as YAML.
#[derive(Default)]
struct YamlWriter {
    number: usize,
    included: Vec<(String, String)>,
}

impl YamlWriter {
    fn write(&mut self, entries: &[Entry], indent: usize, lines: &mut Vec<String>) {
        let indentation = " ".repeat(indent);
        for entry in entries {
            self.number += 1;
            match entry {
                Entry::Task(task) => task.write(indent, lines, &self.number.to_string()),
                Entry::Flush => lines.push(format!("{indentation}- meta: flush_handlers")),
                Entry::Facts(path) => {
                    lines.push(format!("{indentation}- name: {} facts", self.number));
                    lines.push(format!("{indentation}  setup: {{gather_subset: [min]}}"));
                    let text = "on {{ ansible_facts.system }}";
                    lines.push(format!("{indentation}- name: {} use", self.number));
                    lines.push(format!("{indentation}  copy: {{content: \"{text}\", dest: \"{path}\"}}"));
                    lines.push(format!("{indentation}  ignore_errors: true"));
                }
                Entry::Depends { path, condition, via_fact } => {
                    lines.push(format!("{indentation}- name: {} look", self.number));
                    lines.push(format!("{indentation}  stat: {{path: \"{path}\"}}"));
                    lines.push(format!("{indentation}  register: seen"));
                    let mut text = "{{ seen.stat.exists }}";
                    if *via_fact {
                        lines.push(format!("{indentation}- name: {} note", self.number));
                        lines.push(format!("{indentation}  set_fact: {{found: \"there is {text}\"}}"));
                        text = "{{ found }}";
                    }
                    let dest = "{{ root }}/{{ inventory_hostname }}/x";
                    lines.push(format!("{indentation}- name: {} then", self.number));
                    lines.push(format!("{indentation}  copy: {{content: \"{text}\", dest: \"{dest}\"}}"));
                    lines
                        .extend(condition.starts_with("when").then(|| format!("{indentation}  {condition}")));
                }
                Entry::Block(parts) => {
                    for (part, entries) in ["- block", "  rescue", "  always"].into_iter().zip(parts) {
                        if !entries.is_empty() {
                            lines.push(format!("{indentation}{part}:"));
                            self.write(entries, indent + 4, lines);
                        }
                    }
                }
                Entry::Include(entries, keyword) => {
                    let name = format!("included{}.yml", self.number);
                    let (apply, keyword) = match keyword.and_then(|text| text.strip_prefix("apply: ")) {
                        Some(apply) => (format!(", apply: {apply}"), None),
                        None => (String::new(), *keyword),
                    };
                    lines.push(format!("{indentation}- include_tasks: {{file: {name}{apply}}}"));
                    lines.extend(keyword.map(|keyword| format!("{indentation}  {keyword}")));
                    let mut included = Vec::new();
                    self.write(entries, 0, &mut included);
                    self.included.push((name, included.join("\n") + "\n"));
                }
            }
        }
    }
}

impl Task {
    fn make_independent(&mut self) {
        let coupling_keywords = ["delegate_to", "run_once", "any_errors_fatal"];
        self.keywords.retain(|keyword| !coupling_keywords.iter().any(|name| keyword.starts_with(name)));
        match &mut self.action {
            Action::Copy(path, _) | Action::Line(path, _) | Action::File(path, _) | Action::Loop(path, _) => {
                use_host_directory(path);
            }
            Action::Creates(path)
            | Action::Append(path)
            | Action::Read(path)
            | Action::Wait(path)
            | Action::Until(path)
            | Action::UntilThere(path) => use_host_directory(path),
            Action::Fail | Action::Debug => {}
        }
    }

    fn replace_hidden_write(&mut self) {
        if let Action::Append(path) | Action::Until(path) = &self.action {
            self.action = Action::Read(path.clone());
        }
    }

    fn write(&self, indent: usize, lines: &mut Vec<String>, name: &str) {
        let indentation = " ".repeat(indent);
        lines.push(format!("{indentation}- name: {name}"));
        let action_lines: Vec<String> = match &self.action {
            Action::Copy(path, text) => vec![format!("copy: {{content: \"{text}\", dest: \"{path}\"}}")],
            Action::Line(path, text) => {
                vec![format!("lineinfile: {{line: \"{text}\", path: \"{path}\", create: true}}")]
            }
            Action::File(path, state) => vec![format!("file: {{path: \"{path}\", state: {state}}}")],
            Action::Creates(path) => vec![format!("command: {{cmd: \"touch {path}\", creates: \"{path}\"}}")],
            Action::Append(path) => {
                vec![format!("shell: \"echo {name} >> {path}\""), "changed_when: false".to_owned()]
            }
            Action::Read(path) => vec![format!("command: \"cat {path}\""), "register: seen".to_owned()],
            Action::Wait(path) => vec![format!("wait_for: {{path: \"{path}\", timeout: 0}}")],
            Action::Until(path) => vec![
                format!("shell: \"echo {name} >> {path}; test $(wc -l < {path}) -gt 1\""),
                "register: tried".to_owned(),
                "until: tried.rc == 0".to_owned(),
                "retries: 2".to_owned(),
                "delay: 0".to_owned(),
            ],
            Action::UntilThere(path) => vec![
                format!("stat: {{path: \"{path}\"}}"),
                "register: tried".to_owned(),
                "until: tried.stat.exists".to_owned(),
                "retries: 1".to_owned(),
                "delay: 0".to_owned(),
            ],
            Action::Loop(path, items) => {
                vec![
                    format!("lineinfile: {{line: \"{{{{ item }}}}\", path: \"{path}\", create: true}}"),
                    format!("loop: {items:?}"),
                    "register: looped".to_owned(),
                ]
            }
            Action::Fail => vec!["command: \"false\"".to_owned()],
            Action::Debug => {
                vec!["debug: {msg: \"{{ (seen | default({})).stdout | default('nothing') }}\"}".to_owned()]
            }
        };
        let is_not_set = |keyword: &&&str| {
            action_lines.iter().all(|line| line.split(':').next() != keyword.split(':').next())
        };
        let more = self.keywords.iter().filter(is_not_set).map(|keyword| (*keyword).to_owned());
        lines.extend(action_lines.iter().cloned().chain(more).map(|line| format!("{indentation}  {line}")));
    }
}
