//! Modules that only look: `getent`, `ping`, `setup`, `slurp`, `stat` and `wait_for`.

use std::net::TcpListener;

use convoy_protocol::{Status, Value, map};

use super::harness::{Node, text};

#[test]
fn stat_tells_what_is_there() {
    let mut node = Node::new();
    let gone = node.run("stat", map! { "path" => node.text("none") });
    assert_eq!((gone.status, &gone.values["stat"]), (Status::Same, &map! { "exists" => false }.into()));
    node.write("f", "abc");
    std::os::unix::fs::symlink("f", node.path("l")).unwrap();
    let found = node.run("stat", map! { "path" => node.text("f"), "checksum_algorithm" => "md5" });
    let stat = &found.values["stat"];
    assert_eq!(stat.get("checksum"), Some(&"900150983cd24fb0d6963f7d28e17f72".into()));
    assert_eq!((stat.get("size"), stat.get("isreg")), (Some(&3.into()), Some(&true.into())));
    assert_eq!(stat.get("mode").and_then(Value::as_str).map(str::len), Some(4));
    let link = node.run("stat", map! { "path" => node.text("l") });
    let stat = &link.values["stat"];
    assert_eq!((stat.get("islnk"), stat.get("lnk_target")), (Some(&true.into()), Some(&"f".into())));
    let real = std::fs::canonicalize(node.path("f")).unwrap();
    assert_eq!(stat.get("lnk_source"), Some(&real.to_string_lossy().as_ref().into()));
    let followed = node.run("stat", map! { "path" => node.text("l"), "follow" => true });
    assert_eq!(followed.values["stat"].get("isreg"), Some(&true.into()));
}

#[test]
fn ping_answers() {
    let mut node = Node::new();
    assert_eq!(node.run("ping", map! {}).values, map! { "ping" => "pong" });
    assert_eq!(node.fails("ping", map! { "data" => "crash" }), "boom");
    let crashed = node.run("ping", map! { "data" => "crash" });
    assert_eq!(text(&crashed, "module_stderr"), "Exception: boom");
}

#[test]
fn slurp_returns_what_a_small_file_holds() {
    let mut node = Node::new();
    std::fs::write(node.path("f"), [0, 0xff, b'x']).unwrap();
    let seen = node.run("slurp", map! { "path" => node.text("f") });
    let expected = map! { "content" => "AP94", "source" => node.text("f"), "encoding" => "base64" };
    assert_eq!((seen.status, seen.values), (Status::Same, expected));
    let directory = node.path("").to_string_lossy().trim_end_matches('/').to_owned();
    let error = node.fails("slurp", map! { "src" => directory.as_str() });
    assert_eq!(error, format!("source is a directory and must be a file: {directory}"));
    let error = node.fails("slurp", map! { "src" => node.text("none") });
    assert_eq!(error, format!("file not found: {}", node.text("none")));
    let large = std::fs::File::create(node.path("large")).unwrap();
    large.set_len(12 * 1024 * 1024).unwrap();
    let most = node.run("slurp", map! { "src" => node.text("large") });
    assert_eq!(text(&most, "content").len(), 16 * 1024 * 1024);
    large.set_len(12 * 1024 * 1024 + 1).unwrap();
    let outcome = node.run("slurp", map! { "src" => node.text("large") });
    let expected = format!(
        "{} is larger than the 12582912 bytes that slurp returns: use fetch for it",
        node.text("large")
    );
    assert_eq!((outcome.status, text(&outcome, "msg")), (Status::Failed, expected.as_str()));
}

#[test]
fn getent_stores_entries_as_facts() {
    let mut node = Node::new();
    let root = node.run("getent", map! { "database" => "passwd", "key" => "root", "service" => "files" });
    let entry = root.values["ansible_facts"].get("getent_passwd").and_then(|all| all.get("root")).unwrap();
    assert_eq!((root.status, entry.as_list().map(<[Value]>::len)), (Status::Same, Some(6)));
    assert_eq!(entry.as_list().unwrap()[4], "/root".into());
    let nobody = map! { "database" => "passwd", "key" => "no-such-user" };
    let missing = "One or more supplied key could not be found in the database.";
    assert_eq!(node.fails("getent", nobody.clone()), missing);
    let mut forgiven = nobody;
    forgiven.insert("fail_key".into(), false.into());
    let none = map! { "getent_passwd" => map! { "no-such-user" => () } };
    assert_eq!(node.run("getent", forgiven).values, map! { "ansible_facts" => none, "msg" => missing });
    let unknown = map! { "database" => "nonsense", "key" => "x" };
    assert_eq!(node.fails("getent", unknown), "Missing arguments, or database unknown.");
    // `files` has one line per protocol: several of the same service are in a list.
    let services = node.run("getent", map! { "database" => "group", "split" => "x" });
    assert!(services.values["ansible_facts"].get("getent_group").is_some());
}

