//! `include_tasks` and `include_role`: what they bring in is known only when they are reached.

mod target;

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use self::target::{IncludeTarget, RoleNames};
use super::Scheduler;
use super::batch::Batch;
use super::handlers;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{HostName, Include, RunEvent, TaskResult, Verdict};
use crate::execute::call::CallOutcome;
use crate::execute::outcome::TaskOutcome;
use crate::paths::absolute;
use crate::playbook::Inherited;
use crate::playbook::ast::{Action, Entry, Role, RoleInclude, Task};
use crate::prepare::{View, call, loops};
use crate::services::context;
use crate::state::pending;
use crate::state::section::{Item, Section, TaskRef};
use crate::state::undo_blocks::{IncludeFrame, without_secrets};
use crate::template::{Error, Kind as ErrorKind};
use crate::vars::TaskScope;
use crate::vars::magic::search_path;

/// The entries that an include brings in, and its name as it is shown.
type Entries = (Vec<Entry>, String);

/// What one host includes, for one item of a loop.
struct Wanted {
    target: IncludeTarget,
    vars: Map,
    label: Option<Arc<str>>,
}

/// What was included, for all hosts that included the same.
struct Included {
    target: IncludeTarget,
    vars: Map,
    label: Option<Arc<str>>,
    hosts: Vec<usize>,
}

impl Scheduler {
    /// Includes a file or role on the hosts of a group.
    ///
    /// # Errors
    /// What is wrong in the file that is included.
    pub(super) fn include(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        group: &[usize],
    ) -> Result<(), Diagnostics> {
        let mut included: Vec<Included> = Vec::new();
        let mut taken: Vec<usize> = Vec::new();
        for &index in group {
            match self.include_targets(batch, task, index) {
                Ok(wanted) if wanted.is_empty() => self.skip_include(batch, task, index)?,
                Ok(wanted) => {
                    taken.push(index);
                    for wanted in wanted {
                        add(&mut included, wanted, index);
                    }
                }
                Err(error) if error.kind == ErrorKind::Unknown => {
                    self.leave_include_open(batch, task, index, &error)?;
                }
                Err(error) => self.fail_include(batch, task, index, map! { "msg" => error.to_string() })?,
            }
        }
        let mut bodies: Vec<(usize, Vec<Item>)> = taken.iter().map(|index| (*index, Vec::new())).collect();
        let items = alike(&included);
        for ((rank, included), item) in included.into_iter().enumerate().zip(items) {
            let section = match self.load_included(batch, task, &included, rank, item) {
                Ok(section) => Arc::new(section),
                // A host that cannot have it has failed, which may be rescued; the others go on.
                Err(problems) => {
                    let reason: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    for index in
                        included.hosts.iter().filter(|index| bodies.iter().any(|(host, _)| host == *index))
                    {
                        self.fail_include(batch, task, *index, map! { "reason" => reason.join("\n\n") })?;
                    }
                    bodies.retain(|(index, _)| !included.hosts.contains(index));
                    continue;
                }
            };
            for (_, body) in bodies.iter_mut().filter(|(index, _)| included.hosts.contains(index)) {
                body.push(Item::Section(section.clone()));
            }
        }
        let selected = self.selected();
        for (index, body) in bodies {
            batch.hosts[index].cursor.enter(body, &selected);
        }
        Ok(())
    }

    /// Returns what a host includes: one target for each item of the loop whose conditions hold. The others are shown as skipped.
    fn include_targets(&mut self, batch: &Batch, task: &TaskRef, index: usize) -> Result<Vec<Wanted>, Error> {
        let mut skipped = Vec::new();
        let wanted = self.evaluate_include(batch, task, index, &mut skipped);
        for (condition, label) in skipped {
            self.head(batch, task, index);
            let item = self.skipped_item(batch, task, index, condition, label);
            self.emit(RunEvent::Item(item));
        }
        wanted
    }

    fn evaluate_include(
        &self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        skipped: &mut Vec<(Value, Value)>,
    ) -> Result<Vec<Wanted>, Error> {
        if let Some(why) = batch.uncertain(index) {
            return Err(Error::unknown(why));
        }
        let seen = self.prepared(batch, task, index, true);
        let view = self.view(&task.task, &seen);
        let mut wanted = Vec::new();
        for (vars, label) in loops::loop_scopes(view)? {
            let scope = view.scope.with(vars.iter().cloned());
            let view = View { scope: &scope, ..view };
            if let Some(condition) = call::failing_condition(view)? {
                skipped.extend(label.map(|label| (condition, label)));
                continue;
            }
            wanted.push(Wanted {
                target: IncludeTarget::of(view)?,
                vars: vars.into_iter().collect(),
                label: label.map(|label| crate::text::python::label(Some(&label)).into()),
            });
        }
        Ok(wanted)
    }

