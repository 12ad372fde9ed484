//! What becomes of each key that the user changed.

use std::collections::{HashMap, HashSet};

use convoy_protocol::Value;

use super::answers::Answer;
use super::case::{Case, set};
use super::dialect::Dialect;
use super::rule::{Action, RuleMatch};
use super::{Answers, Finding, Flat, Pattern, Rule, Verdict};
use crate::failure::Failure;
use crate::formats::toml::KeyPath;

/// The files that are compared.
#[derive(Debug)]
pub struct Sides {
    /// The old default, if there is one.
    pub old: Option<Flat>,
    /// The user's file.
    pub yours: Flat,
    /// The new default; without one it is what is there now.
    pub new: Option<Flat>,
    /// The new file as it stands.
    pub now: Flat,
}

/// What is said of keys beforehand.
#[derive(Debug, Default)]
pub struct Choices {
    /// The first that fits counts.
    pub rules: Vec<Rule>,
    /// They go before the rules.
    pub answers: Answers,
    /// If there are any, only what these name is looked at.
    pub only: Vec<Pattern>,
    /// What these name is not looked at.
    pub except: Vec<Pattern>,
}

/// Says what becomes of each key that the user changed, and which answers were not needed.
///
/// # Errors
/// If a regular expression takes too much to match.
pub fn compare(
    sides: &Sides,
    choices: &Choices,
    dialect: Dialect,
) -> Result<(Vec<Finding>, Vec<String>), Failure> {
    let mut comparison = Comparison { sides, choices, dialect, used: Vec::new() };
    let mut findings = Vec::new();
    for key in comparison.keys() {
        findings.extend(comparison.evaluate(&key)?);
    }
    refuse_second(&mut findings);
    Ok((findings, choices.answers.unused(&comparison.used)))
}

/// Of several keys that come to one place only the first can be carried: which is meant, the user has to say.
fn refuse_second(findings: &mut [Finding]) {
    let mut first: HashMap<String, (KeyPath, Verdict)> = HashMap::new();
    for Finding { key, to, verdict, .. } in findings.iter_mut().filter(|finding| !finding.is_dropped_by_rule)
    {
        match first.get(&to.to_string()) {
            Some((_, there)) if there == verdict || *verdict == Verdict::Same => {}
            Some((other, _)) => *verdict = Verdict::Undecided(format!("{other} comes to {to} as well")),
            None => {
                first.insert(to.to_string(), (key.clone(), verdict.clone()));
            }
        }
    }
}

struct Comparison<'a> {
    sides: &'a Sides,
    choices: &'a Choices,
    dialect: Dialect,
    /// The answers that made a difference.
    used: Vec<usize>,
}

