//! `xml`.

use convoy_agent::formats::xml::{Namespaces, Path, find, parse};
use convoy_protocol::{Map, Status, Value, map};

use proptest::prelude::*;

use super::harness::Node;

const FILE: &str = "\
<?xml version='1.0' encoding=\"UTF-8\"?>
<!-- <none/> -->
<conf xmlns:s='urn:secure' name=\"all\">
    <source>
        <name> FIRST </name>
        <jndi><name>jdbc/first</name></jndi>
        <def type=\"RDBMS\"><url>jdbc:a;b=c&amp;d=e</url><![CDATA[ <raw> ]]></def>
    </source>
    <source s:alias=\"x\" name='attr'>
        <name>SECOND</name>
        <def type=\"other\"><url/><url>two</url></def>
    </source>
    <s:source>split<!-- - --> text</s:source>
    <other xmlns='urn:default'><url>three</url></other>
</conf>
";

fn read(node: &mut Node, args: Map) -> Map {
    let mut all = map! { "path" => node.text("f") };
    all.extend(args);
    let before = node.snapshot();
    let checked = node.check("xml", all.clone());
    let outcome = node.run("xml", all);
    assert_eq!((outcome.status, &outcome.values), (Status::Same, &checked.values), "{:?}", outcome.values);
    assert_eq!(node.snapshot(), before);
    outcome.values
}

/// Returns what a path leads to, as paths with texts.
fn found(node: &mut Node, xpath: &str) -> Vec<(String, String)> {
    let values = read(node, map! { "xpath" => xpath });
    let matches = values["matches"].as_list().unwrap();
    assert_eq!(values["count"].as_int(), Some(matches.len() as i64));
    let texts: Vec<Value> = matches.iter().map(|found| found.get("text").unwrap().clone()).collect();
    assert_eq!(values["texts"], texts.into());
    let text = |found: &Value, name: &str| found.get(name).and_then(Value::as_str).unwrap().to_owned();
    matches.iter().map(|found| (text(found, "path"), text(found, "text"))).collect()
}

#[test]
fn paths_lead_where_xpath_says() {
    let mut node = Node::new();
    node.write("f", FILE);
    let first = ("/conf/source[1]/name", "FIRST");
    let second = ("/conf/source[2]/name", "SECOND");
    let inner = ("/conf/source[1]/jndi/name", "jdbc/first");
    let url = ("/conf/source[1]/def/url", "jdbc:a;b=c&d=e");
    let (empty, two) = (("/conf/source[2]/def/url[1]", ""), ("/conf/source[2]/def/url[2]", "two"));
    let three = ("/conf/other/url", "three");
    for (xpath, expected) in [
        ("/conf/source/name", vec![first, second]),
        ("/conf//name", vec![first, inner, second]),
        ("//name", vec![first, inner, second]),
        ("//source//name", vec![first, inner, second]),
        ("//conf//source//name", vec![first, inner, second]),
        ("/source", vec![]),
        ("/conf/source[2]/name", vec![second]),
        ("/conf/source[last()]/name", vec![]),
        ("//url[1]", vec![url, empty, three]),
        ("//url[last()]", vec![url, two, three]),
        ("//source[name='FIRST']/def/url", vec![url]),
        ("//source[ name = \"SECOND\" ]/def/url[2]", vec![two]),
        ("//source[jndi]/name", vec![first]),
        ("//source[jndi][name='SECOND']/name", vec![]),
        ("//source[@name]/name", vec![second]),
        ("//source[@name='attr'][1]/name", vec![second]),
        ("//source[@name='other']/name", vec![]),
        ("//def[@type='RDBMS']/*", vec![url]),
        ("//url[text()='two']", vec![two]),
        ("//url[.='three']", vec![three]),
        ("//def/@type", vec![("/conf/source[1]/def/@type", "RDBMS"), ("/conf/source[2]/def/@type", "other")]),
        ("//@name", vec![("/conf/@name", "all"), ("/conf/source[2]/@name", "attr")]),
        ("/conf/@*", vec![("/conf/@name", "all")]),
        ("/conf/source/@*", vec![("/conf/source[2]/@s:alias", "x"), ("/conf/source[2]/@name", "attr")]),
        ("//@s:alias", vec![("/conf/source[2]/@s:alias", "x")]),
        ("//@alias", vec![]),
        (
            "//url/text()",
            vec![
                ("/conf/source[1]/def/url/text()", "jdbc:a;b=c&d=e"),
                ("/conf/source[2]/def/url[2]/text()", "two"),
                ("/conf/other/url/text()", "three"),
            ],
        ),
        ("//other//text()", vec![("/conf/other/url/text()", "three")]),
        ("//s:source", vec![("/conf/source[3]", "split text")]),
        ("//s:*", vec![("/conf/source[3]", "split text")]),
        ("//source[3]", vec![("/conf/source[3]", "split text")]),
        ("//def[1]", vec![("/conf/source[1]/def", "<raw>"), ("/conf/source[2]/def", "")]),
        ("/*/*[4]/*", vec![three]),
        ("//none", vec![]),
    ] {
        let found = found(&mut node, xpath);
        let found: Vec<_> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(found, expected, "{xpath}");
    }
}

