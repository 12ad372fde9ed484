//! `systemd` and `service`, against programs that keep their state in a directory and note how they are called.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use convoy_protocol::{Diff, Map, Outcome, Status, Value, map};
use tempfile::TempDir;

use super::harness::{Node, text};
use super::isolated::isolated;

/// Behaves as systemctl does: `UNIT.active` and `UNIT.file` hold what is, `UNIT.fault` what goes wrong at a start.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "$STATE" || exit 9
verb= unit= flags=
for word; do
    case $word in
    -- | --property=*) ;;
    -*) flags="$flags $word" ;;
    *) if [ -z "$verb" ]; then verb=$word; else unit=$word; fi ;;
    esac
done
case $verb in show | is-enabled | list-unit-files | list-units) ;; *) echo "$verb$flags $unit" >>calls ;; esac
file() { cat "$unit.file" 2>/dev/null; }
case $verb in
show)
    load=loaded
    [ -e "$unit.file" ] || load=not-found
    [ "$(file)" = masked ] && load=masked
    echo "Id=$unit.service"
    echo "LoadState=$load"
    [ -e "$unit.broken" ] && echo "LoadError=$(cat "$unit.broken")"
    echo "ActiveState=$(cat "$unit.active" 2>/dev/null || echo inactive)"
    echo "Result=exit-code"
    ;;
is-enabled)
    file || { echo "Failed to get unit file state for $unit.service: No such file or directory" >&2; exit 1; }
    case $(file) in enabled | static | indirect) ;; *) exit 1 ;; esac
    ;;
start | restart | reload)
    if [ -e "$unit.fault" ]; then
        cp "$unit.fault" journal
        echo failed >"$unit.active"
        [ -e "$unit.late" ] && exit 0
        echo "Job for $unit.service failed." >&2
        exit 1
    fi
    echo active >"$unit.active"
    ;;
stop) echo inactive >"$unit.active" ;;
enable)
    [ "$(file)" = indirect ] && [ -e "$unit.also" ] && exit 0
    touch "$unit.also"
    [ "$(file)" = indirect ] || echo enabled >"$unit.file"
    echo "Created symlink." >&2
    ;;
disable) echo disabled >"$unit.file" ;;
mask) echo masked >"$unit.file" ;;
unmask) echo disabled >"$unit.file" ;;
daemon-reload)
    for new in *.new; do [ -e "$new" ] && mv "$new" "${new%.new}.file"; done
    [ ! -e no-reload ] || { echo "Connection refused" >&2; exit 1; }
    ;;
esac
exit 0
"#;

const JOURNALCTL: &str = "#!/bin/sh\ncase \"$*\" in *--unit=*) cat \"$STATE/journal\" ;; esac\n";

/// A node with programs of its own.
struct Fake {
    node: Node,
    state: TempDir,
    bin: TempDir,
}

impl Fake {
    fn new() -> Self {
        let (state, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut node = Node::new();
        node.environment = vec![
            ("STATE".into(), state.path().to_string_lossy().into_owned()),
            ("PATH".into(), format!("{}:/usr/bin:/bin", bin.path().display())),
        ];
        let fake = Self { node, state, bin };
        fake.program("systemctl", SYSTEMCTL);
        fake.program("journalctl", JOURNALCTL);
        fake
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.bin.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.state.path().join(name), text).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.state.path().join(name)).unwrap_or_default().trim().to_owned()
    }

    /// Returns how the programs were called to change something, since it was last asked.
    fn calls(&self) -> Vec<String> {
        let calls = self.get("calls");
        self.set("calls", "");
        calls.lines().map(|line| line.trim().to_owned()).collect()
    }
}

fn side(diff: &[Diff]) -> (String, String) {
    let [Diff::Text { before, after }] = diff else { panic!("{diff:?}") };
    (before.text.clone(), after.text.clone())
}

fn args(more: Map) -> Map {
    let mut args = map! { "name" => "web" };
    args.extend(more);
    args
}

