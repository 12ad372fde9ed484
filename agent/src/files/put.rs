//! Putting a file with given content and attributes at a path: the core of `copy`, `template` and similar modules.

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, Digest, Map, map};

use super::attributes::{self, RequestedAttributes};
use super::difference::{self, After};
use super::mode::Base;
use super::{backup, dirname, validate};
use crate::content::Content;
use crate::failure::Failure;
use crate::module::{Checked, Done};
use crate::stat::Meta;
use crate::system::{Attributes, Bytes, Checksums, Output, System, SystemView};

/// Where the content comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The task itself.
    Memory(Vec<u8>),
    /// The workstation.
    Controller(Content),
    /// A file on the node.
    Node(PathBuf),
}

/// A requested file.
#[derive(Debug, Clone)]
pub struct Put<'a> {
    /// Its path.
    pub dest: PathBuf,
    /// Its content.
    pub source: Source,
    /// The title of the content in differences.
    pub header: String,
    /// The requested attributes.
    pub wanted: RequestedAttributes<'a>,
    /// The mode of the source, if it is to be kept.
    pub preserve: Option<u32>,
    /// Attributes for a file whose content is replaced, where none are requested.
    pub written: Attributes,
    /// The mode for a new file, if none is requested.
    pub new_mode: Option<u32>,
    /// Whether to replace a file with other content.
    pub force: bool,
    /// Whether to follow a symbolic link instead of replacing it.
    pub follow: bool,
    /// Whether to back up the old file.
    pub backup: bool,
    /// A command that validates the new file.
    pub validate: Option<&'a str>,
    /// Makes the failure if the new file is rejected.
    pub refused: fn(&Output) -> Failure,
    /// The SHA-1 digest that the content must have.
    pub checksum: Option<&'a str>,
    /// Directories to create first, with their attributes.
    pub parents: Vec<(PathBuf, Attributes)>,
    /// Whether the directory is created by an earlier part of the same plan.
    pub directory_is_planned: bool,
}

impl<'a> Put<'a> {
    /// Requests `source` at `dest`, with all options off.
    pub fn new(dest: PathBuf, source: Source, wanted: RequestedAttributes<'a>) -> Self {
        Self {
            dest,
            source,
            header: String::new(),
            wanted,
            preserve: None,
            written: Attributes::default(),
            new_mode: None,
            force: true,
            follow: false,
            backup: false,
            validate: None,
            refused: validate::refused_by_copy,
            checksum: None,
            parents: Vec::new(),
            directory_is_planned: false,
        }
    }
}

/// What to do.
#[derive(Debug)]
pub struct Plan {
    dest: PathBuf,
    expected: Option<Meta>,
    attributes: Attributes,
    content: Option<Replacement>,
    parents: Vec<(PathBuf, Attributes)>,
}

#[derive(Debug)]
struct Replacement {
    source: Source,
    backup: bool,
    validate: Option<String>,
    refused: fn(&Output) -> Failure,
    checksum: Option<String>,
}

/// The result of [`inspect`].
#[derive(Debug)]
pub enum Inspection {
    /// The file is in the requested state, at this path.
    Same(PathBuf),
    /// The path has other content, which must not be replaced (`force: false`).
    Kept(PathBuf),
    /// Something has to be done.
    Differs(Box<Plan>, Vec<Diff>),
}

/// Compares the current with the requested state.
///
/// # Errors
/// If the current state cannot be read or the file could not be written.
pub fn inspect(mut put: Put<'_>, view: &SystemView) -> Result<Inspection, Failure> {
    let mut old = view.lstat(&put.dest)?;
    if put.follow && old.as_ref().is_some_and(Meta::is_link) && view.stat(&put.dest)?.is_some() {
        put.dest = view.real_path(&put.dest);
        old = view.lstat(&put.dest)?;
    }
    if old.as_ref().is_some_and(Meta::is_dir) {
        return Err(Failure::new(format!("cannot write {}: it is a directory", put.dest.display())));
    }
    if old.is_some() && !put.force && view.stat(&put.dest)?.is_some() {
        return Ok(Inspection::Kept(put.dest));
    }
    match &old {
        Some(meta) if meta.is_file() && has_content(view, &put.dest, meta, &put.source)? => {
            inspect_attributes(put, view, meta)
        }
        _ => plan_writing(put, view, old),
    }
}

