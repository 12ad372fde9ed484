//! The keywords of a task as they are for one host: rendered, with the host's connection variables.

use std::sync::Arc;

use convoy_protocol::message::Become;
use convoy_protocol::{Map, Value};

use super::become_user;
use super::endpoint::endpoint;
use super::values::{boolean, seconds};
use super::view::View;
use crate::diagnostic::Diagnostic;
use crate::playbook::ast::Keywords;
use crate::secrets::Secrets;
use crate::services::endpoint::Endpoint;
use crate::template::Error;

/// The keywords of a task as they are for one call.
#[derive(Debug, Clone)]
pub struct CallKeywords {
    /// Check mode.
    pub check: bool,
    /// Whether differences are wanted.
    pub diff: bool,
    /// Whether nothing of it may be shown.
    pub no_log: bool,
    /// Whether the playbook says that what it prints may be shown (`no_log: false`), though it is given secrets.
    pub shows_output: bool,
    /// Secrets beside the arguments: of the environment, passwords.
    pub secrets: Secrets,
    /// Whether a failure is only noted.
    pub ignore_errors: bool,
    /// Whether a lost host is only noted.
    pub ignore_unreachable: bool,
    /// The host it is done on, if that is another.
    pub delegate: Option<Arc<str>>,
    /// Whether facts go to the delegate.
    pub delegate_facts: bool,
    /// How the host is reached.
    pub endpoint: Arc<Endpoint>,
    /// The user to be there.
    pub become_user: Option<Box<Become>>,
    /// Added to the environment.
    pub environment: Vec<(String, String)>,
    /// Seconds after which it is given up.
    pub timeout: Option<u32>,
    /// Whether it runs as an asynchronous job, and how.
    pub run_async: Option<AsyncSettings>,
}

/// How a call is done as a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsyncSettings {
    /// Seconds after which the job ends itself.
    pub limit: u32,
    /// Seconds between two looks at it; 0: it goes on by itself.
    pub poll: u32,
}

impl AsyncSettings {
    fn of(view: View<'_>) -> Result<Option<Self>, Error> {
        let Some(limit) = seconds(view, view.task.async_limit.as_ref())? else { return Ok(None) };
        let poll = match view.task.poll.as_ref() {
            None => view.services.options.settings.poll_interval,
            asked => seconds(view, asked)?.unwrap_or_default(),
        };
        Ok(Some(Self { limit, poll }))
    }
}

impl CallKeywords {
    /// Reads the flags of a task.
    ///
    /// # Errors
    /// If one cannot be rendered or is of the wrong type.
    pub fn of(view: View<'_>) -> Result<Self, Error> {
        let keywords = &view.task.keywords;
        let options = &view.services.options;
        let delegate = delegate(view, keywords)?;
        let target = match &delegate {
            Some(host) => view.delegate_scope(host),
            None => view.scope.clone(),
        };
        let there = View { scope: &target, ..view };
        let host = delegate.clone().unwrap_or_else(|| view.host());
        let no_log = boolean(view, keywords.no_log.as_ref(), false)?;
        let (environment, secrets) = environment(view, keywords)?;
        let become_user = become_user::of(there)?.map(Box::new);
        // The module is not given it, so its result is none; but what quotes it is.
        if let Some(password) = become_user.as_ref().and_then(|user| user.password.as_deref()) {
            view.services.templar.vault().remember(password);
        }
        Ok(Self {
            check: boolean(view, keywords.check_mode.as_ref(), options.check)?,
            diff: boolean(view, keywords.diff.as_ref(), options.diff)?,
            no_log,
            shows_output: keywords.no_log.is_some() && !no_log,
            secrets,
            ignore_errors: boolean(view, keywords.ignore_errors.as_ref(), false)?,
            ignore_unreachable: boolean(view, keywords.ignore_unreachable.as_ref(), false)?,
            delegate_facts: boolean(view, keywords.delegate_facts.as_ref(), false)?,
            endpoint: Arc::new(endpoint(&host, there)?),
            become_user,
            environment,
            timeout: match keywords.timeout.as_ref() {
                None => Some(options.settings.task_timeout).filter(|seconds| *seconds > 0),
                asked => seconds(view, asked)?,
            },
            run_async: AsyncSettings::of(view)?,
            delegate,
        })
    }

    /// Returns flags for a call that is not done: what matters of them is what is shown.
    pub fn quiet(view: View<'_>) -> Self {
        let keywords = &view.task.keywords;
        let flag = |value: &Option<Value>| boolean(view, value.as_ref(), false).unwrap_or_default();
        Self {
            check: view.services.options.check,
            diff: false,
            no_log: flag(&keywords.no_log),
            shows_output: false,
            secrets: Secrets::default(),
            ignore_errors: flag(&keywords.ignore_errors),
            ignore_unreachable: false,
            delegate: None,
            delegate_facts: false,
            endpoint: Arc::default(),
            become_user: None,
            environment: Vec::new(),
            timeout: None,
            run_async: None,
        }
    }
}

fn delegate(view: View<'_>, keywords: &Keywords) -> Result<Option<Arc<str>>, Error> {
    let Some(host) = &keywords.delegate_to else { return Ok(None) };
    let host = view.render(host)?;
    match host.as_str() {
        Some(name) if name == crate::template::omit_token() => Ok(None),
        Some("") | None => Err(Error::other(format!(
            "Empty hostname produced from delegate_to: \"{}\"",
            crate::text::python::label(Some(&host))
        ))),
        Some(name) => {
            let name: Arc<str> = name.into();
            let open = view.snapshot.expect_decrypted([&name]);
            open.map_err(|problems| {
                Error::other(problems.iter().map(Diagnostic::warning).collect::<String>())
            })?;
            Ok(Some(name))
        }
    }
}

/// Returns what is added to the environment, and which of it is secret.
fn environment(view: View<'_>, keywords: &Keywords) -> Result<(Vec<(String, String)>, Secrets), Error> {
    let mut environment = Map::new();
    for layer in &keywords.environment {
        let layer = view.render(layer)?;
        let maps = layer.as_list().map_or_else(|| vec![layer.clone()], <[Value]>::to_vec);
        for map in maps {
            environment.extend(map.as_map().cloned().unwrap_or_default());
        }
    }
    let secrets = Secrets::of(environment.values());
    let text = |value: &Value| crate::text::python::str(value);
    Ok((environment.iter().map(|(name, value)| (name.to_string(), text(value))).collect(), secrets))
}
