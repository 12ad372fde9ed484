//! Files and templates of the workstation that a module wants: found, rendered, and named by their digest.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use convoy_agent::args::{Arg, Staged};
use convoy_agent::module::Module;
use convoy_agent::words;
use convoy_protocol::{Map, Taint, Value, map};

use super::view::View;
use crate::paths::expand_user;
use crate::secrets::Vault;
use crate::services::files::NoPassword;
use crate::template::{Error, File, FileOptions};

/// Why a file could not be staged.
#[derive(Debug)]
pub(super) enum Unstaged {
    /// A template failed.
    Template(Error),
    /// A file could not be found or read; the text is for the task's result.
    File(String),
}

impl From<Error> for Unstaged {
    fn from(error: Error) -> Self {
        Self::Template(error)
    }
}

/// Replaces the arguments that name files of the workstation by descriptions of their content.
///
/// # Errors
/// If a file cannot be found or read, or a template not rendered.
pub(super) fn stage(view: View<'_>, module: &Module, mut args: Map) -> Result<Map, Unstaged> {
    let is_true = |value: &Value| bool::convert(value).unwrap_or(false);
    let remote = match (args.get("remote_src"), module.spec.param("remote_src")) {
        (Some(value), _) => is_true(value),
        // `copy: no` is how `unarchive` said it once.
        (None, Some(_)) if args.get("copy").is_some_and(|copy| !is_true(copy)) => true,
        (None, Some(param)) => param.default.is_some_and(|text| is_true(&text.into())),
        (None, None) => false,
    };
    let decrypt = args.get("decrypt").is_none_or(|value| bool::convert(value).unwrap_or(true));
    let decrypting = decrypt.then(|| view.services.templar.vault());
    let is_sent = |staged| !matches!(staged, Staged::No | Staged::Download);
    for param in module.spec.params.iter().filter(|param| is_sent(param.staged) && !remote) {
        let names = std::iter::once(&param.name).chain(param.aliases);
        let Some(name) = names.copied().find(|name| args.contains_key(*name)) else { continue };
        let Some(given) = args.get(name) else { continue };
        let (source, taint) = (crate::text::python::str(given), given.deep_taint());
        // It would be the folder in which files are looked for.
        if source.is_empty() {
            args.shift_remove(name);
            continue;
        }
        let staged = match param.staged {
            Staged::Template => template(view, &source, &args)?,
            Staged::Script => script(view, &source, taint, decrypting)?,
            Staged::Archive => archive(view, &source, decrypting)?,
            _ => file(view, &source, args.get("local_follow").is_none_or(is_true), decrypting)?,
        };
        args.insert(param.name.into(), staged);
        if name != param.name {
            args.shift_remove(name);
        }
    }
    Ok(args)
}

fn unreadable(path: &Path, error: &io::Error) -> Unstaged {
    Unstaged::File(match error.get_ref().and_then(|inner| inner.downcast_ref::<NoPassword>()) {
        Some(missing) => missing.to_string(),
        None => format!("cannot read {}: {error}", path.display()),
    })
}

/// Describes a file or folder; links in a folder are what they lead to, if `follow`.
fn file(view: View<'_>, source: &str, follow: bool, decrypting: Option<&Vault>) -> Result<Value, Unstaged> {
    let path = find(view, "files", source)?;
    let meta = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
    if !meta.is_dir() {
        return describe(view, &path, &meta, decrypting)
            .map(Value::from)
            .map_err(|error| unreadable(&path, &error));
    }
    let entries = Vec::new();
    let mut walk = Walk { view, root: &path, follow, decrypting, above: vec![identity(&meta)], entries };
    walk.folder(Path::new("")).map_err(|error| unreadable(&path, &error))?;
    let tree: Value = walk.entries.into_iter().collect();
    Ok(map! { "name" => name(&path), "slash" => source.ends_with('/'), "mode" => mode(&meta), "tree" => tree }.into())
}

