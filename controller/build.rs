//! Builds the agent for this target and packs it, so that `convoy` is one file that always carries today's agent.
//!
//! `CONVOY_AGENT_<target>=PATH` (dashes of the target written as underscores) adds or replaces an agent:
//! for other architectures, for musl, for packagers.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

const OVERRIDE: &str = "CONVOY_AGENT_";
/// The folders of the repository that `convoy demo` carries.
const PROJECT: [&str; 3] = ["playbooks/wso2-apim", "templates/wso2-apim", "inventory/demo"];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target = env::var("TARGET")?;
    let mut agents: Vec<(String, PathBuf)> = given_agents();
    let name = target.replace('-', "_");
    println!("cargo::rerun-if-env-changed={OVERRIDE}{name}");
    println!("cargo::rustc-check-cfg=cfg(agent_given)");
    if agents.iter().any(|(t, _)| *t == name) {
        println!("cargo::rustc-cfg=agent_given");
    } else {
        agents.push((name, build_agent(&target, &out)?));
    }
    fs::write(out.join("agents.rs"), table(&agents, &out)?)?;
    fs::write(out.join("project.rs"), project()?)?;
    Ok(())
}

/// Returns the Rust text of the table of files that `convoy demo` carries: name and content.
fn project() -> Result<String, Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let mut files = Vec::new();
    for folder in PROJECT {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        list(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        writeln!(text, "    ({:?}, include_str!({file:?})),", file.strip_prefix(&root)?)?;
    }
    text.push_str("]\n");
    Ok(text)
}

/// Lists the files in a folder, however deep.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Agents named by the environment.
fn given_agents() -> Vec<(String, PathBuf)> {
    env::vars()
        .filter_map(|(key, path)| Some((key.strip_prefix(OVERRIDE)?.to_owned(), PathBuf::from(path))))
        .inspect(|(target, path)| {
            println!("cargo::rerun-if-env-changed={OVERRIDE}{target}");
            println!("cargo::rerun-if-changed={}", path.display());
        })
        .collect()
}

/// Builds the static agent with the cargo that builds us, in a target folder of its own. What is in it is then listed
/// in `agent.map`: it is stripped itself.
fn build_agent(target: &str, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    for input in ["agent", "archive", "protocol", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let folder = out.join("agent");
    let map = format!("-Clink-arg=-Map={}", out.join("agent.map").display());
    let flags = ["-Ctarget-feature=+crt-static", "-Clink-arg=-Xlinker", &map].join("\x1f");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .current_dir(&root)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "agent",
            "-p",
            "convoy-agent",
            "--bin",
            "convoy-agent",
        ])
        .args(["--target", target, "--target-dir"])
        .arg(&folder);
    // What the outer build was given (coverage, clippy's driver, other flags) is not for the node's binary.
    for inherited in [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "CLIPPY_ARGS",
    ] {
        cargo.env_remove(inherited);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
    if !cargo.status()?.success() {
        return Err("the agent did not build: see cargo's messages above".into());
    }
    Ok(folder.join(target).join("agent").join("convoy-agent"))
}

/// Writes each agent compressed and returns the Rust text of the table that includes them.
fn table(agents: &[(String, PathBuf)], out: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::from("&[\n");
    for (target, path) in agents {
        let bytes = fs::read(path).map_err(|e| format!("cannot read the agent {}: {e}", path.display()))?;
        let packed = out.join(format!("{target}.gz"));
        let mut gz = GzEncoder::new(fs::File::create(&packed)?, Compression::best());
        gz.write_all(&bytes)?;
        gz.finish()?;
        let digest = Sha256::digest(&bytes).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        writeln!(
            text,
            "    EmbeddedAgent {{ target: {:?}, digest: {digest:?}, size: {}, packed: include_bytes!({packed:?}) }},",
            target,
            bytes.len()
        )?;
    }
    text.push_str("]\n");
    Ok(text)
}
