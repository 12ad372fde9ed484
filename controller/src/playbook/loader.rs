//! The door to this folder: reads playbooks before a run, and included files and roles during it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Digest;

use super::ast::{Entry, Inherited, Play, Role, RoleInclude};
use super::files::{Options, ProjectFiles};
use super::reader::{Reader, Render};
use super::role::RoleLoaded;
use super::search::{self, IncludeKind};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::secrets::Vault;
use crate::yaml::{self, Node};

/// Reads playbooks, files of tasks and roles; each file once.
#[derive(Debug)]
pub struct Loader {
    files: ProjectFiles,
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
        Self { files: ProjectFiles::new(options, vault) }
    }

    /// Reads playbooks with all that they import.
    ///
    /// # Errors
    /// All that is wrong in them, at once.
    pub fn playbooks(&self, paths: &[PathBuf], render: Render<'_>) -> Result<Loaded, Diagnostics> {
        let mut reader = Reader::new(&self.files, render);
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
        let mut reader = Reader::new(&self.files, render);
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
        let mut reader = Reader::new(&self.files, render);
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
        search::task_file(name, base, handlers, IncludeKind::Include)
    }

    /// Uses `node` as the content of a file that does not exist, such as `<command line>`.
    pub fn provide(&self, path: &Path, node: Option<Node>) {
        self.files.provide(path, node);
    }

    /// Returns the files that were read since the last call, with absolute paths, and the digest of each.
    pub fn take_sources(&self) -> Vec<(PathBuf, Digest)> {
        self.files.take_sources()
    }
}

impl Reader<'_> {
    /// Ends the reading.
    ///
    /// # Errors
    /// All that was wrong, each problem once: a file that is imported twice is read twice.
    fn finish(mut self) -> Result<Vec<Diagnostic>, Diagnostics> {
        for problem in self.problems.iter_mut().chain(&mut self.warnings) {
            if problem.origin.as_ref().is_some_and(|at| self.files.is_secret(&at.file)) {
                *problem = yaml::unquoted(problem.clone());
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