fn identity(view: &SystemView, source: &Source) -> Result<(u64, Digest), Failure> {
    Ok(match source {
        Source::Memory(bytes) => (bytes.len() as u64, Digest::of(bytes)),
        Source::Controller(content) => (content.size, content.digest),
        Source::Node(path) => {
            let size = view.stat(path)?.map_or(0, |meta| meta.size);
            (size, view.sha256(path)?)
        }
    })
}

fn has_content(view: &SystemView, dest: &Path, meta: &Meta, source: &Source) -> Result<bool, Failure> {
    let size = match source {
        Source::Memory(bytes) => bytes.len() as u64,
        Source::Controller(content) => content.size,
        Source::Node(path) => view.stat(path)?.map_or(0, |meta| meta.size),
    };
    if meta.size != size || !view.can_read(dest) {
        return Ok(false);
    }
    Ok(view.sha256(dest)? == identity(view, source)?.1)
}

fn resolved(put: &Put<'_>, view: &SystemView, old: Option<&Meta>) -> Result<Attributes, Failure> {
    let umask = view.umask();
    let mode = old.filter(|meta| meta.is_file()).map_or(0o666 & !umask, |meta| meta.mode);
    let wanted =
        RequestedAttributes { mode: put.wanted.mode.filter(|_| put.preserve.is_none()), ..put.wanted };
    let mut attributes = wanted.resolve(view, &put.dest, Base { mode, is_dir: false, umask })?;
    attributes.mode = put.preserve.or(attributes.mode);
    Ok(attributes)
}

fn inspect_attributes(put: Put<'_>, view: &SystemView, meta: &Meta) -> Result<Inspection, Failure> {
    if let Some(expected) = put.checksum {
        verify(&view.checksums(&put.dest)?, Some(expected))?;
    }
    let Some(attributes) = attributes::differing(resolved(&put, view, Some(meta))?, meta) else {
        return Ok(Inspection::Same(put.dest));
    };
    let mut diff = Vec::new();
    if view.wants_diff() {
        let mut before = map! { "path" => put.dest.to_string_lossy().as_ref() };
        let mut after = before.clone();
        difference::of_attributes(meta, attributes, &mut before, &mut after);
        diff.push(difference::of_maps(&before, &after));
    }
    let plan =
        Plan { dest: put.dest, expected: Some(meta.clone()), attributes, content: None, parents: Vec::new() };
    Ok(Inspection::Differs(Box::new(plan), diff))
}

fn plan_writing(put: Put<'_>, view: &SystemView, old: Option<Meta>) -> Result<Inspection, Failure> {
    let directory = dirname(&put.dest);
    if put.parents.is_empty() && !put.directory_is_planned {
        if view.stat(&directory)?.is_none() {
            return Err(Failure::new(format!(
                "Destination directory {} does not exist",
                directory.display()
            )));
        }
        if !view.can_write(&directory) {
            return Err(Failure::new(format!("Destination {} not writable", directory.display())));
        }
    }
    let mut attributes = resolved(&put, view, old.as_ref())?;
    if old.is_some() {
        attributes.mode = attributes.mode.or(put.written.mode);
        attributes.uid = attributes.uid.or(put.written.uid);
        attributes.gid = attributes.gid.or(put.written.gid);
    } else {
        attributes.mode = attributes.mode.or(put.new_mode);
    }
    let diff =
        if view.wants_diff() { vec![content_difference(&put, view, old.as_ref())?] } else { Vec::new() };
    let content = Some(Replacement {
        source: put.source,
        backup: put.backup,
        validate: put.validate.map(str::to_owned),
        refused: put.refused,
        checksum: put.checksum.map(str::to_owned),
    });
    let plan = Plan { dest: put.dest, expected: old, attributes, content, parents: put.parents };
    Ok(Inspection::Differs(Box::new(plan), diff))
}

fn content_difference(put: &Put<'_>, view: &SystemView, old: Option<&Meta>) -> Result<Diff, Failure> {
    let old = old.filter(|meta| meta.is_file());
    let after = |size| After { header: &put.header, size, file: None, bytes: None };
    match &put.source {
        Source::Memory(bytes) => {
            let after = After { bytes: Some(bytes), ..after(bytes.len() as u64) };
            difference::of_content(view, &put.dest, old, after)
        }
        Source::Controller(content) if content.size > crate::system::DIFF_LIMIT => {
            difference::of_content(view, &put.dest, old, after(content.size))
        }
        Source::Controller(content) => {
            let file = view.content(&content.digest)?;
            difference::of_content(view, &put.dest, old, After { file: Some(&file), ..after(content.size) })
        }
        Source::Node(path) => {
            let size = view.stat(path)?.map_or(0, |meta| meta.size);
            difference::of_content(view, &put.dest, old, After { file: Some(path), ..after(size) })
        }
    }
}

