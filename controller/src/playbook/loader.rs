//! The door to this folder: reads playbooks before a run, and included files and roles during it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convoy_protocol::{Digest, Map, Value};

use super::ast::{Entry, Play, Role, RoleInclude};
use super::inherited::Inherited;
use super::reader::Reader;
use super::role::{Identity, RoleLoaded};
use super::search::{self, Asked};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::paths::absolute;
use crate::secrets::Vault;
use crate::settings::Settings;
use crate::source_file::SourceFile;
use crate::yaml::{self, Node};

/// What names are rendered with while files are read (`import_tasks: "{{ x }}.yml"`): the function adds the extra vars to
/// the variables that it is given.
pub type Render<'a> = &'a dyn Fn(&Value, &Map) -> Result<Value, Diagnostic>;

/// Where else to look.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folders of roles, after `roles/` beside the playbook.
    pub roles_path: Vec<PathBuf>,
    /// Whether handlers may be notified that are not there.
    pub handlers_may_be_missing: bool,
}

impl Options {
    /// Returns what the settings say; without folders of roles Ansible's places: `~/.ansible/roles`,
    /// `/usr/share/ansible/roles`, `/etc/ansible/roles`.
    pub fn of(settings: &Settings, home: Option<OsString>) -> Self {
        let mut roles_path = settings.roles_path.clone();
        if roles_path.is_empty() {
            roles_path.extend(home.map(|home| PathBuf::from(home).join(".ansible/roles")));
            roles_path.extend(["/usr/share/ansible/roles", "/etc/ansible/roles"].map(PathBuf::from));
        }
        Self { roles_path, handlers_may_be_missing: !settings.error_on_missing_handler }
    }
}

/// Reads playbooks, files of tasks and roles; each file once.
#[derive(Debug)]
pub struct Loader {
    pub(super) options: Options,
    vault: Arc<Vault>,
    files: Mutex<HashMap<PathBuf, Option<Arc<Node>>>>,
    /// What was read, and nobody has taken note of yet.
    sources: Mutex<Vec<(PathBuf, Digest)>>,
    identities: Mutex<Vec<Identity>>,
}

/// A playbook as it was named on the command line, with the plays of those that it imports.
#[derive(Debug)]
pub struct Playbook {
    /// Its path as it was given.
    pub path: PathBuf,
    /// Its plays, in order.
    pub plays: Vec<Arc<Play>>,
}

/// What [`Loader::playbooks`] read.
#[derive(Debug)]
pub struct Loaded {
    /// The playbooks, in order.
    pub playbooks: Vec<Playbook>,
    /// What is not wrong but should be known.
    pub warnings: Vec<Diagnostic>,
}

impl Loaded {
    /// Returns all plays, in order.
    pub fn plays(&self) -> impl Iterator<Item = &Arc<Play>> {
        self.playbooks.iter().flat_map(|playbook| &playbook.plays)
    }
}

/// What [`Loader::task_file`] read.
#[derive(Debug)]
pub struct TasksLoaded {
    /// The tasks.
    pub entries: Vec<Entry>,
    /// Handlers of the roles that they import; from now on handlers of the play.
    pub handlers: Vec<Entry>,
    /// Roles that they import; from now on roles of the play.
    pub roles: Vec<Arc<Role>>,
    /// What is not wrong but should be known.
    pub warnings: Vec<Diagnostic>,
}

impl Loader {
    /// Returns a loader that has read nothing yet.
    pub fn new(options: Options, vault: Arc<Vault>) -> Self {
        let (files, sources, identities) = Default::default();
        Self { options, vault, files, sources, identities }
    }

    /// Reads playbooks with all that they import.
    ///
    /// # Errors
    /// All that is wrong in them, at once.
    pub fn playbooks(&self, paths: &[PathBuf], render: Render<'_>) -> Result<Loaded, Diagnostics> {
        let mut reader = Reader::new(self, render);
        let playbooks: Vec<Playbook> =
            paths.iter().map(|path| Playbook { path: path.clone(), plays: reader.playbook(path) }).collect();
        let warnings = reader.finish()?;
        Ok(Loaded { playbooks, warnings })
    }

    /// Reads a file of tasks that is included; `base` is [`Inherited::of_include`] of the include.
    ///
    /// # Errors
    /// All that is wrong in it, at once.
    pub fn task_file(
        &self,
        path: &Path,
        base: &Inherited,
        handlers: bool,
        render: Render<'_>,
    ) -> Result<TasksLoaded, Diagnostics> {
        let mut reader = Reader::new(self, render);
        let entries = reader.task_entries(path, base, handlers);
        let (handlers, roles) = (std::mem::take(&mut reader.handlers), std::mem::take(&mut reader.roles));
        let warnings = reader.finish()?;
        Ok(TasksLoaded { entries, handlers, roles, warnings })
    }

