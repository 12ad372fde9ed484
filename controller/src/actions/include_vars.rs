//! `include_vars`: variables of the host from files on the workstation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::{Action, Done, Kept, Run, Scene};
use crate::python::is_identifier;
use crate::template::compile_regex;
use crate::vars::merged;
use crate::yaml;

/// The action.
pub const ACTION: Action = Action {
    name: "include_vars",
    doc: Doc {
        summary: "Reads variables of the host from files",
        description: "The files are YAML or JSON on the workstation, one map in each. Names in them are looked for in \
            `vars/` of the role, then beside the playbook. Their text is rendered when it is used.",
        example: "- include_vars: \"{{ database }}.yml\"\n- include_vars:\n    dir: settings\n    files_matching: '\\.yml$'\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: true,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::choices! {
    /// What happens to a map that is there already.
    pub enum Behaviour {
        /// The new one takes its place.
        Replace = "replace",
        /// The new one is put into it, key by key.
        Merge = "merge",
    }
}

convoy_agent::arguments! {
    /// Arguments of `include_vars`.
    pub struct Args {
        /// The file, as the task's text.
        _raw_params: Option<String>,
        /// The file.
        file: Option<String>,
        /// A folder, all of whose files are read, those of its folders after its own.
        dir: Option<String>,
        /// A variable that takes all of them, as a map.
        name: Option<String>,
        /// How many folders deep files are read; 0: all.
        depth: i64 [default("0")],
        /// A regular expression that the name of a file must match.
        files_matching: Option<String>,
        /// Regular expressions; a file is left out if the end of its name matches one.
        ignore_files: Vec<String>,
        /// The extensions that a file of a folder may have.
        extensions: Vec<String> [default("yaml,yml,json")],
        /// Whether a file with another extension is left out, instead of an error.
        ignore_unknown_extensions: bool [default("false")],
        /// What happens to maps that are there already.
        hash_behaviour: Option<Behaviour>,
    }
    free_form: true
}

fn run(args: &Map, scene: &Scene<'_>) -> Result<Done, Failure> {
    let of_folders = ["dir", "depth", "files_matching", "ignore_files", "extensions", "ignore_unknown_extensions"];
    let given = |names: &[&str]| names.iter().any(|name| args.contains_key(*name));
    if given(&of_folders) && given(&["file", "_raw_params"]) {
        return Err(Failure::new("You are mixing file only and dir only arguments, these are incompatible"));
    }
    let args = Args::read("include_vars", args).map_err(Failure::new)?;
    let files = match &args.dir {
        Some(dir) => files_of(&folder(dir, scene), &args)?,
        None => vec![file(&args, scene)?],
    };
    let mut found = Map::new();
    for file in &files {
        found.extend(read(file, scene)?);
    }
    let mut variables = match &args.name {
        Some(name) if is_identifier(name) => map! { name.as_str() => found },
        Some(name) => return Err(refuse(format!("the variable name '{name}' is not valid"))),
        None => found,
    };
    if matches!(args.hash_behaviour, Some(Behaviour::Merge)) {
        for (key, value) in &mut variables {
            if let Some(old) = key.as_str().and_then(|name| scene.scope.raw(name)) {
                *value = merged(&old, value);
            }
        }
    }
    let files: Value = files.iter().map(|file| Value::from(file.to_string_lossy().as_ref())).collect();
    Ok(Done {
        values: map! { "ansible_facts" => variables.clone(), "ansible_included_var_files" => files },
        variables,
        kept: Kept::Included,
        ..Done::default()
    })
}

/// A failure, also under the name that Ansible has for it here.
fn refuse(msg: impl Into<String>) -> Failure {
    let msg = msg.into();
    Failure::new(msg.clone()).with("message", msg)
}

fn file(args: &Args, scene: &Scene<'_>) -> Result<PathBuf, Failure> {
    let name = args.file.as_deref().or(args._raw_params.as_deref()).unwrap_or_default().trim_end_matches('\n');
    if name.is_empty() {
        return Err(refuse("Could not find file on the Ansible Controller: no name is given"));
    }
    scene.context.find(name, "vars").filter(|path| path.is_file()).ok_or_else(|| {
        let searched = scene.context.search.iter().flat_map(|base| [base.join("vars").join(name), base.join(name)]);
        let places: Vec<String> = searched.map(|path| format!("\t{}", path.display())).collect();
        refuse(format!(
            "Could not find or access '{name}'\nSearched in:\n{} on the Ansible Controller.",
            places.join("\n")
        ))
    })
}

/// Returns the folder that `dir` means: in the role's `vars/`, or beside the file of the task.
fn folder(dir: &str, scene: &Scene<'_>) -> PathBuf {
    let base = scene.context.search.first().cloned().unwrap_or_default();
    let in_role = scene.scope.raw("role_path").is_some();
    let plain = base.join(dir);
    if !in_role || (dir.split('/').next() == Some("vars") && plain.exists()) {
        return plain;
    }
    base.join("vars").join(dir)
}

/// Returns the files of a folder that are to be read, in order.
fn files_of(root: &Path, args: &Args) -> Result<Vec<PathBuf>, Failure> {
    if !root.is_dir() {
        let why = if root.exists() { "is not a directory" } else { "directory does not exist" };
        return Err(refuse(format!("{} {why}", root.display())));
    }
    let regex = |pattern: &str| compile_regex(pattern, false, false).map_err(|error| refuse(error.to_string()));
    let matching = args.files_matching.as_deref().map(&regex).transpose()?;
    let ignored = args.ignore_files.iter().flat_map(|patterns| patterns.split_whitespace());
    let ignored = ignored.map(|pattern| regex(&format!("(?:{pattern})$"))).collect::<Result<Vec<_>, _>>()?;
    let mut folders = BTreeMap::new();
    walk(root, 1, args.depth, &mut Vec::new(), &mut folders)?;
    let mut files = Vec::new();
    for path in folders.into_values().flatten() {
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
            return Err(refuse(format!("{path} does not have a valid extension: {known}")));
        }
    }
    Ok(files)
}

