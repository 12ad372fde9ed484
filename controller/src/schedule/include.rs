//! `include_tasks` and `include_role`: what is done is known only when it is reached.

use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{HostName, Include, RunEvent, TaskResult, Verdict};
use crate::execute::call::CallResult;
use crate::execute::outcome::HostResult;
use crate::paths::absolute;
use crate::playbook::Inherited;
use crate::playbook::ast::{Action, Entry, Role, RoleInclude, Task};
use crate::prepare::loops;
use crate::prepare::task::{self, View};
use crate::schedule::apply;
use crate::schedule::batch::{Batch, Placed};
use crate::state::pending;
use crate::state::section::{Item, Section, TaskRef};
use crate::state::undo_blocks;
use crate::state::undo_blocks::Via;
use crate::template::{Error, Kind as ErrorKind};
use crate::vars::TaskScope;
use crate::vars::magic::{PlayFacts, search_path};

/// What one host includes, for one item of a loop.
struct Wanted {
    what: What,
    vars: Map,
    label: Option<Arc<str>>,
}

#[derive(Clone, PartialEq)]
enum What {
    File(String),
    Role(RoleNames),
}

/// The names of an `include_role`, rendered.
#[derive(Clone, PartialEq)]
struct RoleNames {
    name: String,
    tasks_from: Option<String>,
    vars_from: Option<String>,
    defaults_from: Option<String>,
    handlers_from: Option<String>,
    public: bool,
}

/// What was included, for all hosts that included the same.
struct Included {
    what: What,
    vars: Map,
    label: Option<Arc<str>>,
    hosts: Vec<usize>,
}

/// Includes a file or role on the hosts of a group.
///
/// # Errors
/// What is wrong in the file that is included.
pub(crate) fn run(batch: &mut Batch<'_>, task: &TaskRef, group: &[usize]) -> Result<(), Diagnostics> {
    let mut included: Vec<Included> = Vec::new();
    let mut taken: Vec<usize> = Vec::new();
    for &index in group {
        match wanted(batch, task, index) {
            Ok(wanted) if wanted.is_empty() => skip(batch, task, index)?,
            Ok(wanted) => {
                taken.push(index);
                for wanted in wanted {
                    add(&mut included, wanted, index);
                }
            }
            Err(error) if error.kind == ErrorKind::Unknown => leave_open(batch, task, index, &error)?,
            Err(error) => fail(batch, task, index, map! { "msg" => error.to_string() })?,
        }
    }
    let mut bodies: Vec<(usize, Vec<Item>)> = taken.iter().map(|index| (*index, Vec::new())).collect();
    let items = alike(&included);
    for ((rank, included), item) in included.into_iter().enumerate().zip(items) {
        let section = match load(batch, task, &included, rank, item) {
            Ok(section) => Arc::new(section),
            // A host that cannot have it has failed, which may be rescued; the others go on.
            Err(problems) => {
                let reason: Vec<String> = problems.iter().map(ToString::to_string).collect();
                for index in
                    included.hosts.iter().filter(|index| bodies.iter().any(|(host, _)| host == *index))
                {
                    fail(batch, task, *index, map! { "reason" => reason.join("\n\n") })?;
                }
                bodies.retain(|(index, _)| !included.hosts.contains(index));
                continue;
            }
        };
        for (_, body) in bodies.iter_mut().filter(|(index, _)| included.hosts.contains(index)) {
            body.push(Item::Section(section.clone()));
        }
    }
    let selected = batch.selected();
    for (index, body) in bodies {
        batch.hosts[index].cursor.enter(body, &selected);
    }
    Ok(())
}

/// Returns for each how many before it brought in the same, as far as the journal can tell: it has no secrets.
fn alike(included: &[Included]) -> Vec<u32> {
    let noted: Vec<Map> =
        included.iter().map(|included| undo_blocks::without_secrets(&included.vars)).collect();
    let same =
        |one: usize, other: usize| noted[one] == noted[other] && included[one].what == included[other].what;
    let before = |rank: usize| (0..rank).filter(|other| same(rank, *other)).map(|_| 1).sum();
    (0..included.len()).map(before).collect()
}