fn warnings(outcome: &Outcome) -> Vec<String> {
    let list = outcome.values.get("warnings").and_then(Value::as_list).unwrap_or_default();
    list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_unit_is_started_once_and_stopped_once() {
    let mut fake = Fake::new();
    fake.set("web.file", "disabled");
    for module in ["systemd", "systemd_service"] {
        let done = fake.node.converges(module, args(map! { "state" => "started", "enabled" => true }));
        assert_eq!(fake.calls(), ["enable web", "start web"]);
        assert_eq!((text(&done, "state"), &done.values["enabled"]), ("started", &true.into()));
        // As it was before, as Ansible has it.
        assert_eq!(done.values["status"].get("ActiveState"), Some(&"inactive".into()));
        let (before, after) = side(&done.diff);
        assert_eq!(before, "{\n    \"enabled\": false,\n    \"state\": \"inactive\"\n}\n");
        assert_eq!(after, "{\n    \"enabled\": true,\n    \"state\": \"started\"\n}\n");
        let done = fake.node.converges(module, args(map! { "state" => "stopped", "enabled" => false }));
        assert_eq!(fake.calls(), ["disable web", "stop web"]);
        assert_eq!(text(&done, "state"), "stopped");
    }
}

#[test]
fn a_restart_is_a_change_each_time() {
    let mut fake = Fake::new();
    fake.set("web.file", "enabled");
    for (state, expected) in [
        ("restarted", "start web"),
        ("restarted", "restart web"),
        ("reloaded", "reload web"),
        ("reloaded", "reload web"),
    ] {
        let planned = fake.node.check("systemd", args(map! { "state" => state }));
        assert_eq!((planned.status, fake.calls()), (Status::WouldChange, vec![]));
        let done = fake.node.run("systemd", args(map! { "state" => state }));
        assert_eq!((done.status, text(&done, "state")), (Status::Changed, "started"));
        assert_eq!(fake.calls(), [expected]);
    }
}

#[test]
fn masked_units() {
    let mut fake = Fake::new();
    fake.set("web.file", "disabled");
    fake.node.converges("systemd", args(map! { "masked" => true }));
    assert_eq!(fake.get("web.file"), "masked");
    let done = fake
        .node
        .converges("systemd", args(map! { "masked" => false, "enabled" => true, "state" => "started" }));
    assert_eq!(fake.calls(), ["mask web", "unmask web", "enable web", "start web"]);
    assert_eq!(text(&done, "state"), "started");
}

#[test]
fn units_without_an_install_section() {
    let mut fake = Fake::new();
    fake.set("web.file", "static");
    let same = fake.node.run("systemd", args(map! { "enabled" => true }));
    let expected =
        "web has no [Install] section: it cannot be enabled, and runs only if something else asks for it";
    assert_eq!((same.status, warnings(&same)), (Status::Same, vec![expected.to_owned()]));
    let same = fake.node.run("systemd", args(map! { "enabled" => false }));
    assert_eq!((same.status, warnings(&same).len()), (Status::Same, 0));
    // What enabling it does to others is known when it is done.
    fake.set("web.file", "indirect");
    assert_eq!(fake.node.check("systemd", args(map! { "enabled" => true })).status, Status::Unknown);
    let first = fake.node.run("systemd", args(map! { "enabled" => true }));
    let second = fake.node.run("systemd", args(map! { "enabled" => true }));
    assert_eq!((first.status, second.status), (Status::Changed, Status::Ran));
    assert_eq!(fake.calls(), ["enable web", "enable web"]);
}

#[test]
fn units_are_read_again_first() {
    let mut fake = Fake::new();
    // Its file has just been written.
    fake.set("web.new", "disabled");
    let wanted = args(map! { "state" => "started", "daemon_reload" => true });
    assert_eq!(fake.node.check("systemd", wanted.clone()).status, Status::Unknown);
    let done = fake.node.run("systemd", wanted.clone());
    assert_eq!(
        (done.status, fake.calls()),
        (Status::Changed, vec!["daemon-reload".to_owned(), "start web".into()])
    );
    // Reading again is no change by itself.
    let again = fake.node.run("systemd", wanted);
    assert_eq!((again.status, fake.calls()), (Status::Ran, vec!["daemon-reload".to_owned()]));
    let alone = fake.node.run("systemd", map! { "daemon-reload" => true, "daemon_reexec" => true });
    assert_eq!((alone.status, alone.values["name"].clone()), (Status::Ran, Value::null()));
    assert_eq!(fake.calls(), ["daemon-reload", "daemon-reexec"]);
    fake.set("no-reload", "");
    let failed = fake.node.fails("systemd", map! { "daemon_reload" => true });
    assert_eq!(failed, "failure 1 during daemon-reload: Connection refused");
}

#[test]
fn flags_of_systemctl() {
    let mut fake = Fake::new();
    fake.set("web.file", "disabled");
    let wanted = map! { "state" => "started", "enabled" => true, "scope" => "user", "no_block" => true, "force" => true };
    fake.node.converges("systemd", args(wanted));
    assert_eq!(fake.calls(), ["enable --user --no-block --force web", "start --user --no-block --force web"]);
}

#[test]
fn a_unit_that_fails_says_why() {
    let mut fake = Fake::new();
    fake.set("web.file", "enabled");
    fake.set("web.fault", "Nov 24 10:00:00 node web[7]: no port is free\n");
    let failed = fake.node.run("systemd", args(map! { "state" => "started" }));
    let journal = "The last lines of its journal:\nNov 24 10:00:00 node web[7]: no port is free";
    assert_eq!(
        text(&failed, "msg"),
        format!("Unable to start service web: Job for web.service failed.\n{journal}")
    );
    assert_eq!(failed.values["rc"], 1.into());
    // It was started, and is gone before anyone looked.
    fake.set("web.late", "");
    let failed = fake.node.run("systemd", args(map! { "state" => "restarted" }));
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(
        text(&failed, "msg"),
        format!("Unable to start service web: it has failed at once (exit-code)\n{journal}")
    );
}

#[test]
fn units_refused() {
    let mut fake = Fake::new();
    fake.set("broken.file", "enabled");
    fake.set("broken.broken", "bad-setting \"Unit broken.service has a bad unit file setting.\"");
    for (args, expected) in [
        (map! { "state" => "started" }, "missing parameter(s) required by 'state': name"),
        (map! { "masked" => true }, "missing parameter(s) required by 'masked': name"),
        (
            map! { "name" => "web" },
            "one of the following is required: state, enabled, masked, daemon_reload, daemon_reexec",
        ),
        (
            map! { "name" => "web*", "state" => "started" },
            "This module does not currently support using glob patterns, found '*' in service name: web*",
        ),
        (map! { "name" => "none", "state" => "started" }, "Could not find the requested service none: host"),
        (map! { "name" => "none", "enabled" => true }, "Could not find the requested service none: host"),
        (
            map! { "name" => "broken", "state" => "started" },
            "Error loading unit file 'broken': bad-setting \"Unit broken.service has a bad unit file setting.\"",
        ),
        (
            map! { "name" => "web", "state" => "up" },
            "value of state must be one of: reloaded, restarted, started, stopped, got: up",
        ),
    ] {
        assert_eq!(fake.node.fails("systemd", args), expected);
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[test]
fn service_is_systemds_where_it_is_asked_for() {
    let mut fake = Fake::new();
    fake.set("web.file", "disabled");
    let wanted = args(map! { "state" => "started", "use" => "systemd", "sleep" => 3, "pattern" => "web" });
    let done = fake.node.converges("service", wanted);
    let expected =
        ["pattern", "sleep"].map(|name| format!("Ignoring \"{name}\" as it is not used in \"systemd\""));
    assert_eq!(warnings(&done), expected);
    assert_eq!(fake.calls(), ["start web"]);
    let error = fake.node.fails("service", args(map! { "state" => "started", "use" => "runit" }));
    assert_eq!(error, "use: runit is not supported by convoy: there are auto, systemd, sysvinit and service");
}

/// An init script that keeps its state where the fake systemctl does.
const SCRIPT: &str = r#"#!/bin/sh
cd "$STATE" || exit 9
[ "$1" = status ] || echo "$*" >>calls
case $1 in
start) [ ! -e broken ] || { echo "no port is free" >&2; exit 1; }; echo yes >running ;;
stop) rm -f running ;;
status) if [ -e running ]; then echo "web is running"; else echo "web is stopped"; exit 3; fi ;;
esac
"#;

