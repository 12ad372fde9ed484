//! `toml`.

use convoy_protocol::{Diff, Map, Status, Taint, Value, map};

use super::harness::{Node, text};

const FILE: &str = "\
# The server.
[server]
hostname = \"localhost\"   # as others see it
offset=0

[database.shared_db]
type = \"h2\"
pool.init = 1
pool.max = 2
# url = \"jdbc:mysql\"

[[apim.gateway.environment]]
name = \"Default\"
type = 'hybrid'

[apim.gateway.environment.extra]
x = 1

[[apim.gateway.environment]]
name = \"Other\"
ports = [ 1,
          2 ]

[transport]
inline = { a = 1, b.c = 2 }
\"http.socket.timeout\" = 60

[secrets]
k = \"[plain]\"
";

/// Runs `toml` on [`FILE`] and returns what became of it, as the lines that are different.
fn edited(node: &mut Node, args: Map) -> String {
    node.write("file", FILE);
    let mut all = map! { "path" => node.text("file"), "keep_last" => "secrets" };
    all.extend(args);
    node.converges("toml", all);
    lines(FILE, &node.read("file"))
}

/// Returns what was removed and added between the lines that both begin and end with.
fn lines(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let removed = old[head..old.len() - tail].iter().map(|line| format!("-{line}"));
    removed.chain(new[head..new.len() - tail].iter().map(|line| format!("+{line}"))).collect()
}

fn set(key: &str, value: impl Into<Value>) -> Map {
    map! { "set" => map! { key => value.into() } }
}

fn remove(key: &str) -> Map {
    map! { "remove" => key }
}

fn content(text: &str) -> Map {
    map! { "content" => text }
}

#[test]
fn only_what_is_asked_for_is_different() {
    let mut node = Node::new();
    let deep = || map! { "type" => "mysql", "pool_options" => map! { "maxActive" => 5 }, "url" => "u" };
    for (args, expected) in [
        (
            set("server.hostname", "a\"b"),
            "-hostname = \"localhost\"   # as others see it\n+hostname = \"a\\\"b\"   # as others see it\n",
        ),
        (set("server.mode", "single"), "+mode = \"single\"\n"),
        (set("database.shared_db.pool.min", 0), "+pool.min = 0\n"),
        (set("database.shared_db.url", "x"), "+url = \"x\"\n"),
        (
            set("database.user", deep()),
            "+[database.user]\n+type = \"mysql\"\n+url = \"u\"\n+\n+[database.user.pool_options]\n+maxActive = 5\n+\n",
        ),
        (set("realm_manager.data_source", "U"), "+[realm_manager]\n+data_source = \"U\"\n+\n"),
        (set("apim.gateway.label", "x"), "+[apim.gateway]\n+label = \"x\"\n+\n"),
        (set("apim.gateway.environment[name=\"Other\"].type", "prod"), "+type = \"prod\"\n"),
        (
            set("apim.gateway.environment[1].ports", vec![Value::from(3)]),
            "-ports = [ 1,\n-          2 ]\n+ports = [3]\n",
        ),
        (set("apim.gateway.environment[name=\"Default\"].extra.y", "z"), "+y = \"z\"\n"),
        (
            set("apim.gateway.environment[name='New'].more.deep", true),
            "+[[apim.gateway.environment]]\n+name = \"New\"\n+\n+[apim.gateway.environment.more]\n+deep = true\n+\n",
        ),
        (
            set("apim.gateway.environment[0].more.deep", true),
            "+[apim.gateway.environment.more]\n+deep = true\n+\n",
        ),
        (
            set(
                "event_listener",
                vec![Value::from(map! { "id" => "t", "properties" => map! { "a.b" => 1 } })],
            ),
            "+[[event_listener]]\n+id = \"t\"\n+\n+[event_listener.properties]\n+\"a.b\" = 1\n+\n",
        ),
        (
            set("transport.inline.b.d", 3),
            "-inline = { a = 1, b.c = 2 }\n+inline = { a = 1, b.c = 2, b.d = 3 }\n",
        ),
        (
            set("transport.inline", map! { "a" => 2 }),
            "-inline = { a = 1, b.c = 2 }\n+inline = { a = 2, b.c = 2 }\n",
        ),
        (
            set("transport.'http.socket.timeout'", 90),
            "-\"http.socket.timeout\" = 60\n+\"http.socket.timeout\" = 90\n",
        ),
        (set("top", 1.5), "+top = 1.5\n+\n"),
        (set("empty", map! {}), "+[empty]\n+\n"),
        (
            content("[server]\noffset = 1\n[database.shared_db]\npool.max = 9"),
            "-offset=0\n-\n-[database.shared_db]\n-type = \"h2\"\n-pool.init = 1\n-pool.max = 2\n+offset=1\n+\n+[database.shared_db]\n+type = \"h2\"\n+pool.init = 1\n+pool.max = 9\n",
        ),
    ] {
        assert_eq!(edited(&mut node, args.clone()), expected, "{args:?}");
    }
}

