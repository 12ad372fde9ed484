//! Records what happens before it is shown.

use std::io;
use std::path::PathBuf;

use convoy_protocol::map;

use super::writer::Writer;
use crate::events::object;
use crate::events::{JobState, Reporter, RunEvent};

/// A reporter that writes each event to the journal and then passes it on to the reporter that shows it.
///
/// A failed write does not end the run: an upgrade left half done would be worse. The user is warned when it happens
/// and again at the end.
#[derive(Debug)]
pub struct Recorder {
    writer: Writer,
    folder: PathBuf,
    inner: Box<dyn Reporter>,
    /// How many events could not be written.
    missing: u64,
}

impl Recorder {
    /// Returns one that writes to the journal in the directory of a run.
    pub fn new(writer: Writer, folder: PathBuf, inner: Box<dyn Reporter>) -> Self {
        Self { writer, folder, inner, missing: 0 }
    }

    fn record(&mut self, event: &RunEvent) {
        // After a gap nothing more is written: later events would hide it.
        if self.missing > 0 {
            self.missing += 1;
        } else if let Err(error) = self.write(event) {
            self.missing = 1;
            let folder = self.folder.display();
            self.warn(format!(
                "the journal of this run ends here, and the run continues without it: cannot write to {folder}: {error}"
            ));
        }
    }

    /// Appends an event. The event that a job is about to begin is on the disk before it does, so that the job is found
    /// again whatever happens to this machine.
    fn write(&mut self, event: &RunEvent) -> io::Result<()> {
        self.writer.append(object::of(event))?;
        match event {
            RunEvent::Job(job) if job.state == JobState::Begins => self.writer.sync(),
            _ => Ok(()),
        }
    }

    /// Writes the last event, even after a gap: by then there may be space again.
    fn end(&mut self, event: &RunEvent) {
        let gap = match self.missing {
            0 => Ok(()),
            count => self.writer.append(map! { "lost" => i64::try_from(count).unwrap_or(i64::MAX) }),
        };
        let written =
            gap.and_then(|()| self.writer.append(object::of(event))).and_then(|()| self.writer.sync());
        let folder = self.folder.display();
        if self.missing > 0 {
            let count = self.missing;
            self.warn(format!(
                "the journal of this run is incomplete: {count} events are missing in {folder}"
            ));
        } else if let Err(error) = written {
            self.warn(format!(
                "the journal of this run does not contain its end: cannot write to {folder}: {error}"
            ));
        }
    }

    fn warn(&mut self, text: String) {
        self.inner.event(&RunEvent::Warning(text));
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::End { .. } => self.end(event),
            _ => self.record(event),
        }
        self.inner.event(event);
    }

    fn hide(&mut self) {
        self.inner.hide();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.inner.fault()
    }
}
