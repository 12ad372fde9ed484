//! `uri`.

use std::fs;

use convoy_protocol::{Map, Status, Value, map};

use super::harness::{Node, text};
use super::server::{Asked, Server, certificate, reply, tls};

fn answers(asked: &Asked) -> String {
    let path = asked.line.split(' ').nth(1).unwrap();
    let path = path.split('?').next().unwrap();
    match path {
        "/json" => reply(
            "200 OK",
            "Content-Type: application/json\r\nX-Twice: a\r\nX-Twice: b\r\n",
            r#"{"a": [1, true]}"#,
        ),
        "/text" => reply("200 OK", "Content-Type: text/plain\r\nSet-Cookie: k=v; Path=/\r\n", "some text"),
        "/created" => reply("201 Created", "", ""),
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n text\r\n0\r\n\r\n".into()
        }
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome text".into(),
        "/nonsense" => "220 smtp.example.com ready\r\n\r\n".into(),
        "/silent" => String::new(),
        "/to-json" => reply("302 Found", "Location: json\r\nSet-Cookie: first=1\r\n", ""),
        "/to-json-307" => reply("307 Temporary Redirect", "Location: /json\r\n", ""),
        "/loop" => reply("302 Found", "Location: /loop\r\n", ""),
        "/private" if asked.header("authorization") == Some("Basic dXNlcjpwYXNz") => {
            reply("200 OK", "", "welcome")
        }
        "/private" => reply("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
        "/old" if asked.header("if-modified-since").is_some() => "HTTP/1.1 304 Not Modified\r\n\r\n".into(),
        "/old" => reply("200 OK", "", "old"),
        _ => reply("404 Not Found", "", "no such page"),
    }
}

fn with(url: &str, more: Map) -> Map {
    let mut args = map! { "url" => url };
    args.extend(more);
    args
}

#[test]
fn what_an_answer_says() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let url = server.url("/json");
    let done = node.run("uri", with(&url, map! {}));
    let expected = map! {
        "content_type" => "application/json", "x_twice" => "a, b", "content_length" => "16",
        "cookies" => map! {}, "cookies_string" => "", "redirected" => false, "url" => url.as_str(),
        "status" => 200, "msg" => "OK (16 bytes)", "elapsed" => 0, "json" => map! { "a" => vec![Value::from(1), true.into()] },
    };
    assert_eq!((done.status, done.values), (Status::Ran, expected));
    let [asked] = &server.asked()[..] else { panic!("one request") };
    assert_eq!(asked.line, "GET /json HTTP/1.1");
    let host = format!("localhost:{}", server.address.port());
    assert_eq!(
        (asked.header("host"), asked.header("user-agent")),
        (Some(host.as_str()), Some("ansible-httpget"))
    );
    let done = node.run("uri", with(&server.url("/text"), map! { "return_content" => true }));
    assert_eq!((text(&done, "content"), text(&done, "cookies_string")), ("some text", "k=v"));
    assert_eq!(done.values["cookies"].get("k").and_then(Value::as_str), Some("v"));
    let done = node.run("uri", with(&server.url("/chunked"), map! { "return_content" => true }));
    assert_eq!((text(&done, "content"), text(&done, "msg")), ("some text", "OK (unknown bytes)"));
    let statuses = vec![Value::from(200), 201.into()];
    assert_eq!(
        node.run("uri", with(&server.url("/created"), map! { "status_code" => statuses })).status,
        Status::Ran
    );
}

#[test]
fn nothing_is_sent_in_check_mode_or_if_it_is_not_needed() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let seen = node.check("uri", with(&server.url("/json"), map! {}));
    assert_eq!(
        (seen.status, text(&seen, "msg")),
        (Status::Unknown, "remote module (uri) does not support check mode")
    );
    node.write("there", "");
    let there = node.text("there");
    let skipped = node.run("uri", with(&server.url("/json"), map! { "creates" => there.as_str() }));
    assert_eq!(
        (skipped.status, text(&skipped, "stdout")),
        (Status::Same, &*format!("skipped, since '{there}' exists"))
    );
    let gone = node.text("gone");
    let skipped = node.run("uri", with(&server.url("/json"), map! { "removes" => gone.as_str() }));
    assert_eq!(text(&skipped, "stdout"), format!("skipped, since '{gone}' does not exist"));
    assert!(server.asked().is_empty());
}

