//! The steps of an undo.

use std::io;
use std::path::{Path, PathBuf};

use crate::changes::survey as survey_tree;
use crate::changes::{ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::SystemView;

/// The undo of one path.
#[derive(Debug)]
pub(crate) struct Step {
    pub(super) id: String,
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    pub(super) was: PathState,
    /// A text that identifies the state after this step.
    pub(super) becomes: String,
    /// Whether its current content is secret.
    pub(super) secret: bool,
}

/// How a path is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Remove it.
    Remove,
    /// Remove a directory that the run created, once it is empty.
    RemoveDirectory,
    /// Restore what was there before the run.
    Restore,
    /// Restore only owner, mode and time.
    Attributes,
}

impl Action {
    /// Returns its word in results.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Remove | Self::RemoveDirectory => "removed",
            Self::Restore => "restored",
            Self::Attributes => "attributes",
        }
    }
}

/// Returns whether the kept content is complete and unmodified.
pub(super) fn kept_is_whole(was: &PathState, view: &SystemView) -> Result<bool, Failure> {
    let Some(kept) = &was.kept else { return Ok(!matches!(was.kind, PathKind::File | PathKind::Tree)) };
    let ContentState::Digest(wanted) = was.content else { return Ok(false) };
    if view.lstat(kept)?.is_none() {
        return Ok(false);
    }
    let found = match was.kind {
        PathKind::Tree => survey(kept)?,
        _ => view.sha256(kept)?,
    };
    Ok(found == wanted)
}

/// Returns the digest of a tree's metadata.
pub(super) fn survey(path: &Path) -> Result<convoy_protocol::Digest, Failure> {
    survey_tree(path).map(|survey| survey.digest).map_err(|error: io::Error| cannot("access", path, &error))
}
