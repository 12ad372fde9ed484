//! Whether a service runs, from what its script says.

use std::path::Path;

use super::request::Request;
use super::tools::Tools;
use crate::failure::Failure;
use crate::system::SystemView;

/// Whether a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    No,
    /// It does not, but OpenRC thinks that it should.
    Crashed,
}

impl From<bool> for Running {
    fn from(runs: bool) -> Self {
        if runs { Self::Yes } else { Self::No }
    }
}

pub(super) fn query(request: &Request<'_>, tools: &Tools, view: &SystemView) -> Result<Running, Failure> {
    if let Some(pattern) = request.pattern {
        return Ok(has_process(pattern, view)?.into());
    }
    let output = view.query(&tools.process("status", request)?)?;
    let (stdout, stderr) = (output.stdout_text(), output.stderr_text());
    if tools.is_openrc {
        let is_crashed = stderr.contains("crashed") || stdout.contains("crashed");
        return Ok(if is_crashed { Running::Crashed } else { stdout.contains("started").into() });
    }
    told(request.name, output.rc, &stdout)
        .map(Running::from)
        .ok_or_else(|| Failure::new("failed determining service state, possible typo of service name?"))
}

/// Reads the status: the exit code as the Linux Standard Base has it, then the words of a single line.
fn told(name: &str, rc: i32, text: &str) -> Option<bool> {
    if matches!(rc, 1 | 2 | 3 | 4 | 69) {
        return Some(false);
    }
    if text.lines().count() <= 1 {
        let said = text.to_lowercase().replace(&name.to_lowercase(), "");
        let is_negated = said.contains("not ");
        let dead = [
            "could not access pid file",
            "is dead and pid file exists",
            "dead but subsys locked",
            "dead but pid file exists",
        ];
        if said.contains("stop") || dead.iter().any(|words| said.contains(words)) {
            return Some(false);
        }
        if said.contains("run") {
            return Some(!is_negated);
        }
        if said.contains("start") && !is_negated {
            return Some(true);
        }
    }
    (rc == 0).then_some(true)
}

/// Returns whether the command line of a process holds a text.
fn has_process(pattern: &str, view: &SystemView) -> Result<bool, Failure> {
    let own = std::process::id().to_string();
    for directory in view.list(Path::new("/proc"))? {
        let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == own || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // It may have ended since.
        let Ok(bytes) = view.read(&directory.join("cmdline")) else { continue };
        if String::from_utf8_lossy(&bytes).replace('\0', " ").contains(pattern) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_scripts_say() {
        for (rc, text, expected) in [
            (0, "nginx is running.", Some(true)),
            (0, "nginx is not running.", Some(false)),
            (3, "nginx is running.", Some(false)),
            (0, "stopper is running", Some(true)),
            (0, "Usage: a\nb\nc", Some(true)),
            (7, "stopped", Some(false)),
            (7, "who knows", None),
            (5, "dead but pid file exists", Some(false)),
        ] {
            let name = if text.starts_with("stopper") { "stopper" } else { "nginx" };
            assert_eq!(told(name, rc, text), expected, "{rc} {text}");
        }
    }
}