#[test]
fn every_kind_of_body() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    node.write("file", "of the node");
    let body = || map! { "a" => "x y", "n" => vec![Value::from(1), 2.into()] };
    for (more, kind, sent) in [
        (
            map! { "body" => body(), "body_format" => "json" },
            "application/json",
            r#"{"a": "x y", "n": [1, 2]}"#,
        ),
        (map! { "body" => "{}", "body_format" => "json" }, "application/json", "{}"),
        (
            map! { "body" => body(), "body_format" => "form-urlencoded" },
            "application/x-www-form-urlencoded",
            "a=x+y&n=1&n=2",
        ),
        (map! { "body" => "raw text" }, "application/x-www-form-urlencoded", "raw text"),
        (map! { "body" => "<a/>", "headers" => map! { "Content-Type" => "text/xml" } }, "text/xml", "<a/>"),
        (
            map! { "src" => node.text("file"), "remote_src" => true },
            "application/x-www-form-urlencoded",
            "of the node",
        ),
        (
            map! { "src" => node.content("f", "of the workstation", 0o644) },
            "application/x-www-form-urlencoded",
            "of the workstation",
        ),
    ] {
        let mut args = with(&server.url("/json"), more);
        args.insert("method".into(), "POST".into());
        assert_eq!(node.run("uri", args).status, Status::Ran);
        let asked = server.asked();
        assert_eq!((asked[0].header("content-type"), asked[0].body.as_str()), (Some(kind), sent));
        assert_eq!(asked[0].line, "POST /json HTTP/1.1");
    }
    let parts = map! {
        "text" => "value", "file" => map! { "filename" => node.text("file"), "mime_type" => "text/plain" },
        "given" => map! { "filename" => "x.bin", "content" => "bytes" },
    };
    let args =
        map! { "body" => parts, "body_format" => "form-multipart", "method" => "POST", "remote_src" => true };
    assert_eq!(node.run("uri", with(&server.url("/json"), args.clone())).status, Status::Ran);
    let asked = &server.asked()[0];
    let boundary =
        asked.header("content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"text\"\r\nContent-Type: text/plain\r\n\r\nvalue\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: text/plain\r\n\r\nof the node\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"given\"; filename=\"x.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\
         bytes\r\n--{boundary}--\r\n"
    );
    assert_eq!(asked.body, expected);
    let mut args = args;
    args.insert("remote_src".into(), false.into());
    let why = format!(
        "failed to parse body as form-multipart: '{}' is a file of the workstation, which is not sent: say its content, by lookup('file', …), or remote_src: true",
        node.text("file")
    );
    assert_eq!(node.fails("uri", with(&server.url("/json"), args)), why);
}

#[test]
fn redirects_are_followed_as_far_as_asked() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let done = node.run("uri", with(&server.url("/to-json"), map! {}));
    assert_eq!(
        (text(&done, "url"), done.values["redirected"].as_bool()),
        (&*server.url("/json"), Some(true))
    );
    assert_eq!(text(&done, "cookies_string"), "first=1");
    let lines: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| (asked.line.clone(), asked.header("cookie").map(str::to_owned)))
        .collect();
    assert_eq!(
        lines,
        [("GET /to-json HTTP/1.1".into(), None), ("GET /json HTTP/1.1".into(), Some("first=1".to_owned()))]
    );
    for (method, follow, path, last) in [
        ("GET", "none", "/to-json", "GET /to-json"),
        ("POST", "safe", "/to-json", "POST /to-json"),
        ("POST", "urllib2", "/to-json", "GET /json"),
        ("POST", "all", "/to-json", "GET /json"),
        ("POST", "all", "/to-json-307", "POST /json"),
        ("POST", "urllib2", "/to-json-307", "POST /to-json-307"),
        ("PUT", "urllib2", "/to-json", "PUT /to-json"),
    ] {
        let statuses = vec![Value::from(200), 302.into(), 307.into()];
        let more = map! { "method" => method, "follow_redirects" => follow, "body" => "x", "status_code" => statuses };
        assert_eq!(
            node.run("uri", with(&server.url(path), more)).status,
            Status::Ran,
            "{method} {follow} {path}"
        );
        let asked = server.asked();
        let asked = asked.last().unwrap();
        assert_eq!(asked.line, format!("{last} HTTP/1.1"));
        assert_eq!(asked.body.is_empty(), last.starts_with("GET /json"), "{method} {follow} {path}");
    }
    let error = node.fails("uri", with(&server.url("/loop"), map! {}));
    assert!(error.ends_with("redirect error that would lead to an infinite loop."), "{error}");
    assert_eq!(server.asked().len(), 11);
}

