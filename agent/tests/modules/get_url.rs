//! `get_url`, and archives that `unarchive` fetches.

use std::fs;
use std::time::{Duration, SystemTime};

use convoy_protocol::{Digest, Map, Status, Value, map};

use super::archives::Tar;
use super::harness::{Node, text};
use super::server::{Asked, Server, reply};

const CONTENT: &str = "the driver\n";

fn answers(asked: &Asked) -> String {
    match asked.line.split(' ').nth(1).unwrap() {
        "/driver.jar" if asked.header("if-modified-since").is_some() => {
            "HTTP/1.1 304 Not Modified\r\n\r\n".into()
        }
        "/driver.jar" | "/always" if asked.line.starts_with("HEAD") => {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", CONTENT.len())
        }
        "/driver.jar" | "/always" => reply("200 OK", "", CONTENT),
        "/named" => reply("200 OK", "Content-Disposition: attachment; filename=\"../../x.jar\"\r\n", CONTENT),
        "/sums" => reply(
            "200 OK",
            "",
            &format!("{}  driver.jar\n{}  other\n", Digest::of(CONTENT.as_bytes()), "0".repeat(64)),
        ),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome".into(),
        "/pack.tgz" => {
            reply("200 OK", "", &String::from_utf8(Tar::default().file("a/b", "packed").done()).unwrap())
        }
        _ => reply("404 Not Found", "", ""),
    }
}

fn with(args: &Map, more: Map) -> Map {
    let mut all = args.clone();
    all.extend(more);
    all
}

#[test]
fn a_file_is_fetched_once() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let args =
        map! { "url" => server.url("/driver.jar"), "dest" => node.text("driver.jar"), "mode" => "0640" };
    let done = node.converges("get_url", args.clone());
    assert_eq!((node.read("driver.jar").as_str(), node.mode("driver.jar")), (CONTENT, 0o640));
    assert_eq!((text(&done, "msg"), done.values["status_code"].as_int()), ("OK (11 bytes)", Some(200)));
    assert_eq!(
        (text(&done, "dest"), &done.values["checksum_dest"]),
        (&*node.text("driver.jar"), &Value::null())
    );
    assert_eq!(text(&done, "checksum_src").len(), 40);
    let methods: Vec<_> =
        server.asked().iter().map(|asked| asked.line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["GET", "HEAD"]);
    let same = node.run("get_url", args.clone());
    assert_eq!(text(&same, "msg"), "file already exists");
    node.converges("get_url", with(&args, map! { "mode" => "0600" }));
    assert_eq!(node.mode("driver.jar"), 0o600);
    assert!(server.asked().iter().all(|asked| asked.line.starts_with("HEAD")));
}

#[test]
fn what_the_server_cannot_tell_is_known_after_fetching() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    node.write("f", CONTENT);
    let args = map! { "url" => server.url("/always"), "dest" => node.text("f") };
    let seen = node.check("get_url", args.clone());
    assert_eq!(
        (seen.status, text(&seen, "msg")),
        (Status::Unknown, "the file would have been fetched, and compared")
    );
    assert_eq!(node.run("get_url", args.clone()).status, Status::Ran);
    node.write("f", "other");
    let done = node.run("get_url", with(&args, map! { "backup" => true }));
    assert_eq!((done.status, node.read("f").as_str()), (Status::Changed, CONTENT));
    assert_eq!(fs::read_to_string(text(&done, "backup_file")).unwrap(), "other");
    // By force, also what is not newer.
    node.write("f", "newer");
    let forced = map! { "url" => server.url("/driver.jar"), "dest" => node.text("f"), "force" => true };
    assert_eq!((node.run("get_url", forced).status, node.read("f").as_str()), (Status::Changed, CONTENT));
    assert_eq!(server.asked().last().unwrap().header("cache-control"), Some("no-cache"));
}

#[test]
fn a_directory_gets_the_name_that_the_server_or_the_address_has() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    fs::create_dir(node.path("lib")).unwrap();
    for (path, name) in [("/driver.jar", "lib/driver.jar"), ("/named", "lib/x.jar")] {
        let args = map! { "url" => server.url(path), "dest" => node.text("lib") };
        assert_eq!(node.check("get_url", args.clone()).status, Status::Unknown);
        let done = node.run("get_url", args.clone());
        assert_eq!(
            (done.status, text(&done, "dest"), node.read(name).as_str()),
            (Status::Changed, &*node.text(name), CONTENT)
        );
        assert_eq!(node.run("get_url", args).status, Status::Ran);
    }
}

