//! The plugin `constructed`; the tests of `convoy inventory` compare its results with Ansible's.

use super::*;

const HOSTS: &str = "[web]\na role=front\nb\n";

/// Loads an inventory with this configuration of the plugin; returns it, or the first error.
fn build(config: &str, options: &Options) -> Result<Inventory, String> {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    write("group_vars/web.yml", "from_file: yes\n");
    let sources = [write("hosts", HOSTS), write("c.yml", config)];
    let loaded = Inventory::load(&sources, options);
    let first = |errors: Diagnostics| {
        let text = errors[0].to_string().replace(&format!("{}/", dir.path().display()), "");
        text.lines()
            .filter(|line| !line.trim_start_matches([' ', '1', '2', '3']).starts_with('|'))
            .collect::<Vec<_>>()
            .join("\n")
    };
    loaded.map(|(inventory, _)| inventory).map_err(first)
}

/// Returns the groups that the plugin creates, with their hosts.
fn groups(config: &str) -> Result<String, String> {
    let inventory = build(config, &Options::default())?;
    let created = inventory.groups().filter(|group| !["all", "ungrouped", "web"].contains(&&*group.name));
    Ok(created.map(|group| format!("{}: {}", group.name, names(&group.hosts))).collect::<Vec<_>>().join(", "))
}

#[test]
fn failing_expressions_are_ignored_unless_strict_is_set() {
    for (config, error) in [
        ("compose: {x: role ~ '!'}", "Could not set x for host b: 'role' is undefined\n  --> c.yml:3:14"),
        (
            "groups: {x: role == 'front'}",
            "Could not add host b to group x: The conditional check 'role == 'front'' failed. The error was: \
             error while evaluating conditional (role == 'front'): 'role' is undefined\n  \
             --> c.yml:3:13",
        ),
        (
            "keyed_groups: [{key: role}]",
            "Could not generate group for host b from role entry: 'role' is undefined\n  \
             --> c.yml:3:22",
        ),
        (
            "keyed_groups: [{key: role | default('')}]",
            "No key or key resulted empty for role | default('') in host b, invalid entry\n  --> c.yml:3:22",
        ),
        (
            "keyed_groups: [{key: role | default('x'), parent_group: '{{ nowhere }}'}]",
            "Could not generate parent group for group front: 'nowhere' is undefined\n  \
             --> c.yml:3:22",
        ),
        (
            "compose: {x: \"lookup('env', 'HOME')\"}",
            "Could not set x for host a: The lookup `env` was found, however lookups were disabled from templating\n  \
             --> c.yml:3:14",
        ),
    ] {
        let strict = format!("plugin: constructed\nstrict: true\n{config}\n");
        assert_eq!(groups(&strict).unwrap_err(), format!("error: {error}"), "{config}");
        assert!(groups(&strict.replace("true", "false")).is_ok(), "{config}");
    }
}

#[test]
fn group_names_are_those_of_ansible() {
    for (config, expected) in [
        ("keyed_groups: [{key: role | default('back end')}]", "_front: a, _back_end: b"),
        ("leading_separator: no\nkeyed_groups: [{key: role | default('9')}]", "front: a, _: b"),
        ("keyed_groups: [{key: group_names, prefix: in, parent_group: all_in}]", "in_web: a b, all_in: "),
        ("keyed_groups: [{key: [], prefix: x}, {key: 0, prefix: x}]", "x_0: a b"),
        ("groups: {9-lives: true, none: false}", "__lives: a b"),
    ] {
        assert_eq!(groups(&format!("plugin: constructed\n{config}\n")).as_deref(), Ok(expected), "{config}");
    }
}

#[test]
fn expressions_see_variable_files_and_extra_variables_if_enabled() {
    let config = "plugin: constructed\ngroups: {file: from_file | default(false), extra: more is defined}\n";
    assert_eq!(groups(config).as_deref(), Ok(""));
    let config = format!("{config}use_vars_plugins: true\nuse_extra_vars: true\n");
    let options = Options { extra_vars: convoy_protocol::map! { "more" => 1 }, ..Options::default() };
    let inventory = build(&config, &options).unwrap();
    assert_eq!(names(&inventory.group_names("a")), "extra file web");
}

#[test]
fn invalid_options_are_errors() {
    for (config, error) in [
        (
            "plugin: constructd",
            "the inventory plugin `constructd` is not supported\n  --> c.yml:1:9\n  \
             = note: supported: constructed; scripts that print JSON; INI and YAML\n\
             hint: did you mean `constructed`?",
        ),
        (
            "plugin: constructed\ncompse: {}",
            "`compse` is not an option of constructed\n  --> c.yml:2:1\nhint: did you mean `compose`?",
        ),
        (
            "plugin: constructed\ncompose: []",
            "`compose` must be a map of expressions, got a list\n  --> c.yml:2:10",
        ),
        (
            "plugin: constructed\nkeyed_groups: {}",
            "`keyed_groups` must be a list of maps, got a map\n  --> c.yml:2:15",
        ),
        (
            "plugin: constructed\nkeyed_groups: [x]",
            "an entry of `keyed_groups` must be a map, got a scalar\n  --> c.yml:2:16",
        ),
        (
            "plugin: constructed\nkeyed_groups: [{prefix: x}]",
            "an entry of `keyed_groups` needs a `key`\n  --> c.yml:2:16",
        ),
        (
            "plugin: constructed\nkeyed_groups: [{key: x, prefx: y}]",
            "`prefx` is not an option of keyed_groups\n  --> c.yml:2:25\nhint: did you mean `prefix`?",
        ),
        (
            "plugin: constructed\nkeyed_groups: [{key: x, default_value: y, trailing_separator: no}]",
            "parameters are mutually exclusive for keyed groups: default_value|trailing_separator\n  --> c.yml:2:16",
        ),
        (
            "plugin: constructed\nkeyed_groups: [{key: true}]",
            "Invalid group name format, expected a string or a list of them or dictionary, got: a boolean\n  \
             --> c.yml:2:22\n  = note: `True` of host a",
        ),
    ] {
        assert_eq!(groups(&format!("{config}\n")).unwrap_err(), format!("error: {error}"), "{config}");
    }
}
