//! What is unpacked where.

use std::path::Path;

use crate::failure::Failure;

/// What is unpacked, from where to where; what failures name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) src: &'a str,
    pub(super) dest: &'a Path,
}

impl Job<'_> {
    /// Returns the failure for this reason.
    pub(super) fn failed(self, why: impl std::fmt::Display) -> Failure {
        Failure::new(format!("failed to unpack {} to {}: {why}", self.src, self.dest.display()))
    }
}
