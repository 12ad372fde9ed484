//! What undos of a run have done, according to their own journals.

use std::collections::HashMap;
use std::sync::Arc;

use super::file::FileError;
use super::id::RunId;
use super::reader::Reader;
use super::runs::Runs;
use crate::events::Note;

/// For each host and number of a block that is undone there, the run that undid it.
pub type UndoneBlocks = HashMap<(Arc<str>, u64), String>;

impl Runs {
    /// Returns the undos of a run, oldest first, except those in check mode and those that cannot be read.
    fn undos(&self, id: &RunId) -> Result<impl Iterator<Item = (RunId, Reader)>, FileError> {
        let names = self.names()?.into_iter().filter(move |name| name > id);
        Ok(names.filter_map(move |name| {
            let (header, reader) = Reader::open(&self.folder_of(&name)).ok()?;
            (!header.check && header.undoes.as_ref() == Some(id)).then_some((name, reader))
        }))
    }

    /// Returns which blocks of a run are undone on which hosts.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn undone_blocks(&self, id: &RunId) -> Result<UndoneBlocks, FileError> {
        let mut undone = UndoneBlocks::new();
        for (name, reader) in self.undos(id)? {
            for note in reader.notes() {
                if let Note::Undone { host, blocks } = note {
                    undone.extend(blocks.into_iter().map(|block| ((host.clone(), block), name.to_string())));
                }
            }
        }
        Ok(undone)
    }

    /// Returns the first run that has undone anything of this one.
    ///
    /// # Errors
    /// If the runs cannot be listed.
    pub fn undone_by(&self, id: &RunId) -> Result<Option<RunId>, FileError> {
        let did =
            |note: &Note| matches!(note, Note::Begun { .. } | Note::TakesBack { .. } | Note::Undone { .. });
        let mut undos = self.undos(id)?;
        Ok(undos.find_map(|(name, reader)| reader.notes().any(|note| did(&note)).then_some(name)))
    }
}
