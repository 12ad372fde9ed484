//! Inventory scripts.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

struct Script {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn script(text: &str, mode: u32) -> Script {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sh");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    Script { dir, path }
}

impl Script {
    fn load(&self, options: &Options) -> Result<(Inventory, Vec<Diagnostic>), String> {
        Inventory::load(&[self.path.display().to_string()], options).map_err(|errors| {
            let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
            text.join("\n").replace(&format!("{}/", self.dir.path().display()), "")
        })
    }

    fn load_default(&self) -> Inventory {
        self.load(&Options::default()).unwrap().0
    }
}

/// Returns the error for a script with this command.
fn error_of(command: &str) -> String {
    script(&format!("#!/bin/sh\n{command}\n"), 0o755).load(&Options::default()).unwrap_err()
}

fn vars(inventory: &Inventory, host: &str) -> String {
    let layers = inventory.layers(host, None).unwrap();
    let mut all: Map = layers.into_iter().flat_map(|(_, map)| map).collect();
    all.retain(|key, _| !key.as_str().unwrap().starts_with("inventory_"));
    crate::text::json::map_to_string(&all, crate::text::json::Style::default())
}

#[test]
fn host_is_called_if_the_list_has_no_variables() {
    let inventory = script(
        r#"#!/bin/sh
        case "$1:$2" in
        --list:) echo '{"web": ["a", "b", "c"]}' ;;
        --host:a) echo '{"n": 1}' ;;
        --host:b) ;;
        --host:c) echo '{}' ;;
        esac"#,
        0o755,
    )
    .load_default();
    assert_eq!(["a", "b", "c"].map(|host| vars(&inventory, host)), [r#"{"n": 1}"#, "{}", "{}"]);
}

#[test]
fn output_on_standard_error_is_a_warning() {
    let noisy = script("#!/bin/sh\necho 'token expires soon' >&2\necho '{\"web\": [\"a\"]}'\n", 0o755);
    let (_, warnings) = noisy.load(&Options::default()).unwrap();
    let warning =
        format!("the inventory script {} wrote to standard error: token expires soon", noisy.path.display());
    assert_eq!(warnings, [Diagnostic::user(warning)]);
}

#[test]
fn an_executable_file_that_is_not_a_program_is_read() {
    let inventory = script("web:\n  hosts:\n    a: {n: 1}\n", 0o755);
    let renamed = inventory.path.with_extension("yml");
    std::fs::rename(&inventory.path, &renamed).unwrap();
    let (inventory, _) = Inventory::load(&[renamed.display().to_string()], &Options::default()).unwrap();
    assert_eq!(vars(&inventory, "a"), r#"{"n": 1}"#);
}

#[test]
fn a_failing_script_is_reported_with_its_standard_error() {
    for (command, error) in [
        (
            "echo 'no credentials' >&2; exit 3",
            "error: the inventory script s.sh --list exited with code 3\n  = note: standard error: no credentials",
        ),
        (
            "kill -9 $$",
            "error: the inventory script s.sh --list was killed by signal 9\n  \
             = note: it wrote nothing to standard error",
        ),
        (
            "[ $1 = --list ] && echo '{\"g\": [\"a\"]}' && exit; exit 1",
            "error: the inventory script s.sh --host a exited with code 1\n  \
             = note: it wrote nothing to standard error",
        ),
        (
            "echo oops",
            "error: the inventory script s.sh: must write JSON: expected value at line 1 column 1\n  \
             = note: called with --list",
        ),
        ("echo []", "error: the inventory script s.sh: must write a map of groups, got a list"),
        (
            "printf '\\377'",
            "error: the inventory script s.sh: must write UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
        ),
        (
            "echo '{\"g\": {\"hosts\": {\"a\": 1}}}'",
            "error: the inventory script s.sh: `hosts` of group `g` must be a list, got a map",
        ),
        (
            "echo '{\"g\": [10]}'",
            "error: the inventory script s.sh: group `g`: the name of a host must be text, got a whole number",
        ),
        (
            "echo '{\"g\": {\"children\": 1}}'",
            "error: the inventory script s.sh: `children` of group `g` must be a list of names",
        ),
        (
            "echo '{\"g\": {\"vars\": []}}'",
            "error: the inventory script s.sh: `vars` of group `g` must be a map, got a list",
        ),
        (
            "echo '{\"g\": [\"a\"], \"_meta\": {\"hostvars\": {\"a\": 1}}}'",
            "error: the inventory script s.sh: the variables of host `a` must be a map, got a whole number",
        ),
        (
            "echo '{\"g\": [\"a\"], \"_meta\": {\"hostvars\": {\"a\": {\"p\": {\"__ansible_vault\": \"x\"}}}}}'",
            "error: the inventory script s.sh: text marked as `__ansible_vault` is not encrypted",
        ),
    ] {
        assert_eq!(error_of(command), error, "{command}");
    }
}

#[test]
fn encrypted_and_unsafe_values_are_kept_as_they_are() {
    let inventory = script(
        r#"#!/bin/sh
        printf %s '{"g": {"hosts": ["a"], "vars": {"p": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61"}}},
               "_meta": {"hostvars": {"a": {"list": [{"__ansible_unsafe": "{{ x }}"}]}}}}'"#,
        0o755,
    )
    .load_default();
    let layers = inventory.layers("a", None).unwrap();
    let all: Map = layers.into_iter().flat_map(|(_, map)| map).collect();
    assert_eq!(all["p"].kind, convoy_protocol::Kind::Vaulted("$ANSIBLE_VAULT;1.1;AES256\n61".into()));
    let item = &all["list"].as_list().unwrap()[0];
    assert_eq!((item.as_str(), item.taint.is_unsafe()), (Some("{{ x }}"), true));
}

#[test]
fn a_script_that_cannot_be_run_is_an_error() {
    let plain = script("#!/bin/sh\necho '{}'\n", 0o644);
    let error = plain.load(&Options::default()).unwrap_err();
    let hint = format!("chmod +x {}", plain.path.display());
    let hint = hint.replace(&format!("{}/", plain.dir.path().display()), "");
    assert_eq!(error, format!("error: the inventory script s.sh is not executable\nhint: {hint}"));
    let error = script("#!/nowhere/interpreter\n", 0o755).load(&Options::default()).unwrap_err();
    assert_eq!(
        error,
        "error: cannot run the inventory script s.sh --list: No such file or directory (os error 2)"
    );
}

#[test]
fn a_script_that_hangs_is_killed() {
    let started = Instant::now();
    for command in
        ["exec sleep 600", "exec >&-; exec sleep 600", "echo '{'; echo waiting >&2; exec sleep 600"]
    {
        // A script that must write something first needs more time on a busy machine.
        let limit = if command.contains("waiting") { 5 } else { 1 };
        let options = Options { script_timeout: Duration::from_secs(limit), ..Options::default() };
        let error = script(&format!("#!/bin/sh\n{command}\n"), 0o755).load(&options).unwrap_err();
        let note = if command.contains("waiting") {
            "standard error: waiting"
        } else {
            "it wrote nothing to standard error"
        };
        assert_eq!(
            error,
            format!(
                "error: the inventory script s.sh --list did not finish within {limit} seconds and was killed\n  = note: {note}"
            ),
            "{command}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}