#[test]
fn only_what_shall_go_is_gone() {
    let mut node = Node::new();
    for (args, expected) in [
        (remove("server.hostname"), "-hostname = \"localhost\"   # as others see it\n"),
        (remove("database.shared_db.pool"), "-pool.init = 1\n-pool.max = 2\n"),
        (remove("transport.inline.a"), "-inline = { a = 1, b.c = 2 }\n+inline = { b.c = 2 }\n"),
        (remove("transport.inline.b"), "-inline = { a = 1, b.c = 2 }\n+inline = { a = 1 }\n"),
        (
            remove("apim.gateway.environment[name=\"Default\"]"),
            "-name = \"Default\"\n-type = 'hybrid'\n-\n-[apim.gateway.environment.extra]\n-x = 1\n-\n-[[apim.gateway.environment]]\n",
        ),
        (remove("database"), "-[database.shared_db]\n-type = \"h2\"\n-pool.init = 1\n-pool.max = 2\n"),
        (remove("secrets"), "-[secrets]\n-k = \"[plain]\"\n"),
    ] {
        assert_eq!(edited(&mut node, args.clone()), expected, "{args:?}");
    }
}

#[test]
fn lists_of_tables_are_merged_by_key_or_made_as_given() {
    let mut node = Node::new();
    let fragment = "[[apim.gateway.environment]]\nname = \"Other\"\ntype = \"prod\"\n[[apim.gateway.environment]]\nname = \"Third\"\n";
    let mut args = content(fragment);
    args.insert("known_by".into(), map! { "apim.gateway.environment" => "name" }.into());
    assert_eq!(
        edited(&mut node, args),
        "+type = \"prod\"\n+\n+[[apim.gateway.environment]]\n+name = \"Third\"\n"
    );
    let more = map! { "n" => 1, "more" => map! { "deep" => true } };
    let mut args = set("other.list", vec![Value::from(more.clone()), map! { "n" => 2 }.into()]);
    args.insert("known_by".into(), map! { "other.list" => "n" }.into());
    assert_eq!(
        edited(&mut node, args),
        "+[[other.list]]\n+n = 1\n+\n+[other.list.more]\n+deep = true\n+\n+[[other.list]]\n+n = 2\n+\n"
    );
    let exact = vec![Value::from(map! { "name" => "Default", "extra" => map! { "x" => 2 } })];
    edited(&mut node, set("apim.gateway.environment", exact));
    assert!(node.read("file").contains("[[apim.gateway.environment]]\nname = \"Default\"\n\n[apim.gateway.environment.extra]\nx = 2\n\n[transport]"), "{}", node.read("file"));
}