fn add(included: &mut Vec<Included>, wanted: Wanted, index: usize) {
    let same = |other: &&mut Included| {
        other.what == wanted.what && other.vars == wanted.vars && !other.hosts.contains(&index)
    };
    match included.iter_mut().find(same) {
        Some(included) => included.hosts.push(index),
        None => {
            let Wanted { what, vars, label } = wanted;
            included.push(Included { what, vars, label, hosts: vec![index] });
        }
    }
}

/// Returns what a host includes: one for each item of the loop whose conditions hold.
fn wanted(batch: &Batch<'_>, task: &TaskRef, index: usize) -> Result<Vec<Wanted>, Error> {
    if let Some(why) = batch.doubt(index) {
        return Err(Error::unknown(why));
    }
    let engine = batch.engine;
    let scope =
        engine.scope(&batch.hosts[index].name, Some(&Placed { task: &task.task, params: &task.params }));
    let context = engine.context(search_path(&task.task, Some(&batch.play)), true);
    let view = View { engine, task: &task.task, scope: &scope, context: &context };
    let mut wanted = Vec::new();
    for (vars, label) in loops::loop_scopes(view)? {
        let scope = scope.with(vars.iter().cloned());
        let view = View { scope: &scope, ..view };
        if let Some(condition) = task::failing_condition(view)? {
            if label.is_some() {
                batch.head(task, index);
                batch.engine.tell(RunEvent::Item(skipped_item(batch, task, index, condition, label)));
            }
            continue;
        }
        wanted.push(Wanted {
            what: what(view)?,
            vars: vars.into_iter().collect(),
            label: label.map(|label| crate::python::label(Some(&label)).into()),
        });
    }
    Ok(wanted)
}

/// How an item is told whose conditions do not hold.
fn skipped_item(
    batch: &Batch<'_>,
    task: &TaskRef,
    index: usize,
    condition: Value,
    label: Option<Value>,
) -> TaskResult {
    let host = &batch.hosts[index].name;
    TaskResult {
        host: HostName::of(host),
        verdict: Verdict::Skipped,
        action: task.task.action_name.clone(),
        values: Arc::new(CallResult::skipped(condition).values),
        diff: Vec::new(),
        label,
        looped: true,
        ignored: false,
        show: false,
        before: false,
        task: batch.title(task, host),
    }
}

fn what(view: View<'_>) -> Result<What, Error> {
    let text = |value: &Value| view.render(value).map(|value| crate::python::str(&value));
    let optional = |value: &Option<Value>| value.as_ref().map(text).transpose();
    match &view.task.action {
        Action::IncludeRole(role) => Ok(What::Role(RoleNames {
            name: text(&role.name)?,
            tasks_from: optional(&role.tasks_from)?,
            vars_from: optional(&role.vars_from)?,
            defaults_from: optional(&role.defaults_from)?,
            handlers_from: optional(&role.handlers_from)?,
            public: crate::prepare::keywords::boolean(view, role.public.as_ref(), false)?,
        })),
        Action::IncludeTasks { file, .. } => Ok(What::File(text(file)?)),
        _ => Err(Error::other("not an include".to_owned())),
    }
}

/// Reads what is included.
fn load(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    included: &Included,
    rank: usize,
    item: u32,
) -> Result<Section, Diagnostics> {
    let engine = batch.engine;
    let hosts: Vec<Arc<str>> = included.hosts.iter().map(|index| batch.hosts[*index].name.clone()).collect();
    let params = params(task, &included.vars);
    let (entries, shown) = read(batch, task, &included.what, &params, &hosts[0])?;
    for host in &hosts {
        engine.count(host, |stats| stats.ok += 1);
    }
    batch.head(task, included.hosts[0]);
    engine.tell(RunEvent::Included { file: shown.into(), hosts, label: included.label.clone() });
    let via = Via {
        task: task.task.clone(),
        nth: batch.hosts[included.hosts[0]].cursor.nth(task),
        what: included.what.noted(),
        vars: included.vars.clone(),
        item,
    };
    let section = Section::of(&entries, &params, task.handler);
    Ok(Section { rank: Some(rank), via: Some(Arc::new(via)), ..section })
}

