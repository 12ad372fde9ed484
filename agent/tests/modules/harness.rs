//! A node that is a directory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use convoy_agent::changes::Recorder;
use convoy_agent::content::{ContentStore, OfferedFile};
use convoy_agent::failure::Failure;
use convoy_agent::modules;
use convoy_agent::system::System;
use convoy_protocol::message::Order;
use convoy_protocol::{Digest, Map, Outcome, Status, Value, map};
use tempfile::TempDir;

/// Content by digest, and what was offered.
struct Directory {
    contents: PathBuf,
    offers: Arc<Mutex<Vec<(Digest, OfferedFile)>>>,
}

impl ContentStore for Directory {
    fn fetch(&self, digest: &Digest) -> Result<PathBuf, Failure> {
        let path = self.contents.join(digest.to_string());
        if path.exists() { Ok(path) } else { Err(Failure::new(format!("no content {digest}"))) }
    }

    fn offer(&self, digest: Digest, file: OfferedFile) {
        self.offers.lock().unwrap().push((digest, file));
    }

    fn directory(&self) -> &Path {
        &self.contents
    }
}

pub(crate) struct Node {
    pub(crate) system: System,
    /// What orders have in their environment besides their own.
    pub(crate) environment: Vec<(String, String)>,
    directory: TempDir,
    contents: TempDir,
    offers: Arc<Mutex<Vec<(Digest, OfferedFile)>>>,
}

/// What is below a directory: mode, time of change and content of each path.
pub(crate) type Snapshot = BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)>;

impl Node {
    pub(crate) fn new() -> Self {
        let contents = tempfile::tempdir().unwrap();
        let offers = Arc::default();
        let directory = Directory { contents: contents.path().to_owned(), offers: Arc::clone(&offers) };
        let system = System::new(Box::new(directory), Recorder::default());
        Self { system, environment: Vec::new(), directory: tempfile::tempdir().unwrap(), contents, offers }
    }

    /// Goes on as another agent, which records what it changes in the name of a run.
    pub(crate) fn begin(&mut self, state: &Path, run: &str) {
        let recorder = Recorder::below(state);
        recorder.begin(Some(run));
        let directory =
            Directory { contents: self.contents.path().to_owned(), offers: Arc::clone(&self.offers) };
        self.system = System::new(Box::new(directory), recorder);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).unwrap().mode() & 0o7777
    }

    /// Returns how many files are where content is kept and programs are run.
    pub(crate) fn kept(&self) -> usize {
        fs::read_dir(self.contents.path()).unwrap().count()
    }

    /// Takes what was offered to the controller.
    pub(crate) fn offers(&self) -> Vec<(Digest, OfferedFile)> {
        std::mem::take(&mut *self.offers.lock().unwrap())
    }

    /// Describes content as the controller does; it can be fetched.
    pub(crate) fn content(&self, name: &str, content: &str, mode: u32) -> Map {
        self.content_bytes(name, content.as_bytes(), mode)
    }

    /// As [`content`](Self::content), for what is no text.
    pub(crate) fn content_bytes(&self, name: &str, content: &[u8], mode: u32) -> Map {
        let digest = Digest::of(content).to_string();
        fs::write(self.contents.path().join(&digest), content).unwrap();
        let size = i64::try_from(content.len()).unwrap();
        map! { "digest" => digest, "size" => size, "mode" => mode, "name" => name }
    }

    /// Puts other bytes in the place of described content.
    pub(crate) fn replace_content(&self, described: &Map, content: &[u8]) {
        fs::write(self.contents.path().join(described["digest"].as_str().unwrap()), content).unwrap();
    }

    /// Takes care that described content can no longer be fetched.
    pub(crate) fn forget_content(&self, described: &Map) {
        fs::remove_file(self.contents.path().join(described["digest"].as_str().unwrap())).unwrap();
    }

    /// Describes content that cannot be fetched.
    pub(crate) fn missing_content(&self, name: &str, content: &str, mode: u32) -> Map {
        let size = i64::try_from(content.len()).unwrap();
        let digest = Digest::of(content.as_bytes()).to_string();
        map! { "digest" => digest, "size" => size, "mode" => mode, "name" => name }
    }

    pub(crate) fn order(module: &str, args: Map, check: bool) -> Order {
        Order {
            check,
            diff: true,
            environment: vec![("CONVOY_TEST".into(), "set".into())],
            ..Order::new(module, args)
        }
    }

    pub(crate) fn obey(&mut self, order: &Order) -> Outcome {
        let mut order = order.clone();
        order.environment.extend(self.environment.clone());
        self.system.begin(&order);
        let module = modules::find(&order.module);
        let module = module.or_else(|| modules::INTERNAL.iter().find(|module| module.name == &*order.module));
        (module.unwrap().run)(&order, true, &mut self.system)
    }

    pub(crate) fn run(&mut self, module: &str, args: Map) -> Outcome {
        self.obey(&Self::order(module, args, false))
    }

    /// Runs in check mode, and sees to it that nothing was written.
    pub(crate) fn check(&mut self, module: &str, args: Map) -> Outcome {
        let before = self.snapshot();
        let outcome = self.obey(&Self::order(module, args, true));
        assert_eq!(self.snapshot(), before, "check mode wrote something");
        outcome
    }

    /// Expects a change that is announced in check mode, done once, and then is done.
    pub(crate) fn converges(&mut self, module: &str, args: Map) -> Outcome {
        let announced = self.check(module, args.clone());
        assert_eq!(announced.status, Status::WouldChange, "{:?}", announced.values);
        let done = self.run(module, args.clone());
        assert_eq!(done.status, Status::Changed, "{:?}", done.values);
        assert_eq!(done.diff, announced.diff);
        let before = self.snapshot();
        let again = self.run(module, args);
        assert_eq!(again.status, Status::Same, "{:?}", again.values);
        assert_eq!(self.snapshot(), before, "the second run wrote something");
        done
    }

    /// Expects a failure, of which it returns the message; nothing must be written.
    pub(crate) fn fails(&mut self, module: &str, args: Map) -> String {
        let before = without_times_of_directories(self.snapshot());
        let outcome = self.run(module, args);
        assert_eq!(outcome.status, Status::Failed, "{:?}", outcome.values);
        assert_eq!(without_times_of_directories(self.snapshot()), before, "a failure wrote something");
        outcome.values["msg"].as_str().unwrap().to_owned()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut all = BTreeMap::new();
        walk(self.directory.path(), &mut all);
        all
    }

    /// Returns the names in the directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A temporary file that has come and gone is seen in the times of its directory alone.
fn without_times_of_directories(mut all: Snapshot) -> Snapshot {
    for (path, entry) in &mut all {
        if path.is_dir() {
            (entry.1, entry.2) = (0, 0);
        }
    }
    all
}

fn walk(path: &Path, all: &mut Snapshot) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        all.insert(path.clone(), (meta.mode(), meta.ctime(), meta.ctime_nsec(), content));
        if meta.is_dir() {
            walk(&path, all);
        }
    }
}

/// Returns one text of an outcome's values.
pub(crate) fn text<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    outcome.values.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name}: {:?}", outcome.values))
}
