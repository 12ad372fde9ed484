//! Running the user's command that validates a new file before it is put in place.

use std::path::Path;

use crate::failure::Failure;
use crate::system::{Output, Process, System};
use crate::words;

/// Returns the failure of a rejected file, in the wording of `assemble` and the modules that edit files.
pub fn refused(output: &Output) -> Failure {
    let error = String::from_utf8_lossy(&output.stderr);
    Failure::new(format!("failed to validate: rc:{} error:{error}", output.rc))
}

/// Returns the failure of a rejected file, in the wording of `copy` and `template`.
pub fn refused_by_copy(output: &Output) -> Failure {
    Failure::new("failed to validate")
        .with("exit_status", output.rc)
        .with("stdout", String::from_utf8_lossy(&output.stdout).as_ref())
        .with("stderr", String::from_utf8_lossy(&output.stderr).as_ref())
}

/// Runs `command`, in which `%s` stands for the path of the new file.
///
/// # Errors
/// If it has no `%s`, cannot be split into words, or cannot be run. A nonzero exit code is not an error.
pub fn run(node: &mut System, command: &str, file: &Path) -> Result<Output, Failure> {
    if !command.contains("%s") {
        return Err(Failure::new(format!("validate must contain %s: {command}")));
    }
    let filled = command.replacen("%s", &file.to_string_lossy(), 1).replace("%%", "%");
    let argv = words::split(&filled)
        .map_err(|why| Failure::new(format!("cannot split validate '{command}': {why}")))?;
    let argv: Vec<String> = argv.iter().map(|word| node.expand_text(word)).collect();
    node.run(&Process::new(argv))
}
