//! Predicts the state of the node in the course of an undo, without changing it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use convoy_protocol::Digest;

use super::step::{Action, survey};
use crate::changes::{ContentState, PathKind, PathState};
use crate::failure::Failure;
use crate::os_error::cannot;
use crate::stat::Time;
use crate::system::SystemView;

/// The predicted state of the node.
pub(super) struct Projection<'a> {
    pub(super) view: &'a SystemView,
    /// The predicted states of paths.
    states: HashMap<PathBuf, PathState>,
    /// Where the future content of a path and everything below it is now; `None` if it is nowhere, except for what `states`
    /// contains.
    places: HashMap<PathBuf, Option<PathBuf>>,
}

/// The predicted state of one path.
pub(super) struct Observed {
    pub(super) state: PathState,
    /// Where its content can be read now.
    place: PathBuf,
    /// Device, inode and `ctime`.
    pub(super) stamp: Option<(u64, u64, Time)>,
    digest: Option<Digest>,
    survey: Option<Digest>,
}

impl<'a> Projection<'a> {
    pub(super) fn new(view: &'a SystemView) -> Self {
        Self { view, states: HashMap::new(), places: HashMap::new() }
    }

    /// Predicts that a path will be restored.
    pub(super) fn restored(&mut self, path: &Path, was: &PathState, action: Action) {
        if action == Action::Attributes {
            self.states.insert(path.to_owned(), was.clone());
            return;
        }
        // Everything below was planned earlier, and is removed or restored together with it.
        self.states.retain(|known, _| !known.starts_with(path));
        self.places.retain(|known, _| !known.starts_with(path));
        let kept = was.kept.clone().filter(|_| was.kind == PathKind::Tree);
        if kept.is_none() && !was.is_absent() {
            self.states.insert(path.to_owned(), was.clone());
        }
        self.places.insert(path.to_owned(), kept);
    }

    /// Returns where the future content of a path is now; `None` if it is nowhere.
    fn place(&self, path: &Path) -> Option<PathBuf> {
        for above in path.ancestors() {
            if let Some(place) = self.places.get(above) {
                let below = path.strip_prefix(above).unwrap_or(path);
                let place = place.as_ref()?;
                return Some(if below.as_os_str().is_empty() { place.clone() } else { place.join(below) });
            }
        }
        Some(path.to_owned())
    }

    pub(super) fn observe(&self, path: &Path) -> Result<Observed, Failure> {
        let place = self.place(path);
        let nothing = Observed {
            state: PathState::absent(),
            place: place.clone().unwrap_or_else(|| path.to_owned()),
            stamp: None,
            digest: None,
            survey: None,
        };
        if let Some(state) = self.states.get(path) {
            let place = state.kept.clone().unwrap_or_else(|| nothing.place.clone());
            return Ok(Observed { state: state.clone(), place, ..nothing });
        }
        let Some(place) = place else { return Ok(nothing) };
        let meta = self.view.lstat(&place)?;
        let state =
            PathState::observe(&place, meta.as_ref()).map_err(|error| cannot("access", &place, &error))?;
        let stamp = meta.map(|meta| (meta.dev, meta.ino, meta.ctime));
        Ok(Observed { state, place, stamp, ..nothing })
    }

    /// Returns the predicted entries of the directory at a path.
    pub(super) fn below(&self, path: &Path) -> Result<Vec<PathBuf>, Failure> {
        let Some(place) = self.place(path) else { return Ok(Vec::new()) };
        let names = self.view.list(&place)?;
        let mut found: Vec<PathBuf> =
            names.iter().filter_map(|name| Some(path.join(name.file_name()?))).collect();
        found.retain(|path| self.place(path).is_some() || self.states.contains_key(path));
        Ok(found)
    }
}

impl Observed {
    /// Returns the digest of the file's content.
    pub(super) fn digest(&mut self) -> Result<Option<Digest>, Failure> {
        if self.digest.is_none() && self.state.kind == PathKind::File {
            let read = std::fs::File::open(&self.place).and_then(|mut file| Digest::of_reader(&mut file));
            self.digest = Some(read.map_err(|error| cannot("read", &self.place, &error))?.0);
        }
        Ok(self.digest)
    }

    /// Returns the digest of the tree's metadata; `None` if nothing is there.
    pub(super) fn survey(&mut self) -> Result<Option<Digest>, Failure> {
        if self.survey.is_none() && !self.state.is_absent() {
            self.survey = Some(survey(&self.place)?);
        }
        Ok(self.survey)
    }

    /// Returns whether it has this content; always true for irrelevant content.
    pub(super) fn holds(&mut self, content: &ContentState) -> Result<bool, Failure> {
        Ok(match content {
            ContentState::Any => true,
            ContentState::Secret | ContentState::Unreadable => false,
            ContentState::Digest(digest) => self.digest()? == Some(*digest),
            ContentState::Stamp(device, inode, time) => self.stamp == Some((*device, *inode, *time)),
        })
    }

    /// Returns whether it is in this state.
    pub(super) fn is(&mut self, wanted: &PathState) -> Result<bool, Failure> {
        if wanted.kind == PathKind::Tree {
            return Ok(match wanted.content {
                ContentState::Digest(digest) => self.survey()? == Some(digest),
                ContentState::Any => !self.state.is_absent(),
                _ => false,
            });
        }
        Ok(self.state.kind == wanted.kind
            && wanted.ownership.is_none_or(|ownership| self.state.ownership == Some(ownership))
            && wanted.mtime.is_none_or(|time| self.state.mtime == Some(time))
            && self.holds(&wanted.content)?)
    }
}
