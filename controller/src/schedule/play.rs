//! One play: which hosts, in which batches.

use std::sync::Arc;

use convoy_agent::args::Arg;
use convoy_protocol::{Map, Value};

use super::Scheduler;
use super::strategy::Strategy;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::events::RunEvent;
use crate::playbook::ast::Play;
use crate::playbook::gathering;
use crate::settings::{Gathering, Mismatch};
use crate::state::batch::BatchEnd;
use crate::state::section::{Item, Section, TaskRef};
use crate::template::omit_token;
use crate::vars::magic::PlayFacts;

impl Scheduler {
    /// Runs a play. Returns whether the next one is to be run.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub(super) async fn run_play(&mut self, play: &Arc<Play>) -> Result<bool, Diagnostics> {
        let play = &self.ask_variables(play)?;
        let pattern = self.play_pattern(play)?;
        let name = match &play.name {
            Some(name) => crate::text::python::label(Some(&self.render_for_play(play, name)?)),
            None => pattern.clone(),
        };
        let strategy = self.play_strategy(play)?;
        let start = RunEvent::PlayStart { name: name.into(), check: self.services.options.check };
        let all = self.choose_hosts(play, &pattern)?;
        self.world.vars.expect_decrypted(&all)?;
        if all.is_empty() {
            self.emit(start);
            self.emit(RunEvent::NoHostsMatched);
            return Ok(true);
        }
        self.world.vars.play = self.play_facts(play, &all);
        for hosts in self.play_batches(play, &all)? {
            self.world.progress.last_heading = None;
            self.emit(start.clone());
            let size = hosts.len();
            let lost = &self.world.progress.lost;
            let left = hosts.into_iter().filter(|host| !lost.contains(host)).collect();
            let root = self.play_root(play)?;
            let mut batch = self.new_batch(play, left, &root, strategy);
            if self.services.options.settings.gathering == Gathering::Smart {
                self.keep_facts(&mut batch);
            }
            match self.run_batch(&mut batch).await? {
                BatchEnd::Broken => return Ok(false),
                BatchEnd::Play => break,
                // As Ansible does: where a whole batch is lost, nothing that follows is tried.
                BatchEnd::Batch { lost } if lost == size => return Ok(false),
                BatchEnd::Batch { .. } => {}
            }
            if self.is_interrupted() {
                break;
            }
        }
        Ok(true)
    }

    /// Returns what magic variables say of a play that begins on these hosts.
    pub(crate) fn play_facts(&self, play: &Arc<Play>, hosts: &[Arc<str>]) -> Arc<PlayFacts> {
        Arc::new(PlayFacts {
            play: Some(play.clone()),
            all: hosts.to_vec(),
            public: if self.services.options.settings.private_role_vars {
                Vec::new()
            } else {
                play.roles.clone()
            },
            ..PlayFacts::default()
        })
    }

    /// Returns the order of the hosts.
    pub(crate) fn play_strategy(&self, play: &Arc<Play>) -> Result<Strategy, Diagnostics> {
        let name = match &play.strategy {
            Some(value) => crate::text::python::str(&self.render_for_play(play, value)?),
            None => self.services.options.settings.strategy.clone(),
        };
        Strategy::named(&name).ok_or_else(|| {
            let message = format!("there is no strategy `{name}`: there are linear, free and host_pinned");
            let at = play.strategy.as_ref().and_then(|value| value.origin.clone());
            Diagnostic::user(message).at(at.unwrap_or_else(|| play.at.clone())).into()
        })
    }

    fn play_pattern(&self, play: &Arc<Play>) -> Result<String, Diagnostics> {
        let value = self.render_for_play(play, &play.hosts)?;
        Ok(match value.as_list() {
            Some(list) => list.iter().map(crate::text::python::str).collect::<Vec<_>>().join(","),
            None => crate::text::python::str(&value),
        })
    }

    /// Returns the hosts of a play, without order and warnings.
    ///
    /// # Errors
    /// If its pattern cannot be rendered or names no group.
    pub(crate) fn play_hosts(&self, play: &Arc<Play>) -> Result<Vec<Arc<str>>, Diagnostics> {
        let pattern = self.play_pattern(play)?;
        Ok(self.world.inventory.select(&pattern, self.services.options.limit.as_deref())?.hosts)
    }

    fn choose_hosts(&mut self, play: &Arc<Play>, pattern: &str) -> Result<Vec<Arc<str>>, Diagnostics> {
        let selection = self.world.inventory.select(pattern, self.services.options.limit.as_deref());
        let selection = selection.map_err(|problem| problem.or_at(play.hosts.origin.clone()))?;
        match self.services.options.settings.host_pattern_mismatch {
            Mismatch::Error if !selection.warnings.is_empty() => return Err(selection.warnings),
            Mismatch::Ignore => {}
            _ => selection.warnings.iter().for_each(|warning| self.warn(warning.warning())),
        }
        let mut hosts = selection.hosts;
        let order = play.order.as_ref().map(|order| self.render_for_play(play, order)).transpose()?;
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
    pub(crate) fn play_batches(
        &self,
        play: &Arc<Play>,
        hosts: &[Arc<str>],
    ) -> Result<Vec<Vec<Arc<str>>>, Diagnostics> {
        let Some(serial) = &play.serial else { return Ok(vec![hosts.to_vec()]) };
        let rendered = self.render_for_play(play, serial)?;
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
                last = batch_size(&crate::text::python::str(size), hosts.len()).ok_or_else(|| {
                    Diagnostic::user("serial must be a number of hosts or a percentage").at(play.at.clone())
                })?;
            }
            let (batch, others) = rest.split_at(last.clamp(1, rest.len()));
            batches.push(batch.to_vec());
            rest = others;
        }
        Ok(batches)
    }

    /// Puts the play's sections together: facts, then pre_tasks, roles and tasks, post_tasks, handlers flushed after each.
    fn play_root(&self, play: &Arc<Play>) -> Result<Arc<Section>, Diagnostics> {
        let params = Arc::new(Map::new());
        let force = self.services.options.force_handlers
            || self.play_flag(play, play.force_handlers.as_ref(), false)?;
        let mut body = Vec::new();
        body.extend(self.gathering(play)?);
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
    pub(crate) fn gathering(&self, play: &Arc<Play>) -> Result<Option<Item>, Diagnostics> {
        let implied = self.services.options.settings.gathering != Gathering::Explicit;
        if !self.play_flag(play, play.gather_facts.as_ref(), implied)? {
            return Ok(None);
        }
        let task = Arc::new(gathering::task(play)?);
        Ok(Some(Item::Task(TaskRef::new(task, Arc::default(), false))))
    }

    /// Reads a boolean keyword of a play.
    fn play_flag(&self, play: &Arc<Play>, value: Option<&Value>, default: bool) -> Result<bool, Diagnostics> {
        let Some(value) = value else { return Ok(default) };
        let at = value.origin.clone().unwrap_or_else(|| play.at.clone());
        let value = self.render_for_play(play, value)?;
        bool::convert(&value).map_err(|why| Diagnostic::user(why).at(at).into())
    }
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
