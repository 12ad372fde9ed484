//! What undoes a block, read from the playbooks and from what they include.

use std::sync::Arc;

use convoy_protocol::Map;

use super::begun::Block;
use super::find::{self, gone};
use crate::diagnostic::Diagnostics;
use crate::events::Include;
use crate::playbook::ast::{Entry, Play};
use crate::schedule::Scheduler;
use crate::schedule::batch::Batch;
use crate::state::section::{Section, TaskRef};

/// A play, and what was read of its includes.
pub(super) struct Read {
    files: Vec<File>,
}

/// What one include brought in; with no include, the play.
#[derive(Clone)]
struct File {
    includes: Vec<Include>,
    entries: Arc<Vec<Entry>>,
    params: Arc<Map>,
}

impl Read {
    pub(super) fn new(play: &Play) -> Self {
        let entries = Arc::new(play.sections.iter().flatten().cloned().collect());
        Self { files: vec![File { includes: Vec::new(), entries, params: Arc::default() }] }
    }

    /// Reads what undoes a block that hosts of the batch have begun.
    ///
    /// # Errors
    /// If it is not there any more, or something is wrong with what is included.
    pub(super) fn block(
        &mut self,
        scheduler: &mut Scheduler,
        batch: &mut Batch,
        block: &Block,
    ) -> Result<Section, Diagnostics> {
        let File { entries, params, .. } = self.file(scheduler, batch, block, &block.includes)?;
        let found = find::block(&entries, block).ok_or_else(|| gone(block))?;
        Ok(Section::of(&found.undo, &params, false))
    }

    /// Reads what these includes brought in, once.
    fn file(
        &mut self,
        scheduler: &mut Scheduler,
        batch: &mut Batch,
        block: &Block,
        includes: &[Include],
    ) -> Result<File, Diagnostics> {
        if let Some(known) = self.files.iter().find(|file| file.includes == includes) {
            return Ok(known.clone());
        }
        let Some((include, outer)) = includes.split_last() else { return Err(gone(block).into()) };
        let File { entries, params, .. } = self.file(scheduler, batch, block, outer)?;
        let task = find::include(&entries, include).ok_or_else(|| gone(block))?;
        let task = TaskRef::new(task, params, false);
        let mut here = batch.hosts.iter().filter(|host| scheduler.is_left(host));
        let began = here.find_map(|host| block.on(&host.name)).cloned().ok_or_else(|| gone(block))?;
        // Names of files that it imports may use what the run has set.
        scheduler.world.store().replace_set(&began.name, began.entered.clone());
        let (entries, params) = scheduler.include_again(batch, &task, include, &began.name)?;
        let file = File { includes: includes.to_vec(), entries: Arc::new(entries), params };
        self.files.push(file.clone());
        Ok(file)
    }
}
