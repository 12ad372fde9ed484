//! `log4j2_convert`: settings of a log4j 1 file, put into a log4j2.properties.

use std::path::Path;

use convoy_protocol::{Map, Value, map};

pub use crate::files::put::Plan;

use crate::args::NodePath;
use crate::failure::Failure;
use crate::files::keyed::KeyedArgs;
use crate::files::put;
use crate::formats::log4j::{Configuration, Conversion, merge};
use crate::formats::properties::{Properties, decoded, encoded};
use crate::key_changes;
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// The largest file of the old kind that is read.
const LIMIT: u64 = 1024 * 1024;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Converts settings of log4j 1 into a log4j2.properties",
    description: "Appenders and loggers that are not in the file yet are added to it, with their keys in its lists; all else \
        stays as it is, byte for byte. With `base`, the old version's file as it was shipped, only what is different from that is \
        converted. Returns `converted`, a list of `from` (a key) and `to` (keys); `unmapped`, a list of `key`, `value` and \
        `reason` for what log4j 2 does not have, such as appenders of other classes; and `conflicts`, a list of `key`, `wanted` \
        and `there` for what the file says otherwise, which is not overwritten. Settings of log4j 2 are carried over by \
        `properties_carry`.",
    example: "- name: Carry the old logging over\n  log4j2_convert:\n    src: /opt/wso2am-2.6.0/repository/conf/log4j.properties\n    base: /opt/pristine/wso2am-2.6.0/repository/conf/log4j.properties\n    path: /opt/wso2/repository/conf/log4j2.properties\n    backup: true\n  register: logging\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `log4j2_convert`.
    pub struct Args {
        /// The file of log4j 1, on the node.
        src: NodePath [required],
        /// That file as the old version was shipped with, on the node: what is the same in it is not converted.
        base: Option<NodePath>,
        /// The same, as text.
        base_content: Option<String>,
        /// Whether it is a failure if something has no counterpart, or is otherwise in the file.
        strict: bool [default("false")],
    }
    including [keyed: KeyedArgs]
    mutually_exclusive ["base", "base_content"]
}

/// Compares the file with what is to be in it.
///
/// # Errors
/// If a file is missing or of the wrong kind, or the old one refers to what is not there.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let src = view.expand(&args.src);
    let old = configuration(&src, view.read_small(&src, LIMIT)?)?;
    let base = match (&args.base, &args.base_content) {
        (Some(path), _) => {
            let path = view.expand(path);
            Some(configuration(&path, view.read_small(&path, LIMIT)?)?)
        }
        (None, Some(text)) => Some(configuration(Path::new("base_content"), text.clone().into_bytes())?),
        (None, None) => None,
    };
    let (path, bytes) = args.keyed.read(view)?;
    let (text, utf8) = decoded(bytes);
    let file = Properties::parse(text);
    let before = file.pairs();
    let conversion = merge(&old, base.as_ref(), file).map_err(|error| {
        use crate::formats::log4j::Log4jError::{Shorthand, TargetIsOld};
        let whose = if matches!(error, Shorthand(_) | TargetIsOld) { &path } else { &src };
        Failure::new(format!("{} {error}", whose.display()))
    })?;
    let told = told(&conversion);
    if args.strict {
        refuse_rest(&src, &conversion, &told)?;
    }
    let changed = key_changes::between(&before, &conversion.file.pairs());
    let new = encoded(conversion.file.text(), utf8);
    let mut checked = args.keyed.finish(view, &path, new, &changed)?;
    checked.values_mut().extend(told);
    Ok(checked)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

fn configuration(path: &Path, bytes: Vec<u8>) -> Result<Configuration, Failure> {
    let file = Properties::parse(decoded(bytes).0);
    Configuration::read(&file).map_err(|error| Failure::new(format!("{} {error}", path.display())))
}

/// Returns what became of all settings.
fn told(conversion: &Conversion) -> Map {
    let converted = conversion.converted.iter().map(|one| {
        let to: Value = one.to.iter().map(|key| Value::from(key.as_str())).collect();
        Value::from(map! { "from" => one.from.as_str(), "to" => to })
    });
    let unmapped = conversion.unmapped.iter().map(|one| {
        Value::from(map! { "key" => &*one.key, "value" => &*one.value, "reason" => &*one.reason })
    });
    let conflicts = conversion.conflicts.iter().map(|one| {
        let there = one.there.as_deref().map_or(Value::null(), Value::from);
        Value::from(map! { "key" => &*one.key, "wanted" => &*one.wanted, "there" => there })
    });
    map! {
        "converted" => converted.collect::<Value>(),
        "unmapped" => unmapped.collect::<Value>(),
        "conflicts" => conflicts.collect::<Value>(),
    }
}

/// Refuses what has no counterpart, or is otherwise in the file.
fn refuse_rest(src: &Path, conversion: &Conversion, told: &Map) -> Result<(), Failure> {
    let unmapped = conversion.unmapped.iter().map(|one| format!("{}: {}", one.key, one.reason));
    let conflicts = conversion.conflicts.iter().map(|one| match &one.there {
        Some(there) => format!("{} is {there}, not {}", one.key, one.wanted),
        None => format!("{} is missing, not {}", one.key, one.wanted),
    });
    let all: Vec<String> = unmapped.chain(conflicts).collect();
    if all.is_empty() {
        return Ok(());
    }
    let msg = format!("{} cannot be converted whole: {}", src.display(), all.join("; "));
    Err(Failure { msg, values: told.clone() })
}
