//! The file in which others see what processes print while they run.

use std::cell::Cell;
use std::fs::File;
use std::io::Write as _;

/// A file with what processes have printed, in the order in which it came.
#[derive(Debug)]
pub(super) struct OutputLog {
    file: File,
    left: Cell<usize>,
}

impl OutputLog {
    /// How much is written at most, in bytes.
    const MOST: usize = 16 << 20;

    pub(super) fn new(file: File) -> Self {
        Self { file, left: Cell::new(Self::MOST) }
    }

    /// Adds something. Beyond the limit the file only shows, by its time, that something came.
    pub(super) fn add(&self, bytes: &[u8]) {
        let fits = bytes.len().min(self.left.get());
        self.left.set(self.left.get() - fits);
        // The bytes are collected as well; without the file nobody sees how far it is.
        if fits > 0 {
            (&self.file).write_all(&bytes[..fits]).ok();
        } else {
            self.file.set_modified(std::time::SystemTime::now()).ok();
        }
    }
}
