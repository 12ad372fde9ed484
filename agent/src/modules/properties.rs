//! `properties`: keys of a `.properties` file.

use convoy_protocol::{Map, Value};

pub use crate::files::put::Plan;

use crate::args::Arg;
use crate::failure::Failure;
use crate::files::keyed::{KeyedArgs, pairs};
use crate::files::put;
use crate::formats::properties::{Properties, decoded, encoded};
use crate::formats::toml::KeyPath;
use crate::key_changes;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sets, removes and reads keys of a .properties file",
    description: "What is not asked for stays as it is, byte for byte: comments, order, white space, line ends. A new key \
        goes behind those whose names begin alike, written as they are. Lists with commas, such as `loggers` of \
        log4j2, can get or lose single members. Differences show keys, not lines. Without anything to set or remove, the \
        file is only read; passwords and the like are secret then.",
    example: "- name: Log to the machine's own log as well\n  properties:\n    path: /opt/wso2/repository/conf/log4j2.properties\n    set:\n      appender.SYSLOG.type: Syslog\n      appender.SYSLOG.name: SYSLOG\n      appender.SYSLOG.host: localhost\n    members:\n      appenders: [SYSLOG]\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `properties`.
    pub struct Args {
        /// Keys with the values they shall have.
        set: Option<Map>,
        /// Keys that shall not be there; with `*` at its end all that begin so.
        remove: Vec<String>,
        /// For keys that hold lists with commas, the members that shall be in them.
        members: Option<Map>,
        /// For keys that hold lists with commas, the members that shall not be in them.
        remove_members: Option<Map>,
    }
    including [keyed: KeyedArgs]
    marks_secrets: true
}

/// Compares the file with what is asked for.
///
/// # Errors
/// If the file is missing, or a value is no text.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let (path, bytes) = args.keyed.read(view)?;
    let (text, utf8) = decoded(bytes);
    let old = Properties::parse(text);
    if args.set.is_none() && args.remove.is_empty() && args.members.is_none() && args.remove_members.is_none()
    {
        let data: Map =
            old.pairs().into_iter().map(|(key, value)| (key.as_str().into(), value.into())).collect();
        return Ok(KeyedArgs::answer(&path, &KeyPath::default(), data.into()));
    }
    let mut new = old.clone();
    for key in &args.remove {
        new.remove(key);
    }
    for (key, value) in pairs("set", args.set.as_ref())? {
        new.set(&key, &value);
    }
    for (key, member) in lists("remove_members", args.remove_members.as_ref())? {
        new.remove_member(&key, &member);
    }
    for (key, member) in lists("members", args.members.as_ref())? {
        new.add_member(&key, &member);
    }
    let mut changed = key_changes::between(&old.pairs(), &new.pairs());
    let given = [&args.set, &args.members, &args.remove_members];
    let given = |key: &str| given.into_iter().flatten().filter_map(|map| map.get(key)).any(is_secret);
    changed.iter_mut().for_each(|change| change.secret = given(&change.key));
    args.keyed.finish(view, &path, encoded(new.text(), utf8), &changed)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

fn is_secret(value: &Value) -> bool {
    value.deep_taint().is_secret()
}

/// Returns each member of each list with the list's key.
fn lists(name: &str, map: Option<&Map>) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for (key, value) in map.into_iter().flatten() {
        let members =
            Vec::<String>::convert(value).map_err(|why| Failure::new(format!("{name}: {key}: {why}")))?;
        if let Some(bad) = members.iter().find(|member| member.contains(',') || member.trim().is_empty()) {
            return Err(Failure::new(format!(
                "{name}: {key}: `{bad}` cannot be a member of a list with commas"
            )));
        }
        all.extend(members.into_iter().map(|member| (key.to_string(), member)));
    }
    Ok(all)
}
