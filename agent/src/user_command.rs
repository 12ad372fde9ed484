//! Running commands given by the user: what `command`, `shell`, `raw` and `script` share.

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
    /// Parameters of modules that run a command.
    pub struct RunArgs {
        /// The directory to run in.
        chdir: Option<NodePath>,
        /// Do not run if this path exists; may contain `*`, `?` and `[…]`.
        creates: Option<NodePath>,
        /// Do not run if this path does not exist; may contain `*`, `?` and `[…]`.
        removes: Option<NodePath>,
        /// The command's standard input.
        stdin: Option<String>,
        /// Whether to add a line end to `stdin`.
        stdin_add_newline: bool [default("true")],
        /// Whether to remove line ends at the end of the outputs.
        strip_empty_ends: bool [default("true")],
    }
}

impl RunArgs {
    /// Makes a request to run `argv`. The result shows the command as `shown`.
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

/// A request to run a command.
#[derive(Debug)]
pub struct Request<'a> {
    /// The command as shown in the result.
    pub shown: Value,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The directory to run in.
    pub chdir: Option<PathBuf>,
    /// Do not run if this pattern matches something.
    pub creates: Option<String>,
    /// Do not run if this pattern matches nothing.
    pub removes: Option<String>,
    /// Standard input.
    pub stdin: Option<&'a str>,
    /// Whether to add a line end to it.
    pub stdin_add_newline: bool,
}

/// A command to run.
#[derive(Debug)]
pub struct Plan {
    process: Process,
    argv: Vec<String>,
    shown: Value,
}

/// Returns the failure of a task that gives no valid command.
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

/// Decides whether the command must be run.
///
/// # Errors
/// If the directory to run in cannot be entered.
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
    // If one of these is given, it is known that the command has something to do.
    if request.creates.is_some() || request.removes.is_some() {
        return Ok(Checked::Differs { plan, diff: Vec::new(), values });
    }
    Ok(Checked::Unknown { plan, why, values })
}

/// Runs a process to its end, whatever its exit code is.
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

/// Runs a process and returns only its outputs and exit code, as `raw` and `script` do.
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
/// If it cannot be started, fails, or exceeds the order's deadline.
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

/// Formats a duration like Python's `str(timedelta)`.
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
    fn durations_are_formatted_as_in_python() {
        assert_eq!(timedelta(Duration::new(3725, 42_000)), "1:02:05.000042");
        assert_eq!(timedelta(Duration::from_secs(2 * 86_400)), "2 days, 0:00:00.000000");
    }
}
