//! Content that the controller describes by its digest, and the arguments that refer to it.

use std::path::{Component, Path, PathBuf};

use convoy_protocol::{Digest, Map, Value};

use crate::args::{Arg, NodePath, ParamKind};
use crate::failure::Failure;

/// Supplies content by digest, and stores what orders want to keep between them.
pub trait ContentStore {
    /// Returns a file with exactly the content named by `digest`.
    ///
    /// # Errors
    /// If the content is not available.
    fn fetch(&self, digest: &Digest) -> Result<PathBuf, Failure>;

    /// Offers the beginning of a file to the controller, under its digest.
    fn offer(&self, digest: Digest, file: OfferedFile);

    /// Returns a directory of this user in which programs may be executed.
    fn directory(&self) -> &Path;

    /// Returns what was stored under `name`. Stored notes only save work: they may disappear at any time.
    fn load_note(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    /// Stores a note under `name`, replacing an earlier one.
    fn store_note(&self, _name: &str, _bytes: &[u8]) {}
}

/// The beginning of a file that is offered to the controller, as long as that file is not replaced. The file may grow; the
/// new part is not offered.
#[derive(Debug, Clone)]
pub struct OfferedFile {
    /// The file's path.
    pub path: PathBuf,
    /// The device it is on.
    pub dev: u64,
    /// Its inode number.
    pub ino: u64,
    /// How many bytes are offered.
    pub size: u64,
}

/// Describes a file on the workstation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The digest of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its file name.
    pub name: String,
}

/// Describes a directory on the workstation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The directory's name.
    pub name: String,
    /// Whether the source ended with a slash, so that the content of the directory is meant and not the directory itself.
    pub slash: bool,
    /// Its entries; each directory precedes its own entries.
    pub entries: Vec<Entry>,
}

/// One entry of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the directory; never absolute, and without `..`.
    pub path: PathBuf,
    /// Its type.
    pub kind: EntryKind,
}

/// The type of an [`Entry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File(Content),
    /// A directory, with its permission bits.
    Dir(u32),
    /// A symbolic link, with its target.
    Link(PathBuf),
}

/// A parameter that names a file on the workstation, as the controller passes it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StagedSource {
    /// One file.
    File(Content),
    /// A directory.
    Tree(Tree),
    /// A path on the node, given with `remote_src`.
    Node(NodePath),
}

/// A parameter that names an archive, as the controller passes it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StagedArchive {
    /// An archive on the workstation, with the digest of its manifest.
    Controller(Content, Digest),
    /// A path on the node, or a URL to download from.
    Node(NodePath),
}

fn member<'v>(map: &'v Map, name: &str) -> Result<&'v Value, String> {
    map.get(name).ok_or_else(|| format!("the description of a file has no '{name}'"))
}

fn number(map: &Map, name: &str) -> Result<u64, String> {
    let value = member(map, name)?;
    value.as_int().and_then(|i| u64::try_from(i).ok()).ok_or_else(|| {
        format!("'{name}' in the description of a file is {}, not a number", value.kind_name())
    })
}

fn text<'v>(map: &'v Map, name: &str) -> Result<&'v str, String> {
    let value = member(map, name)?;
    value.as_str().ok_or_else(|| format!("'{name}' in the description of a file is {}", value.kind_name()))
}

fn mode(map: &Map) -> Result<u32, String> {
    Ok((number(map, "mode")? & 0o7777) as u32)
}

fn digest(map: &Map, name: &str) -> Result<Digest, String> {
    text(map, name)?.parse().map_err(|e: convoy_protocol::digest::ParseDigestError| e.to_string())
}

fn content(map: &Map, name: String) -> Result<Content, String> {
    Ok(Content { digest: digest(map, "digest")?, size: number(map, "size")?, mode: mode(map)?, name })
}

fn single_name(name: &str) -> Result<String, String> {
    let plain =
        Path::new(name).components().count() == 1 && !matches!(name, "." | "..") && !name.contains('/');
    if plain { Ok(name.to_owned()) } else { Err(format!("'{name}' is not a file name")) }
}

/// Returns `path` if it denotes something below the directory that it is relative to.
fn below_directory(path: &str) -> Result<PathBuf, String> {
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.is_empty() && !path.contains('\0') {
        Ok(path.into())
    } else {
        Err(format!("'{path}' leads out of the copied directory"))
    }
}

