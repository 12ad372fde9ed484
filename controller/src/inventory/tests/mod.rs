//! Loads whole inventories; the results were compared with ansible-core 2.18.

mod constructed;
mod script;

use std::path::Path;
use std::sync::Arc;

use convoy_protocol::Map;

use super::*;
use crate::diagnostic::{Diagnostic, Diagnostics};

fn fixture(name: &str) -> String {
    format!("{}/src/cli/inventory/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn load(name: &str) -> Inventory {
    let (inventory, warnings) = Inventory::load(&[fixture(name)], &Options::default()).unwrap();
    assert_eq!(warnings, []);
    inventory
}

fn names(list: &[Arc<str>]) -> String {
    list.join(" ")
}

/// Writes files to a directory and loads `sources`, which are relative to it.
fn load_files(
    files: &[(&str, &str)],
    sources: &[&str],
) -> (tempfile::TempDir, Result<(Inventory, Vec<Diagnostic>), Diagnostics>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let sources: Vec<String> = sources
        .iter()
        .map(|name| {
            if name.contains(',') { (*name).to_owned() } else { dir.path().join(name).display().to_string() }
        })
        .collect();
    let loaded = Inventory::load(&sources, &Options::default());
    (dir, loaded)
}

#[test]
fn ini_and_yaml_inventories_are_equal() {
    let (ini, yaml) = (load("hosts.ini"), load("hosts.yml"));
    assert_eq!(ini.group_map(), yaml.group_map());
    assert!(ini.hosts().map(|host| &host.name).eq(yaml.hosts().map(|host| &host.name)));
    for host in ini.hosts() {
        assert_eq!(ini.group_names(&host.name), yaml.group_names(&host.name));
        let all = |inventory: &Inventory| -> Map {
            let layers = inventory.layers(&host.name, None).unwrap();
            let mut vars: Map = layers.into_iter().flat_map(|(_, map)| map).collect();
            vars.shift_remove("inventory_file");
            vars
        };
        assert_eq!(all(&ini), all(&yaml), "{}", host.name);
    }
    assert_eq!(names(&ini.group_names("web9")), "db prod web zeta");
    assert_eq!(
        names(&ini.hosts_of("all")),
        "lonely localhost web9 web01.example.com web02.example.com web03.example.com db-a db-b"
    );
}

const WEB: &str = "web01.example.com web02.example.com web03.example.com";

#[test]
fn patterns_select_the_same_hosts_as_in_ansible() {
    let inventory = load("hosts.ini");
    for (pattern, expected) in [
        ("all", format!("lonely localhost web9 {WEB} db-a db-b")),
        ("web", format!("{WEB} web9")),
        ("web:db", format!("{WEB} web9 db-a db-b")),
        ("web,db", format!("{WEB} web9 db-a db-b")),
        ("web:&db", "web9".to_owned()),
        ("prod:!db", WEB.to_owned()),
        ("!web", "lonely localhost db-a db-b".to_owned()),
        ("&web", format!("web9 {WEB}")),
        ("web[0]", "web01.example.com".to_owned()),
        ("web[-1]", "web9".to_owned()),
        ("web[1:2]", "web02.example.com web03.example.com".to_owned()),
        ("web[1:]", "web02.example.com web03.example.com web9".to_owned()),
        ("web[0:0]", "web01.example.com".to_owned()),
        ("web[5:7]", String::new()),
        ("web*", format!("{WEB} web9")),
        ("*.example.com", WEB.to_owned()),
        ("~web0[12]", "web01.example.com web02.example.com".to_owned()),
        ("~(db|lonely)", "db-a db-b web9 lonely".to_owned()),
        ("db-?", "db-a db-b".to_owned()),
        ("db-[ab]", "db-a db-b".to_owned()),
        ("127.0.0.1", "localhost".to_owned()),
        ("web9:web", format!("web9 {WEB}")),
        ("ungrouped", "lonely localhost".to_owned()),
        ("prod[2:3]", "web03.example.com web9".to_owned()),
        ("all:!~web.*", "lonely localhost db-a db-b".to_owned()),
        ("p*", format!("{WEB} web9 db-a db-b")),
        ("[!w]*", format!("lonely localhost web9 {WEB} db-a db-b")),
        ("web:!web[0]", "web02.example.com web03.example.com web9".to_owned()),
        ("web[0]:db[0]", "web01.example.com db-a".to_owned()),
        ("prod:&~.*example.com$", WEB.to_owned()),
    ] {
        let selection = inventory.select(pattern, None).unwrap();
        assert_eq!(names(&selection.hosts), expected, "{pattern}");
        assert_eq!(selection.warnings, [], "{pattern}");
    }
}

#[test]
fn a_pattern_without_matches_causes_a_warning_with_a_suggestion() {
    let selection = load("hosts.ini").select("zeta:prd", None).unwrap();
    assert_eq!(names(&selection.hosts), "web9");
    assert_eq!(
        selection.warnings,
        [Diagnostic::user("Could not match supplied host pattern, ignoring: prd")
            .hint(Some("did you mean `prod`?".into()))]
    );
}

#[test]
fn invalid_patterns_are_errors() {
    let inventory = load("hosts.ini");
    for (pattern, error) in [
        ("web[9]", "error: No hosts matched the subscripted pattern 'web[9]'\nhint: `web` matches 4 hosts"),
        (",", "error: empty host pattern or limit\nhint: `all` matches all hosts"),
    ] {
        assert_eq!(inventory.select(pattern, None).unwrap_err().to_string(), error);
    }
    assert_eq!(inventory.select("~*", None).unwrap_err().message, "Invalid host list pattern: ~*");
    let error = inventory.select("all", Some("@/none")).unwrap_err();
    assert_eq!(error.to_string(), "error: Unable to find limit file /none");
    let error = inventory.select("all", Some("@/")).unwrap_err();
    assert_eq!(error.to_string(), "error: Limit starting with \"@\" must be a file, not a directory: /");
}

#[test]
fn a_limit_filters_hosts_and_keeps_their_order() {
    let inventory = load("hosts.ini");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("retry");
    std::fs::write(&file, "db-b\nweb9\n").unwrap();
    for (limit, expected) in [
        ("db-a,web9".to_owned(), "web9 db-a"),
        ("!web".to_owned(), "db-a db-b"),
        (format!("@{}", file.display()), "web9 db-b"),
    ] {
        assert_eq!(names(&inventory.select("prod", Some(&limit)).unwrap().hosts), expected, "{limit}");
    }
}

#[test]
fn layers_are_in_ansibles_order() {
    let inventory = load("hosts.ini");
    let playbooks = fixture("playbooks");
    let layers = inventory.layers("web01.example.com", Some(Path::new(&playbooks))).unwrap();
    let kinds: Vec<_> = layers.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            LayerKind::InventoryGroups,
            LayerKind::GroupVarsAll,
            LayerKind::GroupVars,
            LayerKind::PlaybookGroupVars,
            LayerKind::InventoryHost,
            LayerKind::HostVars
        ]
    );
    let who: Vec<_> = layers.iter().filter_map(|(_, map)| map.get("who")?.as_str()).collect();
    assert_eq!(who, ["all", "web2", "host"]);
    assert!(
        layers[0].1.get("limit").unwrap().origin.as_ref().unwrap().to_string().ends_with("hosts.ini:19:1")
    );
}

