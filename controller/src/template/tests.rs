//! Tests of the public interface. The expected results of `tests/expressions.txt` come from Ansible itself.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use convoy_protocol::{Kind, Map, Taint, Value, map};

use super::{Context, Error, File, FileOptions, Kind as ErrorKind, Options, Scope, Templar, unknown};

struct Vars(HashMap<&'static str, Value>);

impl Scope for Vars {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        if name == "later" {
            return Err(Error::not_yet("later is given by an earlier task"));
        }
        Ok(self.0.get(name).cloned())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.keys().map(|name| (*name).into()).collect()
    }
}

fn vars() -> Vars {
    let d = map! { "a" => 1, "b" => vec![Value::from("x"), Value::from("y z")], "c" => "{{ n + 1 }}" };
    Vars(HashMap::from([
        ("n", Value::from(5)),
        ("nul", Value::null()),
        ("yes", Value::from(true)),
        ("nested", Value::from("{{ n }}")),
        ("und", Value::from("{{ nope }}")),
        ("cyc1", Value::from("{{ cyc2 }}")),
        ("cyc2", Value::from("x{{ cyc1 }}")),
        ("d", Value::from(d)),
        ("words", vec![Value::from("b"), Value::from("A"), Value::from("c")].into()),
        ("pw", Value::from("hunter2").tainted(Taint::SECRET)),
        ("raw", Value::from("{{ n }}").tainted(Taint::UNSAFE)),
        ("dry", Kind::Unknown("no".into()).into()),
        ("part", Value::from(partly_known())),
        ("made", Value::from("of {{ dry }}")),
        ("users", vec![user("ann", 3), user("bob", 1)].into()),
    ]))
}

/// A result of which only some members are known.
fn partly_known() -> Map {
    let mut result = map! { "skipped" => true, "msg" => "left out" };
    unknown::set_rest(&mut result, &"no".into());
    result
}

fn user(name: &str, id: i64) -> Value {
    Value::from(map! { "name" => name, "id" => id })
}

fn render(text: &str) -> Result<Value, Error> {
    Templar::new(Options::default(), Arc::default()).render(&Value::from(text), &vars(), &Context::default())
}

/// Writes a template file and renders it; other templates are searched in its directory.
fn render_file(path: &Path, text: &str) -> Result<Value, Error> {
    std::fs::write(path, text).unwrap();
    let options = Options { managed: "by {file}".into(), ..Options::default() };
    let context =
        Context { search: path.parent().map(Path::to_owned).into_iter().collect(), ..Context::default() };
    Templar::new(options, Arc::default()).render_file(
        &File { path, source: "t", dest: Some("/etc/t"), options: FileOptions::default() },
        &vars(),
        &context,
    )
}

/// Returns a value as in the tables: as JSON.
fn show(value: &Value) -> String {
    fn json(value: &Value) -> serde_json::Value {
        match &value.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(b) => (*b).into(),
            Kind::Int(i) => (*i).into(),
            Kind::Float(x) => (*x).into(),
            Kind::Text(text) => (&**text).into(),
            Kind::List(list) => list.iter().map(json).collect::<Vec<_>>().into(),
            Kind::Map(map) => {
                serde_json::Value::Object(map.iter().map(|(k, v)| (k.to_string(), json(v))).collect())
            }
            other => format!("{other:?}").into(),
        }
    }
    json(value).to_string()
}

