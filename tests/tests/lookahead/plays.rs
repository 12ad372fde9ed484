//! Random plays, short enough to be read when one fails.

use std::fmt;

use proptest::prelude::*;

/// A play, and what is there before it.
#[derive(Clone)]
pub(crate) struct Play {
    /// How many hosts there are.
    pub(crate) hosts: usize,
    /// The files there are before, by path and content.
    pub(crate) files: Vec<(String, String)>,
    /// Keywords of the play.
    pub(crate) keywords: Vec<&'static str>,
    /// Whether `become` counts: an agent for each user and host takes its time.
    pub(crate) becomes: bool,
    /// Its tasks, in its two sections.
    pub(crate) tasks: [Vec<Entry>; 2],
    /// What its two handlers do.
    pub(crate) handlers: [Task; 2],
}

/// The files of a play.
#[derive(Default)]
pub(crate) struct Project {
    /// The playbook.
    pub(crate) site: String,
    /// What it includes, by name.
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
    /// What a task finds decides whether, or how, a second one is done.
    Depends {
        /// What is looked at.
        looked_at: String,
        /// What the second one says.
        then: String,
        /// Whether its value goes through `set_fact`.
        fact: bool,
    },
    /// A block with its rescue and always.
    Block([Vec<Entry>; 3]),
    /// `meta: flush_handlers`.
    Flush,
    /// Facts are gathered, and one of them is used.
    Facts(String),
    /// Tasks in a file of their own, with a further keyword of the include.
    Include(Vec<Entry>, Option<&'static str>),
}

/// A place that all hosts share becomes one that each has.
fn own(path: &mut String) {
    *path = path.replace("/shared/", "/{{ inventory_hostname }}/");
}

impl Entry {
    fn part(&mut self) {
        match self {
            Self::Task(task) => task.part(),
            Self::Block(parts) => parts.iter_mut().flatten().for_each(Self::part),
            Self::Depends { looked_at, .. } | Self::Facts(looked_at) => own(looked_at),
            Self::Include(entries, keyword) => {
                entries.iter_mut().for_each(Self::part);
                *keyword = keyword.filter(|keyword| !keyword.starts_with("run_once"));
            }
            Self::Flush => {}
        }
    }

    fn reveal(&mut self) {
        match self {
            Self::Task(task) => task.reveal(),
            Self::Block(parts) => parts.iter_mut().flatten().for_each(Self::reveal),
            Self::Include(entries, _) => entries.iter_mut().for_each(Self::reveal),
            Self::Depends { .. } | Self::Flush | Self::Facts(_) => {}
        }
    }
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// What it does.
    pub(crate) what: What,
    /// Further keywords.
    pub(crate) keywords: Vec<&'static str>,
}

/// What a task does; the paths are those of `paths`.
#[derive(Debug, Clone)]
pub(crate) enum What {
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

fn texts() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["one", "two", "of {{ inventory_hostname }}"])
}