/// Describes the script that a command line begins with, and keeps the rest of the line, with the line's taint.
fn script(view: View<'_>, line: &str, taint: Taint, decrypting: Option<&Vault>) -> Result<Value, Unstaged> {
    let unread = |why: &str| Unstaged::File(format!("cannot split the command: {why}"));
    let (name, arguments) =
        words::first(line).map_err(unread)?.ok_or_else(|| Unstaged::File("no command given".into()))?;
    let path = find(view, "files", &name)?;
    let unreadable = |error: io::Error| unreadable(&path, &error);
    let meta = fs::metadata(&path).map_err(unreadable)?;
    let mut described = describe(view, &path, &meta, decrypting).map_err(unreadable)?;
    described.insert("arguments".into(), Value::from(arguments.trim_end()).tainted(taint));
    Ok(described.into())
}

fn archive(view: View<'_>, source: &str, decrypting: Option<&Vault>) -> Result<Value, Unstaged> {
    let path = find(view, "files", source)?;
    let unreadable = |error: io::Error| unreadable(&path, &error);
    let meta = fs::metadata(&path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Unstaged::File(format!("cannot unpack {source}: it is not a file")));
    }
    if meta.len() == 0 {
        return Err(Unstaged::File(format!("Invalid archive '{source}', the file is 0 bytes")));
    }
    let mut described = describe(view, &path, &meta, decrypting).map_err(unreadable)?;
    let contents = &view.services.contents;
    let known = view.services.files.digest(&path, &meta, decrypting, contents).map_err(unreadable)?;
    let manifest = view.services.files.manifest(known, &path, decrypting, contents);
    let manifest = manifest.map_err(|error| Unstaged::File(error.of_archive(source)))?;
    described.insert("manifest".into(), manifest.to_string().into());
    Ok(described.into())
}

/// Describes a file; what is said of the content of one that is decrypted is secret.
fn describe(view: View<'_>, path: &Path, meta: &fs::Metadata, decrypting: Option<&Vault>) -> io::Result<Map> {
    let known = view.services.files.digest(path, meta, decrypting, &view.services.contents)?;
    let taint = if known.secret { Taint::SECRET } else { Taint::NONE };
    let description = map! {
        "digest" => known.digest.to_string(),
        "size" => i64::try_from(known.size).unwrap_or(i64::MAX),
        "mode" => mode(meta),
        "name" => name(path),
    };
    Ok(description.into_iter().map(|(key, value)| (key, value.tainted(taint))).collect())
}

fn mode(meta: &fs::Metadata) -> i64 {
    i64::from(meta.permissions().mode() & 0o7777)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns by what a folder is known, however it was come to.
fn identity(meta: &fs::Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// A folder that is being listed.
struct Walk<'a> {
    view: View<'a>,
    root: &'a Path,
    follow: bool,
    decrypting: Option<&'a Vault>,
    /// The folders that led here: a link to one of them stays a link.
    above: Vec<(u64, u64)>,
    entries: Vec<Value>,
}

impl Walk<'_> {
    /// Lists what is in a folder, sorted: what is no folder first, folders before what is in them.
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        let names = fs::read_dir(self.root.join(folder))?.map(|entry| Ok(entry?.file_name()));
        let mut names: Vec<_> = names.collect::<io::Result<_>>()?;
        names.sort();
        // What is below comes after what is here.
        let (folders, files): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.root.join(folder).join(name).is_dir());
        files.iter().chain(&folders).try_for_each(|name| self.entry(&folder.join(name)))
    }

    fn entry(&mut self, relative: &Path) -> io::Result<()> {
        let path = self.root.join(relative);
        let meta = self.meta(&path)?;
        let shown = relative.to_string_lossy().into_owned();
        let mut entry = map! { "path" => shown, "mode" => mode(&meta), "uid" => i64::from(meta.uid()) };
        if meta.is_symlink() {
            entry.insert("kind".into(), "link".into());
            entry.insert("target".into(), fs::read_link(&path)?.to_string_lossy().as_ref().into());
        } else if meta.is_dir() {
            entry.insert("kind".into(), "dir".into());
        } else if meta.is_file() {
            entry.insert("kind".into(), "file".into());
            entry.extend(describe(self.view, &path, &meta, self.decrypting)?);
        } else {
            return Ok(());
        }
        self.entries.push(entry.into());
        if meta.is_dir() {
            self.above.push(identity(&meta));
            self.folder(relative)?;
            self.above.pop();
        }
        Ok(())
    }

    /// Returns what is at a path, through a link if links are followed and this one leads to a file or to a folder that
    /// is not above it.
    fn meta(&self, path: &Path) -> io::Result<fs::Metadata> {
        let own = fs::symlink_metadata(path)?;
        if !self.follow || !own.is_symlink() {
            return Ok(own);
        }
        Ok(match fs::metadata(path) {
            Ok(meta) if meta.is_file() || (meta.is_dir() && !self.above.contains(&identity(&meta))) => meta,
            _ => own,
        })
    }
}

