//! `keystore`, beside what keytool and openssl say of the same files.

mod damage;
mod listing;
mod writers;

use std::process::Command;

use convoy_protocol::{Map, Status, Value, map};

use super::harness::Node;

const PASSWORD: &str = "secret-1";

/// Runs a program in the node's directory; `words` are split at blanks.
fn run(node: &Node, program: &str, words: &str) -> String {
    let mut command = Command::new(program);
    command
        .args(words.split_whitespace())
        .current_dir(node.path(""))
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8");
    let done = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{program} {words}: {out}{err}");
    out.into_owned()
}

fn keytool(node: &Node, words: &str) -> String {
    let locale = "-J-Duser.language=en -J-Duser.timezone=UTC -J-XX:TieredStopAtLevel=1";
    run(node, "keytool", &format!("{words} {locale}"))
}

fn openssl(node: &Node, words: &str) -> String {
    run(node, "openssl", words)
}

/// Makes `file` with a new key, or adds it.
fn key(node: &Node, file: &str, alias: &str, more: &str) {
    // An hour ago, so that the days that are left do not depend on the second.
    let start = if more.contains("-startdate") { "" } else { "-startdate -1H" };
    let algorithm = if more.contains("-keyalg") { "" } else { "-keyalg EC -groupname secp256r1" };
    keytool(
        node,
        &format!(
            "-genkeypair -keystore {file} -storepass {PASSWORD} -alias {alias} -dname CN={alias},O=Test \
             {algorithm} {start} {more}"
        ),
    );
}

/// Returns the arguments for a file, `more` among them.
fn args(node: &Node, file: &str, more: Map) -> Map {
    let mut args = map! { "path" => node.text(file), "password" => PASSWORD };
    args.extend(more);
    args
}

/// Runs the module, which must find all in order, in check mode too.
fn passes(node: &mut Node, file: &str, more: Map) -> Map {
    let args = args(node, file, more);
    let before = node.snapshot();
    let checked = node.check("keystore", args.clone());
    let seen = node.run("keystore", args);
    assert_eq!((seen.status, &checked.values), (Status::Same, &seen.values), "{:?}", seen.values);
    assert_eq!(node.snapshot(), before);
    seen.values
}

/// Runs the module, which must fail, and returns what it says of `file`.
fn said(node: &mut Node, file: &str, more: Map) -> String {
    let args = args(node, file, more);
    let said = node.fails("keystore", args);
    let path = node.text(file);
    said.strip_prefix(&*path).unwrap_or_else(|| panic!("{said}")).trim_start().to_owned()
}

fn entry(values: &Map, alias: &str) -> Map {
    let entries = values["entries"].as_list().unwrap();
    let entry = entries.iter().find(|entry| entry.get("alias") == Some(&alias.into()));
    entry.unwrap_or_else(|| panic!("{alias}: {entries:?}")).as_map().unwrap().clone()
}

/// Makes a file with two keys, and the certificate of one of them twice, as trusted.
fn make(node: &Node, kind: &str) {
    key(node, kind, "WSO2carbon", &format!("-storetype {kind}"));
    key(node, kind, "other", "");
    keytool(node, &format!("-exportcert -keystore {kind} -storepass {PASSWORD} -alias other -file cert"));
    let import = format!("-importcert -noprompt -keystore {kind} -storepass {PASSWORD} -alias trusted");
    keytool(node, &format!("{import} -file cert"));
    keytool(node, &format!("{import} -file cert").replace("-alias trusted", "-alias trusted2"));
}

#[test]
fn an_alias_must_be_what_it_is_taken_for() {
    let mut node = Node::new();
    for kind in ["jks", "pkcs12"] {
        make(&node, kind);
        let all = passes(&mut node, kind, map! {});
        assert_eq!((&all["type"], &all["expired"]), (&kind.into(), &Vec::<Value>::new().into()));
        assert_eq!(all["days_left"], 89.into());
        assert!(!all.contains_key("key_sha256") && !all.contains_key("warnings"));
        let kinds: Vec<_> = ["wso2carbon", "other", "trusted"]
            .iter()
            .map(|alias| entry(&all, alias)["entry"].clone())
            .collect();
        assert_eq!(kinds, ["key".into(), "key".into(), Value::from("certificate")]);
        let sum = run(&node, "sha256sum", kind);
        assert_eq!(all["sha256"], sum.split(' ').next().unwrap().into());

        for alias in ["wso2carbon", "WSO2CARBON"] {
            let named = passes(&mut node, kind, map! { "alias" => alias, "type" => kind });
            assert_eq!(named["key_sha256"].as_str().map(str::len), Some(64));
        }
        passes(&mut node, kind, map! { "alias" => "trusted", "entry" => "certificate" });
    }
}

