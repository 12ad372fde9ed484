//! `archive_info`: what an archive holds.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use convoy_archive::{Entry, Error, Kind};
use convoy_protocol::{Digest, Map, Value, map};

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::glob;
use crate::files::status::whole;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// The most text that is returned of one file, in bytes.
const TEXT: u64 = 1 << 20;
/// The most members that are returned: with paths of usual length they take half a message.
const MEMBERS: usize = 50_000;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Tells what an archive holds",
    description: "Of a zip file, a JAR among them, or a tar archive, packed or not: its members with their sizes, \
        `count` and `size` in bytes of all that match, and the text of small files in it. Unpacks nothing and changes nothing. \
        In patterns `*` stands for any characters, `/` among them.",
    example: "- name: Look into the driver\n  archive_info:\n    path: /opt/wso2/repository/components/lib/mysql-connector-j-8.0.33.jar\n    include: [com/mysql/cj/jdbc/Driver.class]\n    contents: [META-INF/services/java.sql.Driver]\n  register: driver\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

crate::arguments! {
    /// Arguments of `archive_info`.
    pub struct Args {
        /// The archive.
        path: NodePath [required, aliases("src")],
        /// Patterns of members; without any, all are told of.
        include: Vec<String>,
        /// Whether each of these files is told with its SHA-256, for which it is read.
        checksum: bool [default("false")],
        /// Patterns of files whose text is returned in `contents`, by path.
        contents: Vec<String>,
    }
}

/// Reads the archive.
///
/// # Errors
/// If it is missing, no archive or a damaged one, or if what was asked for is no text or too much.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let path = view.expand(&args.path);
    let shown = path.display().to_string();
    match view.stat(&path)? {
        None => return Err(Failure::new(format!("{shown} does not exist"))),
        Some(meta) if !meta.is_file() => return Err(Failure::new(format!("{shown} is not a file"))),
        Some(_) => {}
    }
    let told = read(args, &path).map_err(|stop| match stop {
        Stop::Archive(error) => Failure::new(format!("cannot read {shown}: {error}")),
        Stop::Refused(why) => Failure::new(format!("{shown}: {why}")),
    })?;
    Ok(Checked::Same(map! {
        "path" => shown,
        "format" => told.format,
        "count" => whole(told.entries.len() as u64),
        "size" => whole(told.size),
        "entries" => told.entries,
        "contents" => told.contents,
    }))
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}

/// Why reading ended early.
enum Stop {
    Archive(Error),
    Refused(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

/// What was found.
#[derive(Default)]
struct Told {
    format: &'static str,
    entries: Vec<Value>,
    size: u64,
    contents: Map,
}

fn read(args: &Args, path: &Path) -> Result<Told, Stop> {
    let mut file = File::open(path).map_err(Error::Io)?;
    let mut told = Told::default();
    let format = convoy_archive::walk(&mut file, &mut |entry, bytes| told.add(args, &entry, bytes))?;
    told.format = format.name();
    Ok(told)
}

impl Told {
    fn add(&mut self, args: &Args, entry: &Entry<()>, bytes: &mut dyn Read) -> Result<(), Stop> {
        let name = entry.name.as_str();
        let listed = args.include.is_empty() || matches(&args.include, name);
        let read = matches(&args.contents, name);
        let (kind, size) = match &entry.kind {
            Kind::File { size, .. } => ("file", *size),
            Kind::Dir => ("directory", 0),
            Kind::Link(_) => ("link", 0),
            Kind::Hard(_) => ("hard", 0),
        };
        let mut checksum = None;
        if kind == "file" && read {
            let text = text(name, size, bytes)?;
            checksum = Some(Digest::of(text.as_bytes()));
            self.contents.insert(name.into(), text.into());
        } else if kind == "file" && listed && args.checksum {
            let (digest, _) =
                Digest::of_reader(&mut &mut *bytes).map_err(|error| Error::in_member(error, name))?;
            checksum = Some(digest);
        }
        if !listed {
            return Ok(());
        }
        if self.entries.len() == MEMBERS {
            return Err(Stop::Refused(format!("more than {MEMBERS} members match: narrow `include`")));
        }
        self.size = self.size.saturating_add(size);
        let mut member = map! { "path" => name, "kind" => kind, "size" => whole(size) };
        if let Some(digest) = checksum.filter(|_| args.checksum) {
            member.insert("checksum".into(), digest.to_string().into());
        }
        self.entries.push(member.into());
        Ok(())
    }
}

fn matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern, name))
}

fn text(name: &str, size: u64, bytes: &mut dyn Read) -> Result<String, Stop> {
    if size > TEXT {
        return Err(Stop::Refused(format!(
            "{name} has {size} bytes, and the text of no more than {TEXT} is returned"
        )));
    }
    let mut content = Vec::new();
    bytes.take(TEXT + 1).read_to_end(&mut content).map_err(|error| Error::in_member(error, name))?;
    String::from_utf8(content).map_err(|_| Stop::Refused(format!("{name} is not text in UTF-8")))
}
