//! Problems that prevent an undo, as shown to the user.

use std::path::PathBuf;

use super::projection::Observed;
use crate::changes::line::state_text;
use crate::changes::record::Entry;
use crate::changes::{PathKind, PathState};
use crate::failure::Failure;

/// How many names are listed.
const NAMED: usize = 5;

/// A problem that prevents an undo.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    /// The message.
    pub(crate) text: String,
    /// Texts that identify the state left by the run and the one before it, as in [`Plan::becomes`](super::Plan::becomes). The
    /// problem disappears if undoing another user's work leads to one of these states.
    pub(crate) fits: Vec<String>,
    /// What a directory contains, if that is the problem: it disappears when other users' work there is undone.
    pub(crate) holds: Vec<PathBuf>,
}

/// Returns a text that identifies a state.
pub(super) fn state_words(state: &PathState) -> String {
    let state = PathState { mtime: None, kept: None, xattrs: Vec::new(), ..state.clone() };
    state_text(&state)
}

/// Returns where to find the state before the run.
fn before(was: &PathState) -> String {
    match (&was.kept, &was.kind) {
        (Some(kept), _) => format!("a backup is in {}", kept.display()),
        (None, PathKind::Absent) => "nothing was there before the run".to_owned(),
        (None, PathKind::Link(target)) => format!("it was a link to {} before the run", target.display()),
        (None, _) => match was.ownership {
            Some(ownership) => {
                format!(
                    "its mode was {:04o} and its owner {}:{} before the run",
                    ownership.mode, ownership.uid, ownership.gid
                )
            }
            None => "there is no backup of it".to_owned(),
        },
    }
}

/// The path is not in the state that the run left.
pub(super) fn changed(entry: &Entry, now: &mut Observed) -> Result<Problem, Failure> {
    let [left, _] = entry.left();
    let seen = &now.state;
    let kind = |kind: &PathKind| match kind {
        PathKind::Absent => "gone".to_owned(),
        PathKind::File => "a file".to_owned(),
        PathKind::Directory => "a directory".to_owned(),
        PathKind::Link(target) => format!("a link to {}", target.display()),
        PathKind::Tree => "something else".to_owned(),
    };
    let what = if seen.kind != left.kind && left.kind != PathKind::Tree {
        match left.kind {
            PathKind::Absent => format!("it is {} now, but the run removed it", kind(&seen.kind)),
            _ => format!("it is {} now", kind(&seen.kind)),
        }
    } else if !now.holds(&left.content)? {
        "its content differs".to_owned()
    } else {
        let ownership = now.state.ownership.zip(left.ownership);
        match ownership.filter(|(now, left)| now != left) {
            Some((now, left)) if now.mode != left.mode => {
                format!("its mode is {:04o} instead of {:04o}", now.mode, left.mode)
            }
            Some((now, left)) => {
                format!("its owner is {}:{} instead of {}:{}", now.uid, now.gid, left.uid, left.gid)
            }
            None => "it was rewritten".to_owned(),
        }
    };
    let path = entry.path.clone();
    let text = format!("{} has changed since the run: {what}; {}", path.display(), before(&entry.was));
    Ok(Problem { path, text, fits: vec![state_words(left), state_words(&entry.was)], holds: Vec::new() })
}

/// The backup is missing or was modified.
pub(super) fn kept(entry: &Entry) -> Problem {
    let path = entry.path.clone();
    let text = match &entry.was.kept {
        Some(kept) if kept.symlink_metadata().is_ok() => format!(
            "the backup of {} in {} was modified: another program has written to that file",
            path.display(),
            kept.display()
        ),
        Some(kept) => {
            format!("the backup of {} is missing from {}", path.display(), kept.display())
        }
        None => format!("there is no backup of {}", path.display()),
    };
    Problem { path, text, fits: Vec::new(), holds: Vec::new() }
}

/// A directory created by the run contains other files.
pub(super) fn holds(entry: &Entry, holds: Vec<PathBuf>) -> Problem {
    let path = entry.path.clone();
    let text = format!(
        "{} was created by the run, but contains what the run did not create: {}",
        path.display(),
        named(&holds)
    );
    Problem { path, text, fits: Vec::new(), holds }
}

fn named(paths: &[PathBuf]) -> String {
    let names =
        paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if paths.len() > NAMED {
        text.push_str(&format!(" and {} more", paths.len() - NAMED));
    }
    text
}