    /// Returns how an item is shown whose conditions do not hold.
    fn skipped_item(
        &self,
        batch: &Batch,
        task: &TaskRef,
        index: usize,
        condition: Value,
        label: Value,
    ) -> TaskResult {
        let host = &batch.hosts[index].name;
        TaskResult {
            host: HostName::of(host),
            verdict: Verdict::Skipped,
            action: task.task.action_name.clone(),
            values: Arc::new(CallOutcome::skipped(condition).values),
            diff: Vec::new(),
            label: Some(label),
            looped: true,
            ignored: false,
            show: false,
            before: false,
            task: self.title(task, host),
        }
    }

    /// Reads what is included.
    fn load_included(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        included: &Included,
        rank: usize,
        item: u32,
    ) -> Result<Section, Diagnostics> {
        let hosts: Vec<Arc<str>> =
            included.hosts.iter().map(|index| batch.hosts[*index].name.clone()).collect();
        let params = params(task, &included.vars);
        let (entries, shown) = self.read_included(batch, task, &included.target, &params, &hosts[0])?;
        for host in &hosts {
            self.count(host, |stats| stats.ok += 1);
        }
        self.head(batch, task, included.hosts[0]);
        self.emit(RunEvent::Included { file: shown.into(), hosts, label: included.label.clone() });
        let frame = IncludeFrame {
            task: task.task.clone(),
            nth: batch.hosts[included.hosts[0]].cursor.nth(task),
            what: included.target.noted(),
            vars: included.vars.clone(),
            item,
        };
        let section = Section::of(&entries, &params, task.handler);
        Ok(Section { rank: Some(rank), include: Some(Arc::new(frame)), ..section })
    }

    /// Reads again what an include of an earlier run brought in on a host, and returns it with the variables that are given to it.
    ///
    /// # Errors
    /// What is wrong with it now.
    pub(crate) fn include_again(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        include: &Include,
        host: &Arc<str>,
    ) -> Result<(Vec<Entry>, Arc<Map>), Diagnostics> {
        let target =
            IncludeTarget::read(&include.what).filter(|_| Inherited::of_include(&task.task).is_some());
        let Some(target) = target else {
            let message = "it included other tasks when the run that is undone came here";
            return Err(Diagnostic::user(message).at(task.task.at.clone()).into());
        };
        let params = params(task, &include.vars);
        let (entries, _) = self.read_included(batch, task, &target, &params, host)?;
        Ok((entries, params))
    }

    /// Reads a file or role, and returns its name as it is shown.
    fn read_included(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        target: &IncludeTarget,
        params: &Map,
        host: &Arc<str>,
    ) -> Result<Entries, Diagnostics> {
        let scope = self.world.vars.scope(host, Some(task.placed()));
        let scope = scope.with(params.iter().map(|(key, value)| (key.clone(), value.clone())));
        match target {
            IncludeTarget::File(file) => self.file_entries(batch, task, file, &scope),
            IncludeTarget::Role(names) => self.role_entries(batch, task, names, &scope),
        }
    }

    fn file_entries(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        file: &str,
        scope: &TaskScope,
    ) -> Result<Entries, Diagnostics> {
        let base = inherited(&task.task)?;
        let services = self.services.clone();
        let path = services
            .loader
            .find_file(file, &base, task.handler)
            .map_err(|searched| missing(&task.task, file, &searched))?;
        let loaded = {
            let render = self.renderer(batch, &task.task, scope);
            services.loader.task_file(&path, &base, task.handler, &render)?
        };
        self.record_sources();
        loaded.warnings.iter().for_each(|warning| self.warn(warning.warning()));
        self.adopt(batch, &loaded.handlers, &loaded.roles);
        Ok((loaded.entries, absolute(&path).display().to_string()))
    }

    fn role_entries(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        names: &RoleNames,
        scope: &TaskScope,
    ) -> Result<Entries, Diagnostics> {
        let Action::IncludeRole(include) = &task.task.action else { return Ok((Vec::new(), String::new())) };
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let rendered = RoleInclude {
            name: names.name.as_str().into(),
            tasks_from: text(&names.tasks_from),
            vars_from: text(&names.vars_from),
            defaults_from: text(&names.defaults_from),
            handlers_from: text(&names.handlers_from),
            ..RoleInclude::clone(include)
        };
        let base = inherited(&task.task)?;
        let loaded = {
            let render = self.renderer(batch, &task.task, scope);
            self.services.loader.role(&rendered, &base, &render)?
        };
        self.record_sources();
        loaded.warnings.iter().for_each(|warning| self.warn(warning.warning()));
        let public: &[Arc<Role>] = if names.public { &loaded.roles } else { &[] };
        self.adopt(batch, &loaded.handlers, public);
        Ok((loaded.tasks, names.name.clone()))
    }

