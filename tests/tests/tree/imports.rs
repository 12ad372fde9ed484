//! The imports of a crate, read from its sources: which module uses what of which other module.
//!
//! Paths are followed as the compiler follows them, as far as modules go: `crate::`, `super::`, `self::`, groups in braces, and
//! names that a module re-exports from another. Tests are left out: they may look at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use fancy_regex::Regex;

/// A module, by the names on the way to it from the root of its crate.
pub(crate) type Module = Vec<String>;

/// The modules of a crate, and what each imports.
pub(crate) struct Imports {
    pub(crate) modules: BTreeSet<Module>,
    pub(crate) arrows: BTreeSet<(Module, Module)>,
}

/// Reads the sources below a crate's `src`.
pub(crate) fn read(src: &Path) -> Imports {
    let mut sources = BTreeMap::new();
    collect(src, &mut Vec::new(), &mut sources);
    let paths: Vec<(Module, Vec<String>)> =
        sources.iter().map(|(module, text)| (module.clone(), paths_of(text))).collect();
    let modules: BTreeSet<Module> = sources.keys().cloned().collect();
    let exports = exports(&sources, &modules);
    let mut arrows = BTreeSet::new();
    for (module, paths) in paths {
        for path in paths {
            let Some((mut target, rest)) = resolve(&modules, &module, &path) else { continue };
            // A name may be exported on over several modules.
            while let Some(origin) =
                rest.first().and_then(|name| exports.get(&(target.clone(), name.clone())))
            {
                target.clone_from(origin);
            }
            if target != module {
                arrows.insert((module.clone(), target));
            }
        }
    }
    Imports { modules, arrows }
}

/// Collects the texts of all modules below a directory, without comments and tests.
fn collect(dir: &Path, module: &mut Module, sources: &mut BTreeMap<Module, String>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("an entry of a directory").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name == "tests" || name.ends_with("_tests") || name.starts_with("tests_") {
            continue;
        }
        if path.is_dir() {
            module.push(name);
            collect(&path, module, sources);
            module.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut here = module.clone();
            if !matches!(&*name, "mod" | "lib") {
                here.push(name);
            }
            sources.insert(here, without_tests(&text));
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

static COMMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"//[^\n]*"));
static TESTS: LazyLock<Regex> =
    LazyLock::new(|| regex(r"#\[cfg\(test\)\]\s*(#\[[^\]]*\]\s*)*(pub(\([a-z]+\))? )?mod \w+ \{"));
static USE: LazyLock<Regex> = LazyLock::new(|| regex(r"\buse ([^;]+);"));
static EXPORT: LazyLock<Regex> = LazyLock::new(|| regex(r"\bpub(?:\([a-z]+\))? use ([^;]+);"));
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"(?<![\w:])(?:crate|super)(?:::\w+)+"));

/// Takes out comments, and the tests at the end of a source.
fn without_tests(text: &str) -> String {
    let code = COMMENT.replace_all(text, "").into_owned();
    match TESTS.find(code.as_str()).expect("a text that can be searched") {
        Some(found) => code[..found.start()].to_owned(),
        None => code,
    }
}

/// Returns all paths of `use` items, one for each name, and the paths in the code that begin with `crate` or `super`.
fn paths_of(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for found in USE.captures_iter(text) {
        expand("", &found.expect("a match")[1], &mut paths);
    }
    let code = USE.replace_all(text, "").into_owned();
    for found in PATH.find_iter(code.as_str()) {
        paths.push(found.expect("a match").as_str().to_owned());
    }
    paths
}

/// Expands the groups of a `use` item.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((path, group)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default();
        paths.push(format!("{prefix}{}", name.trim()));
        return;
    };
    let prefix = format!("{prefix}{}", path.trim());
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &group[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !group[start..].trim().is_empty() {
        expand(&prefix, &group[start..], paths);
    }
}

/// Returns the module that a path leads to, and what is left of the path; `None` if it leads out of the crate.
fn resolve(modules: &BTreeSet<Module>, from: &Module, path: &str) -> Option<(Module, Vec<String>)> {
    let mut rest: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
    let mut at = from.clone();
    match rest[0].as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                rest.remove(0);
                at.pop();
            }
            rest.insert(0, "self".to_owned());
        }
        child => {
            let below: Module = from.iter().cloned().chain([child.to_owned()]).collect();
            if !modules.contains(&below) {
                return None;
            }
            rest.insert(0, "self".to_owned());
        }
    }
    rest.remove(0);
    while let Some(next) = rest.first() {
        let below: Module = at.iter().cloned().chain([next.clone()]).collect();
        if !modules.contains(&below) {
            break;
        }
        at = below;
        rest.remove(0);
    }
    Some((at, rest))
}

/// Returns where names come from that modules export from elsewhere.
fn exports(
    sources: &BTreeMap<Module, String>,
    modules: &BTreeSet<Module>,
) -> BTreeMap<(Module, String), Module> {
    let mut exports = BTreeMap::new();
    for (module, text) in sources {
        for found in EXPORT.captures_iter(text.as_str()) {
            let mut paths = Vec::new();
            expand("", &found.expect("a match")[1], &mut paths);
            for path in paths {
                if let Some((origin, rest)) = resolve(modules, module, &path)
                    && let [name] = &rest[..]
                {
                    exports.insert((module.clone(), name.clone()), origin);
                }
            }
        }
    }
    exports
}