#[test]
fn what_is_wrong_with_an_alias_is_told_apart() {
    let mut node = Node::new();
    for kind in ["jks", "pkcs12"] {
        make(&node, kind);
        let any_key = said(&mut node, kind, map! { "key_password" => "x" });
        assert!(
            any_key.ends_with(", but its key cannot be opened: the password of the key is wrong"),
            "{any_key}"
        );

        for (more, expected) in [
            (
                map! { "alias" => "wso2carbn" },
                "has no alias wso2carbn: it holds wso2carbon, other, trusted, trusted2",
            ),
            (
                map! { "alias" => "trusted" },
                "has a trusted certificate as trusted, not a private key: the key is in another file, or was not \
                 brought along when the certificate was imported",
            ),
            (
                map! { "alias" => "Other", "entry" => "certificate" },
                "has a private key as Other, not a trusted certificate",
            ),
            (
                map! { "password" => "Secret-1" },
                "cannot be opened: the password is wrong, or the file was tampered with",
            ),
            (
                map! { "password" => "" },
                "cannot be opened: the password is wrong, or the file was tampered with",
            ),
            (
                map! { "alias" => "other", "key_password" => "x" },
                "holds other, but its key cannot be opened: the password of the key is wrong",
            ),
        ] {
            let mut said = said(&mut node, kind, more.clone());
            // JKS has them in the order of a hash table.
            if let Some((head, list)) = said.split_once("it holds ") {
                let mut rest: Vec<&str> = list.split(", ").collect();
                rest[1..].sort_unstable();
                said = format!("{head}it holds {}", rest.join(", "));
            }
            assert_eq!(said, expected, "{kind}: {more:?}");
        }
    }
}

#[test]
fn a_key_may_have_a_password_of_its_own() {
    let mut node = Node::new();
    key(&node, "f", "server", "-storetype jks -keypass another-2");
    passes(&mut node, "f", map! { "key_password" => "another-2" });
    // Without an alias the file is opened, not its keys.
    passes(&mut node, "f", map! {});
    passes(&mut node, "f", map! { "alias" => "server", "key_password" => "another-2" });
    let expected = "holds server, but its key cannot be opened: the password of the key is wrong";
    assert_eq!(said(&mut node, "f", map! { "alias" => "server" }), expected);
}

#[test]
fn certificates_must_last() {
    let mut node = Node::new();
    key(&node, "f", "old", "-startdate -1y -validity 10");
    key(&node, "f", "young", "-startdate +1y -validity 10");
    key(&node, "f", "server", "-validity 100");
    let report = passes(&mut node, "f", map! { "expired" => "report" });
    assert_eq!(report["expired"], vec![Value::from("old")].into());
    let [old, young, server] = ["old", "young", "server"].map(|alias| entry(&report, alias));
    assert_eq!(
        [&old["expired"], &young["expired"], &server["expired"]],
        [&true.into(), &false.into(), &false.into()]
    );
    assert_eq!(report["days_left"], old["days_left"]);
    assert!(old["days_left"].as_int().unwrap() < -300 && server["days_left"].as_int().unwrap() == 99);
    passes(&mut node, "f", map! { "alias" => "old", "expired" => "report" });
    passes(&mut node, "f", map! { "alias" => "server", "min_days_left" => 99 });

    let (old_end, young_begin) = (old["not_after"].as_str().unwrap(), young["not_before"].as_str().unwrap());
    let server_end = server["not_after"].as_str().unwrap();
    for (more, expected) in [
        (
            map! { "alias" => "old" },
            format!("cannot be used: the certificate of old has expired, on {old_end}"),
        ),
        (
            map! { "alias" => "server", "min_days_left" => 100 },
            format!(
                "cannot be used: the certificate of server ends on {server_end}, in 99 days, where 100 are wanted"
            ),
        ),
        (
            map! { "alias" => "young" },
            format!("cannot be used: the certificate of young is not valid before {young_begin}; it is "),
        ),
        (
            map! {},
            format!(
                "cannot be used: the certificate of old has expired, on {old_end}, the certificate of young "
            ),
        ),
    ] {
        let outcome = node.run("keystore", args(&node, "f", more));
        assert_eq!(outcome.status, Status::Failed);
        let said = outcome.values["msg"].as_str().unwrap().to_owned();
        assert!(said.contains(&expected), "{said}");
        // Between the two a day may end for a certificate.
        assert_eq!(without_days_left(&outcome.values["entries"]), without_days_left(&report["entries"]));
    }
}

