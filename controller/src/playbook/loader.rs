//! The entry point: loads playbooks before a run, and included task files and roles during it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoy_protocol::Digest;

use super::ast::{Entry, Inherited, Play, Role, RoleInclude};
use super::files::{Options, ProjectFiles};
use super::reader::{Reader, Render};
use super::role::LoadedRole;
use super::search::{self, IncludeKind};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::secrets::Vault;
use crate::yaml::{self, Node};

/// Loads playbooks, task files and roles; reads each file once.
#[derive(Debug)]
pub struct Loader {
    files: ProjectFiles,
}

/// A playbook named on the command line, with the plays of those that it imports.
#[derive(Debug)]
pub struct Playbook {
    /// Its path, as given by the user.
    pub path: PathBuf,
    /// Its plays, in order.
    pub plays: Vec<Arc<Play>>,
}

/// The result of [`Loader::playbooks`].
#[derive(Debug)]
pub struct LoadedPlaybooks {
    /// The playbooks, in order.
    pub playbooks: Vec<Playbook>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl LoadedPlaybooks {
    /// Returns all plays, in order.
    pub fn plays(&self) -> impl Iterator<Item = &Arc<Play>> {
        self.playbooks.iter().flat_map(|playbook| &playbook.plays)
    }
}

/// The result of [`Loader::task_file`].
#[derive(Debug)]
pub struct LoadedTasks {
    /// The tasks.
    pub entries: Vec<Entry>,
    /// Handlers of the roles that they import; they become handlers of the play.
    pub handlers: Vec<Entry>,
    /// Roles that they import; they become roles of the play.
    pub roles: Vec<Arc<Role>>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl Loader {
    /// Returns a loader that has not read any file.
    pub fn new(options: Options, vault: Arc<Vault>) -> Self {
        Self { files: ProjectFiles::new(options, vault) }
    }

    /// Reads playbooks and everything that they import.
    ///
    /// # Errors
    /// All errors in the files.
    pub fn playbooks(&self, paths: &[PathBuf], render: Render<'_>) -> Result<LoadedPlaybooks, Diagnostics> {
        let mut reader = Reader::new(&self.files, render);
        let playbooks: Vec<Playbook> =
            paths.iter().map(|path| Playbook { path: path.clone(), plays: reader.playbook(path) }).collect();
        let warnings = reader.finish()?;
        Ok(LoadedPlaybooks { playbooks, warnings })
    }

    /// Reads an included task file; `base` is [`Inherited::of_include`] of the include.
    ///
    /// # Errors
    /// All errors in the file and those that it imports.
    pub fn task_file(
        &self,
        path: &Path,
        base: &Inherited,
        handlers: bool,
        render: Render<'_>,
    ) -> Result<LoadedTasks, Diagnostics> {
        let mut reader = Reader::new(&self.files, render);
        let entries = reader.task_file(path, base, handlers);
        let (handlers, roles) = (std::mem::take(&mut reader.handlers), std::mem::take(&mut reader.roles));
        let warnings = reader.finish()?;
        Ok(LoadedTasks { entries, handlers, roles, warnings })
    }

    /// Reads an included role and its dependencies; `base` is [`Inherited::of_include`] of the include. Renders the names in
    /// `include` that are templates.
    ///
    /// # Errors
    /// All errors in the files of the roles.
    pub fn role(
        &self,
        include: &RoleInclude,
        base: &Inherited,
        render: Render<'_>,
    ) -> Result<LoadedRole, Diagnostics> {
        let mut reader = Reader::new(&self.files, render);
        let used = reader.role_use(include, base, include.vars.clone(), false);
        let mut loaded = used.and_then(|used| reader.role(&used, base));
        if let Some(loaded) = &mut loaded {
            loaded.handlers.append(&mut reader.handlers);
            loaded.roles.splice(0..0, std::mem::take(&mut reader.roles));
        }
        let warnings = reader.finish()?;
        let unread = || Diagnostic::user("the role could not be read").at(include.name.origin.clone());
        loaded.map(|loaded| LoadedRole { warnings, ..loaded }).ok_or_else(|| unread().into())
    }

    /// Finds the file that `include_tasks` names, in Ansible's order: in the directories of the role, of the including file,
    /// of the playbook.
    ///
    /// # Errors
    /// The paths that were searched.
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
    /// Finishes reading and returns the warnings.
    ///
    /// # Errors
    /// All problems, without duplicates: the tasks of a file that is imported twice are read twice.
    fn finish(mut self) -> Result<Vec<Diagnostic>, Diagnostics> {
        for problem in self.problems.iter_mut().chain(&mut self.warnings) {
            if problem.origin.as_ref().is_some_and(|at| self.files.is_secret(&at.file)) {
                *problem = yaml::redacted(problem.clone());
            }
        }
        remove_duplicates(&mut self.problems);
        remove_duplicates(&mut self.warnings);
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(self.problems) }
    }
}

fn remove_duplicates(diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: Vec<Diagnostic> = Vec::new();
    diagnostics.retain(|diagnostic| {
        let new = diagnostic.origin.is_none() || !seen.contains(diagnostic);
        if new {
            seen.push(diagnostic.clone());
        }
        new
    });
}