#[test]
fn who_asks_is_told_but_never_shown() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let login = map! { "url_username" => "user", "url_password" => "pass", "return_content" => true };
    let done = node.run("uri", with(&server.url("/private"), login.clone()));
    assert_eq!((done.status, text(&done, "content")), (Status::Ran, "welcome"));
    assert_eq!(server.asked().len(), 2);
    let mut at_once = login;
    at_once.insert("force_basic_auth".into(), true.into());
    assert_eq!(node.run("uri", with(&server.url("/private"), at_once)).status, Status::Ran);
    assert_eq!(server.asked().len(), 1);
    let url = server.url("/private").replace("://", "://user:pass@");
    let done = node.run("uri", with(&url, map! {}));
    assert_eq!((done.status, text(&done, "url")), (Status::Ran, &*server.url("/private")));
    for url in [
        url.replace(":pass@", ":wrong-one@"),
        url.replace("/private", "/none"),
        url.replace("localhost", "127.0.0.1:1"),
    ] {
        let failed = node.run("uri", with(&url, map! {}));
        assert_eq!(failed.status, Status::Failed);
        let shown = format!("{:?}", failed.values);
        assert!(
            !shown.contains("pass") && !shown.contains("wrong-one") && !shown.contains("user"),
            "{shown}"
        );
    }
    // Nor is a stranger told to whom a redirect leads.
    let stranger = Server::new(|asked| {
        assert_eq!((asked.header("authorization"), asked.header("cookie")), (None, None));
        reply("200 OK", "", "hello")
    });
    let away = Server::new(|asked| {
        reply("302 Found", &format!("Location: {}\r\nSet-Cookie: a=b\r\n", asked.header("x-to").unwrap()), "")
    });
    let headers = map! { "X-To" => stranger.url("/"), "Authorization" => "Bearer secret", "Cookie" => "c=d" };
    assert_eq!(node.run("uri", with(&away.url("/"), map! { "headers" => headers })).status, Status::Ran);
    assert_eq!(stranger.asked().len(), 1);
}

#[test]
fn answers_become_files() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let args =
        with(&server.url("/text"), map! { "dest" => node.text("out"), "mode" => "0640", "force" => true });
    let done = node.run("uri", args.clone());
    assert_eq!((done.status, text(&done, "path")), (Status::Changed, &*node.text("out")));
    assert_eq!((node.read("out").as_str(), node.mode("out")), ("some text", 0o640));
    assert_eq!(node.run("uri", args).status, Status::Ran);
    fs::create_dir(node.path("directory")).unwrap();
    node.run("uri", with(&server.url("/json?x=1"), map! { "dest" => node.text("directory") }));
    assert_eq!(node.read("directory/json"), r#"{"a": [1, true]}"#);
    // The server has nothing newer.
    let old = with(&server.url("/old"), map! { "dest" => node.text("out") });
    assert_eq!(
        node.fails("uri", old.clone()),
        "Status code was 304 and not [200]: HTTP Error 304: Not Modified"
    );
    let mut allowed = old;
    allowed.insert("status_code".into(), vec![Value::from(200), 304.into()].into());
    assert_eq!((node.run("uri", allowed).status, node.read("out").as_str()), (Status::Ran, "some text"));
    let before = node.snapshot();
    let cut =
        node.run("uri", with(&server.url("/cut"), map! { "dest" => node.text("out"), "force" => true }));
    assert_eq!(text(&cut, "msg"), "Connection failure: the answer ends before its end");
    assert_eq!(node.snapshot(), before);
}