#[test]
fn expressions_have_the_same_results_as_in_ansible() {
    let table = include_str!("tests/expressions.txt");
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty()) {
        let (expression, expected) = line.split_once(" => ").unwrap();
        let expression: String = serde_json::from_str(expression).unwrap();
        let actual = render(&expression).map_or_else(|error| format!("ERR {error}"), |value| show(&value));
        if actual != expected {
            wrong.push(format!("{expression}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_variable_that_needs_itself_is_an_error() {
    let error = render("{{ cyc1 }}").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cycle);
    assert_eq!(error.message, "recursive loop detected in template string: cyc1 → cyc2 → cyc1");
}

#[test]
fn a_pending_value_fails_the_rendering_even_under_default() {
    for text in [
        "{{ later | default(1) }}",
        "{{ later is defined }}",
        "{{ yes or later }}{{ later or yes }}",
        "{{ [later] | first }}",
    ] {
        assert_eq!(render(text).unwrap_err().kind, ErrorKind::NotYet, "{text}");
    }
}

#[test]
fn random_values_and_commands_are_refused_while_looking_ahead() {
    for text in [
        "{{ now() }}",
        "{{ 3 | random }}",
        "{{ lookup('pipe', 'true', errors='ignore') }}",
        "{{ [1, 2] | shuffle }}",
    ] {
        assert_eq!(render(text).unwrap_err().kind, ErrorKind::Impure, "{text}");
    }
}

#[test]
fn results_have_the_taint_of_what_was_read() {
    assert!(render("x{{ pw | upper }}").unwrap().taint.is_secret());
    assert!(!render("x{{ n }}").unwrap().taint.is_secret());
    let unsafe_text = render("{{ raw }}").unwrap();
    assert_eq!((unsafe_text.as_str(), unsafe_text.taint.is_unsafe()), (Some("{{ n }}"), true));
    assert!(render("{{ pw.nothing }}").unwrap_err().taint.is_secret());
}

#[test]
fn conditions_are_decided_and_errors_name_them() {
    let templar = Templar::new(Options::default(), Arc::default());
    let check = |text: Value| templar.condition(&text, &vars(), &Context::default());
    assert_eq!(check("n == 5 and nested == 5".into()), Ok(true));
    assert_eq!(check(vec![Value::from(true), Value::from("n > 9")].into()), Ok(false));
    assert_eq!(check("d.b".into()), Ok(true));
    assert_eq!(
        check("nope == 1".into()).unwrap_err().message,
        "The conditional check 'nope == 1' failed. The error was: error while evaluating conditional (nope == 1): 'nope' is undefined"
    );
    assert_eq!(check("later".into()).unwrap_err().kind, ErrorKind::NotYet);
}

#[test]
fn template_files_keep_newlines_and_errors_have_lines() {
    let dir = tempfile::tempdir().unwrap();
    let go = |text: &str| render_file(&dir.path().join("t.j2"), text);
    std::fs::write(dir.path().join("part.j2"), "<{{ who }}>\n").unwrap();
    assert_eq!(
        go("{% for u in users %}\n{{ loop.index }} {{ u.name }}\n{% endfor %}\n").unwrap().as_str(),
        Some("1 ann\n2 bob\n")
    );
    assert_eq!(go("{% set who = 'me' %}{% include 'part.j2' %}\n").unwrap().as_str(), Some("<me>\n"));
    assert_eq!(
        go("#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% n %] {{ n }}\n")
            .unwrap()
            .as_str(),
        Some("5 {{ n }}\n")
    );
    assert_eq!(
        go("{{ ansible_managed }}, {{ template_path }}, {{ template_destpath }}").unwrap().as_str(),
        Some("by t, t, /etc/t")
    );
    let dates = "{{ template_mtime.year > 1900 and template_mtime <= template_run_date }}";
    assert_eq!(go(dates).unwrap().as_str(), Some("True"));
    let error = go("one\ntwo {{ nope }}\n").unwrap_err();
    assert_eq!((error.message.as_str(), error.position.unwrap().line), ("'nope' is undefined", 2));
}

#[test]
fn handlebars_refuses_undefined_names_even_in_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let go = |text: &str| render_file(&dir.path().join("t.hbs"), text);
    assert_eq!(
        go("{{#each users}}{{name}}={{id}} {{/each}}{{#if (eq n 5)}}<{{d.a}}>{{/if}} {{default nope \"&\"}}")
            .unwrap()
            .as_str(),
        Some("ann=3 bob=1 <1> &")
    );
    assert_eq!(go("{{ansible_managed}} {{template_path}}").unwrap().as_str(), Some("by t t"));
    assert!(go("{{pw}}").unwrap().taint.is_secret());
    let error = go("a\n{{#if nope}}x{{/if}}").unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str(), error.position.unwrap().line),
        (ErrorKind::Undefined, "'nope' is undefined", 2)
    );
}

#[test]
fn the_template_lookup_renders_handlebars_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.hbs");
    std::fs::write(&path, "{{#each users}}[{{name}}]{{/each}}{{n}}").unwrap();
    let result = Templar::new(Options::default(), Arc::default()).render(
        &Value::from(format!("{{{{ lookup('template', '{}') }}}}", path.display())),
        &vars(),
        &Context::default(),
    );
    assert_eq!(result.unwrap().as_str(), Some("[ann][bob]5"));
}