#[test]
fn each_path_that_is_told_leads_to_that_one_place() {
    let mut node = Node::new();
    node.write("f", FILE);
    for all in ["//*", "//@*", "//text()"] {
        for (path, text) in found(&mut node, all) {
            assert_eq!(found(&mut node, &path), [(path, text)]);
        }
    }
}

#[test]
fn matches_are_told_whole_and_several_by_name() {
    let mut node = Node::new();
    node.write("f", FILE);
    let one = read(&mut node, map! { "xpath" => "/conf/source[2]" });
    let expected = map! {
        "name" => "source",
        "path" => "/conf/source[2]",
        "text" => "",
        "attributes" => map! { "s:alias" => "x", "name" => "attr" },
    };
    let all = map! {
        "path" => node.text("f"),
        "count" => 1,
        "matches" => vec![Value::from(expected)],
        "texts" => vec![Value::from("")],
    };
    assert_eq!(one, all);
    let several = map! { "names" => "/conf/source/name", "none" => "/x", "type" => "//def[1]/@type" };
    let texts = |texts: &[&str]| -> Value { texts.iter().map(|text| Value::from(*text)).collect() };
    let by_name = map! {
        "names" => texts(&["FIRST", "SECOND"]),
        "none" => texts(&[]),
        "type" => texts(&["RDBMS", "other"]),
    };
    let expected = map! { "path" => node.text("f"), "count" => 4, "texts" => by_name };
    assert_eq!(read(&mut node, map! { "values" => several }), expected);
    let named = map! { "namespaces" => map! { "d" => "urn:default" }, "xpath" => "//d:url" };
    assert_eq!(read(&mut node, named)["texts"], texts(&["three"]));
}

#[test]
fn what_is_required_must_be_there() {
    let mut node = Node::new();
    node.write("f", FILE);
    let path = node.text("f");
    read(&mut node, map! { "xpath" => "//url", "required" => true });
    let none = map! { "path" => path.as_str(), "xpath" => "//none", "required" => true };
    assert_eq!(node.fails("xml", none), format!("{path} has nothing at //none"));
    let several = map! { "a" => "//none", "b" => "//url", "c" => "/x/@y" };
    let none = map! { "path" => path.as_str(), "values" => several, "required" => true };
    assert_eq!(node.fails("xml", none), format!("{path} has nothing at //none (a), /x/@y (c)"));
}

#[test]
fn paths_that_are_not_read_are_refused() {
    let mut node = Node::new();
    node.write("f", FILE);
    let unread = "are not read here, only names, `*`, `@name`, `text()`, and in brackets a place, `last()`, \
        `name='x'`, `@name='x'` or `text()='x'`";
    let missing = "a name is missing, or `*` for any, `@name` for an attribute, or `text()`";
    for (xpath, at, what) in [
        ("conf", 1, "a path begins with `/`, or with `//` for any depth".to_owned()),
        ("", 1, "a path begins with `/`, or with `//` for any depth".to_owned()),
        ("/", 2, missing.to_owned()),
        ("///a", 3, missing.to_owned()),
        ("/a/", 4, missing.to_owned()),
        ("/é[", 4, missing.to_owned()),
        ("/1a", 2, missing.to_owned()),
        ("/a:/b", 4, "a name is missing behind its prefix".to_owned()),
        ("/a[0]", 4, "places are counted from 1".to_owned()),
        ("/a[b=c]", 6, "a text in quotes must follow".to_owned()),
        ("/a[b='c]", 6, "the quote does not end".to_owned()),
        ("/a[.]", 5, "`=` and a text in quotes must follow".to_owned()),
        (
            "/a[b='c' and d='e']",
            10,
            "a condition ends with `]`; a second one follows in brackets of its own".to_owned(),
        ),
        ("/a[contains(b,'c')]", 4, format!("functions {unread}")),
        ("/child::a", 2, format!("axes {unread}")),
        ("/a/@b/c", 6, "nothing can follow an attribute or `text()`".to_owned()),
        ("/a|/b", 3, "only one path is read; `values` takes several".to_owned()),
        ("/a b", 4, "a path goes on with `/`, `//` or a condition in brackets".to_owned()),
    ] {
        let said = node.fails("xml", map! { "path" => node.text("f"), "xpath" => xpath });
        assert_eq!(said, format!("xpath: `{xpath}` at character {at}: {what}"));
    }
    let said = node.fails("xml", map! { "path" => node.text("f"), "values" => map! { "a" => "b" } });
    assert_eq!(said, "values: a: `b` at character 1: a path begins with `/`, or with `//` for any depth");
    let said = node.fails("xml", map! { "path" => node.text("f"), "xpath" => "//x:a" });
    let expected = "the prefix x means nothing in the document; `namespaces` can say what it means";
    assert_eq!(said, format!("{}: //x:a: {expected}", node.text("f")));
    let said = node.fails("xml", map! { "path" => node.text("f") });
    assert_eq!(said, "one of the following is required: xpath, values");
}