#[test]
fn localhost_is_implicit() {
    let (inventory, warnings) = Inventory::load(&["a,b:22,".to_owned()], &Options::default()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(names(&inventory.select("all", None).unwrap().hosts), "a b");
    assert_eq!(inventory.host("b").unwrap().vars.get("ansible_port").unwrap().as_int(), Some(22));
    assert_eq!(names(&inventory.select("localhost", None).unwrap().hosts), "localhost");
    assert!(inventory.is_implicit("localhost"));
    let layers = inventory.layers("localhost", None).unwrap();
    assert_eq!(layers[0].1.get("ansible_connection").unwrap().as_str(), Some("local"));
    let (empty, warnings) = Inventory::load(&[], &Options::default()).unwrap();
    assert_eq!(empty.hosts().count(), 0);
    assert_eq!(warnings[0].message, "No inventory was parsed, only implicit localhost is available");
}

#[test]
fn lists_of_hosts_have_ranges_if_the_plugin_is_enabled() {
    let load = |source: &str, ranges_in_lists: bool| {
        Inventory::load(&[source.to_owned()], &Options { ranges_in_lists, ..Options::default() })
    };
    let hosts = |source: &str, ranges: bool| {
        let (inventory, _) = load(source, ranges).unwrap();
        names(&inventory.hosts().map(|host| host.name.clone()).collect::<Vec<_>>())
    };
    assert_eq!(hosts("n[1:3],m:22,", true), "n1 n2 n3 m");
    assert_eq!(hosts("n[1:3],m:22,", false), "n[1:3] m");
    assert_eq!(hosts("n[1:],", true), "n[1:]");
    let error = load("n[3:1],", true).unwrap_err()[0].to_string();
    let expected = "error: Failed to parse n[3:1], with advanced_host_list\n  = note: the range `[3:1]` ends before it begins";
    assert_eq!(error, expected);
}

#[test]
fn sources_are_merged_in_order_and_directories_are_read_recursively() {
    let files = [
        ("inv/01", "[app]\napp1 x=1\napp2\n[top:children]\nmid\n[mid:children]\napp\n"),
        ("inv/02.yml", "app:\n  hosts:\n    app2: {x: 2}\n    app3:\n  vars: {v: yml}\nbad: [x]\n"),
        ("inv/notes.txt", "[ garbage"),
        ("inv/sub/z", "[z]\nz1\n"),
        ("inv/group_vars/mid.yml", "v: files\n"),
    ];
    let (_dir, loaded) = load_files(&files, &["inv", "app9,"]);
    let (inventory, warnings) = loaded.unwrap();
    assert_eq!(warnings[0].message, "Skipping 'bad' as this is not a valid group definition");
    assert_eq!(
        names(&inventory.hosts().map(|host| host.name.clone()).collect::<Vec<_>>()),
        "app1 app2 app3 z1 app9"
    );
    assert_eq!(names(&inventory.group_names("app3")), "app mid top");
    let vars: Map = inventory.layers("app2", None).unwrap().into_iter().flat_map(|(_, map)| map).collect();
    assert_eq!(vars.get("v").unwrap().as_str(), Some("files"));
    assert_eq!(vars.get("x").unwrap().as_int(), Some(2));
}

#[test]
fn errors_have_a_location() {
    for (name, text, error) in [
        ("h.ini", "[web]\nw1 foo\n", "`foo` is not key=value\n  --> h.ini:2:4"),
        ("h.ini", "[web:childs]\n", "section [web:childs] has unknown type: childs\n  --> h.ini:1:1"),
        ("h.ini", "[a b]\n", "`[a b]` is not a section\n  --> h.ini:1:1"),
        (
            "h.ini",
            "[web]\nx\n[wep:vars]\n",
            "section [wep:vars] not valid for undefined group: wep\n  --> h.ini:3:1",
        ),
        ("h.ini", "[p:children]\n q\n", "section [p:children] includes undefined group: q\n  --> h.ini:2:2"),
        ("h.ini", "[a:vars]\nx\n", "`x` is not key=value\n  --> h.ini:2:1"),
        ("h.ini", "w[5:1]\n", "the range `[5:1]` ends before it begins\n  --> h.ini:1:1"),
        ("h.ini", "w a='1\n", "unclosed quote\n  --> h.ini:1:5"),
        (
            "h.ini",
            "[a]\n[b:children]\na\n[a:children]\nb\n",
            "group `b` cannot be a child of its descendant `a`\n  --> h.ini:5:1",
        ),
        ("h.yml", "a:\n  hosts: [x]\n", "`hosts` of group `a` must be a map, got a list\n  --> h.yml:2:10"),
        ("h.yml", "a:\n  hosts:\n    10: {}\n", "the name of a host must be text\n  --> h.yml:3:5"),
        (
            "h.yml",
            "a:\n  hosts:\n    x: 1\n",
            "the variables of host `x` must be a map, got a scalar\n  --> h.yml:3:8",
        ),
        ("h", "a:\n  hosts:\n    x:\n   y:\n", "inconsistent indentation\n  --> h:4:4"),
        (
            "h",
            "$ANSIBLE_VAULT;1.1;AES256\n",
            "cannot decrypt h: Vault vaulttext format error: the salt, the digest and the text are not all there\n  \
             --> h:1:1\nhint: restore it from a backup, or encrypt it again",
        ),
        ("h.yml", "[x]\n", "a YAML inventory must be a map of groups, got a list\n  --> h.yml:1:1"),
        ("h.yml", "plugin: aws_ec2\n", "the inventory plugin `aws_ec2` is not supported\n  --> h.yml:1:9"),
        (
            "h.yml",
            "a:\n  vars: {ansible_group_priority: x}\n",
            "`ansible_group_priority` is not a whole number\n  --> h.yml:2:34",
        ),
    ] {
        let (dir, loaded) = load_files(&[(name, text)], &[name]);
        let error_text =
            loaded.unwrap_err()[0].to_string().replace(&format!("{}/", dir.path().display()), "");
        let place = error_text.split("\n   |").next().unwrap();
        assert_eq!(place, format!("error: {error}"), "{text:?}");
    }
}

#[test]
fn unsupported_formats_are_errors() {
    let (dir, loaded) = load_files(&[("h.toml", "")], &["h.toml"]);
    let error = loaded.unwrap_err()[0].message.replace(&format!("{}/", dir.path().display()), "");
    assert_eq!(error, "h.toml: inventories in TOML are not supported");
}

#[test]
fn a_thousand_hosts_have_their_groups_and_variables() {
    let mut text =
        String::from("[all_of_them]\nnode[0001:1000] rack=1\n[even]\nnode[0002:1000:2]\n[rows:children]\n");
    for row in 0..50 {
        text += &format!("row{row}\n");
    }
    for row in 0..50 {
        text += &format!("[row{row}]\nnode[{:04}:{:04}]\n", row * 20 + 1, row * 20 + 20);
    }
    let (_dir, loaded) =
        load_files(&[("hosts", &text), ("group_vars/row7/a.yml", "seven: true\n")], &["hosts"]);
    let (inventory, warnings) = loaded.unwrap();
    assert_eq!(warnings, []);
    assert_eq!(inventory.select("rows:&even", None).unwrap().hosts.len(), 500);
    assert_eq!(names(&inventory.group_names("node0142")), "all_of_them even row7 rows");
    let sevens = inventory.hosts().filter(|host| {
        inventory.layers(&host.name, None).unwrap().iter().any(|(_, map)| map.contains_key("seven"))
    });
    assert_eq!(sevens.count(), 20);
}

#[test]
fn additions_are_kept_when_the_inventory_is_refreshed() {
    let files = [("hosts", "[web]\na\nb\n"), ("group_vars/fresh.yml", "from_file: yes\n")];
    let (dir, loaded) = load_files(&files, &["hosts"]);
    let (mut inventory, _) = loaded.unwrap();
    let host = |vars: Map| Addition::Host { name: "new".into(), groups: vec!["fresh".into()], vars };
    let group =
        |host: &str| Addition::Group { name: "g".into(), parents: vec!["up".into()], host: host.into() };
    let steps = [
        (host(Map::new()), true),
        (host(Map::new()), false),
        (host(convoy_protocol::map! { "x" => 1 }), true),
        (group("a"), true),
        (group("a"), false),
        (group("b"), true),
        (group("localhost"), true),
    ];
    for (addition, changed) in steps {
        assert_eq!(inventory.add(addition.clone()).unwrap(), changed, "{addition:?}");
    }
    std::fs::write(dir.path().join("hosts"), "[web]\na\nc\n").unwrap();
    let (fresh, warnings) = inventory.refresh().unwrap();
    assert_eq!(warnings, []);
    assert_eq!(names(&fresh.hosts().map(|host| host.name.clone()).collect::<Vec<_>>()), "a c new localhost");
    assert_eq!(names(&fresh.hosts_of("up")), "a localhost");
    let vars: Map = fresh.layers("new", None).unwrap().into_iter().flat_map(|(_, map)| map).collect();
    assert_eq!((vars["x"].as_int(), vars["from_file"].as_bool()), (Some(1), Some(true)));
    let local = &fresh.host("localhost").unwrap().vars["ansible_connection"];
    assert_eq!(local.as_str(), Some("local"));
    let error =
        inventory.add(Addition::Group { name: "all".into(), parents: vec!["g".into()], host: "a".into() });
    assert_eq!(error.unwrap_err().message, "group `all` cannot be a child of its descendant `g`");
}

#[test]
fn groups_and_hosts_can_be_added_later() {
    let mut inventory = load("hosts.ini");
    inventory.add_host("new", Some("all"), None).unwrap();
    inventory.add_group("fresh").unwrap();
    assert!(inventory.add_to_group("new", "fresh").unwrap());
    assert!(!inventory.add_to_group("new", "fresh").unwrap());
    inventory.reconcile().unwrap();
    assert_eq!(names(&inventory.group_names("new")), "fresh");
    assert_eq!(names(&inventory.select("fresh", None).unwrap().hosts), "new");
    assert!(inventory.add_child("nope", "fresh").is_err());
}
