//! Runs of one playbook on hosts that are folders of this machine, and what came of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use convoy::events::Reporter;
use convoy::events::{RunEvent, TaskResult, Verdict};
use convoy::inventory::{self, Inventory};
use convoy::playbook::{self, Loader};
use convoy::schedule::Scheduler;
use convoy::services::Services;
use convoy::services::options::Options;
use convoy::start;
use convoy::template;
use convoy_protocol::Map;
use tempfile::TempDir;

use crate::plays::Project;

/// Hosts on this machine. Each has a folder of its own, and there is one that all share.
pub(crate) struct Place {
    folder: TempDir,
    hosts: usize,
}

/// What came of a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    /// For each host, and for the headings, what was told, in order.
    pub(crate) told: BTreeMap<String, Vec<String>>,
    /// The exit code, or what was wrong in the playbook.
    pub(crate) exit: Result<u8, String>,
    /// All files with mode and content.
    pub(crate) files: Vec<String>,
    /// For each host and task, and item of a loop, the verdicts; none where check mode left a call out.
    pub(crate) verdicts: Verdicts,
}

/// Verdicts by host, task and item.
pub(crate) type Verdicts = BTreeMap<(String, String, String), Vec<Option<Verdict>>>;

#[derive(Debug, Default)]
struct Recorded {
    told: BTreeMap<String, Vec<String>>,
    verdicts: Verdicts,
}

#[derive(Debug, Default)]
struct Record(Arc<Mutex<Recorded>>);

impl Record {
    fn add(&self, whose: &str, text: String) {
        let mut recorded = self.0.lock().expect("no panic while it was held");
        recorded.told.entry(whose.to_owned()).or_default().push(text);
    }

    fn judge(&self, result: &TaskResult) {
        let left_out = result.verdict == Verdict::Skipped && result.values.contains_key("_ansible_unknown");
        let item = result.label.as_ref().map(|label| format!("{label:?}")).unwrap_or_default();
        let mut recorded = self.0.lock().expect("no panic while it was held");
        let key = (result.host.name.to_string(), result.task.to_string(), item);
        recorded.verdicts.entry(key).or_default().push((!left_out).then_some(result.verdict));
    }
}

impl Reporter for Record {
    fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::PlayStart { name, .. } => self.add("headings", format!("play {name}")),
            RunEvent::TaskStart { kind, name, .. } => self.add("headings", format!("{kind:?} {name}")),
            RunEvent::NoHostsRemaining => self.add("headings", "no hosts remaining".to_owned()),
            RunEvent::Result(result) | RunEvent::Item(result) => {
                self.judge(result);
                self.add(&result.host.name, shown(result));
            }
            RunEvent::Retry { host, left, .. } => self.add(&host.name, format!("{left} tries left")),
            RunEvent::Recap { hosts, .. } => {
                hosts.iter().for_each(|(host, stats)| self.add(host, format!("{stats:?}")));
            }
            _ => {}
        }
    }

    fn fault(&self) -> Option<&io::Error> {
        None
    }
}

/// Says all of a result that does not tell the time.
fn shown(result: &TaskResult) -> String {
    let value =
        |name: &str| result.values.get(name).map(|value| format!(" {name}={value:?}")).unwrap_or_default();
    let values: String =
        ["changed", "failed", "msg", "rc", "stdout", "attempts", "dest", "state"].map(value).concat();
    let TaskResult { host, verdict, task, label, looped, ignored, .. } = result;
    let delegate = host.delegate.as_deref().unwrap_or("itself");
    format!("{task} by {delegate}: {verdict:?} item={label:?} looped={looped} ignored={ignored}{values}")
}