fn whats() -> impl Strategy<Value = What> {
    let states = prop::sample::select(vec!["touch", "absent", "directory", "file"]);
    let items = prop::collection::vec(texts(), 0..3);
    prop_oneof![
        4 => (paths(), texts()).prop_map(|(path, text)| What::Copy(path, text)),
        3 => (paths(), texts()).prop_map(|(path, text)| What::Line(path, text)),
        3 => (paths(), states).prop_map(|(path, state)| What::File(path, state)),
        2 => paths().prop_map(What::Creates),
        2 => paths().prop_map(What::Append),
        2 => paths().prop_map(What::Read),
        1 => paths().prop_map(What::Wait),
        1 => paths().prop_map(What::Until),
        1 => paths().prop_map(What::UntilThere),
        2 => (paths(), items).prop_map(|(path, items)| What::Loop(path, items)),
        1 => Just(What::Fail),
        1 => Just(What::Debug),
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
    (whats(), keywords).prop_map(|(what, keywords)| {
        let mut keywords: Vec<&str> = keywords.into_iter().flatten().collect();
        // A task says a keyword once.
        keywords.dedup_by_key(|text| text.split(':').next().unwrap_or_default());
        Task { what, keywords }
    })
}

fn entries() -> impl Strategy<Value = Entry> {
    let then = prop::sample::select(vec!["when: seen.stat.exists", "when: not seen.stat.exists", "always"]);
    let leaf = prop_oneof![
        8 => tasks().prop_map(Entry::Task),
        2 => (paths(), then, any::<bool>()).prop_map(|(looked_at, then, fact)| {
            Entry::Depends { looked_at, then: then.to_owned(), fact }
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

/// Plays.
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
    let becomes = prop::bool::weighted(0.2);
    let tasks = ([section(0..3).boxed(), section(1..9).boxed()], [tasks(), tasks()]);
    (2..4_usize, files, keywords, becomes, tasks).prop_map(
        |(hosts, files, keywords, becomes, (tasks, handlers))| Play {
            hosts,
            files,
            keywords: keywords.into_iter().flatten().collect(),
            becomes,
            tasks,
            handlers,
        },
    )
}

impl Play {
    /// Puts commands that only ask in the place of those that write files without saying so: of these nobody who does
    /// not run them can know.
    pub(crate) fn without_hidden_writes(mut self) -> Self {
        self.tasks.iter_mut().flatten().for_each(Entry::reveal);
        self.handlers.iter_mut().for_each(Task::reveal);
        self
    }

    /// Takes away all by which hosts have to do with each other, and says in which order they go.
    pub(crate) fn apart(mut self, strategy: &'static str) -> Self {
        let together = |keyword: &&str| {
            ["any_errors_fatal", "serial", "max_fail_percentage"].iter().any(|name| keyword.starts_with(name))
        };
        self.keywords.retain(|keyword| !together(keyword));
        self.keywords.push(strategy);
        self.tasks.iter_mut().flatten().for_each(Entry::part);
        self.handlers.iter_mut().for_each(Task::part);
        self
    }

    /// Returns the playbook and what it includes.
    pub(crate) fn project(&self) -> Project {
        let facts = self.keywords.iter().any(|keyword| keyword.starts_with("gather_subset"));
        let mut lines = vec!["- hosts: all".to_owned(), format!("  gather_facts: {facts}")];
        lines.extend(self.keywords.iter().map(|keyword| format!("  {keyword}")));
        let mut writer = Writer::default();
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
            // One that runs once, or for one host, is no handler of Ansible's; one that notifies itself no good one.
            let kept = |line: &String| !line.contains(" run_once:") && !line.contains(" notify:");
            let own = lines.split_off(start);
            lines.extend(own.into_iter().filter(kept));
        }
        let mut project = Project { site: lines.join("\n") + "\n", included: writer.included };
        if !self.becomes {
            for text in project.included.iter_mut().map(|(_, text)| text).chain([&mut project.site]) {
                *text = text.replace("become: true", "become: false");
            }
        }
        project
    }
}

/// Writes entries down.
#[derive(Default)]
struct Writer {
    number: usize,
    included: Vec<(String, String)>,
}

impl Writer {
    fn write(&mut self, entries: &[Entry], indent: usize, lines: &mut Vec<String>) {
        let pad = " ".repeat(indent);
        for entry in entries {
            self.number += 1;
            match entry {
                Entry::Task(task) => task.write(indent, lines, &self.number.to_string()),
                Entry::Flush => lines.push(format!("{pad}- meta: flush_handlers")),
                Entry::Facts(path) => {
                    lines.push(format!("{pad}- name: {} facts", self.number));
                    lines.push(format!("{pad}  setup: {{gather_subset: [min]}}"));
                    let text = "on {{ ansible_facts.system }}";
                    lines.push(format!("{pad}- name: {} use", self.number));
                    lines.push(format!("{pad}  copy: {{content: \"{text}\", dest: \"{path}\"}}"));
                    lines.push(format!("{pad}  ignore_errors: true"));
                }
                Entry::Depends { looked_at, then, fact } => {
                    lines.push(format!("{pad}- name: {} look", self.number));
                    lines.push(format!("{pad}  stat: {{path: \"{looked_at}\"}}"));
                    lines.push(format!("{pad}  register: seen"));
                    let mut text = "{{ seen.stat.exists }}";
                    if *fact {
                        lines.push(format!("{pad}- name: {} note", self.number));
                        lines.push(format!("{pad}  set_fact: {{found: \"there is {text}\"}}"));
                        text = "{{ found }}";
                    }
                    let path = "{{ root }}/{{ inventory_hostname }}/x";
                    lines.push(format!("{pad}- name: {} then", self.number));
                    lines.push(format!("{pad}  copy: {{content: \"{text}\", dest: \"{path}\"}}"));
                    lines.extend(then.starts_with("when").then(|| format!("{pad}  {then}")));
                }
                Entry::Block(parts) => {
                    for (part, entries) in ["- block", "  rescue", "  always"].into_iter().zip(parts) {
                        if !entries.is_empty() {
                            lines.push(format!("{pad}{part}:"));
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
                    lines.push(format!("{pad}- include_tasks: {{file: {name}{apply}}}"));
                    lines.extend(keyword.map(|keyword| format!("{pad}  {keyword}")));
                    let mut inside = Vec::new();
                    self.write(entries, 0, &mut inside);
                    self.included.push((name, inside.join("\n") + "\n"));
                }
            }
        }
    }
}

impl Task {
    fn part(&mut self) {
        let together = ["delegate_to", "run_once", "any_errors_fatal"];
        self.keywords.retain(|keyword| !together.iter().any(|name| keyword.starts_with(name)));
        match &mut self.what {
            What::Copy(path, _) | What::Line(path, _) | What::File(path, _) | What::Loop(path, _) => {
                own(path);
            }
            What::Creates(path)
            | What::Append(path)
            | What::Read(path)
            | What::Wait(path)
            | What::Until(path)
            | What::UntilThere(path) => own(path),
            What::Fail | What::Debug => {}
        }
    }

    fn reveal(&mut self) {
        if let What::Append(path) | What::Until(path) = &self.what {
            self.what = What::Read(path.clone());
        }
    }

    fn write(&self, indent: usize, lines: &mut Vec<String>, name: &str) {
        let pad = " ".repeat(indent);
        lines.push(format!("{pad}- name: {name}"));
        let own: Vec<String> = match &self.what {
            What::Copy(path, text) => vec![format!("copy: {{content: \"{text}\", dest: \"{path}\"}}")],
            What::Line(path, text) => {
                vec![format!("lineinfile: {{line: \"{text}\", path: \"{path}\", create: true}}")]
            }
            What::File(path, state) => vec![format!("file: {{path: \"{path}\", state: {state}}}")],
            What::Creates(path) => vec![format!("command: {{cmd: \"touch {path}\", creates: \"{path}\"}}")],
            What::Append(path) => {
                vec![format!("shell: \"echo {name} >> {path}\""), "changed_when: false".to_owned()]
            }
            What::Read(path) => vec![format!("command: \"cat {path}\""), "register: seen".to_owned()],
            What::Wait(path) => vec![format!("wait_for: {{path: \"{path}\", timeout: 0}}")],
            What::Until(path) => vec![
                format!("shell: \"echo {name} >> {path}; test $(wc -l < {path}) -gt 1\""),
                "register: tried".to_owned(),
                "until: tried.rc == 0".to_owned(),
                "retries: 2".to_owned(),
                "delay: 0".to_owned(),
            ],
            What::UntilThere(path) => vec![
                format!("stat: {{path: \"{path}\"}}"),
                "register: tried".to_owned(),
                "until: tried.stat.exists".to_owned(),
                "retries: 1".to_owned(),
                "delay: 0".to_owned(),
            ],
            What::Loop(path, items) => {
                vec![
                    format!("lineinfile: {{line: \"{{{{ item }}}}\", path: \"{path}\", create: true}}"),
                    format!("loop: {items:?}"),
                    "register: looped".to_owned(),
                ]
            }
            What::Fail => vec!["command: \"false\"".to_owned()],
            What::Debug => {
                vec!["debug: {msg: \"{{ (seen | default({})).stdout | default('nothing') }}\"}".to_owned()]
            }
        };
        let said =
            |keyword: &&&str| own.iter().all(|line| line.split(':').next() != keyword.split(':').next());
        let more = self.keywords.iter().filter(said).map(|keyword| (*keyword).to_owned());
        lines.extend(own.iter().cloned().chain(more).map(|line| format!("{pad}  {line}")));
    }
}
