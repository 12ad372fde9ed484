//! One play: which hosts, in which batches.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Map, Value, map};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::RunEvent;
use crate::playbook::ast::{Action, Keywords, Play, Task};
use crate::schedule::batch::{Batch, Ended};
use crate::schedule::engine::Engine;
use crate::schedule::free::Strategy;
use crate::schedule::vars_prompt;
use crate::settings::{Gathering, Mismatch};
use crate::state::section::{Item, Section, TaskRef};
use crate::template::omit_token;
use crate::vars::magic::PlayFacts;

/// Runs a play. Returns whether the next one is to be run.
///
/// # Errors
/// What is wrong in the user's files and shows only now.
pub async fn run(engine: &Engine, play: &Arc<Play>) -> Result<bool, Diagnostics> {
    let play = &vars_prompt::ask(engine, play)?;
    let pattern = pattern(engine, play)?;
    let name = match &play.name {
        Some(name) => crate::python::label(Some(&engine.render_for_play(play, name)?)),
        None => pattern.clone(),
    };
    let strategy = strategy(engine, play)?;
    let start = RunEvent::PlayStart { name: name.into(), check: engine.options.check };
    let all = hosts(engine, play, &pattern)?;
    engine.expect_open(&all)?;
    if all.is_empty() {
        engine.tell(start);
        engine.tell(RunEvent::NoHostsMatched);
        return Ok(true);
    }
    *engine.play.borrow_mut() = facts(engine, play, &all);
    for batch in batches(engine, play, &all)? {
        engine.headed.take();
        engine.tell(start.clone());
        let size = batch.len();
        let lost = engine.lost.borrow().clone();
        let left = batch.into_iter().filter(|host| !lost.contains(host)).collect();
        let mut batch = Batch::new(engine, play, left, root(engine, play)?, strategy);
        if engine.options.settings.gathering == Gathering::Smart {
            batch.keep_facts();
        }
        let ended = batch.run().await?;
        match ended {
            Ended::Broken => return Ok(false),
            Ended::Play => break,
            // As Ansible does: where a whole batch is lost, nothing that follows is tried.
            Ended::Batch { lost } if lost == size => return Ok(false),
            Ended::Batch { .. } => {}
        }
        if engine.interrupted.get() {
            break;
        }
    }
    Ok(true)
}

/// Returns what magic variables say of a play that begins on these hosts.
pub(crate) fn facts(engine: &Engine, play: &Arc<Play>, hosts: &[Arc<str>]) -> Arc<PlayFacts> {
    Arc::new(PlayFacts {
        play: Some(play.clone()),
        all: hosts.to_vec(),
        public: if engine.options.settings.private_role_vars { Vec::new() } else { play.roles.clone() },
        ..PlayFacts::default()
    })
}

/// Returns the order of the hosts.
pub(crate) fn strategy(engine: &Engine, play: &Arc<Play>) -> Result<Strategy, Diagnostics> {
    let name = match &play.strategy {
        Some(value) => crate::python::str(&engine.render_for_play(play, value)?),
        None => engine.options.settings.strategy.clone(),
    };
    Strategy::named(&name).ok_or_else(|| {
        let message = format!("there is no strategy `{name}`: there are linear, free and host_pinned");
        let at = play.strategy.as_ref().and_then(|value| value.origin.clone());
        Diagnostic::user(message).at(at.unwrap_or_else(|| play.at.clone())).into()
    })
}

fn pattern(engine: &Engine, play: &Arc<Play>) -> Result<String, Diagnostics> {
    let value = engine.render_for_play(play, &play.hosts)?;
    Ok(match value.as_list() {
        Some(list) => list.iter().map(crate::python::str).collect::<Vec<_>>().join(","),
        None => crate::python::str(&value),
    })
}

/// Returns the hosts of a play, without order and warnings.
///
/// # Errors
/// If its pattern cannot be rendered or names no group.
pub(crate) fn selected(engine: &Engine, play: &Arc<Play>) -> Result<Vec<Arc<str>>, Diagnostics> {
    let pattern = pattern(engine, play)?;
    Ok(engine.inventory.borrow().select(&pattern, engine.options.limit.as_deref())?.hosts)
}

fn hosts(engine: &Engine, play: &Arc<Play>, pattern: &str) -> Result<Vec<Arc<str>>, Diagnostics> {
    let selection = engine.inventory.borrow().select(pattern, engine.options.limit.as_deref());
    let selection = selection.map_err(|problem| problem.or_at(play.hosts.origin.clone()))?;
    match engine.options.settings.host_pattern_mismatch {
        Mismatch::Error if !selection.warnings.is_empty() => return Err(selection.warnings),
        Mismatch::Ignore => {}
        _ => selection.warnings.iter().for_each(|warning| engine.warn(warning.warning())),
    }
    let mut hosts = selection.hosts;
    let order = play.order.as_ref().map(|order| engine.render_for_play(play, order)).transpose()?;
    match order.as_ref().and_then(Value::as_str).unwrap_or("inventory") {
        "inventory" => {}
        "reverse_inventory" => hosts.reverse(),
        "sorted" => hosts.sort(),
        "reverse_sorted" => hosts.sort_by(|a, b| b.cmp(a)),
        "shuffle" => rand::seq::SliceRandom::shuffle(&mut hosts[..], &mut rand::rng()),
        other => {
            let message = format!(
                "order `{other}` is not one of inventory, reverse_inventory, sorted, reverse_sorted, shuffle"
            );
            return Err(Diagnostic::user(message).at(play.at.clone()).into());
        }
    }
    Ok(hosts)
}

