//! Filters on numbers and sizes.

use crate::template::Error;
use crate::template::jinja::python::args::Args;
use crate::template::jinja::python::text::text_of;
use crate::template::jinja::python::value::Val;
use crate::template::jinja::rendering::{Filter, Rendering};

pub(super) const FILTERS: &[(&str, Filter)] = &[
    ("int", int),
    ("float", |_, v, args| {
        let default = args.take(0, "default").unwrap_or(Val::Float(0.0));
        Ok(match v.defined()? {
            Val::Str(text, _) => parse_float(&text).map_or(default, Val::Float),
            other => other.as_float().map_or(default, Val::Float),
        })
    }),
    ("bool", |_, v, _| {
        Ok(match v.defined()? {
            Val::None => Val::None,
            Val::Str(text, _) => Val::Bool(matches!(&*text.to_lowercase(), "yes" | "on" | "1" | "true")),
            other => Val::Bool(other.as_float() == Some(1.0)),
        })
    }),
    ("abs", |_, v, _| match v.defined()? {
        Val::Float(x) => Ok(Val::Float(x.abs())),
        Val::Delta(delta) => Ok(Val::Delta(delta.abs())),
        other => match other.as_int() {
            Some(i) => Ok(Val::Int(i.saturating_abs())),
            None => Err(Error::type_error(format!("bad operand type for abs(): '{}'", other.type_name()))),
        },
    }),
    ("round", round),
    ("log", |_, v, args| {
        let x = number(&v, "log")?;
        let base = args.take(0, "base").map(|v| number(&v, "log")).transpose()?;
        if x <= 0.0 {
            return Err(Error::other("math domain error"));
        }
        Ok(Val::Float(match base {
            None => x.ln(),
            Some(10.0) => x.log10(),
            Some(base) => x.ln() / base.ln(),
        }))
    }),
    ("pow", |_, v, args| Ok(Val::Float(number(&v, "pow")?.powf(number(&args.need(0, "y")?, "pow")?)))),
    ("root", |_, v, args| {
        let x = number(&v, "root")?;
        let base = args.take(0, "base").map(|v| number(&v, "root")).transpose()?.unwrap_or(2.0);
        Ok(Val::Float(if base == 2.0 { x.sqrt() } else { x.powf(1.0 / base) }))
    }),
    ("human_readable", human_readable),
    ("human_to_bytes", human_to_bytes),
    ("filesizeformat", filesizeformat),
];

fn number(v: &Val, filter: &str) -> Result<f64, Error> {
    v.clone().defined()?.as_float().ok_or_else(|| {
        Error::other(format!(
            "{filter}() can only be used on numbers: must be real number, not {}",
            v.type_name()
        ))
    })
}

fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    text.parse().ok().filter(|_| !text.eq_ignore_ascii_case("infinit"))
}

fn int(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let default = args.take(0, "default").unwrap_or(Val::Int(0));
    let base = u32::try_from(args.int(1, "base", 10)?).unwrap_or(10);
    Ok(match v.defined()? {
        Val::Str(text, _) => {
            let digits = text.trim().replace('_', "").to_lowercase();
            let (negative, digits) = match digits.strip_prefix('-') {
                Some(digits) => (true, digits.to_owned()),
                None => (false, digits.trim_start_matches('+').to_owned()),
            };
            let prefix = match (base, digits.get(..2)) {
                (16 | 0, Some("0x")) => Some(16),
                (8 | 0, Some("0o")) => Some(8),
                (2 | 0, Some("0b")) => Some(2),
                _ => None,
            };
            let parsed = match prefix {
                Some(radix) => i64::from_str_radix(&digits[2..], radix).ok(),
                None => i64::from_str_radix(&digits, if base == 0 { 10 } else { base.clamp(2, 36) }).ok(),
            };
            match parsed.map(|i| if negative { -i } else { i }).or_else(|| whole(parse_float(&text)?)) {
                Some(i) => Val::Int(i),
                None => default,
            }
        }
        Val::Float(x) => whole(x).map_or(default, Val::Int),
        other => other.as_int().map_or(default, Val::Int),
    })
}

fn whole(x: f64) -> Option<i64> {
    (x.is_finite() && x.abs() < 9.3e18).then_some(x.trunc() as i64)
}

