//! `add_host`: a host for the plays that follow.

use convoy_agent::args::{Arguments, Spec};
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::{Action, Done, Run, Scene};
use crate::inventory::{Addition, split_port};
use crate::python;

/// The action.
pub const ACTION: Action = Action {
    name: "add_host",
    doc: Doc {
        summary: "Adds a host to the inventory of this run",
        description: "Done once for all hosts of the batch. Plays that follow can be for the host; this one is not. A \
            host that is there gets the groups and variables. All other arguments are variables of the host.",
        example: "- add_host:\n    name: \"{{ new_address }}:2222\"\n    groups: [web, fresh]\n    release: 4.1.0\n",
    },
    spec: Spec { free_form: true, ..Args::SPEC },
    any_argument: true,
    sets_unknown_names: false,
    changes_inventory: true,
    once_for_all: true,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// The arguments of `add_host` that are no variables.
    pub struct Args {
        /// The host, with or without a port.
        name: Option<String> [aliases("hostname", "host")],
        /// The groups it is put into; text is split at commas.
        groups: Vec<String> [aliases("group", "groupname")],
    }
}

fn run(args: &Map, _: &Scene<'_>) -> Result<Done, Failure> {
    let mut args = args.clone();
    if let Some(raw) = args.shift_remove("_raw_params") {
        let given = raw.as_map().ok_or_else(|| {
            let what = if raw.as_str().is_some() { "<class 'str'>" } else { raw.kind_name() };
            Failure::new(format!("Invalid raw parameters passed, requires a dictionary/mapping got a  {what}"))
        })?;
        let mut all = given.clone();
        all.extend(args);
        args = all;
    }
    let first = |args: &Map, names: &[&str]| names.iter().find_map(|name| args.get(*name)).cloned();
    let Some(name) = first(&args, &["name", "hostname", "host"]).filter(|name| !name.is_null()) else {
        return Err(Failure::new("name, host or hostname needs to be provided"));
    };
    let given = python::str(&name);
    let (name, port) = split_port(&given);
    if let Some(port) = port {
        args.insert("ansible_ssh_port".into(), i64::from(port).into());
    }
    let mut groups: Vec<String> = Vec::new();
    for group in group_names(first(&args, &["groupname", "groups", "group"]))? {
        let group = group.trim().to_owned();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let special = ["name", "hostname", "groupname", "groups"];
    args.retain(|key, _| !key.as_str().is_some_and(|key| special.contains(&key)));
    let shown: Value = groups.iter().map(|group| Value::from(group.as_str())).collect();
    Ok(Done {
        values: map! { "add_host" => map! { "host_name" => name, "groups" => shown, "host_vars" => args.clone() } },
        addition: Some(Addition::Host { name: name.to_owned(), groups, vars: args }),
        ..Done::default()
    })
}

fn group_names(given: Option<Value>) -> Result<Vec<String>, Failure> {
    let Some(given) = given else { return Ok(Vec::new()) };
    match &given.kind {
        Kind::Null => Ok(Vec::new()),
        Kind::Text(text) if text.is_empty() => Ok(Vec::new()),
        Kind::Text(text) => Ok(text.split(',').map(str::to_owned).collect()),
        Kind::List(list) => Ok(list.iter().map(python::str).collect()),
        _ => Err(Failure::new("Groups must be specified as a list.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::tests::scene;

    #[test]
    fn what_is_no_argument_is_a_variable() {
        let args = map! { "hostname" => "db1:2222", "group" => "a, b,a", "rack" => 3 };
        let done = scene(map! {}, |scene| run(&args, scene)).unwrap();
        let vars = map! { "group" => "a, b,a", "rack" => 3, "ansible_ssh_port" => 2222 };
        let groups = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(done.addition, Some(Addition::Host { name: "db1".to_owned(), groups, vars }));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for (args, error) in [
            (map! { "groups" => "a" }, "name, host or hostname needs to be provided"),
            (
                map! { "_raw_params" => "db1" },
                "Invalid raw parameters passed, requires a dictionary/mapping got a  <class 'str'>",
            ),
            (map! { "name" => "a", "groups" => 1 }, "Groups must be specified as a list."),
        ] {
            assert_eq!(scene(map! {}, |scene| run(&args, scene)).unwrap_err().msg, error);
        }
    }
}