/// Returns the variables that are given to what is included.
fn params(task: &TaskRef, vars: &Map) -> Arc<Map> {
    let mut params = Map::clone(&task.params);
    params.extend(vars.clone());
    params.extend(task.task.vars.clone());
    Arc::new(params)
}

/// Reads again what an include of an earlier run brought in on a host, and returns it with the variables that are given to it.
///
/// # Errors
/// What is wrong with it now.
pub(crate) fn again(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    include: &Include,
    host: &Arc<str>,
) -> Result<(Vec<Entry>, Arc<Map>), Diagnostics> {
    let what = What::read(&include.what).filter(|_| Inherited::of_include(&task.task).is_some());
    let Some(what) = what else {
        let message = "it included other tasks when the run that is undone came here";
        return Err(Diagnostic::user(message).at(task.task.at.clone()).into());
    };
    let params = params(task, &include.vars);
    let (entries, _) = read(batch, task, &what, &params, host)?;
    Ok((entries, params))
}

type Entries = (Vec<Entry>, String);

/// Reads a file or role, and returns its name as it is shown.
fn read(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    what: &What,
    params: &Map,
    host: &Arc<str>,
) -> Result<Entries, Diagnostics> {
    let scope = batch.engine.scope(host, Some(&Placed { task: &task.task, params: &task.params }));
    let scope = scope.with(params.iter().map(|(key, value)| (key.clone(), value.clone())));
    match what {
        What::File(file) => file_entries(batch, task, file, &scope),
        What::Role(names) => role_entries(batch, task, names, &scope),
    }
}

impl What {
    /// Returns what the journal is told.
    fn noted(&self) -> Map {
        let role = match self {
            Self::File(file) => return map! { "file" => file.as_str() },
            Self::Role(role) => role,
        };
        let names = [
            ("tasks_from", &role.tasks_from),
            ("vars_from", &role.vars_from),
            ("defaults_from", &role.defaults_from),
            ("handlers_from", &role.handlers_from),
        ];
        let mut noted = map! { "role" => role.name.as_str(), "public" => role.public };
        let named = names.into_iter().filter_map(|(key, name)| Some((key.into(), name.as_deref()?.into())));
        noted.extend(named);
        noted
    }

    /// Reads what [`noted`](Self::noted) returned.
    fn read(noted: &Map) -> Option<Self> {
        let text = |key: &str| noted.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(file) = text("file") {
            return Some(Self::File(file));
        }
        Some(Self::Role(RoleNames {
            name: text("role")?,
            tasks_from: text("tasks_from"),
            vars_from: text("vars_from"),
            defaults_from: text("defaults_from"),
            handlers_from: text("handlers_from"),
            public: noted.get("public")?.as_bool()?,
        }))
    }
}

fn file_entries(
    batch: &mut Batch<'_>,
    task: &TaskRef,
    file: &str,
    scope: &TaskScope,
) -> Result<Entries, Diagnostics> {
    let base = inherited(&task.task)?;
    let loader = &batch.engine.loader;
    let path = loader
        .find_file(file, &base, task.handler)
        .map_err(|searched| missing(&task.task, file, &searched))?;
    let loaded = {
        let render = renderer(batch, &task.task, scope);
        loader.task_file(&path, &base, task.handler, &render)?
    };
    batch.engine.note_sources();
    loaded.warnings.iter().for_each(|warning| batch.engine.warn(warning.warning()));
    take_over(batch, &loaded.handlers, &loaded.roles);
    Ok((loaded.entries, absolute(&path).display().to_string()))
}

