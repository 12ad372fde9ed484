//! The examples in documentation pages: files are written, and commands must print what the page shows.

use std::fs;

use convoy_tests::documentation::fenced_blocks;
use convoy_tests::program::repository;
use convoy_tests::project::Project;

/// Sorts the results of a task by host.
fn with_sorted_results(output: &str) -> String {
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
fn examples_of_the_page_coming_from_ansible() {
    run_examples("docs/coming-from-ansible.md", (5, 5));
}

#[test]
fn examples_of_the_page_carry() {
    run_examples("docs/carry.md", (6, 3));
}

/// Writes the files and runs the commands of a page, which must have this many files and commands.
fn run_examples(page: &str, expected: (usize, usize)) {
    let page = fs::read_to_string(repository().join(page)).expect("the page");
    let project = Project::new().expect("a project");
    let place = project.path("place");
    fs::create_dir(&place).expect("a directory");
    project.substitute("[folder]/site/place", "[place]");
    let (mut files, mut commands) = (0, 0);
    for (info, text) in fenced_blocks(&page) {
        if let Some((_, name)) = info.split_once(" file=") {
            project.file(name, &text).expect("a file");
            files += 1;
        } else if let Some(rest) = info.strip_prefix("console") {
            let (line, shown) = text.split_once('\n').expect("a command and its output");
            let args = line.strip_prefix("$ convoy ").expect("a convoy command").split(' ');
            let place = format!("place={}", place.display());
            let options = ["-c", "local", "-e", &place];
            let ran = project.run(args.chain(options)).expect("convoy");
            let code = rest.strip_prefix(" exit=").map_or(0, |code| code.parse().expect("a number"));
            assert_eq!(ran.code, Some(code), "{line}\n{ran}");
            if code == 0 {
                assert_eq!(
                    with_sorted_results(&ran.stdout),
                    with_sorted_results(shown),
                    "{line}\n{}",
                    ran.stderr
                );
            } else {
                // The page may leave out the end of a message.
                assert!(ran.stderr.starts_with(shown), "{line}\n{ran}");
            }
            commands += 1;
        }
    }
    assert_eq!((files, commands), expected, "the numbers of files and commands on the page");
}
