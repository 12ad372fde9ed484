//! The options of an embedded node.

use std::path::PathBuf;

use russh::keys::PublicKey;

/// What a node is like.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The folder of the node.
    pub root: PathBuf,
    /// The home folder and working directory of commands: `root/home`, unless changed.
    pub home: PathBuf,
    /// The only user who may log in; commands run as the user of this process all the same.
    pub user: String,
    /// The only key that may log in.
    pub authorized: PublicKey,
    /// Variables that commands find besides `HOME`, `USER`, `LOGNAME`, `SHELL` and `PATH`.
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