/// Cuts the hosts into batches as `serial` says; its last entry holds for all that is left.
pub(crate) fn batches(
    engine: &Engine,
    play: &Arc<Play>,
    hosts: &[Arc<str>],
) -> Result<Vec<Vec<Arc<str>>>, Diagnostics> {
    let Some(serial) = &play.serial else { return Ok(vec![hosts.to_vec()]) };
    let rendered = engine.render_for_play(play, serial)?;
    if rendered.as_str() == Some(omit_token()) {
        return Ok(vec![hosts.to_vec()]);
    }
    let sizes = rendered.as_list().map_or_else(|| vec![rendered.clone()], <[Value]>::to_vec);
    let mut batches = Vec::new();
    let mut rest = hosts;
    let mut last = hosts.len();
    let mut sizes = sizes.iter();
    while !rest.is_empty() {
        if let Some(size) = sizes.next() {
            last = batch_size(&crate::python::str(size), hosts.len()).ok_or_else(|| {
                Diagnostic::user("serial must be a number of hosts or a percentage").at(play.at.clone())
            })?;
        }
        let (batch, others) = rest.split_at(last.clamp(1, rest.len()));
        batches.push(batch.to_vec());
        rest = others;
    }
    Ok(batches)
}

/// Returns how many hosts a `serial` entry means; 0 means all.
fn batch_size(text: &str, hosts: usize) -> Option<usize> {
    if let Some(percent) = text.trim().strip_suffix('%') {
        let percent: f64 = percent.trim().parse().ok()?;
        return Some(((hosts as f64 * percent / 100.0) as usize).max(1));
    }
    let size: i64 = text.trim().parse().ok()?;
    Some(if size <= 0 { hosts } else { usize::try_from(size).ok()? })
}

/// Puts the play's sections together: facts, then pre_tasks, roles and tasks, post_tasks, handlers flushed after each.
fn root(engine: &Engine, play: &Arc<Play>) -> Result<Arc<Section>, Diagnostics> {
    let params = Arc::new(Map::new());
    let force = engine.options.force_handlers || keyword(engine, play, play.force_handlers.as_ref(), false)?;
    let mut body = Vec::new();
    body.extend(gathering(engine, play)?);
    for entries in &play.sections {
        let flush = Item::Flush { after: 0 };
        let mut section = Section::of(entries, &params, false);
        if force {
            section.always.push(flush);
        } else {
            section.body.push(flush);
        }
        body.push(Item::Section(Arc::new(section)));
    }
    Ok(Arc::new(Section { body, ..Section::default() }))
}

/// Returns the gathering of facts, if the play begins with it.
///
/// # Errors
/// If `gather_facts` cannot be rendered or is no boolean.
pub(crate) fn gathering(engine: &Engine, play: &Arc<Play>) -> Result<Option<Item>, Diagnostics> {
    let implied = engine.options.settings.gathering != Gathering::Explicit;
    if !keyword(engine, play, play.gather_facts.as_ref(), implied)? {
        return Ok(None);
    }
    let task = Arc::new(gather(play)?);
    Ok(Some(Item::Task(TaskRef { task, params: Arc::default(), handler: false, doubt: None })))
}

/// Reads a boolean keyword of a play.
fn keyword(
    engine: &Engine,
    play: &Arc<Play>,
    value: Option<&Value>,
    default: bool,
) -> Result<bool, Diagnostics> {
    let Some(value) = value else { return Ok(default) };
    let at = value.origin.clone().unwrap_or_else(|| play.at.clone());
    let value = engine.render_for_play(play, value)?;
    bool::convert(&value).map_err(|why| Diagnostic::user(why).at(at).into())
}

/// The task that gathers facts at the start of a play.
pub(crate) fn gather(play: &Play) -> Result<Task, Diagnostics> {
    let Some(setup) = convoy_agent::modules::find("setup") else {
        return Err(Diagnostic::user("the agent has no setup module")
            .kind(crate::diagnostic::Kind::Internal)
            .into());
    };
    let mut args = map! {};
    if let Some(subset) = &play.gather_subset {
        args.insert("gather_subset".into(), subset.clone());
    }
    Ok(Task {
        at: play.at.clone(),
        name: Some("Gathering Facts".into()),
        action_name: "setup".into(),
        action: Action::Module(setup),
        args: args.into(),
        keywords: Keywords {
            tags: vec!["always".into()],
            when: play.import_when.clone(),
            ..play.keywords.clone()
        },
        vars: Map::new(),
        repeat: None,
        register: None,
        until: None,
        retries: None,
        delay: None,
        failed_when: None,
        changed_when: None,
        async_limit: None,
        poll: None,
        notify: Vec::new(),
        listen: Vec::new(),
        role: None,
        inherited: None,
        dir: play.dir.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_sizes() {
        for (text, hosts, size) in [
            ("2", 10, Some(2)),
            ("30%", 10, Some(3)),
            ("5%", 10, Some(1)),
            ("0", 10, Some(10)),
            ("two", 10, None),
        ] {
            assert_eq!(batch_size(text, hosts), size, "{text}");
        }
    }
}
