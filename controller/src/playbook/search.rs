//! Searches for files and roles, in Ansible's order.

use std::path::{Path, PathBuf};

use convoy_protocol::Value;

use super::ast::Inherited;
use super::template::is_template;
use crate::diagnostic::Diagnostic;
use crate::paths::{expand_user, normalize};

/// The extensions of the files of a role, in order of preference.
pub(super) const EXTENSIONS: [&str; 3] = [".yml", ".yaml", ".json"];

/// The kind of statement that names a task file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IncludeKind {
    /// `import_tasks`: the directory of the importing file comes first.
    Import,
    /// `include_tasks`: the directory of the role comes first.
    Include,
}

/// Finds a file of tasks or handlers that a task in this scope names.
///
/// # Errors
/// The paths that were searched.
pub(super) fn task_file(
    name: &str,
    scope: &Inherited,
    handlers: bool,
    kind: IncludeKind,
) -> Result<PathBuf, Vec<PathBuf>> {
    let name = expand_user(name);
    if name.is_absolute() {
        return first([name]);
    }
    let folder = if handlers { "handlers" } else { "tasks" };
    let beside = scope.dir.join(&name);
    let mut places = Vec::new();
    if let Some(role) = &scope.role {
        places.extend([
            role.path.join(folder).join(&name),
            role.path.join("tasks").join(&name),
            role.path.join(&name),
        ]);
    }
    match kind {
        IncludeKind::Import => places.insert(0, beside),
        IncludeKind::Include => places.insert(places.len().min(1), beside),
    }
    places.extend([scope.playbook_dir.join(folder).join(&name), scope.playbook_dir.join(&name)]);
    first(places)
}

/// Finds a file of `vars_files:`.
///
/// # Errors
/// The paths that were searched.
pub(super) fn vars_file(name: &str, playbook_dir: &Path) -> Result<PathBuf, Vec<PathBuf>> {
    let name = expand_user(name);
    if name.is_absolute() {
        return first([name]);
    }
    first([playbook_dir.join("vars").join(&name), playbook_dir.join(&name)])
}

/// Finds the directory of a role. `parent_dir` is the directory of the role that depends on it or includes it.
///
/// # Errors
/// The directories that were searched.
pub(super) fn role(
    name: &str,
    playbook_dir: &Path,
    paths: &[PathBuf],
    parent_dir: Option<&Path>,
) -> Result<PathBuf, Vec<PathBuf>> {
    let mut folders = vec![playbook_dir.join("roles")];
    folders.extend(paths.iter().cloned());
    folders.extend(parent_dir.map(Path::to_owned));
    folders.push(playbook_dir.to_owned());
    let name = expand_user(name);
    let directory =
        folders.iter().map(|folder| folder.join(&name)).chain([name.clone()]).find(|path| path.is_dir());
    directory.map(|path| normalize(&path)).ok_or(folders)
}

/// Finds a file in a directory of a role: `main`, or the one that `tasks_from:` or the like names.
pub(super) fn role_file(folder: &Path, from: Option<&str>) -> Option<PathBuf> {
    let name = from.unwrap_or("main");
    let mut extensions = EXTENSIONS.to_vec();
    extensions.insert(if from.is_some() { 0 } else { EXTENSIONS.len() }, "");
    extensions.iter().map(|extension| folder.join(format!("{name}{extension}"))).find(|path| path.is_file())
}

/// Finds the variable files of a role: a file, or all files in a directory of that name.
pub(super) fn role_vars(folder: &Path, from: Option<&str>) -> Vec<PathBuf> {
    if let Some(file) = role_file(folder, from) {
        return vec![file];
    }
    let mut files = Vec::new();
    collect(&folder.join(from.unwrap_or("main")), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if EXTENSIONS.iter().any(|extension| name.ends_with(extension)) || !name.contains('.') {
            files.push(path);
        }
    }
}

fn first(places: impl IntoIterator<Item = PathBuf>) -> Result<PathBuf, Vec<PathBuf>> {
    let mut searched: Vec<PathBuf> = Vec::new();
    for place in places {
        let place = normalize(&place);
        if place.is_file() {
            return Ok(place);
        }
        if !searched.contains(&place) {
            searched.push(place);
        }
    }
    Err(searched)
}

/// Returns the error that what `value` names is in none of `places`.
pub(super) fn not_found(what: &str, value: &Value, places: &[PathBuf]) -> Diagnostic {
    let mut problem = Diagnostic::user(format!("could not find {what}")).at(value.origin.clone());
    for place in places {
        let shown = if place.as_os_str().is_empty() { ".".into() } else { place.to_string_lossy() };
        problem = problem.note(format!("searched {shown}"));
    }
    if is_template(value) {
        problem = problem.note("the name is a template");
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_role_is_found_by_its_extension() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["main.yaml", "main.json", "setup", "setup.yml"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let name = |from| role_file(dir.path(), from).map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(name(None), Some("main.yaml".into()));
        assert_eq!(name(Some("setup")), Some("setup".into()));
        assert_eq!(name(Some("setup.yml")), Some("setup.yml".into()));
        assert_eq!(name(Some("other")), None);
    }

    #[test]
    fn variable_files_of_a_directory_are_sorted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("main/b")).unwrap();
        for name in
            ["main/c.yml", "main/b/x.yaml", "main/a.json", "main/.hidden.yml", "main/old.yml~", "main/n.txt"]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let files = role_vars(dir.path(), None);
        let names: Vec<_> =
            files.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["main/a.json", "main/b/x.yaml", "main/c.yml"]);
    }
}
