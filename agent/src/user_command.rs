//! Running a user's command: what `command` and `shell` have in common.

use std::path::{Path, PathBuf};

use convoy_protocol::{Map, Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::glob;
use crate::module::{Checked, Done};
use crate::os_error;
use crate::outputs;
use crate::system::{Output, Process, ProcessError, System, SystemView};
use crate::words;

crate::arguments! {
    /// Around what is run: what every module that runs something takes.
    pub struct RunArgs {
        /// The directory to run in.
        chdir: Option<NodePath>,
        /// Not run if this exists; may hold `*`, `?` and `[…]`.
        creates: Option<NodePath>,
        /// Not run if this does not exist; may hold `*`, `?` and `[…]`.
        removes: Option<NodePath>,
        /// What it reads from standard input.
        stdin: Option<String>,
        /// Whether a line end is added to `stdin`.
        stdin_add_newline: bool [default("true")],
        /// Whether line ends at the end of the outputs are taken away.
        strip_empty_ends: bool [default("true")],
    }
}

impl RunArgs {
    /// Returns the request to run `argv`, which the answer shows as `shown`.
    pub fn request(&self, shown: Value, argv: Vec<String>, view: &SystemView) -> Request<'_> {
        let text = |path: &NodePath| view.expand(path).to_string_lossy().into_owned();
        Request {
            shown,
            argv,
            chdir: self.chdir.as_ref().map(|path| view.expand(path)),
            creates: self.creates.as_ref().map(text),
            removes: self.removes.as_ref().map(text),
            stdin: self.stdin.as_deref(),
            stdin_add_newline: self.stdin_add_newline,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The command as the answer shows it.
    pub shown: Value,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The directory to run in.
    pub chdir: Option<PathBuf>,
    /// Not run if something matches this.
    pub creates: Option<String>,
    /// Not run if nothing matches this.
    pub removes: Option<String>,
    /// Standard input.
    pub stdin: Option<&'a str>,
    /// Whether a line end is added to it.
    pub stdin_add_newline: bool,
}

/// A command that is to be run.
#[derive(Debug)]
pub struct Plan {
    process: Process,
    argv: Vec<String>,
    shown: Value,
}

/// Returns the failure of a task without a command.
pub fn missing_command(msg: &str) -> Failure {
    Failure { msg: msg.to_owned(), values: outputs::values("", "") }.with("rc", 256).with("cmd", ())
}

fn not_run_values(request: &Request<'_>, stdout: &str, msg: String) -> Map {
    let mut values = outputs::values(stdout, "");
    values.extend(map! {
        "cmd" => request.shown.clone(), "rc" => 0, "msg" => msg, "start" => (), "end" => (), "delta" => (),
    });
    values
}

/// Looks whether the command must be run.
///
/// # Errors
/// If there is no such directory to run in.
pub fn check(request: Request<'_>, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let directory = request.chdir.clone().unwrap_or_else(|| ".".into());
    if let Err(error) = std::fs::read_dir(&directory).map(drop)
        && (error.kind() != std::io::ErrorKind::PermissionDenied || !view.can_execute(&directory))
    {
        let reason = os_error::as_python(&error, &directory);
        let values = not_run_values(&request, "", String::new());
        return Err(Failure {
            msg: format!("Unable to change directory before execution: {reason}"),
            values,
        }
        .with("rc", ()));
    }
    let verb = if view.is_check_mode() { "Would" } else { "Did" };
    let there = |pattern: &Option<String>| {
        pattern.as_ref().map(|pattern| (pattern.clone(), glob::any(pattern, &directory)))
    };
    if let Some((pattern, true)) = there(&request.creates) {
        let msg = format!("{verb} not run command since '{pattern}' exists");
        return Ok(Checked::Same(not_run_values(&request, &format!("skipped, since {pattern} exists"), msg)));
    }
    if let Some((pattern, false)) = there(&request.removes) {
        let msg = format!("{verb} not run command since '{pattern}' does not exist");
        return Ok(Checked::Same(not_run_values(
            &request,
            &format!("skipped, since {pattern} does not exist"),
            msg,
        )));
    }
    let why = "Command would have run if not in check mode";
    let values = not_run_values(&request, "", why.to_owned());
    let process = Process::new(request.argv.iter().map(String::as_str)).directory(request.chdir);
    let process = match request.stdin {
        Some(text) if request.stdin_add_newline => process.stdin(format!("{text}\n").into_bytes()),
        Some(text) => process.stdin(text.as_bytes().to_vec()),
        None => process,
    };
    let plan = Plan { process, argv: request.argv, shown: request.shown };
    // With one of these, what the command is for is not there yet: known without running it.
    if request.creates.is_some() || request.removes.is_some() {
        return Ok(Checked::Differs { plan, diff: Vec::new(), values });
    }
    Ok(Checked::Unknown { plan, why, values })
}

/// Runs a process to its end, whatever its exit code.
fn run(process: &Process, program: &str, node: &mut System) -> Result<Output, Failure> {
    node.try_run(process).map_err(|error| match error {
        ProcessError::TimedOut => node.timed_out(),
        ProcessError::Start(error) | ProcessError::Pipe(error) => {
            let msg = os_error::as_python(&error, Path::new(program));
            let rc = error.raw_os_error().unwrap_or(257);
            Failure { msg, values: outputs::values("", "") }.with("rc", rc)
        }
    })
}

/// Runs a process of which only its outputs and exit code are told, as `raw` and `script` do.
///
/// # Errors
/// As [`apply`].
pub fn run_plain(process: &Process, program: &str, node: &mut System) -> Result<Done, Failure> {
    let output = run(process, program, node)?;
    let mut values = result(&output, false);
    values.extend(map! { "rc" => output.rc, "changed" => true });
    if output.rc != 0 {
        return Err(Failure { msg: "non-zero return code".into(), values });
    }
    Ok(Done { changed: true, values })
}

/// Runs the command.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or does not end in time.
pub fn apply(plan: &Plan, strip: bool, node: &mut System) -> Result<Done, Failure> {
    let start = node.now();
    let program = plan.argv.first().map(String::as_str).unwrap_or_default();
    let output =
        run(&plan.process, program, node).map_err(|failure| failure.with("cmd", words::join(&plan.argv)))?;
    let end = node.now();
    let mut values = result(&output, strip);
    values.extend(map! {
        "cmd" => plan.shown.clone(),
        "rc" => output.rc,
        "start" => node.local_time(start).python(),
        "end" => node.local_time(end).python(),
        "delta" => timedelta(end.saturating_sub(start)),
        "msg" => "",
    });
    if output.rc != 0 {
        values.insert("changed".into(), true.into());
        return Err(Failure { msg: "non-zero return code".into(), values });
    }
    Ok(Done { changed: true, values })
}

fn result(output: &Output, strip: bool) -> Map {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        if strip { text.trim_end_matches(['\r', '\n']).to_owned() } else { text.into_owned() }
    };
    outputs::values(&text(&output.stdout), &text(&output.stderr))
}

/// Returns a time span as Python writes a `timedelta`.
fn timedelta(span: std::time::Duration) -> String {
    let seconds = span.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{}:{:02}:{:02}.{:06}", rest / 3600, rest / 60 % 60, rest % 60, span.subsec_micros());
    match days {
        0 => clock,
        1 => format!("1 day, {clock}"),
        _ => format!("{days} days, {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn spans_as_python_writes_them() {
        assert_eq!(timedelta(Duration::new(3725, 42_000)), "1:02:05.000042");
        assert_eq!(timedelta(Duration::from_secs(2 * 86_400)), "2 days, 0:00:00.000000");
    }
}
