//! `undo`: what a run has changed is recorded, kept, and taken back.

mod cases;
mod kept;
mod refused;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use convoy_protocol::{Map, Outcome, Status, Value, map};
use tempfile::TempDir;

use super::harness::{Node, text};

/// The run that is taken back, and the ones that take back.
const RUN: &str = "20261128-101500-abcde";
const UNDO: &str = "20261128-101600-bcdef";
const AGAIN: &str = "20261128-101700-cdefg";

/// What is at each path below a directory: kind, mode, owner, content, and of files and links the time of change.
type Listing = BTreeMap<PathBuf, (u32, u32, u32, Vec<u8>, Option<(i64, i64)>)>;

fn listing(directory: &Path) -> Listing {
    let mut all = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = match () {
                () if meta.is_file() => fs::read(&path).unwrap(),
                () if meta.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                () => Vec::new(),
            };
            let time = (!meta.is_dir()).then(|| (meta.mtime(), meta.mtime_nsec()));
            if meta.is_dir() {
                directories.push(path.clone());
            }
            all.insert(path, (meta.mode(), meta.uid(), meta.gid(), content, time));
        }
    }
    all
}

/// A node whose changes are recorded.
struct Recorded {
    node: Node,
    state: TempDir,
}

impl Recorded {
    fn new() -> Self {
        let (mut node, state) = (Node::new(), tempfile::tempdir().unwrap());
        node.begin(state.path(), RUN);
        Self { node, state }
    }

    /// Does something that must change something.
    fn does(&mut self, module: &str, args: Map) {
        let done = self.node.run(module, args);
        assert_eq!(done.status, Status::Changed, "{:?}", done.values);
    }

    fn listing(&self) -> Listing {
        listing(&self.node.path(""))
    }

    /// Looks at what taking back would do.
    fn view(&mut self, run: &str) -> Outcome {
        let before = self.listing();
        let seen = self.node.obey(&Node::order("undo", map! { "run" => run }, true));
        assert_eq!(self.listing(), before, "looking has changed something");
        seen
    }

    /// Takes a run back in the name of another.
    fn undo(&mut self, run: &str, by: &str) -> Outcome {
        self.node.begin(self.state.path(), by);
        self.node.run("undo", map! { "run" => run })
    }

    /// Takes the run back, which must leave all as in `before`; takes that back, and back again.
    fn undone(&mut self, before: &Listing) {
        let after = self.listing();
        let done = self.undo(RUN, UNDO);
        assert_eq!(done.status, Status::Changed, "{:?}", done.values);
        assert_eq!(&self.listing(), before);
        let again = self.undo(RUN, UNDO);
        assert_eq!(again.status, Status::Same, "{:?}", again.values);
        assert_eq!(&self.listing(), before);
        let back = self.undo(UNDO, AGAIN);
        assert_eq!(back.status, Status::Changed, "{:?}", back.values);
        assert_eq!(without_times(self.listing()), without_times(after));
        let back = self.undo(AGAIN, "20261128-101800-defgh");
        assert_eq!(back.status, Status::Changed, "{:?}", back.values);
        assert_eq!(&self.listing(), before);
    }

    /// Expects taking the run back to be refused for these reasons, before anything is changed.
    fn refused(&mut self) -> Vec<String> {
        let before = self.listing();
        let done = self.undo(RUN, UNDO);
        assert_eq!(done.status, Status::Failed, "{:?}", done.values);
        assert_eq!(self.listing(), before, "a refusal has changed something");
        let problems = self.view(RUN).values["problems"].as_list().unwrap().to_vec();
        let texts: Vec<String> =
            problems.iter().map(|problem| problem.get("msg").unwrap().as_str().unwrap().to_owned()).collect();
        assert_eq!(text(&done, "msg"), texts[0]);
        let directory = self.node.path("").display().to_string();
        let state = self.state.path().join("runs").join(RUN).display().to_string();
        texts.iter().map(|text| text.replace(&state, "STATE").replace(&directory, "/")).collect()
    }

    fn record(&self) -> String {
        fs::read_to_string(self.state.path().join("runs").join(RUN).join("changes")).unwrap()
    }
}

/// A time that a run has set is not what it restores when it is taken back and back again: only content and owner.
fn without_times(mut listing: Listing) -> Listing {
    listing.values_mut().for_each(|entry| entry.4 = None);
    listing
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_list().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}
