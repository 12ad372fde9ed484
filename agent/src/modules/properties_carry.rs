//! `properties_carry`: what a user changed in a `.properties` file, carried into the file of a new version.

use convoy_protocol::{Kind, Taint, Value};

pub use crate::files::put::Plan;

use crate::carry::{
    CarryArgs, Dialect, Finding, Flat, Sides, Source, Verdict, compare, log4j2, patterns, property,
    property_path, scalar_text, values,
};
use crate::failure::Failure;
use crate::files::keyed::InPlaceArgs;
use crate::files::put;
use crate::files::secret::is_secret;
use crate::formats::properties::{Properties, decoded, encoded};
use crate::key_changes::{self, KeyChange};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Carries what a user changed in a .properties file into the file of a new version",
    description: "As `toml_carry`, for `.properties` files. Lists with commas that `lists` names are compared member \
        by member: a member is named `appenders[member=\"SYSLOG\"]`, one that the user added is added to the \
        new list. With `format: log4j2` these are `appenders` and `loggers`; carried loggers must refer to \
        appenders that are defined and listed, or nothing is written; definitions that no list names are \
        told as `dead`.",
    example: "- name: Carry the appenders and loggers that were added\n  properties_carry:\n    src: /opt/wso2am-3.1.0/repository/conf/log4j2.properties\n    base_content: \"{{ lookup('file', 'log4j2-3.1.0.properties') }}\"\n    path: /opt/wso2am-4.1.0/repository/conf/log4j2.properties\n    format: log4j2\n  register: carried\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::choices! {
    /// What a file of properties is for.
    pub enum Format {
        /// Anything.
        Properties = "properties",
        /// The configuration of log4j 2.
        Log4j2 = "log4j2",
    }
}

crate::arguments! {
    /// Arguments of `properties_carry`.
    pub struct Args {
        /// Keys that hold lists with commas; `*` stands for one part of a key, `**` at the end for all that begin so.
        lists: Vec<String>,
        /// What the file is for: `log4j2` knows its lists and what must hold within it.
        format: Format [default("properties")],
    }
    including [carry: CarryArgs, in_place: InPlaceArgs]
    marks_secrets: true
}

/// Compares the files.
///
/// # Errors
/// If one is missing, a rule or a decision has no meaning, or a log4j 2 file would refer to appenders that are not
/// there.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let choices = args.carry.choices()?;
    let mut lists = patterns("lists", &args.lists)?;
    if args.format == Format::Log4j2 {
        lists.extend(patterns("lists", &log4j2::LISTS.map(|(list, _)| list.to_owned()))?);
    }
    let (path, bytes) = args.in_place.read(view)?;
    let name = path.display().to_string();
    let flat = |source: Option<Source>| -> Result<Option<Flat>, Failure> {
        let Some(source) = source else { return Ok(None) };
        let taint = source.taint;
        let (file, _) = read(source, args.format)?;
        Ok(Some(Flat::of_properties(&file, &lists).tainted(taint)))
    };
    let yours = flat(Some(args.carry.source(view)?))?.unwrap_or_default();
    let (old, new) = (flat(args.carry.base(view)?)?, flat(args.carry.new_base(view)?)?);
    let (before, utf8) = read(Source { name, bytes, taint: Taint::NONE }, args.format)?;
    let sides = Sides { old, yours, new, now: Flat::of_properties(&before, &lists) };
    let (mut findings, unused) = compare(&sides, &choices, Dialect { equivalent, display })?;
    let mut file = before.clone();
    findings.iter_mut().for_each(|finding| carry(finding, &mut file));
    let mut answer = values(&findings, unused, sides.old.is_some());
    if args.format == Format::Log4j2 {
        refuse_broken(&file, &findings)?;
        answer.insert("dead".into(), log4j2::dead(&file).into_iter().map(Value::from).collect());
    }
    let changed = difference(&before, &file, &findings);
    let mut checked = args.in_place.finish(view, &path, encoded(file.text(), utf8), &changed)?;
    checked.values_mut().extend(answer);
    Ok(checked)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

fn read(source: Source, format: Format) -> Result<(Properties, bool), Failure> {
    let (text, utf8) = decoded(source.bytes);
    let file = Properties::parse(text);
    match log4j2::old_syntax(&file).filter(|_| format == Format::Log4j2) {
        Some(key) => Err(Failure::new(format!(
            "{} is a file of log4j 1 (it has {key}): convert it with `log4j2_convert` first",
            source.name
        ))),
        None => Ok((file, utf8)),
    }
}

/// Returns whether two values are equal but for white space around them.
fn equivalent(a: &Value, b: &Value) -> bool {
    match (scalar_text(a), scalar_text(b)) {
        (Some(a), Some(b)) => a.trim() == b.trim(),
        _ => a == b,
    }
}

fn display(value: &Value) -> String {
    match &value.kind {
        Kind::Bool(true) => "a member of the list".to_owned(),
        _ => scalar_text(value).unwrap_or_default(),
    }
}

/// Does what a finding says.
fn carry(finding: &mut Finding, file: &mut Properties) {
    let (key, member) = property(&finding.to);
    match (&finding.verdict, member) {
        (Verdict::Set(_), Some(member)) => file.add_member(&key, member),
        (Verdict::Set(value), None) => match scalar_text(value) {
            Some(text) => file.set(&key, &text),
            None => {
                finding.verdict =
                    Verdict::Undecided(format!("{} cannot be the value of a key", value.kind_name()));
            }
        },
        (Verdict::Remove, Some(member)) => file.remove_member(&key, member),
        (Verdict::Remove, None) => file.remove_key(&key),
        (Verdict::Same | Verdict::Dropped(_) | Verdict::Undecided(_), _) => {}
    }
}

fn refuse_broken(file: &Properties, findings: &[Finding]) -> Result<(), Failure> {
    let broken = log4j2::broken(file, findings);
    if broken.is_empty() {
        return Ok(());
    }
    let list: Vec<Value> = broken.iter().map(|reference| reference.as_str().into()).collect();
    Err(Failure::new(format!(
        "what would be carried refers to appenders that are not defined and listed: {}",
        broken.join(", ")
    ))
    .with("references", list))
}

/// Returns the keys that differ.
fn difference(before: &Properties, after: &Properties, findings: &[Finding]) -> Vec<KeyChange> {
    let mut changed = key_changes::between(&before.pairs(), &after.pairs());
    let given = |key: &str| {
        findings.iter().any(|finding| match &finding.verdict {
            Verdict::Set(value) => value.deep_taint().is_secret() && property(&finding.to).0 == key,
            _ => false,
        })
    };
    for change in &mut changed {
        let path = property_path(&change.key);
        let texts = [&change.before, &change.after];
        change.secret = given(&change.key)
            || texts.into_iter().flatten().any(|text| is_secret(&path, &text.as_str().into()));
    }
    changed
}
