//! The wording of operating system errors.

use std::io;
use std::path::Path;

use crate::failure::Failure;

/// Returns the description of `error` by the operating system, without the error number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Returns a failure to `verb` something at `path`.
pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {verb} {}: {}", path.display(), reason(error)))
}

/// Formats `error` at `path` like Python's `OSError`; playbooks compare such texts.
pub(crate) fn as_python(error: &io::Error, path: &Path) -> String {
    let number = error.raw_os_error().unwrap_or_default();
    format!("[Errno {number}] {}: b'{}'", reason(error), path.display())
}