#[test]
fn lookups_return_the_items_of_with_loops() {
    let templar = Templar::new(Options::default(), Arc::default());
    let go = |name: &str, terms: Value| {
        let items = templar.lookup(name, &terms, &Map::new(), &vars(), &Context::default());
        items.map_or_else(|error| format!("ERR {error}"), |items| show(&items.into()))
    };
    let pair = || {
        Value::from(vec![Value::from(vec![Value::from(1), 2.into()]), Value::from(vec![Value::from("a")])])
    };
    assert_eq!(go("items", pair()), "[1,2,\"a\"]");
    assert_eq!(go("together", pair()), "[[1,\"a\"],[2,null]]");
    assert_eq!(go("nested", pair()), "[[1,\"a\"],[2,\"a\"]]");
    assert_eq!(go("sequence", "start=1 end=5 stride=2 format=x%02d".into()), "[\"x01\",\"x03\",\"x05\"]");
    assert_eq!(go("dict", Value::from(map! { "k" => 1 })), "[{\"key\":\"k\",\"value\":1}]");
    assert_eq!(go("nolook", pair()), "ERR lookup plugin (nolook) not found");
}

#[test]
fn text_without_a_template_is_shared_and_not_copied() {
    let text: Arc<str> = "no template".into();
    let result = Templar::new(Options::default(), Arc::default())
        .render(&text.clone().into(), &vars(), &Context::default())
        .unwrap();
    assert!(matches!(&result.kind, Kind::Text(same) if Arc::ptr_eq(same, &text)));
}

#[test]
fn expressions_that_need_an_unknown_value_are_unknown() {
    for text in [
        "{{ dry }}",
        "{{ made }}",
        "is {{ dry }}",
        "{{ dry.a.b[0] }}",
        "{{ d[dry] }}",
        "{{ dry + 1 }}",
        "{{ 'a' ~ [dry] }}",
        "{{ dry | default('x') }}",
        "{{ dry | d('x') | upper }}",
        "{{ [1, dry] | join }}",
        "{{ dry.split(',') | first }}",
        "{{ 'a'.join([dry]) }}",
        "{{ 'x' if dry else 'y' }}",
        "{{ dry == dry }}",
        "{{ dry is defined }}",
        "{{ 1 in [dry] }}",
        "{{ not dry }}",
        "{{ range(dry) | list }}",
        "{% for i in dry %}{{ i }}{% endfor %}",
        "{% if dry %}a{% endif %}",
        "{% set a = dry %}{{ a }}",
        "{{ part.rc }}",
        "{{ part.stdout | default('') }}",
        "{{ part is changed }}",
        "{{ part is failed }}",
        "{{ part is succeeded }}",
        "{{ part.get('rc', 0) }}",
        "{{ part.items() | list }}",
        "{{ part | length }}",
        "{{ part | to_json }}",
        "{{ 'rc' in part }}",
        "{{ [part] | map(attribute='rc') | join }}",
        "{{ [part] | selectattr('rc', 'equalto', 0) | list }}",
        "{{ dry and true }}",
        "{{ true and dry }}",
        "{{ dry or nope }}",
    ] {
        let result = render(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(result.kind, Kind::Unknown("no".into()), "{text}");
    }
}

#[test]
fn expressions_that_do_not_need_an_unknown_value_are_known() {
    for (text, expected) in [
        ("{{ n if true else dry }}", "5"),
        ("{{ n | default(dry) }}", "5"),
        ("{{ [dry, 1] | length }}", "2"),
        ("{{ [dry, 1][1] }}", "1"),
        ("{{ dry and false }}", "false"),
        ("{{ false and dry }}", "false"),
        ("{{ dry or true }}", "true"),
        ("{{ part is skipped }}", "true"),
        ("{{ part.skipped }}", "true"),
        ("{{ part.get('skipped') }}", "true"),
        ("{{ part is defined }}", "true"),
        ("{{ part is mapping }}", "true"),
        ("{{ part.msg }}", "\"left out\""),
    ] {
        let result = render(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(show(&result).trim_matches('"'), expected.trim_matches('"'), "{text}");
    }
    let parts = render("{{ [dry, n] }}").unwrap();
    assert_eq!(
        parts.as_list().map(|list| (unknown::unknown(&list[0]).is_some(), &list[1])),
        Some((true, &5.into()))
    );
}

#[test]
fn a_condition_that_needs_an_unknown_value_is_not_decided() {
    let templar = Templar::new(Options::default(), Arc::default());
    let decide = |text: &str| templar.condition(&text.into(), &vars(), &Context::default());
    for text in ["dry", "dry == 1", "part.rc == 0", "part is changed", "made is search('x')", "'{{ dry }}'"] {
        let error = decide(text).unwrap_err();
        assert_eq!((error.kind, &*error.message), (ErrorKind::Unknown, "no"), "{text}");
    }
    assert_eq!(decide("part is skipped and (dry or true)"), Ok(true));
}