    /// Makes handlers and roles that came with an include those of the play.
    fn adopt(&mut self, batch: &mut Batch, entries: &[Entry], roles: &[Arc<Role>]) {
        let mut new: Vec<TaskRef> = handlers::list(entries);
        new.retain(|new| !batch.handlers.iter().any(|known| Arc::ptr_eq(&known.task, &new.task)));
        batch.handlers.extend(new);
        if !roles.is_empty() {
            self.world.play_facts().public.extend(roles.iter().cloned());
        }
    }

    fn skip_include(&mut self, batch: &mut Batch, task: &TaskRef, index: usize) -> Result<(), Diagnostics> {
        let values =
            map! { "changed" => false, "skipped" => true, "skip_reason" => "Conditional result was False" };
        let result = TaskOutcome::of(&batch.hosts[index].name, values, Verdict::Skipped);
        self.apply_outcome(batch, task, index, &[], &result)
    }

    /// Check mode: whether, or what, is included is decided at run time, and so is all that it would set or change.
    fn leave_include_open(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        index: usize,
        error: &Error,
    ) -> Result<(), Diagnostics> {
        let host = batch.hosts[index].name.clone();
        let title = self.title(task, &host);
        let why = pending::set_by(&title);
        self.world.store().set_unknown_rest(&host, &why);
        self.world.dry_run.pending.record_host(&host, &title);
        let values = CallOutcome::unknown(&error.message.as_str().into()).values;
        self.apply_outcome(batch, task, index, &[], &TaskOutcome::of(&host, values, Verdict::Unknown))
    }

    fn fail_include(
        &mut self,
        batch: &mut Batch,
        task: &TaskRef,
        index: usize,
        why: Map,
    ) -> Result<(), Diagnostics> {
        let mut values = map! { "changed" => false, "failed" => true };
        values.extend(why);
        let result = TaskOutcome::of(&batch.hosts[index].name, values, Verdict::Failed);
        self.apply_outcome(batch, task, index, &[], &result)?;
        self.spread_failures(batch, task, &[index], &[index])
    }

    /// Returns what renders the names and variables of an include.
    fn renderer<'a>(
        &'a self,
        batch: &'a Batch,
        task: &'a Arc<Task>,
        scope: &'a TaskScope,
    ) -> impl Fn(&Value, &Map) -> Result<Value, Diagnostic> + 'a {
        move |value, vars| {
            let scope = scope.with(vars.iter().map(|(key, value)| (key.clone(), value.clone())));
            let context = context(search_path(task, Some(&batch.play)), true);
            self.services.templar.render(value, &scope, &context).map_err(|error| {
                let at = value.origin.clone().unwrap_or_else(|| task.at.clone());
                error.diagnostic().at(at)
            })
        }
    }
}

/// Returns for each how many before it brought in the same, as far as the journal can tell: it has no secrets.
fn alike(included: &[Included]) -> Vec<u32> {
    let noted: Vec<Map> = included.iter().map(|included| without_secrets(&included.vars)).collect();
    let same = |one: usize, other: usize| {
        noted[one] == noted[other] && included[one].target == included[other].target
    };
    let before = |rank: usize| (0..rank).filter(|other| same(rank, *other)).map(|_| 1).sum();
    (0..included.len()).map(before).collect()
}

fn add(included: &mut Vec<Included>, wanted: Wanted, index: usize) {
    let same = |other: &&mut Included| {
        other.target == wanted.target && other.vars == wanted.vars && !other.hosts.contains(&index)
    };
    match included.iter_mut().find(same) {
        Some(included) => included.hosts.push(index),
        None => {
            let Wanted { target, vars, label } = wanted;
            included.push(Included { target, vars, label, hosts: vec![index] });
        }
    }
}

/// Returns the variables that are given to what is included.
fn params(task: &TaskRef, vars: &Map) -> Arc<Map> {
    let mut params = Map::clone(&task.params);
    params.extend(vars.clone());
    params.extend(task.task.vars.clone());
    Arc::new(params)
}

fn missing(task: &Task, file: &str, searched: &[PathBuf]) -> Diagnostics {
    let mut diagnostic =
        Diagnostic::user(format!("could not find or access the task file `{file}`")).at(task.at.clone());
    for place in searched {
        diagnostic = diagnostic.note(format!("searched {}", place.display()));
    }
    diagnostic.into()
}

/// Returns what a dynamic include hands down.
fn inherited(task: &Task) -> Result<Inherited, Diagnostics> {
    Inherited::of_include(task).ok_or_else(|| {
        Diagnostic::user("an include without surroundings").kind(Kind::Internal).at(task.at.clone()).into()
    })
}