fn missing(task: &Task, file: &str, searched: &[std::path::PathBuf]) -> Diagnostics {
    let mut diagnostic =
        Diagnostic::user(format!("could not find or access the task file `{file}`")).at(task.at.clone());
    for place in searched {
        diagnostic = diagnostic.note(format!("searched {}", place.display()));
    }
    diagnostic.into()
}

fn role_entries(
    batch: &mut Batch<'_>,
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
        let render = renderer(batch, &task.task, scope);
        batch.engine.loader.role(&rendered, &base, &render)?
    };
    batch.engine.note_sources();
    loaded.warnings.iter().for_each(|warning| batch.engine.warn(warning.warning()));
    let public: &[Arc<Role>] = if names.public { &loaded.roles } else { &[] };
    take_over(batch, &loaded.handlers, public);
    Ok((loaded.tasks, names.name.clone()))
}

/// Makes handlers and roles that came with an include those of the play.
fn take_over(batch: &mut Batch<'_>, handlers: &[Entry], roles: &[Arc<Role>]) {
    let known = |handler: &TaskRef| batch.handlers.iter().any(|old| Arc::ptr_eq(&old.task, &handler.task));
    let mut new: Vec<TaskRef> = crate::schedule::handlers::list(handlers, &Arc::default());
    new.retain(|handler| !known(handler));
    batch.handlers.extend(new);
    if !roles.is_empty() {
        let mut play = batch.engine.play.borrow_mut();
        let mut public = play.public.clone();
        public.extend(roles.iter().cloned());
        *play = Arc::new(PlayFacts { public, ..PlayFacts::clone(&play) });
    }
}

/// Returns what a dynamic include hands down.
fn inherited(task: &Task) -> Result<Inherited, Diagnostics> {
    Inherited::of_include(task).ok_or_else(|| {
        Diagnostic::user("an include without surroundings").kind(Kind::Internal).at(task.at.clone()).into()
    })
}

fn renderer<'a>(
    batch: &'a Batch<'_>,
    task: &'a Arc<Task>,
    scope: &'a TaskScope,
) -> impl Fn(&Value, &Map) -> Result<Value, Diagnostic> + 'a {
    move |value, vars| {
        let engine = batch.engine;
        let scope = scope.with(vars.iter().map(|(key, value)| (key.clone(), value.clone())));
        let context = engine.context(search_path(task, Some(&batch.play)), true);
        engine.templar.render(value, &scope, &context).map_err(|error| {
            let at = value.origin.clone().unwrap_or_else(|| task.at.clone());
            error.diagnostic().at(at)
        })
    }
}

fn skip(batch: &mut Batch<'_>, task: &TaskRef, index: usize) -> Result<(), Diagnostics> {
    let values =
        map! { "changed" => false, "skipped" => true, "skip_reason" => "Conditional result was False" };
    let result = HostResult::of(&batch.hosts[index].name, values, Verdict::Skipped);
    apply::settle(batch, task, index, &[], &result)
}

/// Check mode: whether, or what, is included is decided at run time, and so is all that it would set or change.
fn leave_open(batch: &mut Batch<'_>, task: &TaskRef, index: usize, error: &Error) -> Result<(), Diagnostics> {
    let host = batch.hosts[index].name.clone();
    let title = batch.title(task, &host);
    let why = pending::set_by(&title);
    Arc::make_mut(&mut batch.engine.store.borrow_mut()).set_unknown_rest(&host, &why);
    batch.engine.doubts.note_host(&host, &title);
    let values = CallResult::unknown(&error.message.as_str().into()).values;
    apply::settle(batch, task, index, &[], &HostResult::of(&host, values, Verdict::Unknown))
}

fn fail(batch: &mut Batch<'_>, task: &TaskRef, index: usize, why: Map) -> Result<(), Diagnostics> {
    let mut values = map! { "changed" => false, "failed" => true };
    values.extend(why);
    let result = HostResult::of(&batch.hosts[index].name, values, Verdict::Failed);
    apply::settle(batch, task, index, &[], &result)?;
    apply::spread(batch, task, &[index], &[index])
}
