//! Python's two ways to format text: the `%` operator and `str.format`.

use crate::template::Error;
use crate::template::jinja::python::value::{ListKind, Val};
use crate::template::jinja::python::{index, text};
use crate::text::python;

/// What a conversion such as `%-8.3f` asks for besides its type.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Returns `format % values`.
pub(crate) fn percent(format: &str, values: &Val) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    let positional: Vec<Val> = match values {
        Val::List(list) if list.kind == ListKind::Tuple => list.items.borrow().clone(),
        other => vec![other.clone()],
    };
    let mut take = || {
        next += 1;
        positional
            .get(next - 1)
            .cloned()
            .ok_or_else(|| Error::type_error("not enough arguments for format string"))
    };
    let mut named = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut member = None;
        if chars.next_if_eq(&'(').is_some() {
            let name: String = chars.by_ref().take_while(|&c| c != ')').collect();
            let Val::Dict(dict) = values else {
                return Err(Error::type_error("format requires a mapping"));
            };
            let value = dict.items.borrow().get(name.as_str()).cloned();
            member = Some(value.ok_or_else(|| Error::other(format!("'{name}'")))?);
            named = true;
        }
        let spec = percent_spec(&mut chars, &mut take)?;
        match chars.next() {
            Some('%') => out.push('%'),
            Some(kind) => {
                let value = match member {
                    Some(value) => value,
                    None => take()?,
                };
                out.push_str(&converted(&spec, kind, &value)?);
            }
            None => return Err(Error::other("incomplete format")),
        }
    }
    let all_used = next >= positional.len()
        || named
        || matches!(values, Val::Dict(_) | Val::List(_)) && next == 0 && !is_tuple(values);
    if all_used {
        Ok(out)
    } else {
        Err(Error::type_error("not all arguments converted during string formatting"))
    }
}

fn is_tuple(value: &Val) -> bool {
    matches!(value, Val::List(list) if list.kind == ListKind::Tuple)
}

/// Reads the flags, the width and the precision of a conversion. `take` returns the next value, for `*`.
fn percent_spec(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    take: &mut impl FnMut() -> Result<Val, Error>,
) -> Result<Spec, Error> {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|c| "-0+ #".contains(*c)) {
        match flag {
            '-' => spec.left = true,
            '0' => spec.zero = true,
            '+' => spec.plus = true,
            ' ' => spec.space = true,
            _ => spec.alternate = true,
        }
    }
    let mut number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<usize, Error> {
        if chars.next_if_eq(&'*').is_some() {
            let width = take()?.as_int().ok_or_else(|| Error::type_error("* wants int"))?;
            return Ok(usize::try_from(width).unwrap_or(0).min(10_000));
        }
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        Ok(digits.parse::<usize>().unwrap_or(0).min(10_000))
    };
    spec.width = number(chars)?;
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars)?);
    }
    while chars.next_if(|c| "hlL".contains(*c)).is_some() {}
    Ok(spec)
}

/// Formats one value of the `%` operator.
fn converted(spec: &Spec, kind: char, value: &Val) -> Result<String, Error> {
    let cut = |text: String| match spec.precision {
        Some(n) => text.chars().take(n).collect(),
        None => text,
    };
    let body = match kind {
        's' => return Ok(pad(spec, &cut(text::text_of(value.clone())?), false)),
        'r' | 'a' => return Ok(pad(spec, &cut(text::repr(value)), false)),
        'c' => match value {
            Val::Str(text, _) => return Ok(pad(spec, text, false)),
            other => {
                let c = other.as_int().and_then(|i| u32::try_from(i).ok()).and_then(char::from_u32);
                let c = c.ok_or_else(|| Error::type_error("%c requires int or char"))?;
                return Ok(pad(spec, &c.to_string(), false));
            }
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => integer(spec, kind, value)?,
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
            let x = value.as_float().ok_or_else(|| {
                Error::type_error(format!("must be real number, not {}", value.type_name()))
            })?;
            float(kind, x, spec.precision.unwrap_or(6), spec.alternate)
        }
        other => return Err(Error::other(format!("unsupported format character '{other}'"))),
    };
    let signed = match body.strip_prefix('-') {
        Some(_) => body,
        None if spec.plus => format!("+{body}"),
        None if spec.space => format!(" {body}"),
        None => body,
    };
    Ok(pad(spec, &signed, true))
}