fn entry(value: &Value) -> Result<Entry, String> {
    let map = value.as_map().ok_or_else(|| format!("an entry of a directory is {}", value.kind_name()))?;
    let path = below_directory(text(map, "path")?)?;
    let kind = match text(map, "kind")? {
        "file" => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            EntryKind::File(content(map, name)?)
        }
        "dir" => EntryKind::Dir(mode(map)?),
        "link" => EntryKind::Link(text(map, "target")?.into()),
        other => return Err(format!("an entry of a directory has the unknown type '{other}'")),
    };
    Ok(Entry { path, kind })
}

impl Arg for Content {
    const KIND: ParamKind = ParamKind::Raw;

    fn convert(value: &Value) -> Result<Self, String> {
        let map = value.as_map().ok_or_else(|| format!("{} does not describe a file", value.kind_name()))?;
        content(map, single_name(text(map, "name")?)?)
    }
}

/// A script on the workstation with its arguments, as the controller passes it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedScript {
    /// The script.
    pub content: Content,
    /// The arguments, quoted by the user as for a shell.
    pub arguments: String,
}

impl Arg for StagedScript {
    const KIND: ParamKind = ParamKind::Str;

    fn convert(value: &Value) -> Result<Self, String> {
        let content = Content::convert(value)?;
        let arguments = value.as_map().map(|map| text(map, "arguments")).transpose()?.unwrap_or_default();
        Ok(Self { content, arguments: arguments.to_owned() })
    }
}

impl Arg for StagedArchive {
    const KIND: ParamKind = ParamKind::Path;

    fn convert(value: &Value) -> Result<Self, String> {
        match value.as_map() {
            Some(map) => Ok(Self::Controller(Content::convert(value)?, digest(map, "manifest")?)),
            None => NodePath::convert(value).map(Self::Node),
        }
    }
}

impl Arg for StagedSource {
    const KIND: ParamKind = ParamKind::Raw;

    fn convert(value: &Value) -> Result<Self, String> {
        let Some(map) = value.as_map() else {
            return NodePath::convert(value).map(Self::Node);
        };
        let Some(tree) = map.get("tree") else {
            return Content::convert(value).map(Self::File);
        };
        let entries =
            tree.as_list().ok_or_else(|| format!("the entries of a directory are {}", tree.kind_name()))?;
        Ok(Self::Tree(Tree {
            name: single_name(text(map, "name")?)?,
            slash: member(map, "slash")?.as_bool().unwrap_or_default(),
            entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoy_protocol::map;

    fn file() -> Map {
        map! { "digest" => Digest::of(b"x").to_string(), "size" => 1, "mode" => 0o644, "name" => "x" }
    }

    #[test]
    fn files_directories_and_paths_are_distinguished() {
        let StagedSource::File(content) = StagedSource::convert(&file().into()).unwrap() else {
            panic!("not a file")
        };
        assert_eq!((content.size, content.mode, content.name.as_str()), (1, 0o644, "x"));
        assert_eq!(StagedSource::convert(&"~/a".into()), Ok(StagedSource::Node(NodePath("~/a".into()))));
        let mut entry = file();
        entry.extend(map! { "path" => "a/x", "kind" => "file" });
        let tree = map! { "name" => "t", "slash" => true, "tree" => vec![Value::from(entry)] };
        let StagedSource::Tree(tree) = StagedSource::convert(&tree.into()).unwrap() else {
            panic!("not a tree")
        };
        assert_eq!(
            (tree.name.as_str(), tree.slash, tree.entries[0].path.as_path()),
            ("t", true, Path::new("a/x"))
        );
    }

    #[test]
    fn paths_that_lead_out_of_the_directory_are_refused() {
        for path in ["/etc/passwd", "../x", "a/../../x", "", ".", "a\0b"] {
            let entry = map! { "path" => path, "kind" => "link", "target" => "t" };
            let tree = map! { "name" => "t", "slash" => false, "tree" => vec![Value::from(entry)] };
            assert_eq!(
                StagedSource::convert(&tree.into()).unwrap_err(),
                format!("'{path}' leads out of the copied directory")
            );
        }
        for name in ["a/b", "..", "", "/"] {
            let mut content = file();
            content.insert("name".into(), name.into());
            assert_eq!(
                Content::convert(&content.into()).unwrap_err(),
                format!("'{name}' is not a file name")
            );
        }
    }
}
