//! The agents of a host: how they are reached, and asked.

use std::sync::Arc;

use convoy_protocol::message::{Become, Order};
use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::Undo;
use super::looked::{InspectError, Looked, OtherUser};
use crate::playbook::ast::{Keywords, Play, Task};
use crate::playbook::{gathering, walk};
use crate::prepare::View;
use crate::prepare::become_user;
use crate::prepare::endpoint::endpoint;
use crate::schedule::Scheduler;
use crate::services::endpoint::Endpoint;
use crate::services::host_error::HostError;
use crate::services::{Services, context};
use crate::state::request::Requests;
use crate::state::snapshot::Snapshot;
use crate::template::Error;
use crate::vars::magic::PlayFacts;

/// How a host is reached, and as what task.
pub(super) struct Way {
    endpoint: Arc<Endpoint>,
    play: Arc<Play>,
    /// What magic variables say of the play on this host alone.
    facts: Arc<PlayFacts>,
    keywords: Keywords,
    host: Arc<str>,
}

/// What asking the agents of all hosts needs of the run.
#[derive(Clone, Copy)]
pub(super) struct Nodes<'a> {
    pub(super) services: &'a Services,
    pub(super) requests: &'a Requests,
    pub(super) snapshot: &'a Snapshot,
}

/// An agent on a host.
pub(super) struct Agent {
    endpoint: Arc<Endpoint>,
    /// The user it is of, if not of the one who logs in.
    other: Option<Become>,
}

fn wrong(error: &Error) -> InspectError {
    InspectError::Failed(error.to_string())
}

/// Returns a task of a play that has these keywords.
fn task(play: &Play, keywords: Keywords) -> Result<Arc<Task>, InspectError> {
    let task = gathering::task(play).map_err(|problems| InspectError::Failed(problems[0].message.clone()))?;
    Ok(Arc::new(Task { keywords, ..task }))
}

/// Returns the ways in which the run may have reached a host: each is what one of its tasks there says.
pub(super) fn ways(
    scheduler: &mut Scheduler,
    undo: &Undo,
    host: &Arc<str>,
) -> Result<Vec<Way>, InspectError> {
    let mut kinds: Vec<(&Arc<Play>, &Keywords)> = Vec::new();
    for play in &undo.plays {
        if !scheduler.play_hosts(play).is_ok_and(|hosts| hosts.contains(host)) {
            continue;
        }
        for (_, task) in walk::tasks(play).filter(|(_, task)| task.keywords.delegate_to.is_none()) {
            let of = |keywords: &Keywords| {
                (keywords.connection.clone(), keywords.remote_user.clone(), keywords.port.clone())
            };
            let same = |other: &(&Arc<Play>, &Keywords)| {
                Arc::ptr_eq(other.0, play) && of(other.1) == of(&task.keywords)
            };
            if !kinds.iter().any(same) {
                kinds.push((play, &task.keywords));
            }
        }
    }
    if kinds.is_empty() {
        kinds.push((&undo.plain, &undo.plain.keywords));
    }
    let mut found: Vec<Way> = Vec::new();
    for (play, keywords) in kinds {
        scheduler.world.vars.play = scheduler.play_facts(play, &undo.hosts);
        let task = task(play, keywords.clone())?;
        let (services, snapshot) = (&*scheduler.services, &scheduler.world.vars);
        let found_endpoint = with_view(services, snapshot, host, &task, |view| endpoint(host, view));
        let endpoint = Arc::new(found_endpoint.map_err(|error| wrong(&error))?);
        if !found.iter().any(|way| way.endpoint == endpoint) {
            // The users that it becomes are looked up for this host alone.
            let facts = scheduler.play_facts(play, std::slice::from_ref(host));
            found.push(Way {
                endpoint,
                play: play.clone(),
                facts,
                keywords: keywords.clone(),
                host: host.clone(),
            });
        }
    }
    Ok(found)
}

fn with_view<T>(
    services: &Services,
    snapshot: &Snapshot,
    host: &Arc<str>,
    task: &Arc<Task>,
    read: impl FnOnce(View<'_>) -> T,
) -> T {
    let scope = snapshot.scope(host, Some((task, &Arc::default())));
    let context = context(Vec::new(), false);
    read(View { services, snapshot, task, scope: &scope, context: &context })
}

impl Way {
    /// Returns the agent of the user who logs in.
    pub(super) fn login(&self) -> Agent {
        Agent { endpoint: self.endpoint.clone(), other: None }
    }

    /// Returns the agent of another user, become as in the run; the password is as for a task of now.
    pub(super) fn become_user(&self, nodes: Nodes<'_>, other: &OtherUser) -> Result<Agent, InspectError> {
        let keywords = Keywords {
            r#become: Some(true.into()),
            become_method: Some(other.method.name().into()),
            ..self.keywords.clone()
        };
        let task = task(&self.play, keywords)?;
        let snapshot = Snapshot { play: self.facts.clone(), ..nodes.snapshot.clone() };
        let said = with_view(nodes.services, &snapshot, &self.host, &task, become_user::of)
            .map_err(|error| wrong(&error))?;
        let password =
            said.and_then(|said| said.password).or_else(|| nodes.services.options.r#become.password.clone());
        if let Some(password) = &password {
            nodes.services.templar.vault().remember(password);
        }
        let other = Become {
            user: other.user.clone(),
            method: other.method,
            exe: other.exe.clone(),
            flags: other.flags.clone(),
            password,
        };
        Ok(Agent { endpoint: self.endpoint.clone(), other: Some(other) })
    }
}

impl Agent {
    /// Returns whose agent it is, for people.
    pub(super) fn user(&self) -> String {
        self.other.as_ref().map_or("the user of the login".to_owned(), |other| format!("user {}", other.user))
    }

    /// Has it look. What was done for the orders of these tickets is undone elsewhere.
    pub(super) async fn look(
        &self,
        nodes: Nodes<'_>,
        run: &str,
        elsewhere: &[u64],
    ) -> Result<Looked, InspectError> {
        let elsewhere: Value = elsewhere.iter().map(|ticket| Value::from(ticket.cast_signed())).collect();
        let args = map! { "run" => run, "becomes" => true, "elsewhere" => elsewhere };
        let outcome = self.ask(nodes, args, true).await.map_err(InspectError::Host)?;
        if outcome.status == Status::Failed {
            let msg = outcome.values.get("msg").and_then(Value::as_str).unwrap_or("the agent failed");
            return Err(InspectError::Failed(msg.to_owned()));
        }
        Looked::read(&outcome.values)
            .ok_or_else(|| InspectError::Failed("the agent's answer makes no sense".to_owned()))
    }

    /// Has it take back what it found.
    ///
    /// # Errors
    /// Why it is lost.
    pub(super) async fn take_back(&self, nodes: Nodes<'_>, run: &str) -> Result<Outcome, HostError> {
        self.ask(nodes, map! { "run" => run }, false).await
    }

    async fn ask(&self, nodes: Nodes<'_>, args: Map, check: bool) -> Result<Outcome, HostError> {
        let order = Order { check, become_user: self.other.clone(), ..Order::new("undo", args) };
        nodes.services.connections.ask_order(&self.endpoint, order, nodes.requests).await
    }
}
