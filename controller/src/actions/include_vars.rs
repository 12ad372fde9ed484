//! `include_vars`: loads variables of the host from files on the workstation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run, VariableLevel};
use crate::merge::merge_hash;
use crate::source_file::read_yaml;
use crate::template::compile_regex;
use crate::text::python::is_identifier;

/// The action.
pub const ACTION: Action = Action {
    sets_unknown_names: true,
    ..Action::new("include_vars", DOC, Args::SPEC, Run::OnController(run))
};

const DOC: Doc = Doc {
    summary: "Loads variables of the host from files",
    description: "The files are on the workstation and contain a YAML or JSON map each. Relative names are searched \
        for in `vars/` of the role, then next to the playbook. Templates in the values are rendered when a task uses them.",
    example: "- include_vars: \"{{ database }}.yml\"\n- include_vars:\n    dir: settings\n    files_matching: '\\.yml$'\n",
};

convoy_agent::choices! {
    /// What happens to an existing map of the same name.
    pub enum Behaviour {
        /// The new map replaces it.
        Replace = "replace",
        /// The new map is merged into it, key by key.
        Merge = "merge",
    }
}

convoy_agent::arguments! {
    /// Arguments of `include_vars`.
    pub struct Args {
        /// The file, given as the text after the action's name.
        _raw_params: Option<String>,
        /// The file.
        file: Option<String>,
        /// A directory whose files are all read; those of its subdirectories follow its own.
        dir: Option<String>,
        /// A variable that gets all others as a map.
        name: Option<String>,
        /// How many levels of directories are read; 0 means all.
        depth: i64 [default("0")],
        /// A regular expression that file names must match.
        files_matching: Option<String>,
        /// Regular expressions; files are skipped if the end of their name matches one.
        ignore_files: Vec<String>,
        /// The extensions that files of a directory may have.
        extensions: Vec<String> [default("yaml,yml,json")],
        /// Whether files with other extensions are skipped instead of failing the task.
        ignore_unknown_extensions: bool [default("false")],
        /// What happens to existing maps of the same name.
        hash_behaviour: Option<Behaviour>,
    }
    free_form: true
}

fn run(args: &Map, context: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let directory_only =
        ["dir", "depth", "files_matching", "ignore_files", "extensions", "ignore_unknown_extensions"];
    let is_given = |names: &[&str]| names.iter().any(|name| args.contains_key(*name));
    if is_given(&directory_only) && is_given(&["file", "_raw_params"]) {
        return Err(Failure::new("You are mixing file only and dir only arguments, these are incompatible"));
    }
    let args = Args::read("include_vars", args).map_err(Failure::new)?;
    let files = match &args.dir {
        Some(dir) => files_in(&directory(dir, context)?, &args)?,
        None => vec![file(&args, context)?],
    };
    let mut loaded = Map::new();
    for file in &files {
        loaded.extend(read(file, context)?);
    }
    let mut variables = match &args.name {
        Some(name) if is_identifier(name) => map! { name.as_str() => loaded },
        Some(name) => return Err(failure(format!("the variable name '{name}' is not valid"))),
        None => loaded,
    };
    if matches!(args.hash_behaviour, Some(Behaviour::Merge)) {
        for (key, value) in &mut variables {
            let old = key.as_str().map(|name| context.variable(name)).transpose()?.flatten();
            if let Some(old) = old {
                *value = merge_hash(&old, value);
            }
        }
    }
    let files: Value = files.iter().map(|file| Value::from(file.to_string_lossy().as_ref())).collect();
    Ok(ActionOutcome {
        values: map! { "ansible_facts" => variables.clone(), "ansible_included_var_files" => files },
        variables,
        level: VariableLevel::IncludeVars,
        ..ActionOutcome::default()
    })
}

/// Returns a failure whose message is also in `message`, where Ansible puts it.
fn failure(msg: impl Into<String>) -> Failure {
    let msg = msg.into();
    Failure::new(msg.clone()).with("message", msg)
}

