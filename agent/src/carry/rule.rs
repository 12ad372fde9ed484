//! What whoever knows both versions says of keys: renamed, dropped, replaced, carried anyway, to be asked about.

use convoy_protocol::{Key, Kind, Map, Value};

use super::Pattern;
use super::dialect::equivalent;
use crate::failure::Failure;
use crate::formats::toml::{KeyPath, Part, TomlError};
use crate::pattern;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The user's value is carried, whatever became of the default.
    Carry,
    /// The key is left out.
    Drop,
    /// The key has another name.
    Rename,
    /// The user has to say.
    Ask,
    /// Another value takes the place of the user's.
    Replace,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    key: Pattern,
    pub(super) action: Action,
    to: Option<Pattern>,
    /// What is looked for in the user's value, and what takes its place.
    from: Option<(pattern::Pattern, pattern::Template)>,
    value: Option<Value>,
    /// What the old default, the user's value and the new default must be.
    when: [Option<Value>; 3],
    pub(super) reason: Option<String>,
}

/// What a rule makes of a key.
#[derive(Debug)]
pub(super) struct RuleMatch<'r> {
    pub(super) rule: &'r Rule,
    /// The key in the new file.
    pub(super) to: KeyPath,
    /// The old default as it would be there.
    pub(super) old: Option<Value>,
    /// The user's value as it would be there.
    pub(super) yours: Option<Value>,
}

const FIELDS: [&str; 7] = ["key", "do", "to", "from", "value", "when", "reason"];
const SIDES: [&str; 3] = ["old", "yours", "new"];

impl Rule {
    /// Reads one of the argument `rules`.
    ///
    /// # Errors
    /// If it is no rule; the first thing that is wrong.
    pub fn read(map: &Map) -> Result<Self, Failure> {
        let named = map.get("key").and_then(Value::as_str).unwrap_or("a rule without a key");
        Self::fields(map).map_err(|why| Failure::new(format!("rules: {named}: {why}")))
    }

    fn fields(map: &Map) -> Result<Self, String> {
        known(map, &FIELDS)?;
        let text = |name: &str| match map.get(name).map(|value| (value, value.as_str())) {
            None => Ok(None),
            Some((_, Some(text))) => Ok(Some(text)),
            Some((value, None)) => Err(format!("`{name}` is {}, not text", value.kind_name())),
        };
        let key = Pattern::parse(text("key")?.ok_or("`key` is missing")?).map_err(wrong)?;
        let action = match text("do")? {
            Some("carry") => Action::Carry,
            Some("drop") => Action::Drop,
            Some("rename") => Action::Rename,
            Some("ask") => Action::Ask,
            Some("replace") => Action::Replace,
            Some(other) => {
                return Err(format!("`{other}` is nothing to do: carry, drop, rename, ask or replace"));
            }
            None => return Err("`do` is missing: carry, drop, rename, ask or replace".to_owned()),
        };
        let to = text("to")?.map(Pattern::parse).transpose().map_err(wrong)?;
        let from = text("from")?;
        let value = map.get("value").filter(|value| !value.is_null()).cloned();
        match (action, &to) {
            (Action::Rename, None) => return Err("`rename` needs `to`, the key's new name".to_owned()),
            (Action::Rename, Some(to)) if !to.is_filled_by(&key) => {
                return Err(format!("`{to}` has more wildcards than the key"));
            }
            (Action::Rename, _) | (_, None) => {}
            (_, Some(_)) => {
                return Err(
                    "`to` is the key that `rename` leads to; what takes the place of `from` is `value`"
                        .to_owned(),
                );
            }
        }
        match (action, from, &value) {
            (Action::Replace, _, None) | (Action::Rename, Some(_), None) => {
                return Err("`value` is missing: what takes the place".to_owned());
            }
            (Action::Carry | Action::Drop | Action::Ask, Some(_), _) => {
                return Err("`from` goes with `rename` and `replace`".to_owned());
            }
            (Action::Carry | Action::Drop | Action::Ask, None, Some(_)) | (Action::Rename, None, Some(_)) => {
                return Err("`value` goes with `replace`, or with `from`".to_owned());
            }
            _ => {}
        }
        let from = from.map(|from| expression(from, value.as_ref())).transpose()?;
        let when = map.get("when").map(when).transpose()?.unwrap_or_default();
        Ok(Self { key, action, to, from, value, when, reason: text("reason")?.map(str::to_owned) })
    }

