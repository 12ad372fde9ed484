//! The plays of a run, one after the other, and how the run ends.

use std::sync::Arc;

use convoy_protocol::message::Order;
use futures::future::join_all;

use super::Scheduler;
use crate::diagnostic::{self, Diagnostics};
use crate::events::{Ending, RunEvent, Tally};
use crate::playbook::ast::Play;
use crate::services::endpoint::Endpoint;

impl Scheduler {
    /// Runs the plays, one after the other.
    ///
    /// # Errors
    /// What is wrong in the user's files and shows only now.
    pub async fn run(&mut self, plays: &[Arc<Play>]) -> Result<(), Diagnostics> {
        for (index, play) in plays.iter().enumerate() {
            self.world.progress.play_number += 1;
            let goes_on = self.run_play(play).await?;
            if self.is_interrupted() || !goes_on {
                for play in &plays[index + 1..] {
                    let name = crate::text::python::label(play.name.as_ref().or(Some(&play.hosts)));
                    self.not_done(format!("play \"{name}\""));
                }
                break;
            }
        }
        Ok(())
    }

    /// Takes leave of the nodes and writes the recap.
    pub async fn finish(&mut self) {
        let well = self.ending() == Ending::Well;
        let services = self.services.clone();
        self.drive(services.connections.close(well)).await;
        self.recap();
        for line in self.world.dry_run.irreversible.take_lines() {
            self.verbose(1, line);
        }
    }

    /// Removes what nodes keep of jobs whose results have been shown. What cannot be removed now is removed by the node itself
    /// some day.
    pub(super) async fn forget_jobs(&mut self) {
        let finished = self.world.jobs.take_finished();
        if finished.is_empty() {
            return;
        }
        let services = self.services.clone();
        let requests = self.requests();
        let forget = |(endpoint, order): (Arc<Endpoint>, Order)| {
            let (services, requests) = (&services, &requests);
            async move { services.connections.ask_order(&endpoint, order, requests).await }
        };
        for answer in self.drive(join_all(finished.into_iter().map(forget))).await {
            if let Err(error) = answer {
                tracing::debug!(%error, "what is kept of a job is not removed");
            }
        }
    }

    /// Returns the command that goes on after a failure: with a journal, where it stopped; without, or where another run was
    /// in progress, the same again, since what is done is found done.
    fn command_to_go_on(&self) -> Option<String> {
        let options = &self.services.options;
        let records = self.world.resume_log.policy.records;
        if options.resumable && records && self.ending() != Ending::Refused {
            return Some(format!("convoy resume {}", options.run));
        }
        options.command()
    }

    fn recap(&mut self) {
        let recap = &mut self.world.recap;
        let hosts = recap.stats.iter().map(|(host, stats)| (host.clone(), *stats)).collect();
        let custom = recap.custom.take();
        let (trips, sent, received) = self.services.connections.traffic();
        self.emit(RunEvent::Recap { hosts, custom });
        self.verbose(2, format!("{trips} round trips in all; {sent} bytes sent, {received} received"));
        let lines = std::mem::take(&mut self.world.progress.not_done);
        if !lines.is_empty() {
            let command = self.command_to_go_on();
            self.emit(RunEvent::NotDone { lines, command });
        }
    }

    /// Returns how the run ended, or would if it ended now.
    pub fn ending(&self) -> Ending {
        self.world.ending(self.is_interrupted())
    }

    /// Reports how the run ended. Nothing may be reported after that.
    pub fn end(&mut self, ending: &Result<Ending, Diagnostics>) {
        let hosts = Tally::of(self.world.recap.stats.values());
        self.emit(match ending {
            Ok(ending) => {
                RunEvent::End { ending: Some(*ending), code: ending.code(), hosts, errors: Vec::new() }
            }
            Err(errors) => RunEvent::End {
                ending: None,
                code: diagnostic::code(errors),
                hosts,
                errors: errors.iter().map(ToString::to_string).collect(),
            },
        });
    }
}
