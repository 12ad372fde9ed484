//! The agents of a host: how they are reached, and asked.

use std::sync::Arc;

use convoy_protocol::message::{Become, Method, Order, Step};
use convoy_protocol::{Map, Outcome, Status, Value, map};

use crate::playbook::ast::{Keywords, Play, Task};
use crate::playbook::walk;
use crate::prepare::become_user;
use crate::prepare::task::View;
use crate::schedule::batch::Placed;
use crate::schedule::engine::Engine;
use crate::schedule::play;
use crate::services::endpoint::Endpoint;
use crate::services::host_error::Lost;
use crate::template::Error;
use crate::undo::Undo;
use crate::undo::looked::{Looked, Trouble};

/// How a host is reached, and as what task.
pub(super) struct Way {
    endpoint: Arc<Endpoint>,
    play: Arc<Play>,
    keywords: Keywords,
    host: Arc<str>,
}

/// An agent on a host.
pub(super) struct Agent {
    endpoint: Arc<Endpoint>,
    /// The user it is of, if not of the one who logs in.
    other: Option<Become>,
}

/// Another user that the run became.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) user: String,
    pub(super) method: Method,
    pub(super) exe: Option<String>,
    pub(super) flags: Option<String>,
}

fn wrong(error: &Error) -> Trouble {
    Trouble::Failed(error.to_string())
}

/// Returns a task of a play that has these keywords.
fn task(play: &Play, keywords: Keywords) -> Result<Arc<Task>, Trouble> {
    let task = play::gather(play).map_err(|problems| Trouble::Failed(problems[0].message.clone()))?;
    Ok(Arc::new(Task { keywords, ..task }))
}

/// Returns the ways in which the run may have reached a host: each is what one of its tasks there says.
pub(super) fn ways(engine: &Engine, undo: &Undo, host: &Arc<str>) -> Result<Vec<Way>, Trouble> {
    let mut kinds: Vec<(&Arc<Play>, &Keywords)> = Vec::new();
    for play in &undo.plays {
        if !play::selected(engine, play).is_ok_and(|hosts| hosts.contains(host)) {
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
        *engine.play.borrow_mut() = play::facts(engine, play, &undo.hosts);
        let task = task(play, keywords.clone())?;
        let endpoint = with_view(engine, host, &task, |view| Endpoint::of(host, view));
        let endpoint = Arc::new(endpoint.map_err(|error| wrong(&error))?);
        if !found.iter().any(|way| way.endpoint == endpoint) {
            found.push(Way { endpoint, play: play.clone(), keywords: keywords.clone(), host: host.clone() });
        }
    }
    Ok(found)
}

fn with_view<T>(engine: &Engine, host: &Arc<str>, task: &Arc<Task>, read: impl FnOnce(View<'_>) -> T) -> T {
    let scope = engine.scope(host, Some(&Placed { task, params: &Arc::default() }));
    let context = engine.context(Vec::new(), false);
    read(View { engine, task, scope: &scope, context: &context })
}

impl Way {
    /// Returns the agent of the user who logs in.
    pub(super) fn login(&self) -> Agent {
        Agent { endpoint: self.endpoint.clone(), other: None }
    }

    /// Returns the agent of another user, become as in the run; the password is as for a task of now.
    pub(super) fn become_user(&self, engine: &Engine, other: &Other) -> Result<Agent, Trouble> {
        let keywords = Keywords {
            r#become: Some(true.into()),
            become_method: Some(other.method.name().into()),
            ..self.keywords.clone()
        };
        let task = task(&self.play, keywords)?;
        *engine.play.borrow_mut() = play::facts(engine, &self.play, std::slice::from_ref(&self.host));
        let said = with_view(engine, &self.host, &task, become_user::of).map_err(|error| wrong(&error))?;
        let password =
            said.and_then(|said| said.password).or_else(|| engine.options.r#become.password.clone());
        if let Some(password) = &password {
            engine.templar.vault().remember(password);
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
        engine: &Engine,
        run: &str,
        elsewhere: &[u64],
    ) -> Result<Looked, Trouble> {
        let elsewhere: Value = elsewhere.iter().map(|ticket| Value::from(ticket.cast_signed())).collect();
        let args = map! { "run" => run, "becomes" => true, "elsewhere" => elsewhere };
        let outcome = self.ask(engine, args, true).await.map_err(Trouble::Lost)?;
        if outcome.status == Status::Failed {
            let msg = outcome.values.get("msg").and_then(Value::as_str).unwrap_or("the agent failed");
            return Err(Trouble::Failed(msg.to_owned()));
        }
        Looked::read(&outcome.values)
            .ok_or_else(|| Trouble::Failed("the agent's answer makes no sense".to_owned()))
    }

    /// Has it take back what it found.
    ///
    /// # Errors
    /// Why it is lost.
    pub(super) async fn take_back(&self, engine: &Engine, run: &str) -> Result<Outcome, Lost> {
        self.ask(engine, map! { "run" => run }, false).await
    }

    async fn ask(&self, engine: &Engine, args: Map, check: bool) -> Result<Outcome, Lost> {
        let order = Order { check, become_user: self.other.clone(), ..Order::new("undo", args) };
        let steps = vec![Step { orders: vec![order] }];
        let answer = engine.connections.ask(&self.endpoint, steps, &engine.reporter).await?;
        let outcome = answer.steps.into_iter().next().and_then(|mut outcomes| outcomes.pop());
        outcome.ok_or_else(|| "the agent answered nothing".to_owned().into())
    }
}
