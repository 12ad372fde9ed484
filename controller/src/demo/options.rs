//! The options of an embedded node.

use std::path::PathBuf;

use russh::keys::PublicKey;

/// The options of a node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The directory of the node.
    pub root: PathBuf,
    /// The home and working directory of commands: `root/home`, unless changed.
    pub home: PathBuf,
    /// The only user who can log in. Commands run as the user of this process all the same.
    pub user: String,
    /// The only key that is accepted.
    pub authorized: PublicKey,
    /// Environment variables of commands, in addition to `HOME`, `USER`, `LOGNAME`, `SHELL` and `PATH`.
    pub environment: Vec<(String, String)>,
}

impl NodeOptions {
    /// Returns the options of a node that lives in `root`.
    pub fn new(root: impl Into<PathBuf>, user: impl Into<String>, authorized: PublicKey) -> Self {
        let root = root.into();
        let home = root.join("home");
        Self { root, home, user: user.into(), authorized, environment: Vec::new() }
    }
}