    /// Returns whether its key fits, whatever the values are.
    pub(super) fn concerns(&self, key: &KeyPath) -> bool {
        self.key.fits(key)
    }

    /// Returns whether it treats all keys of a table as one.
    pub(super) fn takes_whole(&self) -> bool {
        self.action != Action::Rename && self.from.is_none()
    }

    /// Returns what it makes of a key; none if it is not about it.
    ///
    /// # Errors
    /// If the regular expression takes too much to match.
    pub(super) fn apply<'n>(
        &self,
        key: &KeyPath,
        [old, yours]: [Option<&Value>; 2],
        new: impl Fn(&KeyPath) -> Option<&'n Value>,
    ) -> Result<Option<RuleMatch<'_>>, Failure> {
        let Some(captures) = self.key.captures(key) else { return Ok(None) };
        let to = self.to.as_ref().map_or_else(|| key.clone(), |to| to.filled(&captures));
        let sides = [old, yours, new(&to)];
        if self
            .when
            .iter()
            .zip(sides)
            .any(|(wanted, value)| !wanted.as_ref().is_none_or(|wanted| is(wanted, value)))
        {
            return Ok(None);
        }
        let (mut old, mut yours) = (old.cloned(), yours.cloned());
        match (&self.from, &self.value) {
            (Some(_), _) => {
                // A rule with an expression is about the values that it matches.
                let mut count = 0;
                yours = yours.map(|value| self.replaced(&value, &mut count)).transpose()?;
                if count == 0 {
                    return Ok(None);
                }
                old = old.map(|value| self.replaced(&value, &mut count)).transpose()?;
            }
            (None, Some(value)) => yours = Some(value.clone()),
            (None, None) => {}
        }
        // The key by which a table is known follows the table's new name.
        if let [.., Part::Where(id, name), Part::Key(last)] = &to.0[..]
            && id == last
        {
            (old, yours) = (old.map(|_| name.clone()), yours.map(|_| name.clone()));
        }
        Ok(Some(RuleMatch { rule: self, to, old, yours }))
    }

    /// Puts what is to take the place there, in all texts of a value.
    fn replaced(&self, value: &Value, count: &mut usize) -> Result<Value, Failure> {
        let Some((from, template)) = &self.from else { return Ok(value.clone()) };
        let kind = match &value.kind {
            Kind::Text(text) => {
                let (text, found) = from.replace_all(text, template)?;
                *count += found;
                return Ok(
                    Value::from(text).tainted(self.value.as_ref().unwrap_or(value).taint | value.taint)
                );
            }
            Kind::List(items) => {
                return items
                    .iter()
                    .map(|item| self.replaced(item, count))
                    .collect::<Result<Vec<_>, _>>()
                    .map(Value::from);
            }
            other => other.clone(),
        };
        Ok(kind.into())
    }
}

fn wrong(error: TomlError) -> String {
    error.to_string()
}

fn known(map: &Map, fields: &[&str]) -> Result<(), String> {
    let unknown = map.keys().map(Key::to_string).find(|key| !fields.contains(&key.as_str()));
    unknown.map_or(Ok(()), |key| Err(format!("`{key}` is not known: {}", fields.join(", "))))
}

fn expression(from: &str, value: Option<&Value>) -> Result<(pattern::Pattern, pattern::Template), String> {
    let expression = pattern::Pattern::new(from).map_err(|failure| format!("`from`: {}", failure.msg))?;
    let Some(text) = value.and_then(Value::as_str) else {
        return Err("`value` is no text: it takes the place of what `from` matches".to_owned());
    };
    let template = expression.template(text).map_err(|error| format!("`value`: {error}"))?;
    Ok((expression, template))
}

fn when(value: &Value) -> Result<[Option<Value>; 3], String> {
    let map = value.as_map().ok_or_else(|| format!("`when` is {}, not a map", value.kind_name()))?;
    known(map, &SIDES).map_err(|why| format!("when: {why}"))?;
    Ok(SIDES.map(|side| map.get(side).cloned()))
}

/// Returns whether a value is as wanted: this one, or one of these; null means that it is not there.
fn is(wanted: &Value, value: Option<&Value>) -> bool {
    let Some(value) = value else { return wanted.is_null() };
    equivalent(wanted, value)
        || wanted.as_list().is_some_and(|all| all.iter().any(|one| equivalent(one, value)))
}
