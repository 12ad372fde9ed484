//! Writes down what happens before it is shown.

use std::io;
use std::path::PathBuf;

use convoy_protocol::map;

use super::Writer;
use crate::events::object;
use crate::events::{JobState, Reporter, RunEvent};

/// A reporter that keeps the journal of a run, and then lets another one show it.
///
/// A journal that cannot be written any more does not end the run: what it does on the nodes is worth more. It is said
/// when it happens, and again at the end.
#[derive(Debug)]
pub struct Recorder {
    writer: Writer,
    folder: PathBuf,
    shown: Box<dyn Reporter>,
    /// How many events are not in the journal.
    lost: u64,
}

impl Recorder {
    /// Makes one that writes to the journal in the folder of a run.
    pub fn new(writer: Writer, folder: PathBuf, shown: Box<dyn Reporter>) -> Self {
        Self { writer, folder, shown, lost: 0 }
    }

    fn keep(&mut self, event: &RunEvent) {
        // With a gap in it, what comes later could be taken for all there was.
        if self.lost > 0 {
            self.lost += 1;
        } else if let Err(error) = self.write(event) {
            self.lost = 1;
            let folder = self.folder.display();
            self.warn(format!(
                "the journal of this run ends here, the run goes on without: cannot write to {folder}: {error}"
            ));
        }
    }

    /// Appends an event. That a job begins is on the disk before it does: so it is found again, whatever happens here.
    fn write(&mut self, event: &RunEvent) -> io::Result<()> {
        self.writer.append(object::of(event))?;
        match event {
            RunEvent::Job(job) if job.state == JobState::Begins => self.writer.sync(),
            _ => Ok(()),
        }
    }

    /// Writes the end down, also behind a gap: by then there may be space again.
    fn end(&mut self, event: &RunEvent) {
        let gap = match self.lost {
            0 => Ok(()),
            lost => self.writer.append(map! { "lost" => i64::try_from(lost).unwrap_or(i64::MAX) }),
        };
        let written =
            gap.and_then(|()| self.writer.append(object::of(event))).and_then(|()| self.writer.sync());
        let folder = self.folder.display();
        if self.lost > 0 {
            let lost = self.lost;
            self.warn(format!("the journal of this run is not whole: {lost} events are missing in {folder}"));
        } else if let Err(error) = written {
            self.warn(format!("the journal of this run lacks its end: cannot write to {folder}: {error}"));
        }
    }

    fn warn(&mut self, text: String) {
        self.shown.event(&RunEvent::Warning(text));
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::End { .. } => self.end(event),
            _ => self.keep(event),
        }
        self.shown.event(event);
    }

    fn hide(&mut self) {
        self.shown.hide();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.shown.fault()
    }
}
