//! Python's indexes and slices.

use crate::template::Error;
use crate::template::jinja::python::value::Val;

/// Returns the position of an index in a sequence of `len` items, or `None` if it is out of range. Negative indexes count
/// from the end.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + i64::try_from(len).ok()? } else { index };
    usize::try_from(index).ok().filter(|&i| i < len)
}

/// Returns `value[start:stop:step]`.
pub(crate) fn slice(value: &Val, bounds: [Option<i64>; 3]) -> Result<Val, Error> {
    let pick = |len: usize| positions(len, bounds);
    match value {
        Val::Str(text, _) => {
            let chars: Vec<char> = text.chars().collect();
            Ok(Val::text(pick(chars.len())?.into_iter().map(|i| chars[i]).collect::<String>()))
        }
        Val::List(list) => {
            let items = list.items.borrow();
            Ok(Val::sequence(pick(items.len())?.into_iter().map(|i| items[i].clone()).collect(), list.kind))
        }
        Val::Bytes(bytes) => {
            Ok(Val::Bytes(pick(bytes.len())?.into_iter().map(|i| bytes[i]).collect::<Vec<_>>().into()))
        }
        other => Ok(Val::undefined(format!("'{}' has no slices", other.object_name()))),
    }
}

/// Returns the positions of a slice of a sequence of `len` items.
fn positions(len: usize, [start, stop, step]: [Option<i64>; 3]) -> Result<Vec<usize>, Error> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Error::other("slice step cannot be zero"));
    }
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |i: i64| if i < 0 { i.saturating_add(len).max(low) } else { i.min(high) };
    let (default_start, default_stop) = if step > 0 { (0, len) } else { (len - 1, -1) };
    let (mut at, stop) = (start.map_or(default_start, clamp), stop.map_or(default_stop, clamp));
    let mut out = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        out.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(out)
}
