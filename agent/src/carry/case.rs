//! One key on all sides, and what becomes of it.

use convoy_protocol::Value;

use super::dialect::Dialect;
use super::rule::Action;
use super::{Rule, Verdict};
use crate::files::secret::is_secret;
use crate::formats::toml::KeyPath;

/// One key on all sides.
pub(super) struct Case<'a> {
    pub(super) dialect: Dialect,
    pub(super) key: KeyPath,
    pub(super) to: KeyPath,
    /// The old default, if there is an old default of the file.
    pub(super) old: Option<Option<Value>>,
    pub(super) yours: Option<Value>,
    pub(super) new: Option<&'a Value>,
    pub(super) now: Option<&'a Value>,
    pub(super) rule: Option<&'a Rule>,
}

/// Returns the verdict that a place gets a value, or loses the one that it has.
pub(super) fn set(value: Option<Value>) -> Verdict {
    value.map_or(Verdict::Remove, Verdict::Set)
}

impl Case<'_> {
    /// Returns the verdict that needs no answer, or that one is needed.
    pub(super) fn verdict(&self, has_new_base: bool) -> Verdict {
        let reason =
            |or: &str| self.rule.and_then(|rule| rule.reason.clone()).unwrap_or_else(|| or.to_owned());
        let is_there = self.dialect.same(self.now, self.yours.as_ref());
        match self.rule.map(|rule| rule.action) {
            Some(Action::Drop) => return Verdict::Dropped(reason("a rule drops it")),
            Some(Action::Carry | Action::Replace) => return set(self.yours.clone()),
            _ if is_there => return Verdict::Same,
            Some(Action::Ask) => return Verdict::Undecided(reason("a rule asks for a decision")),
            Some(Action::Rename) | None => {}
        }
        if has_new_base && !self.dialect.same(self.now, self.new) {
            return Verdict::Undecided(format!(
                "the file has {} here, which is not the new default; yours is {}",
                self.display(self.now),
                self.display(self.yours.as_ref())
            ));
        }
        self.difference()
    }

    /// Returns the verdict of a key for which the new file has its default.
    fn difference(&self) -> Verdict {
        let is_renamed = self.rule.is_some();
        let [new, mine] = [self.new, self.yours.as_ref()].map(|value| self.display(value));
        let Some(yours) = &self.yours else {
            return Verdict::Undecided(format!("you removed it, and the new default has it: {new}"));
        };
        let carried = || Verdict::Set(yours.clone());
        match (&self.old, self.new) {
            (Some(None), None) => carried(),
            (Some(None), Some(_)) => {
                Verdict::Undecided(format!("the new default has it, too: {new}; yours is {mine}"))
            }
            (Some(Some(_)) | None, None) if is_renamed => carried(),
            (Some(Some(_)), None) => Verdict::Undecided("the new default no longer has it".to_owned()),
            (Some(old), Some(_)) if self.dialect.same(self.new, old.as_ref()) => carried(),
            (Some(old), Some(_)) => Verdict::Undecided(format!(
                "the default changed, too: from {} to {new}; yours is {mine}",
                self.display(old.as_ref())
            )),
            (None, None) => Verdict::Undecided(
                "the new file does not have it: without the old default it cannot be told whether it is yours".to_owned(),
            ),
            (None, Some(_)) => Verdict::Undecided(format!(
                "it is not the new default, {new}; yours is {mine}: without the old default it cannot be told whether \
                 you changed it"
            )),
        }
    }

    /// Returns a verdict less what is already so.
    pub(super) fn without_noop(&self, verdict: Verdict) -> Verdict {
        match &verdict {
            Verdict::Set(value) if self.dialect.same(self.now, Some(value)) => Verdict::Same,
            Verdict::Remove if self.now.is_none() => Verdict::Same,
            _ => verdict,
        }
    }

    fn display(&self, value: Option<&Value>) -> String {
        match value {
            None => "nothing".to_owned(),
            Some(value) if is_secret(&self.key, value) || is_secret(&self.to, value) => "(secret)".to_owned(),
            Some(value) => (self.dialect.display)(value),
        }
    }
}
