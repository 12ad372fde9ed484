//! `lineinfile`: one line of a text file.

mod args;
mod edit;

use convoy_protocol::map;

pub use crate::files::edit::Plan;
pub use args::Args;

use crate::args::State;
use crate::failure::Failure;
use crate::files;
use crate::files::edit::Edit;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

use edit::Edited;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that a line is, or is not, in a text file",
    description: "The line is found by `regexp`, by `search_string`, or by itself. Regular expressions are Python's, \
        as far as the `fancy-regex` library reads them.",
    example: "- name: Open more files\n  lineinfile:\n    path: /etc/security/limits.conf\n    regexp: ^wso2 .* nofile\n    line: wso2 - nofile 65535\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

/// Compares the file with what is asked for.
///
/// # Errors
/// If there is no file, the arguments contradict each other, or a regular expression is none.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    args.file.refuse_unsupported(view)?;
    let path = view.expand(&args.path);
    files::edit::refuse_directory(view, &path)?;
    arguments(args)?;
    let exists = view.stat(&path)?.is_some();
    if !exists && args.state == State::Absent {
        return Ok(Checked::Same(map! { "msg" => "file not present" }));
    }
    if !exists && !args.create {
        let msg = format!("Destination {} does not exist !", path.display());
        return Err(Failure::new(msg).with("rc", 257));
    }
    let old = exists.then(|| view.read(&path)).transpose()?;
    let Edited { content, msg, found } = edit::run(args, old.as_deref().unwrap_or_default())?;
    let new = msg.map(|msg| (content, msg));
    let inspected = Edit { path, old, new, wanted: args.file.wanted() }.inspect(view)?;
    let mut values = map! { "msg" => inspected.msg, "backup" => "" };
    if args.state == State::Absent {
        values.insert("found".into(), found.into());
    }
    if let Some(warning) = empty_pattern(args) {
        values.insert("warnings".into(), vec![convoy_protocol::Value::from(warning)].into());
    }
    Ok(match inspected.plan {
        None => Checked::Same(values),
        Some(plan) => Checked::Differs { plan, diff: inspected.diff, values },
    })
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

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    files::edit::apply(plan, args.validate.as_deref(), args.backup.then_some("backup"), node)
}
