//! `assemble`: one file out of the fragments in a directory.

use std::path::PathBuf;

use convoy_protocol::map;

pub use crate::files::put::Plan;

use crate::args::NodePath;
use crate::content::{EntryKind, StagedSource, Tree};
use crate::failure::Failure;
use crate::files::attributes::FileArgs;
use crate::files::put::{self, Put, Source};
use crate::files::{validate, with_directory};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::os_error::cannot;
use crate::pattern::Pattern;
use crate::system::{Checksums, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Makes a file out of the fragments in a directory",
    description: "The fragments come one after the other, in the order of their names, each from a line of its own. \
        The directory is on the node, unless `remote_src` is false.",
    example: "- name: Put the configuration together\n  assemble:\n    src: conf.d\n    dest: /opt/wso2/conf/deployment.toml\n    remote_src: false\n    regexp: \\.toml$\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::WriteTree);

crate::arguments! {
    /// Arguments of `assemble`.
    pub struct Args {
        /// The directory with the fragments. Directories within it are left out.
        src: StagedSource [required, controller_file],
        /// The file.
        dest: NodePath [required],
        /// Whether the directory is on the node.
        remote_src: bool [default("true")],
        /// What the names of fragments must hold.
        regexp: Option<String>,
        /// What stands in a line of its own between two fragments; `\n`, `\t`, `\\` and `\x41` are read.
        delimiter: Option<String>,
        /// Whether names that begin with a dot are left out.
        ignore_hidden: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
        /// Whether fragments of the workstation that are encrypted are decrypted.
        decrypt: bool [default("true")],
    }
    including [file: FileArgs]
    missing: "src and dest are required"
}

/// Puts the fragments together and compares the file with that.
///
/// # Errors
/// If there is no such directory, a fragment cannot be read, or something is in the way.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    if let Some(command) = args.validate.as_ref().filter(|command| !command.contains("%s")) {
        return Err(Failure::new(format!("validate must contain %s: {command}")));
    }
    let (src, fragments) = match &args.src {
        StagedSource::Node(path) => of_node(view, view.expand(path))?,
        StagedSource::Tree(tree) => (tree.name.clone(), of_tree(tree)),
        StagedSource::File(content) => {
            return Err(Failure::new(format!("Source ({}) is not a directory", content.name)));
        }
    };
    let content = join(args, view, fragments)?;
    let sums =
        Checksums::of_reader(&mut &content[..]).map_err(|error| cannot("read", src.as_ref(), &error))?;
    let dest = with_directory(view.expand(&args.dest));
    let mut put = Put::new(dest, Source::Memory(content), args.file.wanted());
    put.header.clone_from(&src);
    put.backup = args.backup;
    put.validate = args.validate.as_deref();
    put.refused = validate::refused;
    put::check(put, view, map! { "src" => src, "checksum" => sums.sha1, "md5sum" => sums.md5, "msg" => "OK" })
}

/// A fragment's name, and where its bytes are.
struct Fragment {
    name: String,
    place: Place,
}

enum Place {
    Node(PathBuf),
    Controller(convoy_protocol::Digest),
}

fn of_node(view: &SystemView, src: PathBuf) -> Result<(String, Vec<Fragment>), Failure> {
    let shown = src.to_string_lossy().into_owned();
    match view.stat(&src)? {
        Some(meta) if meta.is_dir() => {}
        Some(_) => return Err(Failure::new(format!("Source ({shown}) is not a directory"))),
        None => return Err(Failure::new(format!("Source ({shown}) does not exist"))),
    }
    let mut fragments = Vec::new();
    for path in view.list(&src)? {
        if view.stat(&path)?.is_some_and(|meta| meta.is_file()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fragments.push(Fragment { name, place: Place::Node(path) });
        }
    }
    Ok((shown, fragments))
}

fn of_tree(tree: &Tree) -> Vec<Fragment> {
    let fragment = |(name, kind): (&PathBuf, &EntryKind)| match kind {
        EntryKind::File(content) if name.components().count() == 1 => {
            Some(Fragment { name: content.name.clone(), place: Place::Controller(content.digest) })
        }
        _ => None,
    };
    tree.entries.iter().filter_map(|entry| fragment((&entry.path, &entry.kind))).collect()
}

fn join(args: &Args, view: &SystemView, fragments: Vec<Fragment>) -> Result<Vec<u8>, Failure> {
    let pattern = args.regexp.as_deref().map(Pattern::new).transpose()?;
    let delimiter = args.delimiter.as_deref().map(unescape).transpose()?.filter(|bytes| !bytes.is_empty());
    let mut whole = Vec::new();
    let mut is_first = true;
    for fragment in fragments {
        let is_hidden = fragment.name.starts_with('.');
        let fits = pattern.as_ref().map(|pattern| pattern.span(&fragment.name)).transpose()?;
        if (args.ignore_hidden && is_hidden) || fits.is_some_and(|found| found.is_none()) {
            continue;
        }
        let path = match fragment.place {
            Place::Node(path) => path,
            Place::Controller(digest) => view.content(&digest)?,
        };
        let bytes = view.read(&path)?;
        if !is_first {
            end_line(&mut whole);
            if let Some(delimiter) = &delimiter {
                whole.extend_from_slice(delimiter);
                end_line(&mut whole);
            }
        }
        whole.extend(bytes);
        is_first = false;
    }
    Ok(whole)
}

fn end_line(bytes: &mut Vec<u8>) {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
}

/// Reads the escapes that Python's byte strings have.
fn unescape(text: &str) -> Result<Vec<u8>, Failure> {
    let refuse = |why: &str| Failure::new(format!("cannot read the delimiter '{text}': {why}"));
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let c = rest.chars().next().ok_or_else(|| refuse("it ends with a backslash"))?;
        let mut taken = c.len_utf8();
        match c {
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            '\\' | '\'' | '"' => bytes.push(c as u8),
            'x' => {
                let digits = rest.get(1..3).ok_or_else(|| refuse("\\x takes two digits"))?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| refuse("\\x takes two digits"))?);
                taken = 3;
            }
            '0'..='7' => {
                taken = rest.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let number = u32::from_str_radix(&rest[..taken], 8).unwrap_or_default();
                bytes.push(number as u8);
            }
            _ => bytes.extend([b"\\", &rest.as_bytes()[..taken]].concat()),
        }
        rest = &rest[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; a file that was there is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected bytes are those of CPython's codecs.escape_decode.
    #[test]
    fn delimiters_are_read_as_byte_strings() {
        for (text, bytes) in
            [("--é--", "--é--".as_bytes()), (r"\n\t\\\'\x41\101\7", b"\n\t\\'AA\x07"), (r"\q\e", br"\q\e")]
        {
            assert_eq!(unescape(text).unwrap(), bytes);
        }
        assert_eq!(
            unescape("a\\").unwrap_err().msg,
            "cannot read the delimiter 'a\\': it ends with a backslash"
        );
        assert_eq!(
            unescape(r"\x4").unwrap_err().msg,
            r"cannot read the delimiter '\x4': \x takes two digits"
        );
    }
}
