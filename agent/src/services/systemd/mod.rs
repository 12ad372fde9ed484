//! Units of systemd, by `systemctl`.

mod request;
mod unit;

use convoy_protocol::{Map, Value, map};

pub use request::{Request, Scope};

use super::{State, missing};
use crate::failure::Failure;
use crate::files::difference;
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

use unit::{Systemctl, Unit};

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    steps: Vec<Verb>,
}

/// One call of `systemctl` on the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verb {
    word: &'static str,
    /// Whether only doing it tells whether there was anything to do.
    is_unsure: bool,
}

/// What the unit is, and what it lacks.
#[derive(Debug, Default)]
struct Decision {
    steps: Vec<Verb>,
    values: Map,
    before: Map,
    after: Map,
}

impl Decision {
    fn step(&mut self, word: &'static str, is_unsure: bool) {
        self.steps.push(Verb { word, is_unsure });
    }

    fn note(&mut self, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(name.into(), before.into());
        self.after.insert(name.into(), after.into());
    }
}

fn validate(request: &Request<'_>) -> Result<(), Failure> {
    let Some(name) = request.name else {
        let given = [
            ("state", request.state.is_some()),
            ("enabled", request.enabled.is_some()),
            ("masked", request.masked.is_some()),
        ];
        return match given.iter().find(|(_, is_given)| *is_given) {
            Some((by, _)) => Err(Failure::new(format!("missing parameter(s) required by '{by}': name"))),
            None => Ok(()),
        };
    };
    match name.chars().find(|c| "*?[".contains(*c)) {
        Some(sign) => Err(Failure::new(format!(
            "This module does not currently support using glob patterns, found '{sign}' in service name: {name}"
        ))),
        None => Ok(()),
    }
}

/// Looks at the unit.
///
/// # Errors
/// If there is no such unit, it is faulty, or there is no `systemctl`.
pub fn check(request: &Request<'_>, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    validate(request)?;
    let systemctl = Systemctl::new(request, view)?;
    let reads_again = request.daemon_reload || request.daemon_reexec;
    let decision = match decide(request, &systemctl, view) {
        // What is missing or faulty now may be there when the units have been read again.
        Err(_) if reads_again => Decision::default(),
        decision => decision?,
    };
    let Decision { steps, values, before, after } = decision;
    let plan = Plan { steps };
    if plan.steps.is_empty() && !reads_again {
        return Ok(Checked::Same(values));
    }
    if plan.steps.iter().all(|step| step.is_unsure) {
        let why = if reads_again {
            "what the unit is is known when systemd has read its files again"
        } else {
            "what enabling the unit changes is known when it is done"
        };
        return Ok(Checked::Unknown { plan, why, values });
    }
    let diff = if view.wants_diff() { vec![difference::of_maps(&before, &after)] } else { Vec::new() };
    Ok(Checked::Differs { plan, diff, values })
}

/// Compares the unit with what is asked for.
fn decide(request: &Request<'_>, systemctl: &Systemctl, view: &SystemView) -> Result<Decision, Failure> {
    let mut decision = Decision::default();
    decision.values.extend(map! { "name" => request.name, "status" => Map::new() });
    let Some(name) = request.name else { return Ok(decision) };
    let unit = Unit::query(name, systemctl, view)?;
    decision.values.insert("status".into(), unit.status.clone().into());
    let mut warnings = unit.warnings.clone();
    let needs_file = request.masked.is_some() || request.enabled.is_some();
    let file_state = if needs_file { systemctl.file_state(name, view)? } else { unit::FileState::default() };
    if let Some(masked) = request.masked
        && masked != (file_state.word == "masked")
    {
        decision.note("masked", !masked, masked);
        decision.step(if masked { "mask" } else { "unmask" }, false);
    }
    if let Some(wanted) = request.enabled {
        if !unit.is_found() {
            return Err(missing(name));
        }
        warnings.extend(enabling(wanted, &unit, &file_state, request.scope, &mut decision));
    }
    if let Some(state) = request.state {
        if !unit.is_found() {
            return Err(missing(name));
        }
        warnings.extend(running(state, &unit, view, &mut decision)?);
    }
    if !warnings.is_empty() {
        decision.values.insert("warnings".into(), warnings.into_iter().map(Value::from).collect());
    }
    Ok(decision)
}

/// Decides whether the unit is enabled or disabled; returns a warning.
fn enabling(
    wanted: bool,
    unit: &Unit,
    file: &unit::FileState,
    scope: Scope,
    decision: &mut Decision,
) -> Option<String> {
    decision.values.insert("enabled".into(), wanted.into());
    let word = if wanted { "enable" } else { "disable" };
    match file.word.as_str() {
        // It has no section that says what enabling is: systemctl would do nothing, and report success.
        "static" => {
            return wanted.then(|| {
                let name = &unit.name;
                format!("{name} has no [Install] section: it cannot be enabled, and runs only if something else asks for it")
            });
        }
        // Enabling it may enable others.
        "indirect" if wanted => decision.step(word, true),
        _ => {
            let is_enabled = file.is_enabled(unit, scope);
            if is_enabled != wanted {
                decision.note("enabled", is_enabled, wanted);
                decision.step(word, false);
            }
        }
    }
    None
}

/// Decides whether the unit is started or stopped; returns a warning.
fn running(
    state: State,
    unit: &Unit,
    view: &SystemView,
    decision: &mut Decision,
) -> Result<Option<String>, Failure> {
    let Some(active) = unit.field("ActiveState") else {
        if view.is_chroot() || view.variable("SYSTEMD_OFFLINE").as_deref() == Some("1") {
            decision.values.insert("state".into(), state_word(state).into());
            return Ok(Some("Target is a chroot or systemd is offline. This can lead to false positives or prevent the init system tools from working.".to_owned()));
        }
        return Err(Failure::new("Service is in unknown state").with("status", unit.status.clone()));
    };
    let runs = matches!(active, "active" | "activating");
    // What is about to end is waited for.
    let verb =
        if state == State::Stopped { state.verb(runs || active == "deactivating") } else { state.verb(runs) };
    decision.values.insert("state".into(), state.result().into());
    if let Some(verb) = verb {
        let after = match verb {
            "stop" => "stopped",
            "start" => "started",
            "reload" => "reloaded",
            _ => "restarted",
        };
        decision.note("state", active, after);
        decision.step(verb, false);
    }
    Ok(None)
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Reloaded => "reloaded",
        State::Restarted => "restarted",
        State::Started => "started",
        State::Stopped => "stopped",
    }
}

/// Does it.
///
/// # Errors
/// If `systemctl` fails, or a unit that was started has failed at once; with the last lines of its journal.
pub fn apply(request: &Request<'_>, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let systemctl = Systemctl::new(request, node)?;
    let mut warnings = Vec::new();
    for (wanted, word) in [(request.daemon_reload, "daemon-reload"), (request.daemon_reexec, "daemon-reexec")]
    {
        if wanted {
            warnings.extend(systemctl.read_again(word, node)?);
        }
    }
    let mut values = Map::new();
    let mut steps = plan.steps;
    if request.daemon_reload || request.daemon_reexec {
        let decision = decide(request, &systemctl, node)?;
        steps = decision.steps;
        values = decision.values;
    }
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into_iter().map(Value::from).collect());
    }
    let mut changed = false;
    for step in steps {
        let output = systemctl.act(step.word, request.name.unwrap_or_default(), node)?;
        // It names each link that it makes or removes.
        changed |= !step.is_unsure || !output.error_output().is_empty();
    }
    Ok(Done { changed, values })
}