fn file(args: &Args, context: &ActionContext<'_>) -> Result<PathBuf, Failure> {
    let name =
        args.file.as_deref().or(args._raw_params.as_deref()).unwrap_or_default().trim_end_matches('\n');
    if name.is_empty() {
        return Err(failure("Could not find file on the Ansible Controller: no name is given"));
    }
    context.template_context.find(name, "vars").filter(|path| path.is_file()).ok_or_else(|| {
        let searched = context
            .template_context
            .search
            .iter()
            .flat_map(|base| [base.join("vars").join(name), base.join(name)]);
        let places: Vec<String> = searched.map(|path| format!("\t{}", path.display())).collect();
        failure(format!(
            "Could not find or access '{name}'\nSearched in:\n{} on the Ansible Controller.",
            places.join("\n")
        ))
    })
}

/// Returns the directory that `dir` names: in `vars/` of the role, or next to the file of the task.
fn directory(dir: &str, context: &ActionContext<'_>) -> Result<PathBuf, Failure> {
    let base = context.template_context.search.first().cloned().unwrap_or_default();
    let in_role = context.variable("role_path")?.is_some();
    let plain = base.join(dir);
    if !in_role || (dir.split('/').next() == Some("vars") && plain.exists()) {
        return Ok(plain);
    }
    Ok(base.join("vars").join(dir))
}

/// Returns the files to read from a directory, in order.
fn files_in(root: &Path, args: &Args) -> Result<Vec<PathBuf>, Failure> {
    if !root.is_dir() {
        let why = if root.exists() { "is not a directory" } else { "directory does not exist" };
        return Err(failure(format!("{} {why}", root.display())));
    }
    let regex =
        |pattern: &str| compile_regex(pattern, false, false).map_err(|error| failure(error.to_string()));
    let matching = args.files_matching.as_deref().map(&regex).transpose()?;
    let ignored = args.ignore_files.iter().flat_map(|patterns| patterns.split_whitespace());
    let ignored = ignored.map(|pattern| regex(&format!("(?:{pattern})$"))).collect::<Result<Vec<_>, _>>()?;
    let mut directories = BTreeMap::new();
    list_files(root, 1, args.depth, &mut Vec::new(), &mut directories)?;
    let mut files = Vec::new();
    for path in directories.into_values().flatten() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let matches = |regex: &fancy_regex::Regex| regex.is_match(&*name).unwrap_or(false);
        if matching.as_ref().is_some_and(|regex| !matches(regex)) || ignored.iter().any(matches) {
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if args.extensions.iter().any(|known| **known == *extension) {
            files.push(path);
        } else if !args.ignore_unknown_extensions {
            let (path, known) = (path.display(), args.extensions.join(", "));
            return Err(failure(format!("{path} does not have a valid extension: {known}")));
        }
    }
    Ok(files)
}

/// Collects the files of a directory and its subdirectories by directory, following symbolic links.
fn list_files(
    directory: &Path,
    depth: i64,
    max_depth: i64,
    parents: &mut Vec<PathBuf>,
    directories: &mut BTreeMap<String, Vec<PathBuf>>,
) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        failure(format!("cannot read the directory {}: {error}", directory.display()))
    };
    let real = directory.canonicalize().map_err(unreadable)?;
    if (max_depth > 0 && depth > max_depth) || parents.contains(&real) {
        return Ok(());
    }
    parents.push(real);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            list_files(&path, depth + 1, max_depth, parents, directories)?;
        } else if path.exists() {
            files.push(path);
        }
    }
    parents.pop();
    files.sort();
    directories.insert(directory.to_string_lossy().into_owned(), files);
    Ok(())
}

