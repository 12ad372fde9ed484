//! The sources of settings, their precedence, and warnings and errors.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A directory with `ansible.cfg`, and an environment.
struct Process {
    dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Process {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let place = Self { dir, environment: Vec::new() };
        place.write("ansible.cfg", config);
        place.with("HOME", "[dir]/home").with("ANSIBLE_CONFIG", "[dir]/ansible.cfg")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        let value = value.replace("[dir]", &self.dir.path().display().to_string());
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value));
        self
    }

    fn read(&self) -> Result<LoadedSettings, Diagnostics> {
        let find = |name: &str| {
            self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let names: Vec<String> = self.environment.iter().map(|(name, _)| name.clone()).collect();
        read_with(self.dir.path(), &names, &find)
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }

    fn warnings(&self) -> Vec<String> {
        self.read().unwrap().warnings.iter().map(|warning| self.shown(&warning.warning())).collect()
    }

    fn errors(&self) -> Vec<String> {
        let first = |error: &Diagnostic| error.to_string().split("\n   |").next().unwrap().to_owned();
        self.read().unwrap_err().iter().map(|error| self.shown(&first(error))).collect()
    }
}

#[test]
fn the_environment_takes_precedence_over_the_file() {
    let config = "[defaults]\nforks = 7\nremote_user: deploy ; who\n# timeout = 1\nroles_path = roles:/r\n\
                  inventory = hosts, more\n[ssh_connection]\nssh_args =\n  -o StrictHostKeyChecking=no\n  -C\n";
    let place = Process::new(config).with("ANSIBLE_FORKS", "9").with("ANSIBLE_TIMEOUT", "");
    let read = place.read().unwrap();
    let settings = &read.settings;
    assert_eq!(
        (settings.forks, settings.remote_user.as_deref(), settings.timeout),
        (9, Some("deploy"), None)
    );
    assert_eq!(settings.roles_path, [place.dir.path().join("roles"), "/r".into()]);
    let inside = |name: &str| place.dir.path().join(name).display().to_string();
    assert_eq!(settings.inventory, PathList(vec![inside("hosts"), inside("more")]));
    assert_eq!(settings.ssh_args.as_deref(), Some("\n-o StrictHostKeyChecking=no\n-C".trim_start()));
    let verbose: Vec<String> = read.verbose.iter().map(|line| place.shown(line)).collect();
    assert_eq!(
        verbose,
        [
            "Using ansible.cfg as config file",
            "setting inventory = hosts, more (from ansible.cfg:6)",
            "setting remote_user = deploy (from ansible.cfg:3)",
            "setting ssh_args = -o StrictHostKeyChecking=no\n-C (from ansible.cfg:8)",
            "setting forks = 9 (from ANSIBLE_FORKS)",
            "setting roles_path = roles:/r (from ansible.cfg:5)",
        ]
    );
    assert_eq!(read.warnings, []);
}