fn template(view: View<'_>, source: &str, args: &Map) -> Result<Value, Unstaged> {
    let path = find(view, "templates", source)?;
    let dest = args.get("dest").and_then(Value::as_str);
    let template = File { path: &path, source, dest, options: file_options(args)? };
    let rendered = view.services.templar.render_file(&template, view.scope, view.context)?;
    let text = rendered.as_str().unwrap_or_default();
    let digest = if rendered.taint.is_secret() {
        view.services.contents.add_secret(text.as_bytes().to_vec())
    } else {
        view.services.contents.add_bytes(text.as_bytes().to_vec())
    };
    let description = map! {
        "digest" => digest.to_string(),
        "size" => i64::try_from(text.len()).unwrap_or(i64::MAX),
        "mode" => fs::metadata(&path).map(|meta| mode(&meta)).unwrap_or(0o644),
        "name" => name(&path).trim_end_matches(".j2").trim_end_matches(".hbs").to_owned(),
    };
    Ok(Value::from(description).tainted(rendered.taint))
}

/// Reads the arguments of `template` that say how it is rendered.
fn file_options(args: &Map) -> Result<FileOptions, Error> {
    let mut options = FileOptions::default();
    let flag = |name: &str, default: bool| match args.get(name) {
        Some(value) => bool::convert(value).map_err(Error::other),
        None => Ok(default),
    };
    options.trim_blocks = flag("trim_blocks", options.trim_blocks)?;
    options.lstrip_blocks = flag("lstrip_blocks", options.lstrip_blocks)?;
    let text = |name: &str| args.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(sequence) = text("newline_sequence") {
        options.newline_sequence = sequence.replace("\\r", "\r").replace("\\n", "\n");
    }
    for (slot, name) in [
        (&mut options.variable.0, "variable_start_string"),
        (&mut options.variable.1, "variable_end_string"),
        (&mut options.block.0, "block_start_string"),
        (&mut options.block.1, "block_end_string"),
        (&mut options.comment.0, "comment_start_string"),
        (&mut options.comment.1, "comment_end_string"),
    ] {
        if let Some(mark) = text(name) {
            *slot = mark;
        }
    }
    Ok(options)
}

/// Finds a file: in `kind` and beside it, in the folders of the task's search path.
fn find(view: View<'_>, kind: &str, source: &str) -> Result<PathBuf, Unstaged> {
    let expanded = expand_user(source);
    if expanded.is_absolute() {
        return if expanded.exists() { Ok(expanded) } else { Err(missing(source, &[expanded])) };
    }
    let mut searched = Vec::new();
    for folder in &view.context.search {
        for candidate in [folder.join(kind).join(&expanded), folder.join(&expanded)] {
            if candidate.exists() {
                return Ok(candidate);
            }
            searched.push(candidate);
        }
    }
    Err(missing(source, &searched))
}

fn missing(source: &str, searched: &[PathBuf]) -> Unstaged {
    let places: Vec<String> = searched.iter().map(|path| format!("\t{}", path.display())).collect();
    Unstaged::File(format!(
        "Could not find or access '{source}'\nSearched in:\n{} on the Ansible Controller.\nIf you are using a module and \
         expect the file to exist on the remote, see the remote_src option",
        places.join("\n")
    ))
}
