//! The directory of the demo: the project, the homes of the nodes, and how to reach them.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use convoy_protocol::{Map, Value, map};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

use super::home::{self, Keystores, NEW_HOME, OLD_HOME, Role};
use super::node::EmbeddedNode;
use super::options::NodeOptions;
use super::project;
use crate::diagnostic::{Diagnostic, Kind};
use crate::yaml;

/// The nodes, with their roles in the demo's inventory.
const NODES: [(&str, Role); 5] = [
    ("cp1", Role::ControlPlane),
    ("cp2", Role::ControlPlane),
    ("tm1", Role::TrafficManager),
    ("gw1", Role::GatewayWorker),
    ("gw2", Role::GatewayWorker),
];
/// The user who can log in to the nodes.
const USER: &str = "demo";
/// The file that marks the directory of a complete demo.
const MARKER: &str = ".convoy-demo";

/// A demo with its running nodes. Dropping it stops the nodes.
pub struct Site {
    root: PathBuf,
    nodes: Vec<EmbeddedNode>,
}

impl Site {
    /// Starts the demo in `root`; makes a new one if the directory is missing or empty.
    ///
    /// # Errors
    /// If the directory contains something else, or cannot be written.
    pub fn open(root: &Path) -> Result<Self, Diagnostic> {
        let fault = |error: io::Error| {
            Diagnostic::user(format!("cannot create the demo in {}: {error}", root.display()))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(fault)?;
        let root = root.canonicalize().map_err(fault)?;
        // The inventory has paths in it among options that are separated by spaces.
        if root.to_str().is_none_or(|path| path.contains(|c: char| c.is_whitespace() || "'\"".contains(c))) {
            let message =
                format!("cannot create the demo in {}: the path contains spaces or quotes", root.display());
            return Err(Diagnostic::user(message).hint("use --dir to name another directory".to_owned()));
        }
        if !root.join(MARKER).exists() {
            refuse_foreign(&root)?;
            make_nodes(&root).map_err(fault)?;
        }
        project::write(&root).map_err(fault)?;
        let nodes = start(&root).map_err(fault)?;
        fs::write(root.join(MARKER), "").map_err(fault)?;
        Ok(Self { root, nodes })
    }

    /// Returns the directory of the demo.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the playbook of the upgrade.
    pub fn playbook(&self) -> PathBuf {
        self.root.join(project::PLAYBOOK)
    }

    /// Returns the inventory of the nodes.
    pub fn inventory(&self) -> PathBuf {
        self.root.join(project::INVENTORY)
    }

    /// Returns the directory of the nodes.
    pub fn nodes_folder(&self) -> PathBuf {
        nodes_folder(&self.root)
    }

    /// Returns the names of the nodes, and the ports they listen on.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&'static str, u16)> {
        NODES.iter().zip(&self.nodes).map(|((name, _), node)| (*name, node.port))
    }
}

fn nodes_folder(root: &Path) -> PathBuf {
    root.join("nodes")
}

fn refuse_foreign(root: &Path) -> Result<(), Diagnostic> {
    let empty = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none());
    if empty {
        return Ok(());
    }
    let message = format!("{} is not empty and contains no demo, or an incomplete one", root.display());
    Err(Diagnostic::user(message).kind(Kind::Refused).hint("use --dir to name another directory".to_owned()))
}

/// Makes the server homes of all nodes.
fn make_nodes(root: &Path) -> io::Result<()> {
    // The nodes of a cluster share their keystores; a newly unpacked server has the vendor's.
    let (own, shipped) = (Keystores::generate("apim.example")?, Keystores::generate("localhost")?);
    for (name, role) in NODES {
        let folder = nodes_folder(root).join(name);
        home::make_old(&folder.join(OLD_HOME), name, role, &own)?;
        home::make_new(&folder.join(NEW_HOME), role, &shipped)?;
    }
    Ok(())
}

/// Starts the nodes on free ports, and writes the inventory by which they are reached.
fn start(root: &Path) -> io::Result<Vec<EmbeddedNode>> {
    let ssh = root.join("ssh");
    fs::create_dir_all(&ssh)?;
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)
        .map_err(io::Error::other)?;
    let (key_file, known_hosts) = (ssh.join("id_ed25519"), ssh.join("known_hosts"));
    write_private(&key_file, key.to_openssh(LineEnding::LF).map_err(io::Error::other)?.as_bytes())?;
    let mut nodes = Vec::new();
    for (name, _) in NODES {
        let options = NodeOptions::new(nodes_folder(root).join(name), USER, key.public_key().clone());
        nodes.push(EmbeddedNode::start(options)?);
    }
    fs::write(&known_hosts, nodes.iter().map(EmbeddedNode::known_hosts_line).collect::<String>())?;
    let text = yaml::write(&connections(&nodes, &key_file, &known_hosts)).map_err(io::Error::other)?;
    fs::write(root.join(project::INVENTORY).join("connection.yml"), text)?;
    Ok(nodes)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

/// Returns an inventory with the connection variables and the homes of each node.
fn connections(nodes: &[EmbeddedNode], key: &Path, known_hosts: &Path) -> Value {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let hosts: Map = NODES
        .iter()
        .zip(nodes)
        .map(|((name, _), node)| {
            let vars = map! {
                "ansible_port" => i64::from(node.port),
                "wso2_old_home" => text(&node.options.root.join(OLD_HOME)),
                "wso2_new_home" => text(&node.options.root.join(NEW_HOME)),
            };
            ((*name).into(), vars.into())
        })
        .collect();
    let vars = map! {
        "ansible_host" => "127.0.0.1",
        "ansible_user" => USER,
        "ansible_ssh_private_key_file" => text(key),
        "ansible_ssh_common_args" => format!("-F none -o UserKnownHostsFile={} -o IdentitiesOnly=yes", text(known_hosts)),
    };
    map! { "all" => map! { "hosts" => hosts, "vars" => vars } }.into()
}