    /// Reads a role that is included, with its dependencies; `base` is [`Inherited::of_include`] of the include. Names in
    /// `include` that are still templates are rendered.
    ///
    /// # Errors
    /// All that is wrong in it, at once.
    pub fn role(
        &self,
        include: &RoleInclude,
        base: &Inherited,
        render: Render<'_>,
    ) -> Result<RoleLoaded, Diagnostics> {
        let mut reader = Reader::new(self, render);
        let used = reader.use_of(include, base, include.vars.clone(), false);
        let mut loaded = used.and_then(|used| reader.role(&used, base));
        if let Some(loaded) = &mut loaded {
            loaded.handlers.append(&mut reader.handlers);
            loaded.roles.splice(0..0, std::mem::take(&mut reader.roles));
        }
        let warnings = reader.finish()?;
        let unread = || Diagnostic::user("the role could not be read").at(include.name.origin.clone());
        loaded.map(|loaded| RoleLoaded { warnings, ..loaded }).ok_or_else(|| unread().into())
    }

    /// Finds the file that `include_tasks` names, in Ansible's order: the role's folders, the including file's, the
    /// playbook's.
    ///
    /// # Errors
    /// The places searched.
    pub fn find_file(&self, name: &str, base: &Inherited, handlers: bool) -> Result<PathBuf, Vec<PathBuf>> {
        search::task_file(name, base, handlers, Asked::Include)
    }

    /// Puts a node in the place of a file that does not exist, such as `<command line>`.
    pub fn provide(&self, path: &Path, node: Option<Node>) {
        locked(&self.files).insert(path.to_owned(), node.map(Arc::new));
    }

    /// Reads a file, or returns what was read before.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Arc<Node>>, Diagnostic> {
        if let Some(known) = locked(&self.files).get(path) {
            return Ok(known.clone());
        }
        let source = SourceFile::read(path, &self.vault)?;
        locked(&self.sources).push((absolute(path), source.digest));
        let node = source.yaml_remembered(&self.vault)?.map(Arc::new);
        locked(&self.files).insert(path.to_owned(), node.clone());
        Ok(node)
    }

    /// Returns the files that were read since this was asked last, absolute, each with the digest of what it held.
    pub fn take_sources(&self) -> Vec<(PathBuf, Digest)> {
        std::mem::take(&mut locked(&self.sources))
    }

    /// Returns whether the file of this name is encrypted.
    fn is_secret(&self, file: &str) -> bool {
        locked(&self.files)
            .get(Path::new(file))
            .is_some_and(|node| node.as_ref().is_some_and(|node| node.secret))
    }

    /// Returns the number of a use of a role: the same for the same use.
    pub(super) fn identity(&self, identity: Identity) -> usize {
        let mut known = locked(&self.identities);
        known.iter().position(|other| *other == identity).unwrap_or_else(|| {
            known.push(identity);
            known.len() - 1
        })
    }
}

impl Reader<'_> {
    /// Ends the reading.
    ///
    /// # Errors
    /// All that was wrong, each problem once: a file that is imported twice is read twice.
    fn finish(mut self) -> Result<Vec<Diagnostic>, Diagnostics> {
        for problem in self.problems.iter_mut().chain(&mut self.warnings) {
            if problem.origin.as_ref().is_some_and(|at| self.loader.is_secret(&at.file)) {
                *problem = yaml::redacted(problem.clone());
            }
        }
        once(&mut self.problems);
        once(&mut self.warnings);
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(self.problems) }
    }
}

fn once(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: Vec<Diagnostic> = Vec::new();
    diagnostics.retain(|diagnostic| {
        let new = diagnostic.origin.is_none() || !seen.contains(diagnostic);
        if new {
            seen.push(diagnostic.clone());
        }
        new
    });
}

/// What is behind these locks is whole between any two statements, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_looked_for_where_the_settings_say() {
        let mut settings = Settings::default();
        let folders = |settings: &Settings| Options::of(settings, Some("/home/me".into())).roles_path;
        let ansibles = ["/home/me/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"];
        assert_eq!(folders(&settings), ansibles.map(PathBuf::from));
        settings.roles_path = vec!["/srv/roles".into()];
        assert_eq!(folders(&settings), [PathBuf::from("/srv/roles")]);
    }
}
