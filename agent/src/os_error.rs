//! The wording of errors of the operating system.

use std::io;
use std::path::Path;

use crate::failure::Failure;

/// Returns the reason of `error` as the operating system words it, without its number.
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

/// Returns `error` at `path` as Python prints an `OSError`; playbooks compare such texts.
pub(crate) fn as_python(error: &io::Error, path: &Path) -> String {
    let number = error.raw_os_error().unwrap_or_default();
    format!("[Errno {number}] {}: b'{}'", crate::os_error::reason(error), path.display())
}
