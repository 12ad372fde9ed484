//! What stands in the way of taking something back, as the user sees it.

use std::path::PathBuf;

use super::projection::Observed;
use crate::changes::line::state_text;
use crate::changes::record::Entry;
use crate::changes::{PathKind, PathState};
use crate::failure::Failure;

/// How many names are told.
const NAMED: usize = 5;

/// What stands in the way.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    /// In words.
    pub(crate) text: String,
    /// How the run left it and how it was before, as [`Plan::becomes`](super::Plan::becomes) tells states: if another
    /// user's work for the run is taken back to one of them first, it does not stand in the way any more.
    pub(crate) fits: Vec<String>,
    /// What a directory holds, if that is all: if others take that away first, it does not stand in the way any more.
    pub(crate) holds: Vec<PathBuf>,
}

/// Returns a state as a text that tells states apart.
pub(super) fn state_words(state: &PathState) -> String {
    let state = PathState { mtime: None, kept: None, xattrs: Vec::new(), ..state.clone() };
    state_text(&state)
}

/// Returns where to find what was there before.
fn before(was: &PathState) -> String {
    match (&was.kept, &was.kind) {
        (Some(kept), _) => format!("its state before the run is kept in {}", kept.display()),
        (None, PathKind::Absent) => "before the run nothing was there".to_owned(),
        (None, PathKind::Link(target)) => format!("before the run it was a link to {}", target.display()),
        (None, _) => match was.ownership {
            Some(ownership) => {
                format!(
                    "before the run its mode was {:04o}, its owner {}:{}",
                    ownership.mode, ownership.uid, ownership.gid
                )
            }
            None => "nothing is kept of it".to_owned(),
        },
    }
}

/// It is not as the run left it.
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
            PathKind::Absent => format!("it is {}, and was removed", kind(&seen.kind)),
            _ => format!("it is {} now", kind(&seen.kind)),
        }
    } else if !now.holds(&left.content)? {
        "it holds something else".to_owned()
    } else {
        let ownership = now.state.ownership.zip(left.ownership);
        match ownership.filter(|(now, left)| now != left) {
            Some((now, left)) if now.mode != left.mode => {
                format!("its mode is {:04o}, and was {:04o}", now.mode, left.mode)
            }
            Some((now, left)) => {
                format!("its owner is {}:{}, and was {}:{}", now.uid, now.gid, left.uid, left.gid)
            }
            None => "it was written again".to_owned(),
        }
    };
    let path = entry.path.clone();
    let text =
        format!("{} was changed since the run left it: {what}; {}", path.display(), before(&entry.was));
    Ok(Problem { path, text, fits: vec![state_words(left), state_words(&entry.was)], holds: Vec::new() })
}

/// What is kept is not what was there.
pub(super) fn kept(entry: &Entry) -> Problem {
    let path = entry.path.clone();
    let text = match &entry.was.kept {
        Some(kept) if kept.symlink_metadata().is_ok() => format!(
            "what {} was before the run was changed where it is kept, in {}: something has written to that very file",
            path.display(),
            kept.display()
        ),
        Some(kept) => {
            format!(
                "what {} was before the run is gone from {}, where it was kept",
                path.display(),
                kept.display()
            )
        }
        None => format!("what {} was before the run is not kept", path.display()),
    };
    Problem { path, text, fits: Vec::new(), holds: Vec::new() }
}

/// A directory that the run made holds what is not the run's.
pub(super) fn holds(entry: &Entry, holds: Vec<PathBuf>) -> Problem {
    let path = entry.path.clone();
    let text =
        format!("{} was made by the run, and holds what is not the run's: {}", path.display(), named(&holds));
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
