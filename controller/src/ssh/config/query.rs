//! A question to the ssh configuration.

use std::path::PathBuf;

/// What is asked of the configuration: a host, and what is known better.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// The host as it would be given to `ssh`.
    pub host: String,
    /// Options in the order of their weight, as for `ssh -o`; each counts before the files.
    pub options: Vec<(String, String)>,
    /// A file instead of the user's and the system's, as for `ssh -F`.
    pub file: Option<PathBuf>,
}
