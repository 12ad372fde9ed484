//! `toml_carry`: what a user changed in a TOML file, carried into the file of a new version.

use convoy_protocol::{Kind, Map, Taint, Value};

pub use crate::files::put::Plan;

use super::toml::{hide, of_file};
use crate::carry::{CarryArgs, Dialect, Finding, Flat, Sides, Source, Verdict, compare, equivalent, values};
use crate::failure::Failure;
use crate::files::keyed::InPlaceArgs;
use crate::files::put;
use crate::files::secret::is_secret;
use crate::formats::toml::edits::EditArgs;
use crate::formats::toml::{KeyPath, Merge, Toml, TomlError, value_text};
use crate::key_changes::{self, KeyChange};
use crate::metadata::{Access, Behavior, Doc};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Carries what a user changed in a TOML file into the file of a new version",
    description: "Three files are compared key by key: the old version's default, the user's file, the new version's \
        default. What the user changed and the new version did not is carried; what both changed, or what \
        the new version no longer has, is listed as undecided, with the reason, for a play to act on. Rules \
        and decisions settle the rest. The new file is edited in place: what is not carried stays as it is, \
        byte for byte. What is to be in it whatever the user changed is set in the same edit, after that. \
        The answer has `carried`, `undecided`, `dropped`, `same`, `unused_decisions` and `base`, which is \
        `missing` if there was no old default to compare with. Values of passwords, tokens and the like are \
        secret.",
    example: "- name: Carry what was changed in the old configuration\n  toml_carry:\n    src: /opt/wso2am-3.1.0/repository/conf/deployment.toml\n    base_content: \"{{ lookup('file', 'deployment-3.1.0.toml') }}\"\n    path: /opt/wso2am-4.1.0/repository/conf/deployment.toml\n    known_by:\n      apim.gateway.environment: name\n    rules:\n      - {key: server.node_ip, do: drop, reason: the new version finds it by itself}\n      - {key: apim.oauth_config.revoke_endpoint, do: replace, from: ':8243/revoke$', value: ':9443/oauth2/revoke'}\n    decisions:\n      apim.cors.allow_headers: mine\n    except: [database]\n    keep_last: secrets\n  register: carried\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior::new(Access::Write);

crate::arguments! {
    /// Arguments of `toml_carry`.
    pub struct Args {
        /// For lists of tables the key by which each table is known: they are compared and merged one by one, those of
        /// other lists as a whole.
        known_by: Option<Map>,
    }
    including [carry: CarryArgs, edits: EditArgs, in_place: InPlaceArgs]
    marks_secrets: true
}

/// Compares the files.
///
/// # Errors
/// If one is missing or no TOML, or a rule or a decision has no meaning.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let choices = args.carry.choices()?;
    let merge = args.edits.merge(args.known_by.as_ref(), &KeyPath::default())?;
    let (path, bytes) = args.in_place.read(view)?;
    let name = path.display().to_string();
    let (yours, yours_flat) = parse(args.carry.source(view)?, &merge)?;
    let optional = |source: Option<Source>| source.map(|source| parse(source, &merge)).transpose();
    let old = optional(args.carry.base(view)?)?.map(|(_, flat)| flat);
    let new = optional(args.carry.new_base(view)?)?.map(|(_, flat)| flat);
    let (mut file, now) = parse(Source { name: name.clone(), bytes, taint: Taint::NONE }, &merge)?;
    let sides = Sides { old, yours: yours_flat, new, now };
    let (mut findings, unused) = compare(&sides, &choices, Dialect { equivalent, display })?;
    for finding in &mut findings {
        let mut trial = file.clone();
        match carry(finding, &yours, &mut trial, &merge) {
            Ok(()) => file = trial,
            // What the new file has in this place does not fit; the other keys can be carried all the same.
            Err(error) => finding.verdict = Verdict::Undecided(error.to_string()),
        }
    }
    let secret = args.edits.apply(&KeyPath::default(), &merge, Vec::new(), &mut file)?;
    let after = flat(&name, &file, &merge)?;
    let mut changed = difference(&sides.now, &after, &findings);
    hide(&mut changed, &secret, &file);
    let mut checked = args.in_place.finish(view, &path, file.text().as_bytes().to_vec(), &changed)?;
    checked.values_mut().extend(values(&findings, unused, sides.old.is_some()));
    Ok(checked)
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written or is not accepted; the old file is untouched then.
pub fn apply(_args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    put::apply(plan, node)
}

fn parse(source: Source, merge: &Merge) -> Result<(Toml, Flat), Failure> {
    let Source { name, bytes, taint } = source;
    let text =
        String::from_utf8(bytes).map_err(|error| Failure::new(format!("{name} is not in UTF-8: {error}")))?;
    let file = Toml::parse(text).map_err(|error| of_file(&name, &error))?;
    let flat = flat(&name, &file, merge)?.tainted(taint);
    Ok((file, flat))
}

fn flat(name: &str, file: &Toml, merge: &Merge) -> Result<Flat, Failure> {
    Flat::of_tables(&file.data(), merge).map_err(|why| Failure::new(format!("{name}: {why}")))
}

/// Returns a value as it is told in a sentence: plain text without quotes.
fn display(value: &Value) -> String {
    match &value.kind {
        Kind::Text(text) if !text.trim().is_empty() && text.trim().len() == text.len() => text.to_string(),
        _ => value_text(value).unwrap_or_default(),
    }
}

/// Does what a finding says, with the user's own way to write a value.
fn carry(finding: &Finding, yours: &Toml, file: &mut Toml, merge: &Merge) -> Result<(), TomlError> {
    match &finding.verdict {
        Verdict::Set(value) => {
            let from = (finding.yours.as_ref() == Some(value)).then_some(&finding.key);
            set(file, &finding.to, value, from.map(|from| (yours, from)), merge)
        }
        Verdict::Remove => file.remove(&finding.to),
        Verdict::Same | Verdict::Dropped(_) | Verdict::Undecided(_) => Ok(()),
    }
}

fn set(
    file: &mut Toml,
    to: &KeyPath,
    value: &Value,
    from: Option<(&Toml, &KeyPath)>,
    merge: &Merge,
) -> Result<(), TomlError> {
    let Some(map) = value.as_map() else {
        let text = from.and_then(|(yours, key)| yours.written(key));
        return file.set_written(to, value, text, merge);
    };
    map.iter().try_for_each(|(key, value)| {
        let key = key.to_string();
        let from = from.map(|(yours, table)| (yours, table.child(&key)));
        set(file, &to.child(&key), value, from.as_ref().map(|(yours, key)| (*yours, key)), merge)
    })
}

/// Returns the keys that differ.
fn difference(before: &Flat, after: &Flat, findings: &[Finding]) -> Vec<KeyChange> {
    let pairs = |flat: &Flat| -> Vec<(String, String)> {
        flat.keys()
            .iter()
            .map(|(key, value)| (key.to_string(), value_text(value).unwrap_or_default()))
            .collect()
    };
    let mut changed = key_changes::between(&pairs(before), &pairs(after));
    let given = findings
        .iter()
        .filter(|finding| matches!(&finding.verdict, Verdict::Set(value) if value.deep_taint().is_secret()));
    let given: Vec<&KeyPath> = given.map(|finding| &finding.to).collect();
    for change in &mut changed {
        let named = before.keys().iter().chain(after.keys()).filter(|(key, _)| key.to_string() == change.key);
        change.secret = given.iter().any(|key| key.is_or_holds(&change.key))
            || named.into_iter().any(|(key, value)| is_secret(key, value));
    }
    changed
}