fn read(path: &Path, context: &ActionContext<'_>) -> Result<Map, Failure> {
    let error = |problem: crate::diagnostic::Diagnostic| failure(problem.to_string());
    let Some(node) = read_yaml(path, context.templar.vault()).map_err(error)? else {
        return Ok(Map::new());
    };
    let value = node.to_value().map_err(error)?;
    match &value.kind {
        Kind::Map(map) => Ok(Map::clone(map)),
        Kind::Null => Ok(Map::new()),
        _ => Err(failure(format!("{} must be stored as a dictionary/hash", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::{Context, Options, Templar};

    /// Creates files next to a playbook and runs the action; returns the variables and the files that were read.
    fn include(files: &[(&str, &str)], args: Map, vars: Map) -> Result<(Map, Vec<String>), String> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (name, text) in files {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), text).unwrap();
        }
        let shown = |text: &str| text.replace(&format!("{}/", root.display()), "");
        let context = ActionContext {
            scope: &vars,
            templar: &Arc::new(Templar::new(Options::default(), Arc::default())),
            template_context: &Context { search: vec![root.clone()], ..Context::default() },
            verbosity: 0,
        };
        let done = run(&args, &context).map_err(|failure| shown(&failure.msg))?;
        assert_eq!(done.level, VariableLevel::IncludeVars);
        let read = done.values["ansible_included_var_files"].as_list().unwrap().iter();
        Ok((done.variables.clone(), read.map(|file| shown(file.as_str().unwrap())).collect()))
    }

    const TREE: &[(&str, &str)] = &[
        ("vars/one.yml", "a: 1\nt: '{{ a }}'\n"),
        ("conf/b.yml", "b: conf\nm: {x: 1}\n"),
        ("conf/z.json", "{\"z\": 1}"),
        ("conf/deep/a.yaml", "b: deep\n"),
        ("conf/deep/er/a.yml", "b: deeper\n"),
        ("conf/note.txt", "no: map\n"),
        ("list.yml", "- 1\n"),
    ];

    #[test]
    fn files_are_found_and_read_in_order() {
        let all = ["conf/b.yml", "conf/z.json", "conf/deep/a.yaml", "conf/deep/er/a.yml"];
        for (args, read, b) in [
            (map! { "_raw_params" => "one.yml\n" }, vec!["vars/one.yml"], None),
            (map! { "file" => "conf/b.yml" }, vec!["conf/b.yml"], Some("conf")),
            (map! { "dir" => "conf", "ignore_files" => "note.txt" }, all.to_vec(), Some("deeper")),
            (map! { "dir" => "conf", "ignore_unknown_extensions" => true }, all.to_vec(), Some("deeper")),
            (
                map! { "dir" => "conf", "files_matching" => "^a", "depth" => 2 },
                all[2..3].to_vec(),
                Some("deep"),
            ),
        ] {
            let (variables, files) = include(TREE, args.clone(), Map::new()).unwrap();
            assert_eq!(files, read, "{args:?}");
            assert_eq!(variables.get("b").and_then(Value::as_str), b, "{args:?}");
        }
    }

    #[test]
    fn variables_are_nested_in_one_or_merged_into_existing_ones() {
        let args = map! { "file" => "conf/b.yml", "name" => "all" };
        let (variables, _) = include(TREE, args, Map::new()).unwrap();
        assert_eq!(variables, map! { "all" => map! { "b" => "conf", "m" => map! { "x" => 1 } } });
        let old = map! { "b" => map! { "gone" => 1 }, "m" => map! { "x" => 0, "y" => 2 } };
        let args = map! { "file" => "conf/b.yml", "hash_behaviour" => "merge" };
        let (variables, _) = include(TREE, args, old).unwrap();
        assert_eq!(variables, map! { "b" => "conf", "m" => map! { "x" => 1, "y" => 2 } });
    }

    #[test]
    fn invalid_arguments_and_files_fail() {
        for (args, error) in [
            (map! { "file" => "" }, "Could not find file on the Ansible Controller: no name is given"),
            (
                map! { "file" => "none.yml" },
                "Could not find or access 'none.yml'\nSearched in:\n\tvars/none.yml\n\tnone.yml on the Ansible Controller.",
            ),
            (map! { "file" => "list.yml" }, "list.yml must be stored as a dictionary/hash"),
            (map! { "dir" => "none" }, "none directory does not exist"),
            (map! { "dir" => "list.yml" }, "list.yml is not a directory"),
            (map! { "dir" => "conf" }, "conf/note.txt does not have a valid extension: yaml, yml, json"),
            (
                map! { "dir" => "conf", "file" => "one.yml" },
                "You are mixing file only and dir only arguments, these are incompatible",
            ),
            (map! { "file" => "one.yml", "name" => "a-b" }, "the variable name 'a-b' is not valid"),
        ] {
            assert_eq!(include(TREE, args, Map::new()).unwrap_err(), error);
        }
    }
}