#[test]
fn what_is_no_document_is_told_with_its_place() {
    let mut node = Node::new();
    let deep = "<a>".repeat(300) + &"</a>".repeat(300);
    let many = format!("<a>{}</a>", "<b/>".repeat(10_001));
    let bomb = "<!DOCTYPE a [\n <!-- > -->\n <!ELEMENT a (#PCDATA)>\n <!ENTITY x \"lol\">\n]><a>&x;</a>";
    let outside = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    let own = "entities that a document defines itself are not read";
    for (text, expected) in [
        ("", ":1:1: there is no element".to_owned()),
        ("hello", ":1:1: unknown token".to_owned()),
        ("<a>\n <b></c>\n</a>", ":2:5: expected 'b' tag, not 'c'".to_owned()),
        ("<a>\n <b>", ":2:5: the text ends before its elements do".to_owned()),
        ("<a>\n &none;</a>", ":2:2: unknown entity reference 'none'".to_owned()),
        ("<a x='1' x='2'/>", ":1:10: attribute 'x' is already defined".to_owned()),
        (&deep, ":1:769: elements lie deeper than 256 in each other".to_owned()),
        (bomb, format!(":4:2: {own}")),
        (outside, format!(":1:14: {own}")),
        (&many, ": //*: leads to 10002 places, and at most 10000 are told".to_owned()),
    ] {
        node.write("f", text);
        let said = node.fails("xml", map! { "path" => node.text("f"), "xpath" => "//*" });
        assert_eq!(said, format!("{}{expected}", node.text("f")), "{}", &text[..text.len().min(80)]);
    }
    // A document type that defines nothing for the text is no matter, wherever its file would be.
    node.write("f", "<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\" [<!ATTLIST a b CDATA #IMPLIED>]><!-- <!ENTITY --><a>1</a>");
    assert_eq!(found(&mut node, "/a"), [("/a".to_owned(), "1".to_owned())]);
    node.write("f", "<!DOCTYPE a PUBLIC '>' \"x[.dtd\"><a><![CDATA[<!ENTITY ]]></a>");
    assert_eq!(found(&mut node, "/a"), [("/a".to_owned(), "<!ENTITY".to_owned())]);

    std::fs::create_dir(node.path("directory")).unwrap();
    std::fs::File::create(node.path("large")).unwrap().set_len(8 * 1024 * 1024 + 1).unwrap();
    for (file, expected) in [
        ("none", "does not exist"),
        ("directory", "is a directory"),
        ("large", "has 8388609 bytes, but at most 8388608 can be read"),
    ] {
        let said = node.fails("xml", map! { "path" => node.text(file), "xpath" => "/a" });
        assert_eq!(said, format!("{} {expected}", node.text(file)));
    }
}

#[test]
fn text_is_read_in_the_encoding_that_is_declared() {
    let mut node = Node::new();
    let text = |encoding: &str| format!("<?xml version=\"1.0\" encoding='{encoding}' ?><a>é</a>");
    let latin1 = |text: String| -> Vec<u8> { text.chars().map(|c| c as u8).collect() };
    let utf16 = |text: String| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    for bytes in [
        b"<a>\xc3\xa9</a>".to_vec(),
        [&b"\xef\xbb\xbf"[..], text("UTF-8").as_bytes()].concat(),
        text("utf-8").into_bytes(),
        latin1(text("ISO-8859-1")),
        latin1(text("windows-1252")),
        utf16(text("UTF-16")),
    ] {
        std::fs::write(node.path("f"), &bytes).unwrap();
        assert_eq!(found(&mut node, "/a"), [("/a".to_owned(), "é".to_owned())], "{bytes:?}");
    }
    let (f, ascii) = (node.text("f"), text("US-ASCII").into_bytes());
    for (bytes, expected) in [
        (b"<a>\n\xc3\xa9 \xff</a>".to_vec(), ":2:3: a byte that is no text in the encoding UTF-8"),
        (ascii, ":1:46: a byte that is no text in the encoding US-ASCII"),
        (text("klingon").into_bytes(), "unknown encoding: klingon"),
    ] {
        std::fs::write(node.path("f"), bytes).unwrap();
        let said = node.fails("xml", map! { "path" => f.as_str(), "xpath" => "/a" });
        assert_eq!(said.strip_prefix(&*f).unwrap_or(&said), expected);
    }
}

const PIECES: [&str; 14] = [
    "<a>",
    "</a>",
    "<b x='1'/>",
    "<!DOCTYPE a [",
    "]>",
    "<!ENTITY ",
    "<!--",
    "-->",
    "<![CDATA[",
    "&amp;",
    "<?x ",
    "?>",
    "é\"'",
    " ",
];

const WORDS: [&str; 14] =
    ["/", "//", "a", "*", "@", "[", "]", "='x'", "1", "text()", "x:", "last()", "é", " "];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Nothing that is written, and nothing that is asked, stops the agent.
    #[test]
    fn anything_is_read_or_refused(
        text in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
        path in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..8),
    ) {
        drop(parse(&text.concat()));
        let document = parse("<a><b x='1'/>x<a/></a>").unwrap();
        if let Ok(path) = Path::parse(&path.concat()) {
            drop(find(&document, &path, &Namespaces::default()));
        }
    }
}