#[test]
fn checksums() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let digest = Digest::of(CONTENT.as_bytes()).to_string();
    let args = map! { "url" => server.url("/driver.jar"), "dest" => node.text("f"), "checksum" => format!("sha256:{digest}") };
    node.converges("get_url", args.clone());
    // The server was asked once, for the file.
    assert_eq!(server.asked().len(), 1);
    node.write("f", "damaged, but newer");
    fs::File::open(node.path("f"))
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    node.converges("get_url", args.clone());
    node.write("f", "damaged");
    node.converges("get_url", with(&args, map! { "checksum" => format!("sha256:{}", server.url("/sums")) }));
    let wrong = "0".repeat(64);
    node.write("f", "damaged");
    let url = server.url("/driver.jar");
    for (checksum, why) in [
        (
            format!("sha256:{wrong}"),
            format!("The checksum for {url} did not match {wrong}; it was {digest}."),
        ),
        ("abc".into(), "The checksum parameter has to be in format <algorithm>:<checksum>".into()),
        (
            "crc:abc".into(),
            "the checksum's algorithm 'crc' is none of md5, sha1, sha224, sha256, sha384, sha512".into(),
        ),
        ("sha1:xyz".into(), "The checksum format is invalid".into()),
        (format!("sha256:{}", server.url("/none")), "Request failed".into()),
        (
            format!("sha256:{}", server.url("/always")),
            format!("Unable to find a checksum for file 'driver.jar' in '{}'", server.url("/always")),
        ),
    ] {
        assert_eq!(node.fails("get_url", with(&args, map! { "checksum" => checksum })), why);
    }
}

#[test]
fn errors_leave_the_old_file() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    node.write("f", "old");
    let args = map! { "url" => server.url("/always"), "dest" => node.text("f") };
    let none = format!("Destination {} does not exist", node.text("no"));
    let tmp = node.text("f");
    for (more, why) in [
        (map! { "url" => server.url("/none") }, "Request failed"),
        (map! { "url" => server.url("/cut") }, "Connection failure: the answer ends before its end"),
        (
            map! { "url" => "http://127.0.0.1:1/" },
            "Request failed: <urlopen error [Errno 111] Connection refused>",
        ),
        (map! { "url" => "file:///etc/passwd" }, "unknown url type: file: convoy knows http and https"),
        (map! { "dest" => node.text("no/f") }, &none),
        (map! { "tmp_dest" => tmp.as_str() }, &format!("{tmp} is a file but should be a directory.")),
        (map! { "tmp_dest" => node.text("no") }, &format!("{} directory does not exist.", node.text("no"))),
    ] {
        assert_eq!(node.fails("get_url", with(&args, more)), why);
    }
    let failed = node
        .run("get_url", with(&args, map! { "url" => server.url("/none").replace("://", "://me:secret@") }));
    assert_eq!(
        (failed.values["status_code"].as_int(), text(&failed, "response")),
        (Some(404), "HTTP Error 404: Not Found")
    );
    assert_eq!(text(&failed, "url"), server.url("/none"));
}

#[test]
fn archives_are_fetched_and_compared() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    fs::create_dir(node.path("out")).unwrap();
    let args = map! { "src" => server.url("/pack.tgz"), "dest" => node.text("out"), "remote_src" => true };
    let seen = node.check("unarchive", args.clone());
    assert_eq!(
        (seen.status, text(&seen, "msg")),
        (Status::Unknown, "the archive would have been fetched, and compared")
    );
    let done = node.run("unarchive", args.clone());
    assert_eq!((done.status, node.read("out/a/b").as_str()), (Status::Changed, "packed"));
    assert_eq!(text(&done, "src"), server.url("/pack.tgz"));
    assert_eq!(node.run("unarchive", args.clone()).status, Status::Ran);
    let error = node.fails(
        "unarchive",
        with(&args, map! { "src" => server.url("/none").replace("://", "://me:secret@") }),
    );
    assert_eq!(error, format!("Failure downloading {}, HTTP Error 404: Not Found", server.url("/none")));
}