impl Place {
    /// Makes the folder of a place for so many hosts, called `a`, `b` and so on.
    pub(crate) fn new(hosts: usize) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder"), hosts };
        open_to_all(place.folder.path());
        let lines = place.hosts().map(|host| format!("{host} ansible_connection=local\n"));
        fs::write(place.path("hosts"), lines.collect::<String>()).expect("a place to write");
        place
    }

    fn hosts(&self) -> impl Iterator<Item = String> {
        ('a'..).take(self.hosts).map(String::from)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts these files, by path and content, in the place of all there are.
    pub(crate) fn reset(&self, files: &[(String, String)]) {
        let root = self.path("root");
        if root.exists() {
            fs::remove_dir_all(&root).expect("a place to write");
        }
        for folder in self.hosts().chain(["shared".to_owned()]) {
            fs::create_dir_all(root.join(&folder)).expect("a place to write");
            // Other users work there too.
            open_to_all(&root.join(folder));
        }
        for (name, content) in files {
            fs::write(root.join(name), content).expect("a place to write");
        }
    }

    /// Lists all files with mode and content.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(&self.path("root"), &mut files);
        files
    }

    /// Runs a playbook in which `root` is where the folders are. Returns what came of it, and how many round trips
    /// it took.
    pub(crate) fn run(&self, project: &Project, look_ahead: bool) -> (Ran, u64) {
        self.run_with(project, Options { look_ahead, ..Options::default() })
    }

    /// Runs a playbook in check mode.
    pub(crate) fn check(&self, project: &Project) -> Ran {
        self.run_with(project, Options { check: true, look_ahead: true, ..Options::default() }).0
    }

    fn run_with(&self, project: &Project, options: Options) -> (Ran, u64) {
        let path = self.path("site.yml");
        fs::write(&path, &project.site).expect("a place to write");
        for (name, text) in &project.included {
            fs::write(self.path(name), text).expect("a place to write");
        }
        let record = Record::default();
        let recorded = record.0.clone();
        let mut trips = 0;
        let exit = self.exit(&path, options, record, &mut trips);
        let Recorded { told, verdicts } =
            std::mem::take(&mut *recorded.lock().expect("no panic while it was held"));
        (Ran { told, exit, files: self.files(), verdicts }, trips)
    }

    fn exit(&self, path: &Path, options: Options, record: Record, trips: &mut u64) -> Result<u8, String> {
        let loader = Loader::new(playbook::Options::default(), Arc::default());
        let render = |value: &convoy_protocol::Value, _: &Map| Ok(value.clone());
        let loaded = loader.playbooks(&[path.to_owned()], &render).map_err(|error| format!("{error:?}"))?;
        let source = self.path("hosts").display().to_string();
        let (inventory, _) = Inventory::load(&[source], &inventory::Options::default())
            .map_err(|error| format!("{error:?}"))?;
        let root = self.path("root").display().to_string();
        let options = Options {
            // One host after the other, so that what they do to each other is the same each time.
            forks: 1,
            extra_vars: convoy_protocol::map! { "root" => root },
            template: template::Options::default(),
            // Agents inherit the environment of this process: a lock would be that of the machine. A run without a name
            // locks nothing.
            run: String::new(),
            ..options
        };
        let scheduler = Scheduler::new(Services::new(options, loader), inventory, Box::new(record))
            .map_err(|error| format!("{error:?}"))?;
        let ran = start::run(scheduler, async |scheduler| {
            for playbook in &loaded.playbooks {
                scheduler.run(&playbook.plays).await?;
            }
            scheduler.finish().await;
            *trips = scheduler.services.connections.traffic().0;
            Ok(scheduler.ending())
        });
        ran.map_err(|error| format!("{error:?}"))
    }
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("our folder");
}

fn list(folder: &Path, files: &mut Vec<String>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let meta = fs::symlink_metadata(&path).expect("what is listed");
        let content = if meta.is_file() { fs::read_to_string(&path).expect("text") } else { String::new() };
        files.push(format!("{} {:o} {content:?}", path.display(), meta.permissions().mode()));
        if meta.is_dir() {
            list(&path, files);
        }
    }
}
