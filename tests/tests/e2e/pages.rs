//! The examples of pages: files are written, commands are run and print what the page shows.

use std::fs;

use convoy_tests::program::repository;
use convoy_tests::project::Project;

/// A fenced block: what stands behind its opening fence, and its text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        blocks.push((info.to_owned(), text));
    }
    blocks
}

/// Puts the results of a task in the order of their hosts.
fn in_order(output: &str) -> String {
    let mut lines: Vec<&str> = output.lines().collect();
    let is_plain =
        |line: &str| ["ok: [", "changed: ["].iter().any(|word| line.starts_with(word) && line.ends_with(']'));
    for from in 1..lines.len() {
        if is_plain(lines[from]) && is_plain(lines[from - 1]) && lines[from] < lines[from - 1] {
            lines.swap(from - 1, from);
        }
    }
    lines.join("\n")
}

#[test]
fn coming_from_ansible() {
    examples("docs/coming-from-ansible.md", (5, 5));
}

#[test]
fn carry() {
    examples("docs/carry.md", (6, 3));
}

/// Does what a page shows; it has so many files and commands.
fn examples(page: &str, expected: (usize, usize)) {
    let page = fs::read_to_string(repository().join(page)).expect("the page");
    let project = Project::new().expect("a project");
    let place = project.path("place");
    fs::create_dir(&place).expect("a folder");
    project.substitute("[folder]/site/place", "[place]");
    let (mut files, mut commands) = (0, 0);
    for (info, text) in blocks(&page) {
        if let Some((_, name)) = info.split_once(" file=") {
            project.file(name, &text).expect("a file");
            files += 1;
        } else if let Some(rest) = info.strip_prefix("console") {
            let (line, shown) = text.split_once('\n').expect("a command and what it prints");
            let words = line.strip_prefix("$ convoy ").expect("a command of ours").split(' ');
            let place = format!("place={}", place.display());
            let given = ["-c", "local", "-e", &place];
            let ran = project.run(words.chain(given)).expect("convoy");
            let code = rest.strip_prefix(" exit=").map_or(0, |code| code.parse().expect("a number"));
            assert_eq!(ran.code, Some(code), "{line}\n{ran}");
            if code == 0 {
                assert_eq!(in_order(&ran.stdout), in_order(shown), "{line}\n{}", ran.stderr);
            } else {
                // Hints may go on where the page ends.
                assert!(ran.stderr.starts_with(shown), "{line}\n{ran}");
            }
            commands += 1;
        }
    }
    assert_eq!((files, commands), expected, "the page has other examples");
}
