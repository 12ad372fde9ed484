//! A file through which others can follow the output of a running process.

use std::cell::Cell;
use std::fs::File;
use std::io::Write as _;

/// A file that receives the output of processes as it is produced.
#[derive(Debug)]
pub(super) struct OutputLog {
    file: File,
    left: Cell<usize>,
}

impl OutputLog {
    /// The largest number of bytes written.
    const LIMIT: usize = 16 << 20;

    pub(super) fn new(file: File) -> Self {
        Self { file, left: Cell::new(Self::LIMIT) }
    }

    /// Appends output. Beyond the limit, only the modification time of the file shows that there was more output.
    pub(super) fn add(&self, bytes: &[u8]) {
        let fits = bytes.len().min(self.left.get());
        self.left.set(self.left.get() - fits);
        // A write error only affects those who follow the output, which is collected in memory as well.
        if fits > 0 {
            (&self.file).write_all(&bytes[..fits]).ok();
        } else {
            self.file.set_modified(std::time::SystemTime::now()).ok();
        }
    }
}