#[test]
fn the_first_existing_file_is_used() {
    let place = Process::new("[defaults]\nforks = 1\n");
    place.write("home/.ansible.cfg", "[defaults]\nforks = 2\n");
    place.write("named.cfg", "[defaults]\nforks = 3\n");
    let forks = |place: &Process| place.read().unwrap().settings.forks;
    assert_eq!(forks(&place), 1);
    let place = place.with("ANSIBLE_CONFIG", "[dir]/named.cfg");
    assert_eq!(forks(&place), 3);
    let place = place.with("ANSIBLE_CONFIG", "[dir]/none.cfg");
    assert_eq!(forks(&place), 1);
    std::fs::set_permissions(place.dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(forks(&place), 2);
    assert_eq!(
        place.read().unwrap().warnings[0].message,
        format!(
            "Ansible is being run in a world writable directory ({}), ignoring it as an ansible.cfg source.",
            place.dir.path().display()
        )
    );
}

#[test]
fn settings_without_effect_cause_warnings() {
    let config = "[defaults]\nfork = 1\nssh_args = -C\nstdout_callback = yaml\nnocows = 1\n[ssh_connection]\n\
                  pipelining = true\n[colors]\nok = blue\n[profile]\nx = 1\n";
    let place = Process::new(config)
        .with("ANSIBLE_FROKS", "1")
        .with("ANSIBLE_STDOUT_CALLBACK", "default")
        .with("ANSIBLE_LIBRARY", "/x")
        .with("ANSIBLE_COLOR_OK", "red");
    assert_eq!(
        place.warnings(),
        [
            "`fork` in [defaults] is not a setting that convoy knows (ansible.cfg:2:1); did you mean `forks`?",
            "`ssh_args` in [defaults] is not a setting that convoy knows (ansible.cfg:3:1); it belongs to [ssh_connection]",
            "`stdout_callback` has no effect: runs are shown as by the callback `default`, or as by `--output json` \
             (ansible.cfg:4:1)",
            "`ok` has no effect: colors are Ansible's defaults (ansible.cfg:9:1)",
            "`x` in [profile] is not a setting that convoy knows (ansible.cfg:11:1)",
            "`ANSIBLE_COLOR_OK` has no effect: colors are Ansible's defaults",
            "ANSIBLE_FROKS in the environment is not a setting that convoy knows; did you mean `ANSIBLE_FORKS`?",
            "`ANSIBLE_LIBRARY` has no effect: Python plugins are not supported; everything is built in",
        ]
    );
}

#[test]
fn all_invalid_settings_are_reported() {
    let place = Process::new("[defaults]\nforks = many\ngathering = never\n[diff]\nalways = perhaps\n");
    assert_eq!(
        place.with("ANSIBLE_TIMEOUT", "-1").errors(),
        [
            "error: ANSIBLE_TIMEOUT: `-1` is not a whole number, or too large",
            "error: `many` is not a whole number, or too large\n  --> ansible.cfg:2:1",
            "error: `never` is not one of implicit, explicit, smart\n  --> ansible.cfg:3:1",
            "error: `perhaps` is not a boolean\n  --> ansible.cfg:5:1",
        ]
    );
    for (config, error) in [
        ("forks = 1\n", "a setting before the first section\n  --> ansible.cfg:1:1"),
        ("[defaults]\nforks\n", "`forks` is not key = value\n  --> ansible.cfg:2:1"),
        ("[defaults]\nforks=1\nForks=2\n", "`forks` is already set in line 2\n  --> ansible.cfg:3:1"),
    ] {
        assert_eq!(Process::new(config).errors(), [format!("error: {error}")], "{config:?}");
    }
}

#[test]
fn journals_are_kept_in_a_directory_or_not_at_all() {
    let place = Process::new("[convoy]\njournal = kept/runs\n");
    let inside = place.dir.path().join("kept/runs");
    assert_eq!(place.read().unwrap().settings.journal, Journal::Directory(inside));
    assert_eq!(place.with("CONVOY_JOURNAL", "off").read().unwrap().settings.journal, Journal::Off);
    assert_eq!(Process::new("").read().unwrap().settings.journal, Journal::Here);
    let wrong = Process::new("[convoy]\njournals = x\n");
    assert_eq!(
        wrong.warnings(),
        [
            "`journals` in [convoy] is not a setting that convoy knows (ansible.cfg:2:1); did you mean `journal`?"
        ]
    );
}

#[test]
fn no_name_is_listed_twice() {
    let mut names: Vec<&str> =
        TABLE.iter().flat_map(|entry| entry.keys.iter().chain(entry.environment)).copied().collect();
    names.extend(unsupported::keys().chain(unsupported::variables()));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(Settings::default().forks, 50);
}

/// The rows of the page are those of the table.
#[test]
fn the_documentation_lists_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let code = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let key = |key: &&str| key.split_once('.').map(|(section, key)| format!("[{section}] {key}")).unwrap();
    let expected: Vec<String> = TABLE
        .iter()
        .map(|entry| {
            let keys: Vec<String> = entry.keys.iter().map(key).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let doc = entry.doc.trim().trim_end_matches('.');
            let default = if entry.default.is_empty() { String::new() } else { code(&[entry.default]) };
            format!(
                "| {} | {} | {} | {default} | {doc} |",
                code(&keys),
                code(entry.environment),
                entry.kind.trim()
            )
        })
        .collect();
    assert_eq!(rows, expected, "the rows of docs/settings.md should be:\n{}", expected.join("\n"));
}
