//! `known_hosts`: the key of a host in a file of known ones.

mod line;

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, DiffSide, Map, map};

use crate::args::{NodePath, State};
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::stat::Meta;
use crate::system::{Attributes, Bytes, System, SystemView};

use line::{Line, hashed};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a host's key is, or is not, in a file of known hosts",
    description: "A key of the same type is replaced; one of another type stays. Without `key` all keys of a host are \
        removed. What is marked `@cert-authority` or `@revoked` is touched only if it is given as it stands.",
    example: "- name: Know the repository's host\n  known_hosts:\n    path: /etc/ssh/ssh_known_hosts\n    name: git.example.com\n    key: \"{{ lookup('file', 'git.example.com.pub') }}\"\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `known_hosts`.
    pub struct Args {
        /// The host, as it stands in the file: with a port other than 22 it is `[name]:port`.
        name: String [required, aliases("host")],
        /// The whole line: the host, the type of the key, and the key.
        key: Option<String>,
        /// The file.
        path: NodePath [default("~/.ssh/known_hosts")],
        /// Whether the name is written as a hash.
        hash_host: bool [default("false")],
        /// Whether the key shall be there.
        state: State [default("present")],
    }
}

/// What is to be written.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    expected: Option<Meta>,
    content: String,
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If the key is missing or another host's, or the file cannot be read.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let path = view.expand(&args.path);
    let host = args.name.to_lowercase();
    let given = given(args, &host, view)?;
    let values = values(args, &path);
    let target = view.real_path(&path);
    let expected = view.lstat(&target)?;
    let old = match &expected {
        Some(_) => {
            let bytes = view.read(&target)?;
            String::from_utf8(bytes)
                .map_err(|_| Failure::new(format!("{} is not a text file", path.display())))?
        }
        None => String::new(),
    };
    let new = edited(&old, &host, given.as_deref(), args.state == State::Present);
    if new == old {
        return Ok(Checked::Same(values));
    }
    let directory = crate::files::dirname(&target);
    if view.stat(&directory)?.is_none() {
        let msg = format!(
            "Failed to write to file {}: the directory {} does not exist",
            path.display(),
            directory.display()
        );
        return Err(Failure::new(msg));
    }
    let diff =
        if view.wants_diff() { vec![difference(&path, expected.is_some(), old, &new)] } else { Vec::new() };
    Ok(Checked::Differs { plan: Plan { path: target, expected, content: new }, diff, values })
}

/// Returns the line as it shall stand in the file.
fn given(args: &Args, host: &str, view: &SystemView) -> Result<Option<String>, Failure> {
    let Some(key) = args.key.as_deref().filter(|key| !key.is_empty()) else {
        return match args.state {
            State::Absent => Ok(None),
            State::Present => Err(Failure::new("No key specified when adding a host")),
        };
    };
    if host.split_once(',').is_some_and(|(before, _)| !before.is_empty()) {
        return Err(Failure::new(
            "Comma separated list of names is not supported. Please pass a single name to lookup in the known_hosts file.",
        ));
    }
    let is_of_host = Line::parse(key).is_some_and(|line| args.hash_host || line.is_of(host));
    if !is_of_host {
        return Err(Failure::new("Host parameter does not match hashed host field in supplied key"));
    }
    if !args.hash_host {
        return Ok(Some(key.trim_end_matches('\n').to_owned()));
    }
    let salt = view.read_head(Path::new("/dev/urandom"), 20)?;
    let mut words: Vec<String> = key.split_whitespace().map(str::to_owned).collect();
    let at = usize::from(words[0].starts_with('@'));
    words[at] = hashed(host, &salt);
    Ok(Some(words.join(" ")))
}

/// Returns the text with the line in it, or without it; without a line given, without all lines of the host.
fn edited(old: &str, host: &str, given: Option<&str>, present: bool) -> String {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let is_of_host = |text: &&str| Line::parse(text).is_some_and(|line| line.is_of(host));
    let Some((given, key)) = given.and_then(|text| Some((text, Line::parse(text)?))) else {
        let is_removed =
            |text: &&str| is_of_host(text) && Line::parse(text).is_some_and(|line| line.marker.is_none());
        return lines.into_iter().filter(|text| !is_removed(text)).collect();
    };
    let mut found = None;
    for (at, text) in lines.iter().enumerate().filter(|(_, text)| is_of_host(text)) {
        let Some(line) = Line::parse(text) else { continue };
        if line.is_same(&key) {
            if present {
                return old.to_owned();
            }
            found = Some(at);
            break;
        }
        // What is marked is never taken for the key of the host itself.
        if line.marker.is_none() && key.marker.is_none() && line.kind == key.kind {
            found = Some(at);
            break;
        }
    }
    let kept = lines.iter().enumerate().filter(|(at, _)| Some(*at) != found).map(|(_, text)| *text);
    let mut new: String = kept.collect();
    if present {
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(given);
        new.push('\n');
    }
    new
}

fn difference(path: &Path, exists: bool, before: String, after: &str) -> Diff {
    let name = path.display().to_string();
    let header = if exists { name.clone() } else { "/dev/null".to_owned() };
    Diff::Text {
        before: DiffSide { header, text: before },
        after: DiffSide { header: name, text: after.to_owned() },
    }
}

fn values(args: &Args, path: &Path) -> Map {
    map! {
        "name" => &*args.name,
        "key" => args.key.clone(),
        "path" => path.to_string_lossy().as_ref(),
        "hash_host" => args.hash_host,
        "state" => if args.state == State::Present { "present" } else { "absent" },
    }
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written; the old one is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let bytes = Bytes::Memory(plan.content.as_bytes());
    node.replace(&plan.path, plan.expected.as_ref(), bytes, Attributes::default())?;
    Ok(Done { changed: true, values: Map::new() })
}
