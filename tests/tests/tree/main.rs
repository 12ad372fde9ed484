//! Properties of the tree itself: what is tracked, how sources begin, and whether the pages say what is there.

mod imports;
mod layers;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};
use std::process::Command;

use convoy_tests::program::repository;

/// Sources that are longer than [`LONGEST`], each with its reason. A source that is no longer long leaves the list.
const LONG: [(&str, &str); 0] = [];

/// How many lines a source file has at most.
const LONGEST: usize = 500;

/// Pages outside of `docs/`; a folder of `playbooks/` or `inventory/` may have a `README.md` as well.
const PAGES: [&str; 3] = ["CHANGELOG.md", "CONTRIBUTING.md", "README.md"];

/// Endings of what editors, merges, tests and compilers leave behind.
const LEFT_BEHIND: [&str; 12] = [
    ".orig",
    ".rej",
    ".patch",
    ".diff",
    ".bak",
    ".swp",
    "~",
    ".snap.new",
    ".pyc",
    ".class",
    ".profraw",
    ".log",
];

/// Folders that are made, never written.
const MADE: [&str; 4] = ["target", ".convoy", "__pycache__", "node_modules"];

/// Returns the paths of all tracked files, from the root of the tree, with slashes.
fn tracked() -> BTreeSet<String> {
    let output = Command::new("git")
        // A container's root is often not the owner of its checkout.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(repository())
        .output()
        .expect("git, which knows what is tracked");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).expect("names in UTF-8");
    let paths: BTreeSet<String> = paths.split_terminator('\0').map(str::to_owned).collect();
    assert!(paths.contains("Cargo.toml"), "git lists another tree: {paths:?}");
    // What is removed, but not committed yet, is no longer part of the tree.
    paths.into_iter().filter(|path| repository().join(path).exists()).collect()
}

fn with_ending<'p>(paths: &'p BTreeSet<String>, ending: &str) -> impl Iterator<Item = (&'p str, String)> {
    paths.iter().filter(move |path| path.ends_with(ending)).map(|path| {
        let text =
            fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (path.as_str(), text)
    })
}

/// A relative path as seen from the root of the tree; `None` if it leads out of it.
fn resolve(from: &str, to: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let folder = Path::new(from).parent()?.components();
    for part in folder.chain(Path::new(to).components()) {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::ParentDir => drop(parts.pop()?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// Whether a path is a tracked file, or a folder with tracked files.
fn exists(paths: &BTreeSet<String>, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let folder = format!("{path}/");
    path.is_empty() || paths.contains(path) || paths.iter().any(|tracked| tracked.starts_with(&folder))
}

/// Returns the lines of a page that are text, and those within its fences.
fn parts(page: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut text, mut code, mut fenced) = (Vec::new(), Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line);
        } else {
            text.push(line);
        }
    }
    (text, code)
}

/// Returns what stands in backquotes in a line, or between other marks.
fn between<'l>(line: &'l str, open: &str, close: &str) -> Vec<&'l str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((inside, left)) = after.split_once(close) else { break };
        found.push(inside);
        rest = left;
    }
    found
}

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars();
    let kept = kept.filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns what is wrong with a link of a page.
fn broken(paths: &BTreeSet<String>, page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, part) = link.split_once('#').map_or((link, None), |(file, part)| (file, Some(part)));
    let target = if file.is_empty() { Some(page.to_owned()) } else { resolve(page, file) };
    let Some(target) = target.filter(|target| exists(paths, target)) else {
        return Some(format!("{page}: the link to {link} leads nowhere"));
    };
    let part = part?;
    let text = fs::read_to_string(repository().join(target)).unwrap_or_default();
    let headings = parts(&text).0.into_iter().filter(|line| line.starts_with('#'));
    let known = headings.map(anchor).any(|known| known == part);
    (!known).then(|| format!("{page}: the link to {link} names no heading"))
}

#[test]
fn nothing_that_was_made_or_left_behind_is_tracked() {
    let wrong = |path: &&String| {
        LEFT_BEHIND.iter().any(|ending| path.ends_with(ending))
            || path.split('/').any(|part| MADE.contains(&part))
    };
    let tracked = tracked();
    assert_eq!(tracked.iter().filter(wrong).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn pages_are_for_readers_and_have_their_place() {
    let explains_a_folder = |path: &str| {
        path.ends_with("/README.md") && ["playbooks/", "inventory/"].iter().any(|at| path.starts_with(at))
    };
    let misplaced = |path: &&String| {
        path.ends_with(".md")
            && !path.starts_with("docs/")
            && !PAGES.contains(&path.as_str())
            && !explains_a_folder(path)
    };
    let tracked = tracked();
    assert_eq!(tracked.iter().filter(misplaced).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_source_begins_by_saying_what_it_is_for() {
    let tracked = tracked();
    let silent: Vec<&str> = with_ending(&tracked, ".rs")
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(silent, Vec::<&str>::new());
}

#[test]
fn long_sources_have_a_reason() {
    let tracked = tracked();
    let long: Vec<&str> = with_ending(&tracked, ".rs")
        .filter(|(_, text)| text.lines().count() > LONGEST)
        .map(|(path, _)| path)
        .collect();
    let allowed: Vec<&str> = LONG.iter().map(|(path, _)| *path).collect();
    assert_eq!(long, allowed, "sources of more than {LONGEST} lines, and those with a reason");
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let tracked = tracked();
    let mut wrong = Vec::new();
    for (page, text) in with_ending(&tracked, ".md") {
        for line in parts(&text).0 {
            wrong
                .extend(between(line, "](", ")").into_iter().filter_map(|link| broken(&tracked, page, link)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn paths_that_the_pages_name_exist() {
    let folders =
        ["agent/", "controller/", "protocol/", "playbooks/", "inventory/", "templates/", "tests/", "docs/"];
    let tracked = tracked();
    let mut wrong = Vec::new();
    for (page, text) in with_ending(&tracked, ".md") {
        for named in parts(&text).0.into_iter().flat_map(|line| between(line, "`", "`")) {
            let is_path = folders.iter().any(|folder| named.starts_with(folder));
            let literal = !named.contains(['<', '*', ' ', '{']);
            // A page of a project speaks of that project's folders.
            if page.matches('/').count() <= 1 && is_path && literal && !exists(&tracked, named) {
                wrong.push(format!("{page}: there is no {named}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_the_pages_make_is_in_the_makefile() {
    let makefile = fs::read_to_string(repository().join("Makefile")).expect("the Makefile");
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    let tracked = tracked();
    let mut made = BTreeSet::new();
    for (page, text) in with_ending(&tracked, ".md") {
        let (text, code) = parts(&text);
        let spans = text.into_iter().flat_map(|line| between(line, "`", "`"));
        for command in spans.chain(code) {
            if let Some(target) = command.trim().strip_prefix("make ").and_then(|rest| rest.split(' ').next())
            {
                assert!(targets.contains(target), "{page}: the Makefile has no {target}");
                made.insert(target.to_owned());
            }
        }
    }
    assert_eq!(made.into_iter().collect::<Vec<_>>(), ["demo", "lint", "test"], "what the pages name");
}
