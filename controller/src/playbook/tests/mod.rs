//! Loads projects from disk: which errors are reported, and what is loaded.

mod errors;
mod projects;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::{Map, Value};

use super::ast::{Entry, Play, Task};
use super::{LoadedPlaybooks, Loader, Options, walk};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// A directory with a playbook `site.yml` and its files.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<LoadedPlaybooks, Diagnostics> {
        loader().playbooks(&[self.path("site.yml")], &render)
    }

    /// Returns messages as the user sees them if the project is in the working directory.
    fn shown(&self, diagnostics: &[Diagnostic]) -> String {
        let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let dir = self.dir.path().display().to_string();
        texts.join("\n").replace(&format!("{dir}/"), "").replace(&dir, "the playbook's directory")
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.dir.path()).unwrap_or(path).display().to_string()
    }
}

fn loader() -> Loader {
    Loader::new(Options::default(), Arc::default())
}

/// Replaces `{{ name }}` by the variable; enough for names of files.
fn render(value: &Value, vars: &Map) -> Result<Value, Diagnostic> {
    let mut text = value.as_str().unwrap_or_default().to_owned();
    for (name, value) in vars {
        text = text.replace(&format!("{{{{ {name} }}}}"), value.as_str().unwrap_or_default());
    }
    match text.split_once("{{ ").and_then(|(_, rest)| rest.split_once(' ')) {
        Some((name, _)) => Err(Diagnostic::user(format!("'{name}' is undefined")).at(value.origin.clone())),
        None => Ok(text.into()),
    }
}

/// Loads a project without errors and returns its first play.
fn play(files: &[(&str, &str)]) -> Arc<Play> {
    let project = Project::new(files);
    let loaded = project.load().unwrap_or_else(|problems| panic!("{}", project.shown(&problems)));
    loaded.plays().next().unwrap().clone()
}

fn names<'t>(tasks: impl Iterator<Item = &'t Arc<Task>>) -> Vec<String> {
    tasks.map(|task| task.name.as_ref().and_then(Value::as_str).unwrap_or("?").to_owned()).collect()
}

fn task<'p>(play: &'p Play, name: &str) -> &'p Arc<Task> {
    let of = |task: &Task| task.name.as_ref().and_then(Value::as_str) == Some(name);
    walk::tasks(play).map(|(_, task)| task).find(|task| of(task)).unwrap()
}

fn texts(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(Value::as_str).collect()
}

fn all(entries: &[Entry]) -> Vec<String> {
    names(walk::entries(entries))
}
