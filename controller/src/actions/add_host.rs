//! `add_host`: adds a host to the inventory of the run.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Kind, Map, Value, map};

use super::action::{Action, ActionContext, ActionOutcome, Run};
use crate::inventory::{Addition, split_port};
use crate::text::python;

/// The action.
pub const ACTION: Action = Action {
    any_argument: true,
    changes_inventory: true,
    once_for_all: true,
    ..Action::new("add_host", DOC, Args::SPEC, Run::OnController(run))
};

const DOC: Doc = Doc {
    summary: "Adds a host to the inventory of this run",
    description: "Runs once for all hosts of the batch. Later plays can target the host; the current play does not \
        include it. An existing host gets the groups and variables. All other arguments become variables of the host.",
    example: "- add_host:\n    name: \"{{ new_address }}:2222\"\n    groups: [web, fresh]\n    release: 4.1.0\n",
};

convoy_agent::arguments! {
    /// The arguments of `add_host` that do not become variables.
    pub struct Args {
        /// The name of the host, optionally with a port.
        name: Option<String> [aliases("hostname", "host")],
        /// The groups to add it to; text is split at commas.
        groups: Vec<String> [aliases("group", "groupname")],
    }
    free_form: true
}

fn run(args: &Map, _: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let mut args = args.clone();
    if let Some(raw) = args.shift_remove("_raw_params") {
        let map = raw.as_map().ok_or_else(|| {
            let what = if raw.as_str().is_some() { "<class 'str'>" } else { raw.kind_name() };
            Failure::new(format!(
                "Invalid raw parameters passed, requires a dictionary/mapping got a  {what}"
            ))
        })?;
        let mut all = map.clone();
        all.extend(args);
        args = all;
    }
    let first = |args: &Map, names: &[&str]| names.iter().find_map(|name| args.get(*name)).cloned();
    let Some(name) = first(&args, &["name", "hostname", "host"]).filter(|name| !name.is_null()) else {
        return Err(Failure::new("name, host or hostname needs to be provided"));
    };
    let address = python::str(&name);
    let (name, port) = split_port(&address);
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
    // `host` and `group` become variables as well, as in Ansible.
    let removed = ["name", "hostname", "groupname", "groups"];
    args.retain(|key, _| !key.as_str().is_some_and(|key| removed.contains(&key)));
    let group_list: Value = groups.iter().map(|group| Value::from(group.as_str())).collect();
    Ok(ActionOutcome {
        values: map! { "add_host" => map! { "host_name" => name, "groups" => group_list, "host_vars" => args.clone() } },
        addition: Some(Addition::Host { name: name.to_owned(), groups, vars: args }),
        ..ActionOutcome::default()
    })
}

fn group_names(groups: Option<Value>) -> Result<Vec<String>, Failure> {
    let Some(groups) = groups else { return Ok(Vec::new()) };
    match &groups.kind {
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
    use crate::actions::tests::with_context;

    #[test]
    fn other_arguments_become_variables() {
        let args = map! { "hostname" => "db1:2222", "group" => "a, b,a", "rack" => 3 };
        let done = with_context(map! {}, |context| run(&args, context)).unwrap();
        let vars = map! { "group" => "a, b,a", "rack" => 3, "ansible_ssh_port" => 2222 };
        let groups = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(done.addition, Some(Addition::Host { name: "db1".to_owned(), groups, vars }));
    }

    #[test]
    fn arguments_without_a_valid_name_or_groups_fail() {
        for (args, error) in [
            (map! { "groups" => "a" }, "name, host or hostname needs to be provided"),
            (
                map! { "_raw_params" => "db1" },
                "Invalid raw parameters passed, requires a dictionary/mapping got a  <class 'str'>",
            ),
            (map! { "name" => "a", "groups" => 1 }, "Groups must be specified as a list."),
        ] {
            assert_eq!(with_context(map! {}, |context| run(&args, context)).unwrap_err().msg, error);
        }
    }
}