fn round(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let precision = i32::try_from(args.int(0, "precision", 0)?).unwrap_or(0);
    let method = args.text(1, "method")?.unwrap_or_else(|| "common".into());
    let x = v.clone().defined()?.as_float();
    let x = x.ok_or_else(|| {
        Error::type_error(format!("type {} doesn't define __round__ method", v.type_name()))
    })?;
    let scale = 10f64.powi(precision);
    let rounded = match &*method {
        "ceil" => (x * scale).ceil() / scale,
        "floor" => (x * scale).floor() / scale,
        "common" => match usize::try_from(precision) {
            // As in Python, the decimal form is exact and ties go to even.
            Ok(digits) => format!("{x:.digits$}").parse().unwrap_or(x),
            Err(_) => (x * scale).round_ties_even() / scale,
        },
        _ => return Err(Error::other("method must be common, ceil or floor")),
    };
    if matches!(v, Val::Int(_)) && method == "common" {
        return Ok(Val::Int(rounded as i64));
    }
    Ok(Val::Float(rounded))
}

const UNITS: [(char, f64); 9] = [
    ('Y', (1u128 << 80) as f64),
    ('Z', (1u128 << 70) as f64),
    ('E', (1u64 << 60) as f64),
    ('P', (1u64 << 50) as f64),
    ('T', (1u64 << 40) as f64),
    ('G', (1u64 << 30) as f64),
    ('M', (1u64 << 20) as f64),
    ('K', 1024.0),
    ('B', 1.0),
];

fn human_readable(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let bits = args.flag(0, "isbits", false)?;
    let unit = args.text(1, "unit")?.map(|unit| unit.to_uppercase());
    let Some(size) = v.clone().defined()?.as_float() else {
        return Err(Error::other(format!(
            "human_readable() can't interpret following string: {}",
            text_of(v)?
        )));
    };
    let chosen = UNITS.iter().find(|(suffix, limit)| match &unit {
        Some(unit) => unit.starts_with(*suffix),
        None => size >= *limit,
    });
    let (suffix, limit) = chosen.copied().unwrap_or(('B', 1.0));
    let base = if bits { "bits" } else { "Bytes" };
    let name = match suffix {
        'B' => base.to_owned(),
        suffix => format!("{suffix}{}", if bits { "b" } else { "B" }),
    };
    Ok(format!("{:.2} {name}", size / limit).into())
}

fn human_to_bytes(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let default_unit = args.text(0, "default_unit")?;
    let bits = args.flag(1, "isbits", false)?;
    let text = text_of(v)?;
    let bad = || Error::other(format!("human_to_bytes() can't interpret following string: {text}"));
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let number: f64 = trimmed[..end].parse().map_err(|_| bad())?;
    let unit = match trimmed[end..].trim() {
        "" => default_unit.unwrap_or_default(),
        unit => unit.to_owned(),
    };
    let Some(first) = unit.chars().next() else {
        return Ok(Val::Int(number.round_ties_even() as i64));
    };
    let rest = unit[first.len_utf8()..].to_owned();
    let upper = first.to_ascii_uppercase();
    let (_, limit) = UNITS.iter().find(|(suffix, _)| *suffix == upper).ok_or_else(bad)?;
    let word = if bits { "bit" } else { "byte" };
    let letter = if bits { "b" } else { "B" };
    let full = |text: &str| text.eq_ignore_ascii_case(word) || text.eq_ignore_ascii_case(&format!("{word}s"));
    let is_valid = if upper == 'B' {
        rest.is_empty() && first.to_string() == letter || full(&unit) || rest.is_empty() && !bits
    } else {
        rest.is_empty() || rest == letter || full(&rest)
    };
    if !is_valid {
        return Err(bad());
    }
    Ok(Val::Int((number * limit).round_ties_even() as i64))
}

fn filesizeformat(_: &Rendering<'_>, v: Val, args: &mut Args) -> Result<Val, Error> {
    let binary = args.flag(0, "binary", false)?;
    let size = parse_float(&text_of(v)?).ok_or_else(|| Error::other("could not convert string to float"))?;
    let base = if binary { 1024.0 } else { 1000.0 };
    if size == 1.0 {
        return Ok("1 Byte".into());
    }
    if size < base {
        return Ok(format!("{} Bytes", size.trunc()).into());
    }
    let mut unit = base;
    let names = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    for (i, name) in names.iter().enumerate() {
        unit *= base;
        if size < unit || i + 1 == names.len() {
            let name = if binary { format!("{}iB", name.to_uppercase()) } else { format!("{name}B") };
            return Ok(format!("{:.1} {name}", base * size / unit).into());
        }
    }
    Ok(Val::None)
}