/// Lists the files of a folder and of those below it, links followed, by folder.
fn walk(
    folder: &Path,
    depth: i64,
    deepest: i64,
    above: &mut Vec<PathBuf>,
    folders: &mut BTreeMap<String, Vec<PathBuf>>,
) -> Result<(), Failure> {
    let unreadable =
        |error: std::io::Error| refuse(format!("cannot read the folder {}: {error}", folder.display()));
    let real = folder.canonicalize().map_err(unreadable)?;
    if (deepest > 0 && depth > deepest) || above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            walk(&path, depth + 1, deepest, above, folders)?;
        } else if path.exists() {
            files.push(path);
        }
    }
    above.pop();
    files.sort();
    folders.insert(folder.to_string_lossy().into_owned(), files);
    Ok(())
}

fn read(path: &Path, scene: &Scene<'_>) -> Result<Map, Failure> {
    let wrong = |problem: crate::diagnostic::Diagnostic| refuse(problem.to_string());
    let Some(node) = yaml::read_file(path, scene.templar.vault()).map_err(wrong)? else { return Ok(Map::new()) };
    let value = node.to_value().map_err(wrong)?;
    match &value.kind {
        Kind::Map(map) => Ok(Map::clone(map)),
        Kind::Null => Ok(Map::new()),
        _ => Err(refuse(format!("{} must be stored as a dictionary/hash", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::template::{Context, Options, Templar};
    use crate::vars::TaskScope;

    /// Files beside a playbook, as [`run`] finds them.
    fn include(files: &[(&str, &str)], args: Map, vars: Map) -> Result<(Map, Vec<String>), String> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (name, text) in files {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), text).unwrap();
        }
        let shown = |text: &str| text.replace(&format!("{}/", root.display()), "");
        let scene = Scene {
            scope: &TaskScope::of_map(vars),
            templar: &Arc::new(Templar::new(Options::default(), Arc::default())),
            context: &Context { search: vec![root.clone()], ..Context::default() },
            verbosity: 0,
        };
        let done = run(&args, &scene).map_err(|failure| shown(&failure.msg))?;
        assert_eq!(done.kept, Kept::Included);
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
    fn files_are_found_in_their_order() {
        let all = ["conf/b.yml", "conf/z.json", "conf/deep/a.yaml", "conf/deep/er/a.yml"];
        for (args, read, b) in [
            (map! { "_raw_params" => "one.yml\n" }, vec!["vars/one.yml"], None),
            (map! { "file" => "conf/b.yml" }, vec!["conf/b.yml"], Some("conf")),
            (map! { "dir" => "conf", "ignore_files" => "note.txt" }, all.to_vec(), Some("deeper")),
            (map! { "dir" => "conf", "ignore_unknown_extensions" => true }, all.to_vec(), Some("deeper")),
            (map! { "dir" => "conf", "files_matching" => "^a", "depth" => 2 }, all[2..3].to_vec(), Some("deep")),
        ] {
            let (variables, files) = include(TREE, args.clone(), Map::new()).unwrap();
            assert_eq!(files, read, "{args:?}");
            assert_eq!(variables.get("b").and_then(Value::as_str), b, "{args:?}");
        }
    }

    #[test]
    fn variables_go_into_one_or_into_those_that_are_there() {
        let args = map! { "file" => "conf/b.yml", "name" => "all" };
        let (variables, _) = include(TREE, args, Map::new()).unwrap();
        assert_eq!(variables, map! { "all" => map! { "b" => "conf", "m" => map! { "x" => 1 } } });
        let old = map! { "b" => map! { "gone" => 1 }, "m" => map! { "x" => 0, "y" => 2 } };
        let args = map! { "file" => "conf/b.yml", "hash_behaviour" => "merge" };
        let (variables, _) = include(TREE, args, old).unwrap();
        assert_eq!(variables, map! { "b" => "conf", "m" => map! { "x" => 1, "y" => 2 } });
    }

    #[test]
    fn mistakes_are_named() {
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
