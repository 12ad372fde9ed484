//! Python's operators: arithmetic, comparison, membership, and which values can be keys.

use std::cmp::Ordering;
use std::rc::Rc;

use convoy_protocol::Key;

use crate::template::Error;
use crate::template::jinja::python::format::percent;
use crate::template::jinja::python::text;
use crate::template::jinja::python::value::{ListKind, TextKind, Val};
use crate::template::jinja::syntax::{Cmp, Op};

/// The most characters or items that repeating a value may produce.
const MAX_REPEATED: usize = 100_000_000;

/// Returns `left op right`. All parts of both must be rendered.
pub(crate) fn binary(op: Op, left: &Val, right: &Val) -> Result<Val, Error> {
    let (left, right) = match op {
        // The whole value becomes text, so all parts of it must be known.
        Op::Concat | Op::Rem => (&left.clone().known()?, &right.clone().known()?),
        _ => (&left.clone().defined()?, &right.clone().defined()?),
    };
    match (op, left, right) {
        (Op::Concat, ..) => return Ok(Val::text(text::str(left) + &text::str(right))),
        (Op::Rem, Val::Str(format, _), _) => return Ok(Val::text(percent(format, right)?)),
        (Op::Add, Val::Str(a, _), Val::Str(b, _)) => return Ok(Val::text(format!("{a}{b}"))),
        (Op::Add, Val::Str(..), _) => {
            return Err(Error::type_error(format!(
                "can only concatenate str (not \"{}\") to str",
                right.type_name()
            )));
        }
        (Op::Add, Val::List(a), Val::List(b)) if a.kind == b.kind => {
            let joined = a.items.borrow().iter().chain(b.items.borrow().iter()).cloned().collect();
            return Ok(Val::sequence(joined, a.kind));
        }
        (Op::Add, Val::List(a), _) if matches!(a.kind, ListKind::List | ListKind::Tuple) => {
            let (name, other) = (left.type_name(), right.type_name());
            return Err(Error::type_error(format!(
                "can only concatenate {name} (not \"{other}\") to {name}"
            )));
        }
        (Op::Mul, Val::Str(..) | Val::List(_), Val::Int(n)) => return repeat(left, *n),
        (Op::Mul, Val::Int(n), Val::Str(..) | Val::List(_)) => return repeat(right, *n),
        _ => {}
    }
    if let Some(result) = time_arithmetic(op, left, right) {
        return Ok(result);
    }
    match (left, right) {
        (Val::Float(_), _) | (_, Val::Float(_)) => {
            if let (Some(a), Some(b)) = (left.as_float(), right.as_float()) {
                return floats(op, a, b);
            }
        }
        _ => {
            if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
                return integers(op, a, b);
            }
        }
    }
    Err(Error::type_error(format!(
        "unsupported operand type(s) for {}: '{}' and '{}'",
        symbol(op),
        left.type_name(),
        right.type_name()
    )))
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::FloorDiv => "//",
        Op::Rem => "%",
        Op::Pow => "** or pow()",
        Op::Concat => "~",
    }
}

/// Returns the result of arithmetic with datetimes and timedeltas, or `None` if the operands are neither.
fn time_arithmetic(op: Op, left: &Val, right: &Val) -> Option<Val> {
    Some(match (op, left, right) {
        (Op::Sub, Val::Time(a), Val::Time(b)) => Val::Delta(a.duration_since(*b)),
        (Op::Add, Val::Time(a), Val::Delta(b)) | (Op::Add, Val::Delta(b), Val::Time(a)) => {
            Val::Time(a.checked_add(*b).ok()?)
        }
        (Op::Sub, Val::Time(a), Val::Delta(b)) => Val::Time(a.checked_sub(*b).ok()?),
        (Op::Add, Val::Delta(a), Val::Delta(b)) => Val::Delta(a.checked_add(*b)?),
        (Op::Sub, Val::Delta(a), Val::Delta(b)) => Val::Delta(a.checked_sub(*b)?),
        _ => return None,
    })
}

fn repeat(value: &Val, times: i64) -> Result<Val, Error> {
    let times = usize::try_from(times).unwrap_or(0);
    let too_long = || Error::other("the repeated value would be too long");
    match value {
        Val::Str(text, _) => {
            if text.len().saturating_mul(times) > MAX_REPEATED {
                return Err(too_long());
            }
            Ok(Val::text(text.repeat(times)))
        }
        Val::List(list) => {
            let items = list.items.borrow();
            if items.len().saturating_mul(times) > MAX_REPEATED {
                return Err(too_long());
            }
            Ok(Val::sequence((0..times).flat_map(|_| items.iter().cloned()).collect(), list.kind))
        }
        _ => Err(Error::type_error("can't multiply")),
    }
}

