//! `archive_info`.

use std::fs;

use convoy_protocol::{Status, Value, map};

use super::archives::{Record, Tar, Zip};
use super::harness::{Node, text};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn jar() -> Vec<u8> {
    Zip::default()
        .dir("META-INF/")
        .file("META-INF/services/java.sql.Driver", "org.example.Driver\n")
        .file("org/example/Driver.class", "abc")
        .member(&Record::new("org/example/icon.png"), &[0xff; 64])
        .done()
}

#[test]
fn members_and_texts_are_told() {
    let mut node = Node::new();
    fs::write(node.path("a.jar"), jar()).unwrap();
    let args = map! {
        "path" => node.text("a.jar"),
        "include" => vec![Value::from("org/*.class")],
        "checksum" => true,
        "contents" => vec![Value::from("META-INF/services/*")],
    };
    let told = node.run("archive_info", args.clone());
    let member =
        map! { "path" => "org/example/Driver.class", "kind" => "file", "size" => 3, "checksum" => ABC };
    let expected = map! {
        "path" => node.text("a.jar"),
        "format" => "zip",
        "count" => 1,
        "size" => 3,
        "entries" => vec![Value::from(member)],
        "contents" => map! { "META-INF/services/java.sql.Driver" => "org.example.Driver\n" },
    };
    assert_eq!((told.status, &told.values), (Status::Same, &expected));
    assert_eq!(node.check("archive_info", args).values, expected);
}

#[test]
fn without_patterns_all_members_are_told() {
    let mut node = Node::new();
    let archive = Tar::default().dir("./", 0o755).file("./a", "abc").link("./l", "a").hard("./h", "./a").gz();
    fs::write(node.path("a.tgz"), archive).unwrap();
    let told = node.run("archive_info", map! { "src" => node.text("a.tgz") });
    let kinds: Vec<_> =
        told.values["entries"].as_list().unwrap().iter().map(|e| e.get("kind").unwrap().clone()).collect();
    assert_eq!(kinds, ["directory", "file", "link", "hard"].map(Value::from));
    assert_eq!(
        (text(&told, "format"), &told.values["count"], &told.values["size"]),
        ("tar.gz", &4.into(), &3.into())
    );
    assert_eq!(told.values["contents"], map! {}.into());
}

#[test]
fn what_is_no_archive_or_no_text_is_refused() {
    let mut node = Node::new();
    fs::write(node.path("a.jar"), jar()).unwrap();
    node.write("plain", "no archive, but long enough to be taken for one by somebody");
    fs::write(node.path("cut"), &jar()[..60]).unwrap();
    let large = "x".repeat((1 << 20) + 1);
    fs::write(node.path("large"), Zip::default().file("log", &large).done()).unwrap();
    let all = || vec![Value::from("*")];
    for (name, contents, error) in [
        ("none", all(), "{} does not exist"),
        ("", all(), "{} is not a file"),
        (
            "plain",
            all(),
            "cannot read {}: it is neither a zip archive nor a tar archive, plain or compressed with gzip, bzip2, xz or zstd",
        ),
        ("cut", all(), "cannot read {}: it is truncated"),
        ("a.jar", all(), "{}: org/example/icon.png is not text in UTF-8"),
        ("large", all(), "{}: log has 1048577 bytes, and the text of no more than 1048576 is returned"),
    ] {
        let path = node.text(name).trim_end_matches('/').to_owned();
        let msg = node.fails("archive_info", map! { "path" => path.as_str(), "contents" => contents });
        assert_eq!(msg, error.replace("{}", &path));
    }
}
