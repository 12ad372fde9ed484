//! The user's own command that says whether a new file is good, asked before the file takes its place.

use std::path::Path;

use crate::failure::Failure;
use crate::system::{Output, Process, System};
use crate::words;

/// Returns the failure of a file that was not accepted, as `assemble` and the modules that edit files tell of it.
pub fn refused(output: &Output) -> Failure {
    let error = String::from_utf8_lossy(&output.stderr);
    Failure::new(format!("failed to validate: rc:{} error:{error}", output.rc))
}

/// As [`refused`], as `copy` and `template` tell of it.
pub fn refused_by_copy(output: &Output) -> Failure {
    Failure::new("failed to validate")
        .with("exit_status", output.rc)
        .with("stdout", String::from_utf8_lossy(&output.stdout).as_ref())
        .with("stderr", String::from_utf8_lossy(&output.stderr).as_ref())
}

/// Runs `command` with `%s` replaced by the path of the new file.
///
/// # Errors
/// If it has no `%s`, is no command, or cannot be run. That it refuses the file is in its output.
pub fn run(node: &mut System, command: &str, file: &Path) -> Result<Output, Failure> {
    if !command.contains("%s") {
        return Err(Failure::new(format!("validate must contain %s: {command}")));
    }
    let filled = command.replacen("%s", &file.to_string_lossy(), 1).replace("%%", "%");
    let argv = words::split(&filled)
        .map_err(|why| Failure::new(format!("cannot read validate '{command}': {why}")))?;
    let argv: Vec<String> = argv.iter().map(|word| node.expand_text(word)).collect();
    node.run(&Process::new(argv))
}
