//! One path that is to be as it was.

use std::io;
use std::path::{Path, PathBuf};

use crate::changes::survey as survey_tree;
use crate::changes::{ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::system::SystemView;

/// One path that is to be as it was.
#[derive(Debug)]
pub(crate) struct Step {
    pub(super) id: String,
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    pub(super) was: PathState,
    /// What will be there, as a text that tells states apart.
    pub(super) becomes: String,
    /// Whether what is there is secret.
    pub(super) secret: bool,
}

/// What is to be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes.
    Remove,
    /// A directory that was made goes, when it is empty.
    RemoveDirectory,
    /// What was there comes back.
    Restore,
    /// Owner, mode and time alone.
    Attributes,
}

impl Action {
    /// Returns it in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Remove | Self::RemoveDirectory => "removed",
            Self::Restore => "restored",
            Self::Attributes => "attributes",
        }
    }
}

/// Returns whether what is kept is what was there before the run.
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

/// Returns the digest of a tree.
pub(super) fn survey(path: &Path) -> Result<convoy_protocol::Digest, Failure> {
    survey_tree(path).map(|survey| survey.digest).map_err(|error: io::Error| cannot("look at", path, &error))
}
