//! Declared arguments, and Ansible's messages for invalid ones.

use super::*;
use convoy_protocol::map;

choices! {
    /// A state.
    pub enum State {
        /// Gone.
        Absent = "absent",
        /// There.
        Present = "present",
    }
}

arguments! {
    /// Sample arguments.
    pub struct Sample {
        /// Where.
        path: String [required, aliases("dest", "name")],
        /// How.
        state: State [default("present")],
        /// How many.
        count: Option<i64>,
        /// What kind.
        r#type: Option<String>,
    }
    mutually_exclusive ["count", "type"]
}

arguments! {
    /// Arguments that include others.
    pub struct Wider {
        /// Whether it is wide.
        wide: bool [default("true")],
    }
    including [sample: Sample]
    required_one_of ["wide", "count"]
}

fn error(args: &Map) -> String {
    Sample::read("sample", args).unwrap_err()
}

#[test]
fn included_parameters_bring_their_rules() {
    let args = Wider::read("wider", &map! { "name" => "/a", "count" => 2, "wide" => "no" }).unwrap();
    assert_eq!((args.wide, args.sample.path.as_str(), args.sample.count), (false, "/a", Some(2)));
    let names: Vec<&str> = Wider::SPEC.params.iter().map(|param| param.name).collect();
    assert_eq!(names, ["wide", "path", "state", "count", "type"]);
    let error = |args: &Map| Wider::read("wider", args).unwrap_err();
    let excluded = "parameters are mutually exclusive: count|type";
    assert_eq!(error(&map! { "path" => "/a", "count" => 1, "type" => "x" }), excluded);
    assert_eq!(error(&map! { "path" => "/a" }), "one of the following is required: wide, count");
    assert_eq!(error(&map! { "wide" => true }), "missing required arguments: path");
}

#[test]
fn arguments_are_read_by_name_alias_and_default() {
    let args = Sample::read("sample", &map! { "dest" => "/a", "count" => "3", "type" => () }).unwrap();
    assert_eq!(
        (args.path.as_str(), args.state, args.count, args.r#type),
        ("/a", State::Present, Some(3), None)
    );
}

#[test]
fn errors_have_the_wording_of_ansible() {
    assert_eq!(
        error(&map! { "path" => "/a", "pth" => 1 }),
        "Unsupported parameters for (sample) module: pth. Supported parameters include: count, path (dest, name), state, type."
    );
    assert_eq!(error(&map! {}), "missing required arguments: path");
    assert_eq!(
        error(&map! { "path" => "/a", "state" => "gone" }),
        "value of state must be one of: absent, present, got: gone"
    );
    assert_eq!(
        error(&map! { "path" => "/a", "count" => 1, "type" => "x" }),
        "parameters are mutually exclusive: count|type"
    );
    assert_eq!(
        error(&map! { "path" => "/a", "count" => "many" }),
        "argument 'count' is of type <class 'str'> and we were unable to convert to int: <class 'str'> cannot be converted to an int"
    );
}
