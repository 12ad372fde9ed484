//! Records the changes that runs make to files, and keeps the old files, so that changes can be undone.
//!
//! Each user has one record per run, `runs/RUN/changes` in the [state directory](crate::state). [`Recorder`] writes it on
//! behalf of [`System`](crate::system::System); [`undo`](crate::undo) reads it.

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

/// The file name of the record in a run's directory.
pub(crate) const RECORD: &str = "changes";

/// The directory in a run's directory that keeps what the run replaced or removed.
const KEPT: &str = "kept";

/// The file in a run's directory that lists such directories on other file systems.
const PLACES: &str = "places";

/// The file in a run's directory that lists the users that the run became.
const USERS: &str = "users";

/// Returns `path` with symbolic links resolved in its directory, so that it stays valid when these links change.
fn with_real_parent(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().and_then(|parent| parent.canonicalize().ok()), absolute.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => absolute,
    }
}
