//! What runs change in the files of a node: recorded, and kept, so that it can be undone.
//!
//! Each user has a record for each run, `runs/RUN/changes` in the directory of what outlives an agent. [`Recorder`] writes it on
//! behalf of [`System`](crate::system::System), [`undo`] reads it.

mod keep;
pub(crate) mod line;
mod prune;
pub(crate) mod record;
mod recorder;
mod state;
mod tracked;
mod tree;
mod users;

use std::path::{Path, PathBuf};

pub use recorder::Recorder;
pub(crate) use recorder::{Announcement, ChangeKind, Removal};
pub(crate) use state::{ContentState, Ownership, PathKind, PathState};
pub(crate) use tree::{copy, set_xattr, survey};
pub(crate) use users::users;

/// The record's file in the directory of its run.
pub(crate) const RECORD: &str = "changes";

/// The directory in that of a run in which it keeps what it replaced or removed.
const KEPT: &str = "kept";

/// The file in the directory of a run that names such directories on other file systems.
const PLACES: &str = "places";

/// The file in the directory of a run that names the users that were become.
const USERS: &str = "users";

/// Returns `path` without symbolic links before its last part: it names the same place also after those were changed.
fn with_real_parent(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}