#[test]
fn init_scripts() {
    isolated(|_| {
        let mut fake = Fake::new();
        fs::write("/etc/init.d/web", SCRIPT).unwrap();
        fs::set_permissions("/etc/init.d/web", PermissionsExt::from_mode(0o755)).unwrap();
        fake.program("service", "#!/bin/sh\nname=$1\nshift\nexec /etc/init.d/$name \"$@\"\n");
        fake.program(
            "update-rc.d",
            "#!/bin/sh\necho \"rc $*\" >>$STATE/calls\nrm -f /etc/rc2.d/*web\ncase $2 in enable) ln -s ../init.d/web /etc/rc2.d/S01web ;; *) ln -s ../init.d/web /etc/rc2.d/K01web ;; esac\n",
        );
        let sysv = |more: Map| {
            let mut all = args(map! { "use" => "sysvinit" });
            all.extend(more);
            all
        };
        fake.node.converges("service", sysv(map! { "state" => "started", "arguments" => "-v 'a b'" }));
        assert_eq!(fake.calls(), ["start -v a b"]);
        fake.node.run("service", sysv(map! { "state" => "restarted", "sleep" => 0 }));
        fake.node.run("service", sysv(map! { "state" => "reloaded" }));
        assert_eq!(fake.calls(), ["stop", "start", "reload"]);
        fake.node.converges("service", sysv(map! { "enabled" => true }));
        fake.node.converges("service", sysv(map! { "enabled" => false, "state" => "stopped" }));
        assert_eq!(fake.calls(), ["rc web defaults", "rc web enable", "rc web disable", "stop"]);
        // Seen among the processes, not asked.
        let seen = sysv(map! { "state" => "stopped", "pattern" => "no process is called so" });
        assert_eq!(fake.node.run("service", seen).status, Status::Same);
        fake.set("broken", "");
        let failed = fake.node.run("service", sysv(map! { "state" => "started" }));
        assert_eq!((failed.status, text(&failed, "msg")), (Status::Failed, "no port is free"));
        for (args, expected) in [
            (
                map! { "name" => "none", "state" => "started" },
                "Could not find the requested service none: host",
            ),
            (map! { "masked" => true }, "masked is for systemd alone, which does not run here"),
            (
                map! { "daemon_reload" => true, "state" => "started" },
                "daemon_reload is for systemd alone, which does not run here",
            ),
        ] {
            assert_eq!(fake.node.fails("service", sysv(args)), expected);
        }
    });
}

#[test]
fn openrc() {
    let mut fake = Fake::new();
    fake.program(
        "rc-service",
        &SCRIPT
            .replace("cd \"$STATE\"", "shift\ncd \"$STATE\"")
            .replace("web is running", "* status: started"),
    );
    fake.program(
        "rc-update",
        "#!/bin/sh\ncd $STATE\ncase $1 in show) cat levels 2>/dev/null; exit 0 ;; add) echo \" web | $3 \" >levels ;; *) rm levels ;; esac\necho \"update $*\" >>calls\n",
    );
    let openrc = |more: Map| {
        let mut all = args(map! { "use" => "sysvinit" });
        all.extend(more);
        all
    };
    fake.node
        .converges("service", openrc(map! { "state" => "started", "enabled" => true, "runlevel" => "boot" }));
    fake.node.run("service", openrc(map! { "state" => "restarted" }));
    fake.node.converges("service", openrc(map! { "enabled" => false, "runlevel" => "boot" }));
    assert_eq!(fake.calls(), ["update add web boot", "start", "restart", "update delete web boot"]);
}