/// Checks a module that puts a single file.
///
/// # Errors
/// As [`inspect`].
pub fn check(put: Put<'_>, view: &SystemView, mut values: Map) -> Result<Checked<Plan>, Failure> {
    match inspect(put, view)? {
        Inspection::Same(dest) => {
            values.insert("dest".into(), dest.to_string_lossy().as_ref().into());
            values.insert("checksum".into(), view.checksums(&dest)?.sha1.into());
            attributes::describe(view, &dest, &mut values)?;
            Ok(Checked::Same(values))
        }
        Inspection::Kept(dest) => {
            values.insert("dest".into(), dest.to_string_lossy().as_ref().into());
            Ok(Checked::Same(values))
        }
        Inspection::Differs(plan, diff) => {
            values.insert("dest".into(), plan.dest.to_string_lossy().as_ref().into());
            Ok(Checked::Differs { plan: *plan, diff, values })
        }
    }
}

fn verify(sums: &Checksums, expected: Option<&str>) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != sums.sha1 => {
            Err(Failure::new("Copied file does not match the expected checksum. Transfer failed.")
                .with("checksum", sums.sha1.as_str())
                .with("expected_checksum", expected))
        }
        _ => Ok(()),
    }
}

/// Carries out a plan and returns the module's result.
///
/// # Errors
/// If something cannot be written or the new file is rejected; the old file is unchanged then.
pub fn apply(plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let mut values = perform(&plan, node)?;
    let dest = &plan.dest;
    values.insert("dest".into(), dest.to_string_lossy().as_ref().into());
    if plan.content.is_none() {
        values.insert("checksum".into(), node.checksums(dest)?.sha1.into());
    }
    attributes::describe(node, dest, &mut values)?;
    Ok(Done { changed: true, values })
}

/// Carries out a plan and returns the values that are known only afterwards.
///
/// # Errors
/// As [`apply`].
pub fn perform(plan: &Plan, node: &mut System) -> Result<Map, Failure> {
    for (path, attributes) in &plan.parents {
        node.make_dir(path)?;
        attributes::set(node, path, *attributes)?;
    }
    let dest = &plan.dest;
    let Some(writing) = &plan.content else {
        node.expect_unchanged(dest, plan.expected.as_ref())?;
        attributes::set(node, dest, plan.attributes)?;
        return Ok(Map::new());
    };
    let file = match &writing.source {
        Source::Memory(_) => None,
        Source::Controller(content) => Some(node.content(&content.digest)?),
        Source::Node(path) => Some(path.clone()),
    };
    let mut temporary = match (&file, &writing.source) {
        (Some(path), _) => node.prepare(dest, Bytes::File(path), plan.attributes)?,
        (None, Source::Memory(bytes)) => node.prepare(dest, Bytes::Memory(bytes), plan.attributes)?,
        (None, _) => return Err(Failure::new(format!("no content for {}", dest.display()))),
    };
    // Verify what was actually written, not what was announced.
    let sums = node.checksums(temporary.path())?;
    temporary.set_digest(sums.sha256);
    if let Source::Controller(content) = &writing.source
        && content.digest != sums.sha256
    {
        return Err(Failure::new(format!("the content for {} arrived damaged", dest.display())));
    }
    verify(&sums, writing.checksum.as_deref())?;
    if let Some(command) = &writing.validate {
        let output = validate::run(node, command, temporary.path())?;
        if output.rc != 0 {
            return Err((writing.refused)(&output));
        }
    }
    let kept = if writing.backup { backup::make(node, dest)? } else { None };
    node.place(temporary, plan.expected.as_ref())?;
    let mut values = map! { "checksum" => sums.sha1, "md5sum" => sums.md5 };
    // Secret content must not be stored on the node's disk.
    let source = file.as_ref().filter(|path| !path.starts_with("/proc"));
    if let (Source::Controller(_), Some(path)) = (&writing.source, source) {
        values.insert("src".into(), path.to_string_lossy().as_ref().into());
    }
    if let Some(path) = kept {
        values.insert("backup_file".into(), path.to_string_lossy().as_ref().into());
    }
    Ok(values)
}
