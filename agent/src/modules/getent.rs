//! `getent`: entries of the node's databases of users, hosts and the like.

use std::convert::Infallible;

use convoy_protocol::{Key, Map, Value, map};

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{Process, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Asks a database of the node",
    description: "Runs `getent` and stores the entries as the fact `getent_` with the database's name: by each \
        entry's first field, a list of the others. Changes nothing.",
    example: "- name: Look up the user\n  getent:\n    database: passwd\n    key: wso2\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Read);

crate::arguments! {
    /// Arguments of `getent`.
    pub struct Args {
        /// The database, such as `passwd`, `group` or `hosts`.
        database: String [required],
        /// The entry. Without it: all, where the database can tell.
        key: Option<String>,
        /// The service to ask, such as `files`.
        service: Option<String>,
        /// What stands between fields: `:` for passwd, shadow, group and gshadow, else white space.
        split: Option<String>,
        /// Whether an entry that is not there is a failure.
        fail_key: bool [default("true")],
    }
}

/// Asks.
///
/// # Errors
/// If there is no such database, or no such entry, or it cannot be listed.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Infallible>, Failure> {
    let program = view.program("getent").ok_or_else(|| {
        Failure::new("Failed to find required executable \"getent\": it is in libc-bin or glibc-common")
    })?;
    let mut argv = vec![program.into_os_string(), args.database.as_str().into()];
    argv.extend(args.key.as_ref().map(Into::into));
    argv.extend(args.service.iter().flat_map(|service| ["-s".into(), service.into()]));
    let output = view.query(&Process::new(argv))?;
    let tree = format!("getent_{}", args.database);
    let facts = |entries: Map| map! { "ansible_facts" => map! { tree.as_str() => entries } };
    let missing = "One or more supplied key could not be found in the database.";
    match output.rc {
        0 => Ok(Checked::Same(facts(entries(args, &String::from_utf8_lossy(&output.stdout))))),
        1 => Err(Failure::new("Missing arguments, or database unknown.")),
        2 if !args.fail_key => {
            let key = Key::from(args.key.as_deref().unwrap_or_default());
            let mut values = facts([(key, Value::null())].into_iter().collect());
            values.insert("msg".into(), missing.into());
            Ok(Checked::Same(values))
        }
        2 => Err(Failure::new(missing)),
        3 => Err(Failure::new("Enumeration not supported on this database.")),
        _ => Err(Failure::new("Unexpected failure!")),
    }
}

fn entries(args: &Args, text: &str) -> Map {
    let by_colon = matches!(args.database.as_str(), "passwd" | "shadow" | "group" | "gshadow");
    let split = args.split.as_deref().or(by_colon.then_some(":"));
    let mut entries: Map = Map::new();
    let mut several: Vec<Key> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = match split {
            Some(split) => line.split(split).collect(),
            None => line.split_whitespace().collect(),
        };
        let Some((first, rest)) = fields.split_first() else { continue };
        let (key, fields) =
            (Key::from(*first), rest.iter().map(|field| Value::from(*field)).collect::<Value>());
        match entries.get(&key).cloned() {
            None => drop(entries.insert(key, fields)),
            // Entries with the same first field are in a list, in their order.
            Some(there) => {
                let mut list = match there.as_list() {
                    Some(list) if several.contains(&key) => list.to_vec(),
                    _ => vec![there],
                };
                list.push(fields);
                several.push(key.clone());
                entries.insert(key, list.into());
            }
        }
    }
    entries
}

/// Is never reached: there is nothing to do.
///
/// # Errors
/// None.
pub fn apply(_args: &Args, plan: Infallible, _node: &mut System) -> Result<Done, Failure> {
    match plan {}
}