#[test]
fn certificates_are_checked_unless_the_user_says_no() {
    let mut node = Node::new();
    let refused = "Status code was -1 and not [200]: Request failed: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ";
    for ca in [false, true] {
        let (cert, key) = certificate(&node.path(""), "server", ca);
        let server = Server::secure(tls(&cert, &key, None), answers);
        let url = server.url("/json");
        assert_eq!(
            node.fails("uri", with(&url, map! {})),
            format!("{refused}self-signed certificate, or one of an issuer that is not trusted>")
        );
        assert_eq!(node.run("uri", with(&url, map! { "validate_certs" => false })).status, Status::Ran);
        assert_eq!(node.run("uri", with(&url, map! { "ca_path" => cert.as_str() })).status, Status::Ran);
    }
    let (cert, key) = certificate(&node.path(""), "server", true);
    let server = Server::secure(tls(&cert, &key, None), answers);
    let url = server.url("/json");
    let by_number = url.replace("localhost", "127.0.0.1");
    let error = node.fails("uri", with(&by_number, map! { "ca_path" => cert.as_str() }));
    assert_eq!(error, format!("{refused}Hostname mismatch, certificate is not valid for this host>"));
    let error = node.fails("uri", with(&url, map! { "ca_path" => node.text("none") }));
    assert_eq!(
        error,
        format!(
            "Status code was -1 and not [200]: cannot read the certificate {}: No such file or directory",
            node.text("none")
        )
    );
    // A server that wants to know who asks.
    let (own, own_key) = certificate(&node.path(""), "client", false);
    let server = Server::secure(tls(&cert, &key, Some(&own)), answers);
    let url = server.url("/json");
    let both = map! { "ca_path" => cert, "client_cert" => own, "client_key" => own_key };
    assert_eq!(node.run("uri", with(&url, both)).status, Status::Ran);
    let error = node.run("uri", with(&url, map! { "validate_certs" => false }));
    assert_eq!((error.status, error.values["status"].as_int()), (Status::Failed, Some(-1)));
}

#[test]
fn a_socket_of_the_node() {
    use std::io::{Read, Write};
    let mut node = Node::new();
    let listener = std::os::unix::net::UnixListener::bind(node.path("socket")).unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).unwrap();
        stream.write_all(reply("200 OK", "", "from the socket").as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let args = map! { "unix_socket" => node.text("socket"), "return_content" => true };
    let done = node.run("uri", with("http://docker/info", args));
    assert_eq!(text(&done, "content"), "from the socket");
    assert!(thread.join().unwrap().starts_with("GET /info HTTP/1.1\r\nHost: docker\r\n"));
}

#[test]
fn proxies_of_the_environment() {
    let (mut node, proxy) = (
        Node::new(),
        Server::new(|asked| {
            if asked.line.starts_with("CONNECT") {
                reply("403 Forbidden", "", "")
            } else {
                reply("200 OK", "", "by proxy")
            }
        }),
    );
    let order = |url: &str, more: Map| {
        let mut order = Node::order("uri", with(url, more), false);
        let proxy = proxy.url("").replace("://", "://me:secret@");
        order.environment.push(("http_proxy".into(), proxy.clone()));
        order.environment.push(("https_proxy".into(), proxy));
        order.environment.push(("no_proxy".into(), "localhost".into()));
        order
    };
    let done = node.obey(&order("http://example.invalid/x?y", map! { "return_content" => true }));
    assert_eq!(text(&done, "content"), "by proxy");
    let asked = proxy.asked();
    assert_eq!(asked[0].line, "GET http://example.invalid/x?y HTTP/1.1");
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6c2VjcmV0"));
    let failed = node.obey(&order("https://example.invalid/", map! {}));
    let why = "Status code was -1 and not [200]: Request failed: <urlopen error Tunnel connection failed: 403 Forbidden>";
    assert_eq!(text(&failed, "msg"), why);
    assert_eq!(proxy.asked()[0].line, "CONNECT example.invalid:443 HTTP/1.1");
    let server = Server::new(answers);
    assert_eq!(node.obey(&order(&server.url("/json"), map! {})).status, Status::Ran);
    let failed = node.obey(&order("http://example.invalid/", map! { "use_proxy" => false }));
    let why = "Status code was -1 and not [200]: Request failed: <urlopen error [Errno -2] Name or service not known>";
    assert_eq!((text(&failed, "msg"), proxy.asked().len()), (why, 0));
}

