//! The items of a loop, and the variables that each brings.

use convoy_protocol::{Key, Kind, Map, Value};

use super::values;
use super::view::View;
use crate::playbook::ast::{Loop, LoopSource};
use crate::template::Error;

/// The variables that an item of a loop brings, and its label.
pub(crate) type LoopScope = (Vec<(Key, Value)>, Option<Value>);

/// Returns for each item of an include's loop the variables it brings; one without any if there is no loop.
///
/// # Errors
/// If the loop cannot be made.
pub(crate) fn loop_scopes(view: View<'_>) -> Result<Vec<LoopScope>, Error> {
    let Some(repeat) = &view.task.repeat else { return Ok(vec![(Vec::new(), None)]) };
    let items = items(view, repeat)?;
    let names = LoopNames::of(view, repeat)?;
    let scope = |index: usize| {
        let vars = names.vars(&items, index);
        let label = match &repeat.control.label {
            Some(label) => View { scope: &view.scope.with(vars.iter().cloned()), ..view }.render(label)?,
            None => items[index].clone(),
        };
        Ok((vars, Some(label)))
    };
    (0..items.len()).map(scope).collect()
}

/// Returns the items of a loop.
pub(crate) fn items(view: View<'_>, repeat: &Loop) -> Result<Vec<Value>, Error> {
    let templar = &view.services.templar;
    let value = match &repeat.source {
        LoopSource::Items(value) => view.render_open(value)?,
        LoopSource::With { lookup, terms } => {
            let terms = view.render(terms)?;
            return templar.lookup(lookup, &terms, &Map::new(), view.scope, view.context);
        }
    };
    if let Kind::Unknown(why) = value.kind {
        return Err(Error::unknown(why));
    }
    value.as_list().map(<[Value]>::to_vec).ok_or_else(|| {
        let shown = crate::text::python::label(Some(&value));
        Error::other(
            format!(
                "Invalid data passed to 'loop', it requires a list, got this instead: {shown}. Hint: If you passed a \
                 list/dict of just one element, try adding wantlist=True to your lookup invocation or use q/query \
                 instead of lookup."
            ),
        )
    })
}

/// How the variables of a loop are called.
pub(crate) struct LoopNames {
    item: Key,
    index: Option<Key>,
    extended: bool,
    all_items: bool,
}

impl LoopNames {
    pub(crate) fn of(view: View<'_>, repeat: &Loop) -> Result<Self, Error> {
        let control = &repeat.control;
        let name = |value: &Option<Value>| -> Result<Option<Key>, Error> {
            let Some(value) = value else { return Ok(None) };
            Ok(view.render(value)?.as_str().map(Key::from))
        };
        let flag = |value: &Option<Value>, default| values::boolean(view, value.as_ref(), default);
        Ok(Self {
            item: name(&control.loop_var)?.unwrap_or_else(|| "item".into()),
            index: name(&control.index_var)?,
            extended: flag(&control.extended, false)?,
            all_items: flag(&control.extended_allitems, true)?,
        })
    }

    pub(crate) fn vars(&self, items: &[Value], index: usize) -> Vec<(Key, Value)> {
        let mut vars = vec![
            ("ansible_loop_var".into(), self.item.to_value()),
            (self.item.clone(), items[index].clone()),
        ];
        if let Some(name) = &self.index {
            vars.push(("ansible_index_var".into(), name.to_value()));
            vars.push((name.clone(), number(index)));
        }
        if self.extended {
            vars.push(("ansible_loop".into(), self.extended(items, index)));
        }
        vars
    }

    fn extended(&self, items: &[Value], index: usize) -> Value {
        let length = items.len();
        let mut extended = convoy_protocol::map! {
            "index" => number(index + 1),
            "index0" => number(index),
            "first" => index == 0,
            "last" => index + 1 == length,
            "length" => number(length),
            "revindex" => number(length - index),
            "revindex0" => number(length - index - 1),
        };
        if self.all_items {
            extended.insert("allitems".into(), items.to_vec().into());
        }
        if let Some(next) = items.get(index + 1) {
            extended.insert("nextitem".into(), next.clone());
        }
        if let Some(previous) = index.checked_sub(1).and_then(|i| items.get(i)) {
            extended.insert("previtem".into(), previous.clone());
        }
        extended.into()
    }
}

fn number(n: usize) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}