#[test]
fn a_file_is_read_and_nothing_else() {
    let mut node = Node::new();
    node.write("file", FILE);
    let read = |node: &mut Node, table: &str| {
        let outcome = node.run("toml", map! { "path" => node.text("file"), "table" => table });
        assert_eq!(outcome.status, Status::Same, "{:?}", outcome.values);
        format!("{:?}", outcome.values["data"])
    };
    assert_eq!(read(&mut node, "database.shared_db"), r#"{"type": "h2", "pool": {"init": 1, "max": 2}}"#);
    assert_eq!(read(&mut node, "apim.gateway.environment[name='Other'].ports[1]"), "2");
    assert_eq!(read(&mut node, "nothing.here"), "null");
    assert_eq!(node.read("file"), FILE);
}

#[test]
fn passwords_that_are_read_are_secret() {
    let mut node = Node::new();
    node.write(
        "file",
        "[db]\nuser = \"u\"\npassword = \"p\"\nref = 1\n[[env]]\nname = \"a\"\nauth_token = \"t\"\n",
    );
    node.write("file.properties", "user=u\npassword=p\n");
    let read = |node: &mut Node, module: &str, file: &str| {
        format!("{:?}", node.run(module, map! { "path" => node.text(file) }).values["data"])
    };
    assert_eq!(
        read(&mut node, "toml", "file"),
        r#"{"db": {"user": "u", "password": <secret>, "ref": 1}, "env": [{"name": "a", "auth_token": <secret>}]}"#
    );
    assert_eq!(read(&mut node, "properties", "file.properties"), r#"{"user": "u", "password": <secret>}"#);
    let one = node.run("toml", map! { "path" => node.text("file"), "table" => "db.password" });
    assert!(one.values["data"].taint.is_secret());
}

#[test]
fn the_difference_names_keys() {
    let mut node = Node::new();
    node.write("file", FILE);
    let set = map! { "server.offset" => 3, "database.user.type" => "mysql" };
    let args = map! { "path" => node.text("file"), "set" => set, "remove" => "transport.inline" };
    let done = node.converges("toml", args);
    let [Diff::Text { before, after }] = &done.diff[..] else { panic!("{:?}", done.diff) };
    assert_eq!(before.text, "server.offset = 0\ntransport.inline.a = 1\ntransport.inline.b.c = 2\n");
    assert_eq!(after.text, "server.offset = 3\ndatabase.user.type = \"mysql\"\n");
    let keys = format!("{:?}", done.values["keys"]);
    assert_eq!(
        keys,
        r#"["server.offset", "database.user.type", "transport.inline.a", "transport.inline.b.c"]"#
    );
}

/// Returns both sides of the only difference.
pub(crate) fn sides(diff: &[Diff]) -> (&str, &str) {
    let [Diff::Text { before, after }] = diff else { panic!("{diff:?}") };
    (&before.text, &after.text)
}

#[test]
fn what_is_secret_is_not_in_the_difference() {
    let mut node = Node::new();
    node.write("file", FILE);
    let secret = |text: &str| Value::from(text).tainted(Taint::SECRET);
    let set = map! {
        "server.offset" => 3,
        "database.shared_db" => map! { "url" => "u", "password" => secret("p") },
        "apim.gateway.environment" => vec![
            Value::from(map! { "name" => "Default", "type" => secret("t"), "more" => 1 }),
            map! { "name" => "New", "password" => secret("q") }.into(),
        ],
    };
    let known_by = map! { "apim.gateway.environment" => "name" };
    let args = map! { "path" => node.text("file"), "set" => set, "known_by" => known_by };
    let done = node.converges("toml", args);
    let (before, after) = sides(&done.diff);
    let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
    assert_eq!(before, format!("server.offset = 0\napim.gateway.environment[0].type = {hidden}\n"));
    let [offset, url, password] =
        ["server.offset = 3", "database.shared_db.url = \"u\"", "database.shared_db.password = "];
    let list = "apim.gateway.environment";
    assert_eq!(
        after,
        format!(
            "{offset}\n{url}\n{password}{hidden}\n{list}[0].type = {hidden} (another)\n{list}[0].more = 1\n\
             {list}[2].name = \"New\"\n{list}[2].password = {hidden}\n"
        )
    );
    let content = Value::from("[server]\nkey = 1\n").tainted(Taint::SECRET);
    let args =
        map! { "path" => node.text("file"), "content" => content, "set" => map! { "server.offset" => 4 } };
    let done = node.converges("toml", args);
    assert_eq!(sides(&done.diff).1, format!("server.offset = 4\nserver.key = {hidden}\n"));
}

#[test]
fn line_ends_a_mark_and_a_missing_end_survive() {
    let mut node = Node::new();
    for (before, after) in [
        ("\u{feff}[a]\r\nx = 1\r\n[b]\r\ny = 2", "\u{feff}[a]\r\nx = 1\r\nz = 3\r\n[b]\r\ny = 2"),
        ("[a]\nx = 1", "[a]\nx = 1\nz = 3"),
        ("[a]", "[a]\nz = 3"),
        ("  [a]\n  x = 1\n", "  [a]\n  x = 1\n  z = 3\n"),
        ("", "[a]\nz = 3\n"),
        ("# only a comment", "# only a comment\n\n[a]\nz = 3\n"),
        ("\u{feff}top = 1\r\n", "\u{feff}top = 1\r\n\r\n[a]\r\nz = 3\r\n"),
    ] {
        node.write("file", before);
        let args = map! { "path" => node.text("file"), "set" => map! { "a.z" => 3 } };
        node.converges("toml", args);
        assert_eq!(node.read("file"), after);
    }
}

#[test]
fn a_missing_file_is_made_if_asked_for_and_a_bad_one_is_not_touched() {
    let mut node = Node::new();
    let args =
        map! { "path" => node.text("new"), "set" => map! { "a" => 1 }, "create" => true, "mode" => "0600" };
    node.converges("toml", args);
    assert_eq!((node.read("new").as_str(), node.mode("new")), ("a = 1\n", 0o600));
    node.write("old", "a = 1\n");
    let args = map! { "path" => node.text("old"), "set" => map! { "a" => 2 }, "backup" => true };
    let done = node.converges("toml", args);
    assert_eq!(std::fs::read_to_string(text(&done, "backup_file")).unwrap(), "a = 1\n");
}

#[test]
fn errors() {
    let mut node = Node::new();
    node.write("file", FILE);
    node.write("twice", "[a]\nx = 1\n\n  [a]\ny = 2\n");
    let (file, twice, gone, directory) =
        (node.text("file"), node.text("twice"), node.text("gone"), node.text(""));
    let on = |path: &str, args: Map| {
        let mut all = map! { "path" => path };
        all.extend(args);
        all
    };
    for (args, expected) in [
        (on(&gone, set("a", 1)), format!("{gone} does not exist; set `create: true` to create it")),
        (on(&directory, set("a", 1)), format!("{} is a directory", directory.trim_end_matches('/'))),
        (on(&twice, set("a", 1)), format!("{twice}:4:4: duplicate key")),
        (on(&file, set("a..b", 1)), "`a..b` is no TOML key: a key is missing".into()),
        (on(&file, set("server", 1)), "server is a table: remove it first if a value shall take its place".into()),
        (on(&file, set("server.offset.x", 1)), "server.offset is a whole number, not a table".into()),
        (on(&file, set("server.offset", map! { "x" => 1 })), "server.offset is a whole number, not a table".into()),
        (
            on(&file, set("apim.gateway.environment.type", "x")),
            "apim.gateway.environment is a list of 2 tables: say which, as in apim.gateway.environment[name=\"…\"]".into(),
        ),
        (
            on(&file, set("apim.gateway.environment[2].type", "x")),
            "apim.gateway.environment has no element 2".into(),
        ),
        (
            on(&file, remove("apim.gateway.environment[0]")),
            "remove: apim.gateway.environment[0] is named by its place, where the next run would find another: name it by a key, or set the whole list".into(),
        ),
        (on(&file, set("server[0].x", 1)), "server is a table, not a list of tables".into()),
        (on(&file, set("server.x", Value::null())), "server.x: TOML has no null; remove the key instead".into()),
        (on(&file, content("x = \n")), "what is to be merged: line 1, column 5: string values must be quoted, expected literal string".into()),
        (
            on(&file, map! { "set" => map! { "apim.gateway.environment" => vec![Value::from(map! { "x" => 1 })] }, "known_by" => map! { "apim.gateway.environment" => "name" } }),
            "apim.gateway.environment: one of the tables has no `name`, by which they are known".into(),
        ),
    ] {
        assert_eq!(node.fails("toml", args.clone()), expected, "{args:?}");
    }
    node.write("double", "[[l]]\nn = 1\n[[l]]\nn = 1\n");
    let args = on(&node.text("double"), set("l[n=1].x", 2));
    assert_eq!(node.fails("toml", args), "l[n=1] fits 2 tables");
}