#[test]
fn what_goes_wrong_on_the_way() {
    let (mut node, server) = (Node::new(), Server::new(answers));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let status = |why: &str| format!("Status code was -1 and not [200]: {why}");
    for (args, why) in [
        (
            with(&server.url("/none"), map! {}),
            "Status code was 404 and not [200]: HTTP Error 404: Not Found".into(),
        ),
        (
            with(&server.url("/json"), map! { "status_code" => "201,204" }),
            "Status code was 200 and not [201, 204]: OK (16 bytes)".into(),
        ),
        (
            with(&format!("http://{free}/"), map! {}),
            status("Request failed: <urlopen error [Errno 111] Connection refused>"),
        ),
        (
            with(&server.url("/nonsense"), map! {}),
            status(
                "Connection failure: connection was closed before a valid response was received: 220 smtp.example.com ready",
            ),
        ),
        (
            with(&server.url("/silent"), map! {}),
            status(
                "Connection failure: connection was closed before a valid response was received: Remote end closed connection without response",
            ),
        ),
    ] {
        assert_eq!(node.fails("uri", args), why);
    }
    let missing = with(&server.url("/json"), map! { "src" => node.text("none"), "remote_src" => true });
    assert_eq!(node.fails("uri", missing), format!("Unable to open source file {}", node.text("none")));
    let failed = node.run("uri", with(&server.url("/none"), map! { "return_content" => true }));
    assert_eq!((text(&failed, "content"), failed.values["status"].as_int()), ("no such page", Some(404)));
}

#[test]
fn what_makes_no_request() {
    let mut node = Node::new();
    let cases: Vec<(Map, String)> = vec![
        (with("ftp://host/x", map! {}), "unknown url type: ftp: convoy knows http and https".into()),
        (
            with("host/x", map! {}),
            "unknown url type: the address has no http:// or https:// before it".into(),
        ),
        (with("http:///x", map! {}), "no host given".into()),
        (
            with("http://h/", map! { "method" => "get it" }),
            "Parameter 'method' needs to be a single word in uppercase, like GET or POST.".into(),
        ),
        (
            with("http://h/", map! { "headers" => map! { "X" => "a\r\nY: b" } }),
            "Invalid header value: X has a line end or a NUL in it".into(),
        ),
        (with("http://h/", map! { "headers" => map! { "X Y" => "a" } }), "Invalid header name 'X Y'".into()),
        (
            with("http://h/", map! { "use_gssapi" => true }),
            "use_gssapi is not supported by convoy: say url_username and url_password".into(),
        ),
        (
            with("http://h/", map! { "use_netrc" => true }),
            "use_netrc is not supported by convoy: say url_username and url_password".into(),
        ),
        (
            with("http://h/", map! { "ciphers" => "AES" }),
            "ciphers is not supported by convoy: those that are safe are used".into(),
        ),
        (
            with("http://h/", map! { "body" => "a", "src" => "b" }),
            "parameters are mutually exclusive: body|src".into(),
        ),
        (
            with("http://h/", map! { "body" => 5, "body_format" => "form-multipart" }),
            "failed to parse body as form-multipart: Mapping is required, cannot be type a whole number"
                .into(),
        ),
    ];
    for (args, why) in cases {
        assert_eq!(node.fails("uri", args), why);
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut node = Node::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = node.fails("uri", with(&url, map! { "timeout" => 1 }));
    assert_eq!(error, "Status code was -1 and not [200]: Request failed: <urlopen error timed out>");
}
