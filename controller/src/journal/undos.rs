//! The undos of a run, as their journals tell.

use super::{Fault, Reader, RunId, Runs};
use crate::events::Note;
use crate::undo::begun::Undone;

impl Runs {
    /// Returns the runs that were to take a run back, the first one first; without those in check mode, and those that cannot be
    /// read.
    fn undos(&self, id: &RunId) -> Result<impl Iterator<Item = (RunId, Reader)>, Fault> {
        let names = self.names()?.into_iter().filter(move |name| name > id);
        Ok(names.filter_map(move |name| {
            let (header, reader) = Reader::open(&self.folder_of(&name)).ok()?;
            (!header.check && header.undoes.as_ref() == Some(id)).then_some((name, reader))
        }))
    }

    /// Returns on which hosts which blocks of a run are undone.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn undone(&self, id: &RunId) -> Result<Undone, Fault> {
        let mut undone = Undone::new();
        for (name, reader) in self.undos(id)? {
            for note in reader.notes() {
                if let Note::Undone { host, blocks } = note {
                    undone.extend(blocks.into_iter().map(|block| ((host.clone(), block), name.to_string())));
                }
            }
        }
        Ok(undone)
    }

    /// Returns a run by which some of this one, at least, was taken back.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn taken_back(&self, id: &RunId) -> Result<Option<RunId>, Fault> {
        let did =
            |note: &Note| matches!(note, Note::Begun { .. } | Note::TakesBack { .. } | Note::Undone { .. });
        let mut undos = self.undos(id)?;
        Ok(undos.find_map(|(name, reader)| reader.notes().any(|note| did(&note)).then_some(name)))
    }
}