fn integer(spec: &Spec, kind: char, value: &Val) -> Result<String, Error> {
    let i = match value {
        Val::Float(x) if matches!(kind, 'd' | 'i' | 'u') => x.trunc() as i64,
        other => other.as_int().ok_or_else(|| {
            Error::type_error(format!("%{kind} format: a real number is required, not {}", other.type_name()))
        })?,
    };
    let (sign, magnitude) = (if i < 0 { "-" } else { "" }, i.unsigned_abs());
    let (prefix, digits) = match kind {
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        'o' => ("0o", format!("{magnitude:o}")),
        _ => ("", magnitude.to_string()),
    };
    let digits = format!("{digits:0>width$}", width = spec.precision.unwrap_or(0));
    Ok(format!("{sign}{}{digits}", if spec.alternate { prefix } else { "" }))
}

/// Formats a float in one of C's forms: fixed, exponent, or the shorter of the two.
pub(crate) fn float(kind: char, x: f64, precision: usize, alternate: bool) -> String {
    if !x.is_finite() {
        return python::float(x);
    }
    let text = match kind.to_ascii_lowercase() {
        'f' => format!("{x:.precision$}"),
        'e' => exponent(x, precision),
        _ => {
            let precision = precision.max(1);
            let scientific = exponent(x, precision - 1);
            let power: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
            let limit = i32::try_from(precision).unwrap_or(i32::MAX);
            let text = if (-4..limit).contains(&power) {
                format!("{x:.*}", usize::try_from(limit - 1 - power).unwrap_or(0))
            } else {
                scientific
            };
            if alternate { text } else { trim_zeros(&text) }
        }
    };
    if kind.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

fn exponent(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

fn trim_zeros(text: &str) -> String {
    let (mantissa, power) = text.split_at(text.find('e').unwrap_or(text.len()));
    if mantissa.contains('.') {
        format!("{}{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
    } else {
        text.to_owned()
    }
}

fn pad(spec: &Spec, text: &str, number: bool) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if spec.left {
        format!("{text}{}", " ".repeat(missing))
    } else if spec.zero && number {
        let digits = text.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(0);
        format!("{}{}{}", &text[..digits], "0".repeat(missing), &text[digits..])
    } else {
        format!("{}{text}", " ".repeat(missing))
    }
}

/// Returns `template.format(*args, **kwargs)`.
pub(crate) fn braces(
    template: &str,
    args: &[Val],
    named: &dyn Fn(&str) -> Option<Val>,
) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = template;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(&tail[..1]);
            rest = &tail[2..];
            continue;
        }
        let end = tail.find('}').filter(|_| tail.starts_with('{'));
        let end = end.ok_or_else(|| Error::other("Single '}' encountered in format string"))?;
        out.push_str(&field(&tail[1..end], args, named, &mut next)?);
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Formats one replacement field. `next` counts the fields without a name or number.
fn field(
    field: &str,
    args: &[Val],
    named: &dyn Fn(&str) -> Option<Val>,
    next: &mut usize,
) -> Result<String, Error> {
    let (name, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
    let (head, path) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
    let mut value = if head.is_empty() || head.bytes().all(|b| b.is_ascii_digit()) {
        let index = head.parse().unwrap_or(*next);
        *next += 1;
        args.get(index).cloned().ok_or_else(|| {
            Error::other(format!("Replacement index {index} out of range for positional args tuple"))
        })?
    } else {
        named(head).ok_or_else(|| Error::other(format!("'{head}'")))?
    };
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let part = part.trim_end_matches(']');
        let member = match &value {
            Val::Dict(dict) => dict.items.borrow().get(part).cloned(),
            Val::List(list) => {
                let items = list.items.borrow();
                part.parse().ok().and_then(|i| index::position(i, items.len())).map(|i| items[i].clone())
            }
            _ => None,
        };
        value = member.ok_or_else(|| Error::other(format!("'{part}'")))?;
    }
    match conversion {
        "r" => value = Val::text(text::repr(&value)),
        "s" => value = Val::text(text::str(&value)),
        _ => {}
    }
    formatted(&value.defined()?, spec)
}

/// Returns `format(value, spec)`. The spec is `[[fill]align][sign][#][0][width][,][.precision][type]`.
fn formatted(value: &Val, spec: &str) -> Result<String, Error> {
    let chars: Vec<char> = spec.chars().collect();
    let mut at = 0;
    let is_align = |c: Option<&char>| c.is_some_and(|c| "<>^=".contains(*c));
    let (mut fill, mut align) = (' ', None);
    if is_align(chars.get(1)) {
        (fill, align, at) = (chars[0], Some(chars[1]), 2);
    } else if is_align(chars.first()) {
        (align, at) = (Some(chars[0]), 1);
    }
    let mut read = |accepts: &dyn Fn(char) -> bool| {
        let start = at;
        while chars.get(at).is_some_and(|c| accepts(*c)) {
            at += 1;
        }
        chars[start..at].iter().collect::<String>()
    };
    let sign = read(&|c| "+- ".contains(c));
    let alternate = !read(&|c| c == '#').is_empty();
    let width = read(&|c| c.is_ascii_digit());
    if width.starts_with('0') && align.is_none() {
        (fill, align) = ('0', Some('='));
    }
    let comma = !read(&|c| c == ',' || c == '_').is_empty();
    let precision = read(&|c| c == '.' || c.is_ascii_digit());
    let precision = precision.strip_prefix('.').and_then(|p| p.parse().ok());
    let kind = read(&|c| c.is_ascii_alphabetic() || c == '%');
    let numeric = !matches!(value, Val::Str(..)) && value.as_float().is_some();
    let mut body = formatted_body(value, kind.chars().next(), precision, alternate)?;
    if comma {
        body = thousands(&body);
    }
    if numeric && !body.starts_with('-') && matches!(&*sign, "+" | " ") {
        body = sign + &body;
    }
    let missing = width.parse::<usize>().unwrap_or(0).min(10_000).saturating_sub(body.chars().count());
    let filled = |n: usize| fill.to_string().repeat(n);
    Ok(match align.unwrap_or(if numeric { '>' } else { '<' }) {
        '<' => body + &filled(missing),
        '^' => format!("{}{body}{}", filled(missing / 2), filled(missing - missing / 2)),
        '=' => {
            let digits = body.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
            format!("{}{}{}", &body[..digits], filled(missing), &body[digits..])
        }
        _ => filled(missing) + &body,
    })
}

/// Formats a value without sign, separators and padding.
fn formatted_body(
    value: &Val,
    kind: Option<char>,
    precision: Option<usize>,
    alternate: bool,
) -> Result<String, Error> {
    Ok(match (kind, value) {
        (Some('b'), _) if value.as_int().is_some() => format!("{:b}", value.as_int().unwrap_or(0)),
        (Some(kind @ ('d' | 'x' | 'X' | 'o')), _) => {
            integer(&Spec { alternate, ..Spec::default() }, kind, value)?
        }
        (Some(kind @ ('f' | 'F' | 'e' | 'E' | 'g' | 'G')), _) => {
            let x = value.as_float().ok_or_else(|| {
                Error::other(format!(
                    "Unknown format code '{kind}' for object of type '{}'",
                    value.type_name()
                ))
            })?;
            float(kind, x, precision.unwrap_or(6), alternate)
        }
        (Some('%'), _) => {
            float('f', value.as_float().unwrap_or(0.0) * 100.0, precision.unwrap_or(6), alternate) + "%"
        }
        (_, Val::Str(text, _)) => text.chars().take(precision.unwrap_or(usize::MAX)).collect(),
        (_, Val::Float(x)) if precision.is_some() => float('g', *x, precision.unwrap_or(6), alternate),
        _ => text::str(value),
    })
}

/// Inserts commas between groups of three digits.
fn thousands(number: &str) -> String {
    let start = number.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let end = number[start..].find(|c: char| !c.is_ascii_digit()).map_or(number.len(), |i| start + i);
    let digits = &number[start..end];
    let mut out = String::from(&number[..start]);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + &number[end..]
}
