//! `undo`: what a run has changed on the node is taken back. Not for playbooks: `convoy undo` asks for it.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use convoy_protocol::{Map, Value, map};

use crate::changes;
use crate::changes::record::IrreversibleWork;
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};
use crate::undo::{self, Action, Plan as Steps, Problem};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Takes back what a run has changed in the files of the node",
    description: "What `convoy undo` asks of each user's agent.",
    example: "- name: Take it back\n  undo:\n    run: 20261124-191530-abcde\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::WriteTree);

crate::arguments! {
    /// Arguments of `undo`.
    pub struct Args {
        /// The run's name.
        run: String [required],
        /// Whether the answer has what will be at each path.
        becomes: bool [default("false")],
        /// The orders that are undone otherwise, by their tickets: what they did besides is not told.
        elsewhere: Vec<i64>,
    }
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan(Steps);

/// Looks at what was changed, and whether it still is as the run left it.
///
/// # Errors
/// If that is no run's name, or something cannot be looked at.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let directory =
        view.recorder().directory_of(&args.run).map_err(|error| Failure::new(error.to_string()))?;
    let users = changes::users(&directory).into_iter().map(|user| {
        let option = |value: Option<String>| value.map_or_else(Value::null, Value::from);
        Value::from(map! {
            "user" => user.user, "method" => user.method.name(), "exe" => option(user.exe), "flags" => option(user.flags),
        })
    });
    let users: Vec<Value> = users.collect();
    let Some(plan) = undo::plan(&directory, view)? else {
        return Ok(Checked::Same(map! { "recorded" => false, "users" => users }));
    };
    let mut values = map! {
        "recorded" => true,
        "users" => users,
        "undone_by" => plan.undone_by.as_deref().map_or_else(Value::null, Value::from),
        "items" => items(&plan),
        "problems" => plan.problems.iter().map(problem).collect::<Value>(),
        "lost" => plan.lost.iter().map(|(path, why)| Value::from(format!("{}: {why}", path.display()))).collect::<Value>(),
        "beyond" => irreversible(&plan, &args.elsewhere),
    };
    if args.becomes {
        let becomes =
            plan.becomes().map(|(path, state)| (path.to_string_lossy().as_ref().into(), state.into()));
        values.insert("becomes".into(), Value::from(becomes.collect::<Map>()));
    }
    if plan.steps.is_empty() && plan.problems.is_empty() {
        return Ok(Checked::Same(values));
    }
    Ok(Checked::Differs { plan: Plan(plan), diff: Vec::new(), values })
}

/// Takes it back.
///
/// # Errors
/// If something is not as the run left it, or cannot be done.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    undo::perform(&plan.0, node)?;
    Ok(Done { changed: true, values: Map::new() })
}

/// Returns what modules did besides, each kind with how often.
fn irreversible(plan: &Steps, elsewhere: &[i64]) -> Value {
    let elsewhere: HashSet<u64> = elsewhere.iter().map(|ticket| ticket.cast_unsigned()).collect();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for IrreversibleWork { module, why, ticket } in &plan.irreversible {
        if ticket.is_none_or(|ticket| !elsewhere.contains(&ticket)) {
            *counts.entry((module, why)).or_default() += 1;
        }
    }
    let told =
        |((module, why), count)| Value::from(map! { "module" => module, "why" => why, "count" => count });
    counts.into_iter().map(told).collect()
}

fn problem(problem: &Problem) -> Value {
    let holds =
        problem.holds.iter().map(|path| Value::from(path.to_string_lossy().as_ref())).collect::<Value>();
    map! {
        "path" => problem.path.to_string_lossy().as_ref(),
        "msg" => problem.text.as_str(),
        "fits" => problem.fits.iter().map(|state| Value::from(state.as_str())).collect::<Value>(),
        "holds" => holds,
    }
    .into()
}

/// Returns what is done, one item a path; what goes with a directory above it is counted there.
fn items(plan: &Steps) -> Value {
    let directories = plan.steps.iter().filter(|step| step.action == Action::RemoveDirectory);
    let mut counts: BTreeMap<PathBuf, u32> = directories.map(|step| (step.path.clone(), 0)).collect();
    let mut shown = Vec::new();
    for step in &plan.steps {
        let tops = step.path.ancestors().skip(1).filter(|above| counts.contains_key(*above));
        let top = tops.last().map(PathBuf::from);
        match top.and_then(|top| counts.get_mut(&top)) {
            Some(count) => *count += 1,
            None => shown.push(step),
        }
    }
    let item = |step: &&undo::Step| {
        let within = counts.get(&step.path).copied().unwrap_or_default();
        let path = step.path.to_string_lossy().into_owned();
        Value::from(map! { "path" => path, "what" => step.action.word(), "within" => within })
    };
    shown.iter().map(item).collect()
}