fn integers(op: Op, a: i64, b: i64) -> Result<Val, Error> {
    let overflow = || Error::other("the integer does not fit in 64 bits");
    let by_zero = |what: &str| Error::other(what.to_owned());
    Ok(match op {
        Op::Add => Val::Int(a.checked_add(b).ok_or_else(overflow)?),
        Op::Sub => Val::Int(a.checked_sub(b).ok_or_else(overflow)?),
        Op::Mul => Val::Int(a.checked_mul(b).ok_or_else(overflow)?),
        Op::Div if b == 0 => return Err(by_zero("division by zero")),
        Op::Div => Val::Float(a as f64 / b as f64),
        Op::FloorDiv | Op::Rem if b == 0 => return Err(by_zero("integer division or modulo by zero")),
        Op::FloorDiv => {
            Val::Int(a.checked_div_euclid(b).ok_or_else(overflow)? - i64::from(b < 0 && a.rem_euclid(b) != 0))
        }
        Op::Rem => {
            let rest = a.wrapping_rem(b);
            Val::Int(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Op::Pow if b < 0 => Val::Float((a as f64).powf(b as f64)),
        Op::Pow => Val::Int(a.checked_pow(u32::try_from(b).map_err(|_| overflow())?).ok_or_else(overflow)?),
        Op::Concat => return Err(overflow()),
    })
}

fn floats(op: Op, a: f64, b: f64) -> Result<Val, Error> {
    Ok(Val::Float(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div if b == 0.0 => return Err(Error::other("float division by zero")),
        Op::FloorDiv if b == 0.0 => return Err(Error::other("float floor division by zero")),
        Op::Rem if b == 0.0 => return Err(Error::other("float modulo")),
        Op::Div => a / b,
        Op::FloorDiv => (a / b).floor(),
        Op::Rem => a - b * (a / b).floor(),
        Op::Pow | Op::Concat => a.powf(b),
    }))
}

/// Returns `-value`.
pub(crate) fn negate(value: &Val) -> Result<Val, Error> {
    match value.clone().defined()? {
        Val::Float(x) => Ok(Val::Float(-x)),
        Val::Delta(delta) => Ok(Val::Delta(-delta)),
        other => match other.as_int().and_then(i64::checked_neg) {
            Some(i) => Ok(Val::Int(i)),
            None => Err(Error::type_error(format!("bad operand type for unary -: '{}'", other.type_name()))),
        },
    }
}

/// Returns `left op right` for a comparison.
pub(crate) fn compare(op: Cmp, left: &Val, right: &Val) -> Result<bool, Error> {
    let (left, right) = (&left.clone().known()?, &right.clone().known()?);
    Ok(match op {
        Cmp::Eq => equal(left, right),
        Cmp::Ne => !equal(left, right),
        Cmp::In => contains(right, left)?,
        Cmp::NotIn => !contains(right, left)?,
        Cmp::Lt => order(left, right, "<")?.is_some_and(Ordering::is_lt),
        Cmp::Le => order(left, right, "<=")?.is_some_and(Ordering::is_le),
        Cmp::Gt => order(left, right, ">")?.is_some_and(Ordering::is_gt),
        Cmp::Ge => order(left, right, ">=")?.is_some_and(Ordering::is_ge),
    })
}

/// Returns `left == right`.
pub(crate) fn equal(left: &Val, right: &Val) -> bool {
    match (left, right) {
        (Val::None, Val::None) | (Val::HostVars, Val::HostVars) => true,
        (Val::Str(a, _), Val::Str(b, _)) => a == b,
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::List(a), Val::List(b)) => {
            let comparable = a.kind == b.kind || (a.kind != ListKind::Tuple && b.kind != ListKind::Tuple);
            let (x, y) = (a.items.borrow(), b.items.borrow());
            comparable && x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| equal(x, y))
        }
        (Val::Dict(a), Val::Dict(b)) => {
            let (x, y) = (a.items.borrow(), b.items.borrow());
            x.len() == y.len()
                && x.iter().all(|(key, value)| y.get(key).is_some_and(|other| equal(value, other)))
        }
        (Val::Undefined(_), Val::Undefined(_)) => true,
        (Val::Time(a), Val::Time(b)) => a == b,
        (Val::Delta(a), Val::Delta(b)) => a == b,
        (Val::Function(a), Val::Function(b)) => Rc::ptr_eq(a, b),
        (Val::Float(_), _) | (_, Val::Float(_)) => {
            matches!((left.as_float(), right.as_float()), (Some(a), Some(b)) if a == b)
        }
        _ => matches!((left.as_int(), right.as_int()), (Some(a), Some(b)) if a == b),
    }
}