#[test]
fn facts_are_gathered_by_subset_and_filter() {
    let mut node = Node::new();
    std::fs::create_dir(node.path("facts")).unwrap();
    node.write("facts/site.fact", "[general]\nstage = test\n");
    node.write("facts/list.fact", "[1, 2]");
    let all = node.run("setup", map! { "fact_path" => node.text("facts") });
    assert_eq!(all.status, Status::Same);
    let facts = all.values["ansible_facts"].clone();
    assert_eq!(facts.get("ansible_system"), Some(&"Linux".into()));
    let local = map! { "site" => map! { "general" => map! { "stage" => "test" } }, "list" => vec![Value::from(1), 2.into()] };
    assert_eq!(facts.get("ansible_local"), Some(&local.into()));
    assert_eq!(facts.get("ansible_env").and_then(|env| env.get("CONVOY_TEST")), Some(&"set".into()));
    for name in
        ["distribution", "os_family", "memtotal_mb", "processor_vcpus", "date_time", "user_id", "mounts"]
    {
        assert!(facts.get(&format!("ansible_{name}")).is_some(), "{name}");
    }
    let few =
        node.run("setup", map! { "gather_subset" => "!all,!min,hardware", "filter" => "ansible_mem*_mb" });
    let names: Vec<String> =
        few.values["ansible_facts"].as_map().unwrap().keys().map(ToString::to_string).collect();
    assert_eq!(names, ["ansible_memtotal_mb", "ansible_memfree_mb", "ansible_memory_mb"]);
    let error = node.fails("setup", map! { "gather_subset" => "nonsense" });
    assert!(
        error.starts_with(
            "Bad subset 'nonsense' given to Ansible. gather_subset options allowed: all, all_ipv4"
        )
    );
}

#[test]
fn waits_for_a_port() {
    let mut node = Node::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i64::from(listener.local_addr().unwrap().port());
    let open = node.run("wait_for", map! { "port" => port, "host" => "localhost" });
    assert_eq!((open.status, open.values["elapsed"].as_int()), (Status::Same, Some(0)));
    let late = map! { "port" => port, "state" => "stopped", "timeout" => 0 };
    assert_eq!(node.fails("wait_for", late), format!("Timeout when waiting for 127.0.0.1:{port} to stop."));
    let said = map! { "port" => port, "search_regex" => "nothing", "timeout" => 1, "msg" => "no luck" };
    assert_eq!(node.fails("wait_for", said), "no luck");
    drop(listener);
    let closed = map! { "port" => port, "state" => "stopped" };
    assert_eq!(node.run("wait_for", closed).status, Status::Same);
    let late = map! { "port" => port, "timeout" => 0 };
    assert_eq!(node.fails("wait_for", late), format!("Timeout when waiting for 127.0.0.1:{port}"));
}

#[test]
fn waits_for_what_a_file_says() {
    let mut node = Node::new();
    let args = map! { "path" => node.text("log"), "search_regex" => "^(started) in (?P<ms>\\d+)$" };
    let planned = node.check("wait_for", args.clone());
    assert_eq!(
        (planned.status, text(&planned, "msg")),
        (Status::Unknown, "remote module (wait_for) does not support check mode")
    );
    let path = node.path("log");
    let writer = std::thread::spawn(move || std::fs::write(path, "booting\nstarted in 42\n").unwrap());
    let done = node.run("wait_for", args.clone());
    writer.join().unwrap();
    assert!(matches!(done.status, Status::Ran | Status::Same));
    assert_eq!(done.values["match_groups"], vec![Value::from("started"), "42".into()].into());
    assert_eq!(done.values["match_groupdict"], map! { "ms" => "42" }.into());
    let gone = node.run("wait_for", map! { "path" => node.text("none"), "state" => "absent" });
    assert_eq!(gone.status, Status::Same);
    let late = map! { "path" => node.text("none"), "timeout" => 0 };
    assert_eq!(node.fails("wait_for", late), format!("Timeout when waiting for file {}", node.text("none")));
    let both = map! { "path" => node.text("log"), "port" => 1 };
    assert_eq!(node.fails("wait_for", both), "port and path parameter can not both be passed to wait_for");
}

#[test]
fn facts_need_no_process() {
    let mut node = Node::new();
    // Without programs to find, all facts are there all the same.
    let mut order = Node::order("setup", map! { "fact_path" => node.text("none") }, false);
    order.environment.push(("PATH".into(), "/nonexistent".into()));
    let facts = node.obey(&order);
    assert_eq!(facts.status, Status::Same);
    assert!(facts.values["ansible_facts"].get("ansible_default_ipv4").is_some());
    assert!(facts.millis < 500, "{} ms", facts.millis);
}
