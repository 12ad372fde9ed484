//! `lineinfile`: one line of a text file.

mod edit;

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, DiffSide, Map, map};

use crate::args::NodePath;
use crate::files::attributes::FileArgs;
use crate::files::mode::Base;
use crate::files::{backup, difference, dirname, tree, validate};
use crate::module::{Checked, Doc, Done, Failure};
use crate::system::{Attributes, Bytes, Look, Meta, System};

use edit::Edited;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a line is, or is not, in a text file",
    description: "The line is found by `regexp`, by `search_string`, or by itself. Regular expressions are Python's, \
        as far as the `fancy-regex` library reads them.",
    example: "- name: Open more files\n  lineinfile:\n    path: /etc/security/limits.conf\n    regexp: ^wso2 .* nofile\n    line: wso2 - nofile 65535\n",
};

crate::choices! {
    /// Whether the line shall be there.
    pub enum State {
        /// It shall not.
        Absent = "absent",
        /// It shall.
        Present = "present",
    }
}

crate::arguments! {
    /// Arguments of `lineinfile`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("dest", "destfile", "name")],
        /// Whether the line shall be there.
        state: State [default("present")],
        /// Finds the line to replace (the last one found), or all to remove.
        regexp: Option<String> [aliases("regex")],
        /// As `regexp`, but plain text.
        search_string: Option<String>,
        /// The line, without its end.
        line: Option<String> [aliases("value")],
        /// Where a new line goes: after the last line that this finds, or `EOF`.
        insertafter: Option<String>,
        /// Where a new line goes: before the last line that this finds, or `BOF`.
        insertbefore: Option<String>,
        /// Whether `\1` and `\g<name>` in `line` stand for what `regexp` has found.
        backrefs: bool [default("false")],
        /// Whether a missing file is made.
        create: bool [default("false")],
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// Whether the first line found counts, not the last.
        firstmatch: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
    }
    including [file: FileArgs]
    mutually_exclusive ["insertbefore", "insertafter"] ["regexp", "search_string"] ["backrefs", "search_string"]
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    target: PathBuf,
    expected: Option<Meta>,
    content: Option<Vec<u8>>,
    attributes: Attributes,
    folders: Vec<PathBuf>,
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If there is no file, the arguments contradict each other, or a regular expression is none.
pub fn check(args: &Args, look: &Look) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_foreign(look)?;
    let path = look.expand(&args.path);
    if look.stat(&path)?.is_some_and(|meta| meta.is_dir()) {
        return Err(Failure::new(format!("Path {} is a directory !", path.display())).with("rc", 256));
    }
    arguments(args)?;
    let exists = look.stat(&path)?.is_some();
    if !exists && args.state == State::Absent {
        return Ok(Checked::Same(map! { "msg" => "file not present" }));
    }
    if !exists && !args.create {
        let msg = format!("Destination {} does not exist !", path.display());
        return Err(Failure::new(msg).with("rc", 257));
    }
    let old = if exists { look.read(&path)? } else { Vec::new() };
    let edited = edit::run(args, &old)?;
    finish(args, look, path, &old, edited, exists)
}

fn arguments(args: &Args) -> Result<(), Failure> {
    match args.state {
        State::Present if args.backrefs && args.regexp.is_none() => {
            Err(Failure::new("regexp is required with backrefs=true"))
        }
        State::Present if args.line.is_none() => Err(Failure::new("line is required with state=present")),
        State::Absent if args.line.is_none() && args.regexp.is_none() && args.search_string.is_none() => {
            Err(Failure::new("one of line, search_string, or regexp is required with state=absent"))
        }
        _ => Ok(()),
    }
}