fn without_days_left(entries: &Value) -> Vec<Map> {
    let entries = entries.as_list().unwrap().iter().map(|entry| entry.as_map().unwrap());
    entries
        .map(|entry| entry.iter().filter(|(key, _)| key.as_str() != Some("days_left")))
        .map(|entry| entry.map(|(key, value)| (key.clone(), value.clone())).collect())
        .collect()
}

#[test]
fn what_is_merely_trusted_is_told() {
    let mut node = Node::new();
    key(&node, "f", "old", "-startdate -1y -validity 10");
    keytool(&node, &format!("-exportcert -keystore f -storepass {PASSWORD} -alias old -file cert"));
    keytool(&node, &format!("-importcert -noprompt -keystore t -storepass {PASSWORD} -alias ca -file cert"));
    let trusted = passes(&mut node, "t", map! {});
    assert_eq!(
        (&trusted["expired"], &trusted["days_left"]),
        (&vec![Value::from("ca")].into(), &Value::null())
    );
    let old = entry(&trusted, "ca");
    let (old_end, days) = (old["not_after"].as_str().unwrap(), old["days_left"].as_int().unwrap());
    assert_eq!(
        said(&mut node, "f", map! { "alias" => "old", "expired" => "report", "min_days_left" => 0 }),
        format!(
            "cannot be used: the certificate of old ends on {old_end}, in {days} days, where 0 are wanted"
        )
    );

    // What is merely trusted is told, unless it is named.
    let trusted = passes(&mut node, "t", map! {});
    assert_eq!(
        (&trusted["expired"], &trusted["days_left"]),
        (&vec![Value::from("ca")].into(), &Value::null())
    );
    let named = map! { "alias" => "ca", "entry" => "certificate" };
    assert_eq!(
        said(&mut node, "t", named),
        format!("cannot be used: the certificate of ca has expired, on {old_end}")
    );
}

#[test]
fn what_is_no_keystore_is_told_apart() {
    let mut node = Node::new();
    key(&node, "jks", "a", "-storetype jks");
    key(&node, "pkcs12", "a", "");
    key(&node, "jceks", "a", "-storetype jceks");
    keytool(&node, &format!("-exportcert -keystore jks -storepass {PASSWORD} -alias a -file der"));
    node.write("empty", "");
    node.write("pem", "-----BEGIN CERTIFICATE-----\n");
    node.write("text", "hello");
    std::fs::create_dir(node.path("directory")).unwrap();
    std::fs::File::create(node.path("large")).unwrap().set_len(8 * 1024 * 1024 + 1).unwrap();
    run(&node, "mkfifo", "pipe");
    for (file, more, expected) in [
        (
            "jks",
            map! { "type" => "pkcs12" },
            "is JKS, not PKCS12: keytool makes JKS up to Java 8, whatever the file is called; say so in the server's \
             configuration and as `type: jks` here, or make it anew with `-storetype PKCS12`",
        ),
        (
            "pkcs12",
            map! { "type" => "jks" },
            "is PKCS12, not JKS: keytool makes PKCS12 from Java 9 on, whatever the file is called; say so in the \
             server's configuration and as `type: pkcs12` here, or make it anew with `-storetype JKS`",
        ),
        (
            "jceks",
            map! {},
            "is a JCEKS keystore, which convoy does not read; `keytool -importkeystore -srcstoretype JCEKS \
             -deststoretype PKCS12` makes a PKCS12 file of it",
        ),
        ("der", map! {}, "is no keystore: it is DER, but not PKCS12: perhaps a certificate or a key alone"),
        ("empty", map! {}, "is empty"),
        (
            "pem",
            map! {},
            "is no keystore: it is PEM; `openssl pkcs12 -export` makes a PKCS12 file of a key with its certificates",
        ),
        ("text", map! {}, "is no keystore: it begins neither as JKS nor as PKCS12"),
        ("directory", map! {}, "is a directory"),
        ("pipe", map! {}, "is not a regular file"),
        ("none", map! {}, "does not exist"),
        ("large", map! {}, "has 8388609 bytes, but at most 8388608 can be read"),
    ] {
        assert_eq!(said(&mut node, file, more), expected, "{file}");
    }
    let useless = args(&node, "jks", map! { "entry" => "key" });
    assert_eq!(node.fails("keystore", useless), "entry says what `alias` stands for: name one");
    let useless =
        args(&node, "jks", map! { "alias" => "a", "entry" => "certificate", "key_password" => "x" });
    assert_eq!(
        node.fails("keystore", useless),
        "key_password opens a key: with `entry: certificate` there is none"
    );
}
