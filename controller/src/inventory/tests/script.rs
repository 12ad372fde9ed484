//! Inventories that programs write.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

struct Made {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn script(text: &str, mode: u32) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sh");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    Made { dir, path }
}

impl Made {
    fn load(&self, options: &Options) -> Result<(Inventory, Vec<Diagnostic>), String> {
        Inventory::load(&[self.path.display().to_string()], options).map_err(|errors| {
            let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
            text.join("\n").replace(&format!("{}/", self.dir.path().display()), "")
        })
    }

    fn good(&self) -> Inventory {
        self.load(&Options::default()).unwrap().0
    }
}

/// Returns what is said of a script that answers with `answer`.
fn refused(answer: &str) -> String {
    script(&format!("#!/bin/sh\n{answer}\n"), 0o755).load(&Options::default()).unwrap_err()
}

fn vars(inventory: &Inventory, host: &str) -> String {
    let layers = inventory.layers(host, None).unwrap();
    let mut all: Map = layers.into_iter().flat_map(|(_, map)| map).collect();
    all.retain(|key, _| !key.as_str().unwrap().starts_with("inventory_"));
    crate::json::map_to_string(&all, crate::json::Style::default())
}

#[test]
fn a_host_is_asked_for_where_the_list_does_not_tell() {
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
    .good();
    assert_eq!(["a", "b", "c"].map(|host| vars(&inventory, host)), [r#"{"n": 1}"#, "{}", "{}"]);
}

#[test]
fn what_a_script_says_beside_its_answer_is_shown() {
    let noisy = script("#!/bin/sh\necho 'token expires soon' >&2\necho '{\"web\": [\"a\"]}'\n", 0o755);
    let (_, warnings) = noisy.load(&Options::default()).unwrap();
    let said = format!("the inventory script {} said: token expires soon", noisy.path.display());
    assert_eq!(warnings, [Diagnostic::user(said)]);
}

#[test]
fn a_file_that_is_only_marked_executable_is_read() {
    let inventory = script("web:\n  hosts:\n    a: {n: 1}\n", 0o755);
    let renamed = inventory.path.with_extension("yml");
    std::fs::rename(&inventory.path, &renamed).unwrap();
    let (inventory, _) = Inventory::load(&[renamed.display().to_string()], &Options::default()).unwrap();
    assert_eq!(vars(&inventory, "a"), r#"{"n": 1}"#);
}

#[test]
fn a_script_that_fails_is_told_with_what_it_said() {
    for (answer, error) in [
        (
            "echo 'no credentials' >&2; exit 3",
            "error: the inventory script s.sh --list ended with exit code 3\n  = note: it said: no credentials",
        ),
        (
            "kill -9 $$",
            "error: the inventory script s.sh --list was ended by signal 9\n  \
             = note: it wrote nothing to standard error",
        ),
        (
            "[ $1 = --list ] && echo '{\"g\": [\"a\"]}' && exit; exit 1",
            "error: the inventory script s.sh --host a ended with exit code 1\n  \
             = note: it wrote nothing to standard error",
        ),
        (
            "echo oops",
            "error: the inventory script s.sh: must write JSON: expected value at line 1 column 1\n  \
             = note: called with --list",
        ),
        ("echo []", "error: the inventory script s.sh: must write a map of groups, not a list"),
        (
            "printf '\\377'",
            "error: the inventory script s.sh: must write UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
        ),
        (
            "echo '{\"g\": {\"hosts\": {\"a\": 1}}}'",
            "error: the inventory script s.sh: `hosts` of group `g` is a list, not a map",
        ),
        (
            "echo '{\"g\": [10]}'",
            "error: the inventory script s.sh: group `g`: the name of a host is text, not a whole number",
        ),
        (
            "echo '{\"g\": {\"children\": 1}}'",
            "error: the inventory script s.sh: `children` of group `g` is a list of names",
        ),
        (
            "echo '{\"g\": {\"vars\": []}}'",
            "error: the inventory script s.sh: `vars` of group `g` is a map, not a list",
        ),
        (
            "echo '{\"g\": [\"a\"], \"_meta\": {\"hostvars\": {\"a\": 1}}}'",
            "error: the inventory script s.sh: the variables of host `a` are a map, not a whole number",
        ),
        (
            "echo '{\"g\": [\"a\"], \"_meta\": {\"hostvars\": {\"a\": {\"p\": {\"__ansible_vault\": \"x\"}}}}}'",
            "error: the inventory script s.sh: what is marked as `__ansible_vault` is not encrypted",
        ),
    ] {
        assert_eq!(refused(answer), error, "{answer}");
    }
}

#[test]
fn encrypted_values_stay_so_until_they_are_used() {
    let inventory = script(
        r#"#!/bin/sh
        printf %s '{"g": {"hosts": ["a"], "vars": {"p": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61"}}},
               "_meta": {"hostvars": {"a": {"list": [{"__ansible_unsafe": "{{ x }}"}]}}}}'"#,
        0o755,
    )
    .good();
    let layers = inventory.layers("a", None).unwrap();
    let all: Map = layers.into_iter().flat_map(|(_, map)| map).collect();
    assert_eq!(all["p"].kind, convoy_protocol::Kind::Vaulted("$ANSIBLE_VAULT;1.1;AES256\n61".into()));
    let item = &all["list"].as_list().unwrap()[0];
    assert_eq!((item.as_str(), item.taint.is_unsafe()), (Some("{{ x }}"), true));
}

#[test]
fn a_script_that_cannot_be_run_is_told() {
    let plain = script("#!/bin/sh\necho '{}'\n", 0o644);
    let error = plain.load(&Options::default()).unwrap_err();
    let hint = format!("chmod +x {}", plain.path.display());
    let hint = hint.replace(&format!("{}/", plain.dir.path().display()), "");
    assert_eq!(error, format!("error: the inventory script s.sh is not executable\nhint: {hint}"));
    let lost = script("#!/nowhere/interpreter\n", 0o755).load(&Options::default()).unwrap_err();
    assert_eq!(
        lost,
        "error: cannot run the inventory script s.sh --list: No such file or directory (os error 2)"
    );
}

#[test]
fn a_script_that_hangs_is_ended() {
    let started = Instant::now();
    for answer in ["exec sleep 600", "exec >&-; exec sleep 600", "echo '{'; echo waiting >&2; exec sleep 600"]
    {
        // One that is to say something needs the time for it, on a busy machine too.
        let limit = if answer.contains("waiting") { 5 } else { 1 };
        let options = Options { script_limit: Duration::from_secs(limit), ..Options::default() };
        let error = script(&format!("#!/bin/sh\n{answer}\n"), 0o755).load(&options).unwrap_err();
        let note = if answer.contains("waiting") {
            "it said: waiting"
        } else {
            "it wrote nothing to standard error"
        };
        assert_eq!(
            error,
            format!(
                "error: the inventory script s.sh --list was not done after {limit} seconds and was ended\n  = note: {note}"
            ),
            "{answer}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}
