//! `script`: a script of the workstation is run on the node.

use std::path::{Path, PathBuf};

use convoy_protocol::{Map, map};

use crate::args::NodePath;
use crate::content::StagedScript;
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Process, System, SystemView};
use crate::user_command;
use crate::words;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Runs a script of the workstation on the node",
    description: "The script is copied to where only its user can see it, run by a shell, and removed. \
        Whether it is needed cannot be known, unless `creates` or `removes` says so.",
    example: "- name: Warm up the gateway\n  script: warm-up.sh --port 8243\n  args:\n    creates: /opt/wso2/.warm\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it runs a script"),
    ..Behavior::new(Access::WriteTree)
};

crate::arguments! {
    /// Arguments of `script`.
    pub struct Args {
        /// The script and its arguments in one line, quoted as for a shell.
        _raw_params: Option<StagedScript> [aliases("cmd"), controller_script],
        /// The directory to run in, by its whole path.
        chdir: Option<NodePath>,
        /// Not run if this exists.
        creates: Option<NodePath>,
        /// Not run if this does not exist.
        removes: Option<NodePath>,
        /// The program that runs the script, in place of that named in its first line.
        executable: Option<String>,
    }
    required_one_of ["_raw_params", "cmd"]
    free_form: true
}

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    script: StagedScript,
    directory: Option<PathBuf>,
}

/// Looks whether the script must be run.
///
/// # Errors
/// If there is no script, or `chdir` is no whole path.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let Some(script) = args._raw_params.clone() else {
        return Err(user_command::missing_command("no command given"));
    };
    let skipped = |path: &Path, why: &str| {
        let msg = format!("{} {why}", path.display());
        Ok(Checked::Same(map! { "skipped" => true, "msg" => msg }))
    };
    let creates = args.creates.as_ref().map(|path| view.expand(path));
    if let Some(path) = &creates
        && view.stat(path)?.is_some()
    {
        return skipped(path, "exists, matching creates option");
    }
    let removes = args.removes.as_ref().map(|path| view.expand(path));
    if let Some(path) = &removes
        && view.stat(path)?.is_none()
    {
        return skipped(path, "does not exist, matching removes option");
    }
    let directory = args.chdir.as_ref().map(|path| view.expand(path));
    if let Some(directory) = directory.as_ref().filter(|directory| !directory.is_absolute()) {
        let msg =
            format!("chdir {} must be an absolute path for a Unix-aware remote node", directory.display());
        return Err(Failure::new(msg));
    }
    let plan = Plan { script, directory };
    // With one of these, what the script is for is not there yet: known without running it.
    if creates.is_some() || removes.is_some() {
        return Ok(Checked::Differs { plan, diff: Vec::new(), values: Map::new() });
    }
    Ok(Checked::Unknown { plan, why: "Check mode is not supported for this task.", values: Map::new() })
}

/// Runs the script.
///
/// # Errors
/// If it cannot be had or started, ends with another code than 0, or does not end in time.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let StagedScript { content, arguments } = &plan.script;
    let source = node.content(&content.digest)?;
    let copy = node.copy_program(&source, &content.name)?;
    let program = words::join(&[copy.program().to_string_lossy().into_owned()]);
    let line = match args.executable.as_deref().filter(|executable| !executable.is_empty()) {
        Some(executable) => format!("{executable} {program}{arguments}"),
        None => format!("{program}{arguments}"),
    };
    let shell = "/bin/sh";
    user_command::run_plain(&Process::new([shell, "-c", &line]).directory(plan.directory), shell, node)
}
