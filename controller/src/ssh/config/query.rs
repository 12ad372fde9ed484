//! A query to the ssh configuration.

use std::path::PathBuf;

/// A host, and the options that take precedence over the ssh configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// The host as it would be given to `ssh`.
    pub host: String,
    /// Options as for `ssh -o`. They take precedence over the files; of several values the first counts.
    pub options: Vec<(String, String)>,
    /// A configuration file to use instead of the user's and the system's, as for `ssh -F`.
    pub file: Option<PathBuf>,
}