fn finish(
    args: &Args,
    look: &Look,
    path: PathBuf,
    old: &[u8],
    edited: Edited,
    exists: bool,
) -> Result<Checked<Plan>, Failure> {
    let target = look.real_path(&path);
    let expected = look.lstat(&target)?;
    let wanted = args.file.wanted();
    let umask = look.umask();
    let mode = expected.as_ref().map_or(0o666 & !umask, |meta| meta.mode);
    let all = wanted.resolve(look, &path, Base { mode, is_dir: false, umask })?;
    let missing = expected.as_ref().and_then(|meta| crate::files::attributes::differing(all, meta));
    let is_new_content = edited.msg.is_some();
    let mut msg = edited.msg.clone().unwrap_or_default();
    if missing.is_some() || (!exists && is_new_content && all != Attributes::default()) {
        let and = if is_new_content { " and " } else { "" };
        msg = format!("{msg}{and}ownership, perms or SE linux context changed");
    }
    let mut values = map! { "msg" => msg, "backup" => "" };
    if args.state == State::Absent {
        values.insert("found".into(), edited.found.into());
    }
    if let Some(warning) = empty_pattern(args) {
        values.insert("warnings".into(), vec![convoy_protocol::Value::from(warning)].into());
    }
    if !is_new_content && missing.is_none() {
        return Ok(Checked::Same(values));
    }
    let diff = if look.wants_diff() { differences(&path, old, &edited, missing, expected.as_ref()) } else { Vec::new() };
    let content = is_new_content.then_some(edited.content);
    let folders = if exists { Vec::new() } else { tree::missing_folders(look, &dirname(&path))? };
    let attributes = if content.is_some() { all } else { missing.unwrap_or_default() };
    let plan = Plan { path, target, expected, content, attributes, folders };
    Ok(Checked::Differs { plan, diff, values })
}

fn empty_pattern(args: &Args) -> Option<String> {
    let (name, more) = match (args.regexp.as_deref(), args.search_string.as_deref()) {
        (Some(""), _) => (
            "regular expression",
            " If this is desired, use '^' to match every line in the file and avoid this warning.",
        ),
        (_, Some("")) => ("search string", ""),
        _ => return None,
    };
    Some(format!(
        "The {name} is an empty string, which will match every line in the file. This may have unintended consequences, such as replacing the last line in the file rather than appending.{more}"
    ))
}

fn differences(
    path: &Path,
    old: &[u8],
    edited: &Edited,
    missing: Option<Attributes>,
    meta: Option<&Meta>,
) -> Vec<Diff> {
    let side = |kind: &str, text: String| DiffSide { header: format!("{} ({kind})", path.display()), text };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = Vec::new();
    if edited.msg.is_some() {
        all.push(Diff::Text {
            before: side("content", text(old)),
            after: side("content", text(&edited.content)),
        });
    }
    if let (Some(missing), Some(meta)) = (missing, meta) {
        let (mut before, mut after) = (Map::new(), Map::new());
        difference::of_attributes(meta, missing, &mut before, &mut after);
        if let Diff::Text { before, after } = difference::of_maps(&before, &after) {
            let (before, after) = (side("file attributes", before.text), side("file attributes", after.text));
            all.push(Diff::Text { before, after });
        }
    }
    all
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let mut values = Map::new();
    let Some(content) = &plan.content else {
        node.expect_unchanged(&plan.target, plan.expected.as_ref())?;
        crate::files::attributes::set(node, &plan.target, plan.attributes)?;
        return Ok(Done { changed: true, values });
    };
    for folder in &plan.folders {
        node.make_dir(folder)
            .map_err(|e| Failure::new(format!("Error creating {} ({})", folder.display(), e.msg)))?;
    }
    let temporary = node.prepare(&plan.target, Bytes::Memory(content), plan.attributes)?;
    if let Some(command) = &args.validate {
        let output = validate::run(node, command, temporary.path())?;
        if output.rc != 0 {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("failed to validate: rc:{} error:{error}", output.rc)));
        }
    }
    if args.backup
        && let Some(kept) = backup::make(node, &plan.path)?
    {
        values.insert("backup".into(), kept.to_string_lossy().as_ref().into());
    }
    node.place(temporary, plan.expected.as_ref())?;
    Ok(Done { changed: true, values })
}