impl<'a> Comparison<'a> {
    fn default(&self) -> &'a Flat {
        self.sides.new.as_ref().unwrap_or(&self.sides.now)
    }

    fn is_selected(&self, key: &KeyPath) -> bool {
        let only = &self.choices.only;
        (only.is_empty() || only.iter().any(|pattern| pattern.fits(key)))
            && !self.choices.except.iter().any(|pattern| pattern.fits(key))
    }

    /// Returns the keys of the user's file and of the old default, in their order, with whole tables where these are
    /// judged as one.
    fn keys(&self) -> Vec<KeyPath> {
        let (yours, old) = (&self.sides.yours, self.sides.old.as_ref());
        let elements = yours.elements().chain(old.into_iter().flat_map(Flat::elements));
        let wholes: Vec<&KeyPath> = elements.filter(|table| self.is_whole(table)).collect();
        let mut keys: Vec<KeyPath> = Vec::new();
        for (key, _) in yours.keys().iter().chain(old.into_iter().flat_map(Flat::keys)) {
            let whole = wholes.iter().find(|table| key.0.starts_with(&table.0));
            keys.push(whole.map_or_else(|| key.clone(), |table| (*table).clone()));
        }
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.to_string()));
        keys
    }

    /// Returns whether a table of a list is judged as one: of one that is gone, keys by themselves mean nothing.
    fn is_whole(&self, table: &KeyPath) -> bool {
        let Sides { old, yours, .. } = self.sides;
        let is_added = old.as_ref().is_some_and(|old| old.get(table).is_none());
        let is_gone = yours.get(table).is_none() || self.default().get(table).is_none();
        let rule = |key: &KeyPath| self.choices.rules.iter().position(|rule| rule.concerns(key));
        let of_table = rule(table);
        let is_one = of_table.is_none_or(|at| self.choices.rules.get(at).is_some_and(Rule::takes_whole));
        let inside =
            |flat: &'a Flat| flat.keys().iter().map(|(key, _)| key).filter(|key| key.0.starts_with(&table.0));
        let is_alike =
            |key: &KeyPath| rule(key) == of_table && self.is_selected(key) == self.is_selected(table);
        !is_added && is_gone && is_one && inside(yours).chain(old.iter().flat_map(inside)).all(is_alike)
    }

    fn evaluate(&mut self, key: &KeyPath) -> Result<Option<Finding>, Failure> {
        let Sides { old: base, yours, now, .. } = self.sides;
        let old = base.as_ref().and_then(|base| base.get(key));
        let yours = yours.get(key);
        let is_changed = if base.is_some() { !self.dialect.same(old, yours) } else { yours.is_some() };
        if !is_changed || !self.is_selected(key) {
            return Ok(None);
        }
        let rule_match = self.rule_match(key, old, yours)?;
        let (rule, to, mapped, wanted) = match rule_match {
            Some(RuleMatch { rule, to, old, yours }) => (Some(rule), to, old, yours),
            None => (None, key.clone(), old.cloned(), yours.cloned()),
        };
        let (new, now) = (self.default().get(&to), now.get(&to));
        let case = Case {
            dialect: self.dialect,
            key: key.clone(),
            old: base.is_some().then_some(mapped),
            yours: wanted,
            new,
            now,
            rule,
            to,
        };
        let by_itself = case.verdict(self.sides.new.is_some());
        let is_acting = rule.is_some_and(|rule| !matches!(rule.action, Action::Drop | Action::Ask));
        // Without an old default what is the same in both files tells nothing.
        let is_plain = base.is_none() && !is_acting && self.dialect.same(case.now, case.yours.as_ref());
        let dropped = matches!(by_itself, Verdict::Dropped(_)).then(|| by_itself.clone());
        let verdict = case.without_noop(self.answered(&case, by_itself));
        let is_dropped_by_rule = dropped.as_ref() == Some(&verdict);
        if is_plain && (verdict == Verdict::Same || is_dropped_by_rule) {
            return Ok(None);
        }
        Ok(Some(Finding {
            key: case.key,
            to: case.to,
            old: old.cloned(),
            yours: yours.cloned(),
            new: new.cloned(),
            verdict,
            is_dropped_by_rule,
        }))
    }

    fn rule_match(
        &self,
        key: &KeyPath,
        old: Option<&Value>,
        yours: Option<&Value>,
    ) -> Result<Option<RuleMatch<'a>>, Failure> {
        for rule in &self.choices.rules {
            if let Some(rule_match) = rule.apply(key, [old, yours], |to| self.default().get(to))? {
                return Ok(Some(rule_match));
            }
        }
        Ok(None)
    }

    /// Returns what the operator's answer makes of a verdict.
    fn answered(&mut self, case: &Case<'_>, verdict: Verdict) -> Verdict {
        let Some((at, answer)) = self.choices.answers.find(&case.key) else { return verdict };
        let wanted = match answer {
            Answer::Mine => set(case.yours.clone()),
            Answer::Value(value) => Verdict::Set(value.clone()),
            // What was the default is not known any more where it has been edited already.
            Answer::New if self.sides.new.is_none() && verdict == Verdict::Same => return verdict,
            Answer::New if case.dialect.same(case.now, case.new) => {
                Verdict::Dropped("decided: the new default".into())
            }
            Answer::New => set(case.new.cloned()),
        };
        // An answer that says what is certain anyway was not needed.
        if wanted != verdict {
            self.used.push(at);
        }
        wanted
    }
}
