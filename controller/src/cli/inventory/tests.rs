//! The fixtures' `.json` and `.txt` are what `ansible-inventory` 2.18 prints for the inventories beside them.

use super::*;

fn fixture(name: &str) -> String {
    format!("{}/src/cli/inventory/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn shown(name: &str, change: impl FnOnce(&mut Args)) -> String {
    let mut args = Args {
        group: "all".to_owned(),
        inventory: vec![fixture(name)],
        playbook_dir: Some(fixture("playbooks").into()),
        ..Args::default()
    };
    change(&mut args);
    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    match super::show(&args, &settings::LoadedSettings::default(), &mut out, &mut warnings) {
        Ok(()) => String::from_utf8(warnings).unwrap() + &String::from_utf8(out).unwrap(),
        Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

fn expected(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

#[test]
fn prints_what_ansible_prints() {
    for source in ["hosts.ini", "hosts.yml"] {
        assert_eq!(shown(source, |args| args.list = true), expected("list.json"));
        assert_eq!(shown(source, |args| (args.list, args.export) = (true, true)), expected("export.json"));
        assert_eq!(shown(source, |args| (args.graph, args.vars) = (true, true)), expected("graph.txt"));
        assert_eq!(shown(source, |args| args.host = Some("web9".into())), expected("host.json"));
        let limited = |args: &mut Args| {
            args.list = true;
            args.limit = Some("web9:db-a".into());
        };
        assert_eq!(shown(source, limited), expected("limit.json"));
    }
}

/// A folder with a script, a file and groups made of what both say.
#[test]
fn what_scripts_say_and_plugins_make_is_what_ansible_prints() {
    let warning = "[WARNING]: Found both group and host with same name: alone\n".to_owned();
    for (name, change) in [
        ("mixed.json", (|args| args.list = true) as fn(&mut Args)),
        ("mixed-export.json", |args| (args.list, args.export) = (true, true)),
        ("mixed.txt", |args| args.graph = true),
    ] {
        assert_eq!(shown("mixed", change), warning.clone() + &expected(name), "{name}");
    }
}

#[test]
fn yaml_reads_back_as_the_same_inventory() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.yml");
    let text = shown("hosts.ini", |args| (args.list, args.yaml, args.export) = (true, true, true));
    std::fs::write(&copy, &text).unwrap();
    let (first, _) = Inventory::load(&[fixture("hosts.ini")], &Options::default()).unwrap();
    let (second, _) = Inventory::load(&[copy.display().to_string()], &Options::default()).unwrap();
    for (group, hosts) in &first.group_map() {
        let sorted = |value: &Value| {
            let mut names: Vec<String> = value.as_list().unwrap().iter().map(python::str).collect();
            names.sort();
            names
        };
        assert_eq!(sorted(second.group_map().get(group).unwrap()), sorted(hosts), "{group}");
    }
    assert!(text.contains("\n              mode: '0644'\n"), "{text}");
}

#[test]
fn graphs_begin_where_asked() {
    let zeta = shown("hosts.ini", |args| (args.graph, args.group) = (true, "zeta".into()));
    assert_eq!(zeta, "@zeta:\n  |--web9\n");
    let unknown = shown("hosts.ini", |args| (args.graph, args.group) = (true, "zet".into()));
    assert_eq!(
        unknown,
        "error: Pattern must be valid group name when using --graph\nhint: did you mean `zeta`?"
    );
}

#[test]
fn one_host_is_one_host() {
    assert_eq!(
        shown("hosts.ini", |args| args.host = Some("db*".into())),
        "error: You must pass a single valid host to --host parameter\n  = note: `db*` names 3 hosts"
    );
    let missing = shown("none", |args| args.list = true);
    assert!(missing.starts_with("[WARNING]: Unable to parse "), "{missing}");
}

#[test]
fn exactly_one_action_is_asked_for() {
    let command = <Args as clap::Args>::augment_args(clap::Command::new("inventory"));
    command.clone().debug_assert();
    for (line, good) in [
        ("inventory -i a, --list -y", true),
        ("inventory --graph web --vars", true),
        ("inventory --host a --limit b --playbook-dir c", true),
        ("inventory -i a,", false),
        ("inventory --list --graph", false),
    ] {
        assert_eq!(command.clone().try_get_matches_from(line.split(' ')).is_ok(), good, "{line}");
    }
}