/// Returns whether a dictionary has a key; false for any other value.
pub(crate) fn has_key(dict: &Val, key: &Val) -> bool {
    match (dict, self::key(key)) {
        (Val::Dict(dict), Ok(key)) => dict.items.borrow().contains_key(&key),
        _ => false,
    }
}

/// Returns how two values are ordered, or `None` if one is NaN.
///
/// # Errors
///
/// If Python does not order values of these types.
pub(crate) fn order(left: &Val, right: &Val, symbol: &str) -> Result<Option<Ordering>, Error> {
    let unordered = || {
        Error::type_error(format!(
            "'{symbol}' not supported between instances of '{}' and '{}'",
            left.type_name(),
            right.type_name()
        ))
    };
    Ok(match (left, right) {
        (Val::Str(a, _), Val::Str(b, _)) => Some(a.cmp(b)),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
        (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
        (Val::Delta(a), Val::Delta(b)) => Some(a.cmp(b)),
        (Val::List(a), Val::List(b)) if a.kind == b.kind => {
            let (x, y) = (a.items.borrow(), b.items.borrow());
            for (x, y) in x.iter().zip(y.iter()) {
                if !equal(x, y) {
                    return order(x, y, symbol);
                }
            }
            Some(x.len().cmp(&y.len()))
        }
        (Val::Float(_), _) | (_, Val::Float(_)) => {
            let (a, b) = (left.as_float().ok_or_else(unordered)?, right.as_float().ok_or_else(unordered)?);
            a.partial_cmp(&b)
        }
        _ => Some(left.as_int().ok_or_else(unordered)?.cmp(&right.as_int().ok_or_else(unordered)?)),
    })
}

/// Returns `item in container`.
pub(crate) fn contains(container: &Val, item: &Val) -> Result<bool, Error> {
    match container {
        Val::Str(text, _) => match item {
            Val::Str(part, _) => Ok(text.contains(&**part)),
            other => Err(Error::type_error(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        Val::List(list) => Ok(list.items.borrow().iter().any(|other| equal(item, other))),
        Val::Dict(dict) => match key(item) {
            Ok(key) => Ok(dict.items.borrow().contains_key(&key)),
            Err(_)
                if matches!(item, Val::Float(_))
                    || matches!(item, Val::List(list) if list.kind == ListKind::Tuple) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        },
        Val::Undefined(undefined) => Err(undefined.error()),
        other => Err(Error::type_error(format!("argument of type '{}' is not iterable", other.type_name()))),
    }
}

/// Returns a value as the key of a dictionary.
///
/// # Errors
///
/// If the value is not hashable in Python, or is of a type that convoy does not support as a key.
pub(crate) fn key(value: &Val) -> Result<Key, Error> {
    Ok(match value {
        Val::None => Key::Null,
        Val::Bool(b) => Key::Bool(*b),
        Val::Int(i) => Key::Int(*i),
        Val::Str(text, _) => Key::Text(text.clone()),
        Val::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Key::Int(*x as i64),
        Val::Undefined(undefined) => return Err(undefined.error()),
        Val::Float(_) | Val::Bytes(_) | Val::Time(_) => {
            return Err(Error::type_error(format!(
                "a {} as the key of a dictionary is not supported",
                value.type_name()
            )));
        }
        Val::List(list) if list.kind == ListKind::Tuple => {
            return Err(Error::type_error("a tuple as the key of a dictionary is not supported"));
        }
        other => return Err(Error::type_error(format!("unhashable type: '{}'", other.type_name()))),
    })
}

/// Returns text that is `Markup` if `source` is.
pub(crate) fn text_like(source: &Val, text: String) -> Val {
    match source {
        Val::Str(_, TextKind::Markup) => Val::Str(text.into(), TextKind::Markup),
        _ => Val::text(text),
    }
}
