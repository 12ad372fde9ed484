//! `replace`: all matches of a regular expression in a text file.

use convoy_protocol::{Diff, DiffSide, map};

pub use crate::files::edit::Plan;

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::attributes::FileArgs;
use crate::files::edit::{self, Edit};
use crate::files::encoding;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::pattern::Pattern;
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Replaces all matches of a regular expression in a text file",
    description: "Regular expressions are Python's, as far as the `fancy-regex` library reads them; `^` and `$` mean \
        each line's. What `replace` writes should not be matched by `regexp` again, or each run changes the file.",
    example: "- name: Use the new host name\n  replace:\n    path: /opt/wso2/conf/deployment.toml\n    regexp: '\\bold\\.example\\.com\\b'\n    replace: new.example.com\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `replace`.
    pub struct Args {
        /// The file.
        path: NodePath [required, aliases("dest", "destfile", "name")],
        /// What is replaced.
        regexp: String [required],
        /// What comes in its place; `\1` and `\g<name>` stand for what the groups have found.
        replace: String [default("")],
        /// Only after the first match of this; here `.` also means a line end.
        after: Option<String>,
        /// Only before the match of this; here `.` also means a line end.
        before: Option<String>,
        /// Whether the old file is copied to a name with the time in it.
        backup: bool [default("false")],
        /// A command that must accept the new file, named by `%s`, before it takes its place.
        validate: Option<String>,
        /// The file's encoding. Others than UTF-8 need `iconv` on the node.
        encoding: String [default("utf-8")],
    }
    including [file: FileArgs]
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If there is no file, a regular expression is none, or `replace` refers to a group that is not there.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let path = view.expand(&args.path);
    edit::refuse_directory(view, &path)?;
    if view.stat(&path)?.is_none() {
        return Err(Failure::new(format!("Path {} does not exist !", path.display())).with("rc", 257));
    }
    let old = view.read(&path)?;
    let shown = path.display().to_string();
    let text = encoding::decode(view, &old, &args.encoding)
        .map_err(|fault| fault.failure(&format!("what {shown} holds"), &args.encoding))?;
    let Some(section) = section(args, &text)? else {
        let pattern = section_pattern(args).unwrap_or_default();
        let msg = format!("Pattern for before/after params did not match the given file: {pattern}");
        return Ok(Checked::Same(map! { "msg" => msg, "rc" => 0 }));
    };
    let pattern = Pattern::by_line(&args.regexp)?;
    let template = pattern
        .template(&args.replace)
        .map_err(|why| Failure::new(format!("Unable to process replace due to error: {why}")))?;
    let (replaced, count) = pattern.replace_all(&text[section.clone()], &template)?;
    let mut new = None;
    let mut diff = Vec::new();
    if count > 0 && replaced != text[section.clone()] {
        let whole = [&text[..section.start], &replaced, &text[section.end..]].concat();
        let bytes = encoding::encode(view, &whole, &args.encoding)
            .map_err(|fault| fault.failure("what comes in its place", &args.encoding))?;
        new = Some((bytes, format!("{count} replacements made")));
        if view.wants_diff() {
            let side = |text: &str| DiffSide { header: shown.clone(), text: text.to_owned() };
            diff.push(Diff::Text { before: side(&text), after: side(&whole) });
        }
    }
    let edit = Edit { path, old: Some(old), new, wanted: args.file.wanted() };
    let inspected = edit.inspect(view)?;
    let values = map! { "msg" => inspected.msg, "rc" => 0 };
    Ok(match inspected.plan {
        None => Checked::Same(values),
        // As in Ansible, the difference is that of the content, under the file's plain name.
        Some(plan) => {
            Checked::Differs { plan, diff: if diff.is_empty() { inspected.diff } else { diff }, values }
        }
    })
}

/// Returns the expression that finds what stands between `after` and `before`, if either is given.
fn section_pattern(args: &Args) -> Option<String> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (filled(&args.after), filled(&args.before)) {
        (Some(after), Some(before)) => Some(format!("{after}(?P<subsection>.*?){before}")),
        (Some(after), None) => Some(format!("{after}(?P<subsection>.*)")),
        (None, Some(before)) => Some(format!("(?P<subsection>.*){before}")),
        (None, None) => None,
    }
}

/// Returns the part of the text in which matches are replaced; `None` if it is not found.
fn section(args: &Args, text: &str) -> Result<Option<std::ops::Range<usize>>, Failure> {
    match section_pattern(args) {
        Some(pattern) => Pattern::dot_all(&pattern)?.span_of(text, "subsection"),
        None => Ok(Some(0..text.len())),
    }
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    edit::apply(plan, args.validate.as_deref(), args.backup.then_some("backup_file"), node)
}
