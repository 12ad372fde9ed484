//! Services of SysV init scripts and of OpenRC.

mod request;
mod status;
mod tools;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use convoy_protocol::{Map, map};

pub use request::Request;

use super::State;
use crate::failure::Failure;
use crate::files::{difference, glob};
use crate::module::{Checked, Done};
use crate::system::{Output, System, SystemView};

use status::Running;
use tools::{Enabler, Tools, plain};

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    tools: Tools,
    /// Calls that enable or disable.
    enabling: Vec<Vec<OsString>>,
    verb: Option<&'static str>,
    crashed: bool,
}

/// Looks at the service.
///
/// # Errors
/// If there is no such service, or its state cannot be told.
pub fn check(request: &Request<'_>, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let tools = Tools::find(request.name, view)?;
    let (mut before, mut after) = (Map::new(), Map::new());
    let mut values = map! { "name" => request.name };
    let mut enabling = Vec::new();
    if let Some(wanted) = request.enabled {
        enabling = self::enabling(wanted, request, &tools, view)?;
        values.insert("enabled".into(), wanted.into());
        if !enabling.is_empty() {
            before.insert("enabled".into(), (!wanted).into());
            after.insert("enabled".into(), wanted.into());
        }
    }
    let mut verb = None;
    let mut crashed = false;
    if let Some(state) = request.state {
        let running = status::query(request, &tools, view)?;
        crashed = running == Running::Crashed;
        let runs = running == Running::Yes;
        verb = if state == State::Restarted { Some("restart") } else { state.verb(runs) };
        values.insert("state".into(), state.result().into());
        if let Some(verb) = verb {
            before.insert("state".into(), if runs { "started" } else { "stopped" }.into());
            after.insert("state".into(), verb.into());
        }
    }
    if enabling.is_empty() && verb.is_none() {
        return Ok(Checked::Same(values));
    }
    let diff = if view.wants_diff() { vec![difference::of_maps(&before, &after)] } else { Vec::new() };
    Ok(Checked::Differs { plan: Plan { tools, enabling, verb, crashed }, diff, values })
}

/// Returns the calls that enable or disable, if it is not as wanted.
fn enabling(
    wanted: bool,
    request: &Request<'_>,
    tools: &Tools,
    view: &SystemView,
) -> Result<Vec<Vec<OsString>>, Failure> {
    let name = request.name;
    let call = |program: &Path, words: &[&str]| {
        std::iter::once(program.into()).chain(words.iter().map(OsString::from)).collect::<Vec<OsString>>()
    };
    let linked = |kind: char| glob::any(&format!("/etc/rc?.d/{kind}??{name}"), Path::new("/"));
    match &tools.enabler {
        None => Err(Failure::new(format!(
            "cannot detect command to enable service {name}, typo or init system potentially unknown"
        ))),
        Some(Enabler::RcUpdate(program)) => {
            let output = view.query(&plain(call(program, &["show"])))?;
            let text = output.stdout_text();
            let levels =
                text.lines().filter_map(|line| line.split_once('|')).find(|(line, _)| line.trim() == name);
            let is_enabled =
                levels.is_some_and(|(_, levels)| levels.split_whitespace().any(|l| l == request.runlevel));
            let word = if wanted { "add" } else { "delete" };
            Ok((is_enabled != wanted)
                .then(|| call(program, &[word, name, request.runlevel]))
                .into_iter()
                .collect())
        }
        Some(Enabler::UpdateRcD(program)) => {
            if linked('S') == wanted {
                return Ok(Vec::new());
            }
            let known = (wanted && !linked('K')).then(|| call(program, &[name, "defaults"]));
            let word = if wanted { "enable" } else { "disable" };
            Ok(known.into_iter().chain([call(program, &[name, word])]).collect())
        }
        Some(Enabler::Chkconfig(program)) => {
            let output = view.query(&plain(call(program, &["--list", name])))?;
            let add = output.stderr_text().contains(&format!("chkconfig --add {name}"));
            let text = output.stdout_text();
            if !add && !text.contains(name) {
                return Err(Failure::new(format!("service {name} does not support chkconfig")));
            }
            let word = if wanted { "on" } else { "off" };
            if !add && ["3", "5"].iter().all(|level| text.contains(&format!("{level}:{word}"))) {
                return Ok(Vec::new());
            }
            let add = add.then(|| call(program, &["--add", name]));
            Ok(add.into_iter().chain([call(program, &[name, word])]).collect())
        }
    }
}

/// Does it.
///
/// # Errors
/// If a program fails; with what it says.
pub fn apply(request: &Request<'_>, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    for argv in plan.enabling {
        let verb = argv.last().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let output = node.run(&plain(argv))?;
        if output.rc != 0 {
            let msg = format!(
                "Error when trying to {verb} {}: rc={} {}",
                request.name,
                output.rc,
                output.error_output()
            );
            return Err(output.failure(msg));
        }
    }
    if let Some(verb) = plan.verb {
        if plan.crashed && plan.tools.is_openrc && verb == "start" {
            // OpenRC must first forget what it thinks of it.
            node.run(&plan.tools.process("zap", request)?)?;
        }
        if verb == "restart" && !plan.tools.is_openrc {
            restart(request, &plan.tools, node)?;
        } else {
            let output = node.run(&plan.tools.process(verb, request)?)?;
            succeeded(&output)?;
        }
    }
    Ok(Done { changed: true, values: Map::new() })
}

/// Stops and starts: not every script knows how to restart.
fn restart(request: &Request<'_>, tools: &Tools, node: &mut System) -> Result<(), Failure> {
    // One that does not run may fail to stop; what counts is that it starts.
    node.run(&tools.process("stop", request)?)?;
    node.sleep(Duration::from_secs(request.sleep))?;
    let output = node.run(&tools.process("start", request)?)?;
    succeeded(&output)
}

fn succeeded(output: &Output) -> Result<(), Failure> {
    // Upstart may be wrong about what runs.
    if output.rc == 0 || output.stderr_text().contains("Job is already running") {
        return Ok(());
    }
    Err(output.failure(output.error_output()))
}
