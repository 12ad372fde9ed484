//! The layers of the crates: imports run one way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use convoy_tests::program::repository;

use crate::imports::{Imports, Module, read};

/// The directories and files of `controller/src`, from the top down: each imports only what stands below it.
const LAYERS: [&str; 33] = [
    "main",
    "cli",
    "start",
    "undo",
    "schedule",
    "execute",
    "prepare",
    "state",
    "services",
    "vars",
    "playbook",
    "actions",
    "inventory",
    "journal",
    "report",
    "template",
    "settings",
    "demo",
    "source_file",
    "yaml",
    "secrets",
    "events",
    "link",
    "ssh",
    "diagnostic",
    "crypt",
    "terminal",
    "text",
    "merge",
    "passwd",
    "paths",
    "sync",
    "vaulted",
];

const CRATES: [&str; 4] = ["protocol", "archive", "agent", "controller"];

fn src(name: &str) -> PathBuf {
    repository().join(name).join("src")
}

/// Returns the arrows between what stands side by side in a directory, each with an example.
fn arrows_within(imports: &Imports, dir: &Module) -> BTreeMap<(String, String), (Module, Module)> {
    let child = |module: &Module| module.starts_with(dir).then(|| module.get(dir.len()).cloned()).flatten();
    let mut arrows = BTreeMap::new();
    for (from, to) in &imports.arrows {
        if let (Some(a), Some(b)) = (child(from), child(to))
            && a != b
        {
            arrows.entry((a, b)).or_insert_with(|| (from.clone(), to.clone()));
        }
    }
    arrows
}

/// Returns the children of a directory that are on a circle of arrows.
fn on_circles(arrows: &BTreeMap<(String, String), (Module, Module)>) -> BTreeSet<String> {
    let next = |from: &String| -> Vec<String> {
        arrows.keys().filter(|(a, _)| a == from).map(|(_, b)| b.clone()).collect()
    };
    let starts: BTreeSet<&String> = arrows.keys().map(|(a, _)| a).collect();
    let is_on_circle = |start: &&&String| {
        let mut seen = BTreeSet::new();
        let mut open = next(start);
        while let Some(at) = open.pop() {
            if at == ***start {
                return true;
            }
            if seen.insert(at.clone()) {
                open.extend(next(&at));
            }
        }
        false
    };
    starts.iter().filter(is_on_circle).map(|name| (*name).clone()).collect()
}

fn written(module: &Module) -> String {
    module.join("/")
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for name in CRATES {
        let imports = read(&src(name));
        let parents = imports.modules.iter().map(|module| module[..module.len().saturating_sub(1)].to_vec());
        for dir in parents.collect::<BTreeSet<Module>>() {
            let arrows = arrows_within(&imports, &dir);
            let tied = on_circles(&arrows);
            for ((a, b), (from, to)) in &arrows {
                if tied.contains(a) && tied.contains(b) {
                    circles.push(format!("{name}: {} imports {}", written(from), written(to)));
                }
            }
        }
    }
    assert_eq!(circles, Vec::<String>::new(), "arrows on circles");
}

#[test]
fn the_controller_imports_from_the_top_down() {
    let imports = read(&src("controller"));
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let known: BTreeSet<&str> =
        imports.modules.iter().filter_map(|module| module.first()).map(|n| &**n).collect();
    let listed: BTreeSet<&str> = LAYERS.into_iter().collect();
    assert_eq!(known, listed, "what is in controller/src, and what the table lists");
    let upwards: Vec<String> = arrows_within(&imports, &Vec::new())
        .into_iter()
        .filter(|((a, b), _)| layer(a) > layer(b))
        .map(|(_, (from, to))| format!("{} imports {}", written(&from), written(&to)))
        .collect();
    assert_eq!(upwards, Vec::<String>::new(), "arrows against the order of the layers");
}
