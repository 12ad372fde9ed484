//! The lookup `sequence`: a range of formatted numbers.

use super::call::Call;
use crate::template::Error;
use crate::template::jinja::{Val, percent, str};

#[derive(Default)]
struct Range {
    start: Option<i64>,
    end: Option<i64>,
    count: Option<i64>,
    stride: Option<i64>,
    format: Option<String>,
}

pub(super) fn sequence(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut items = Vec::new();
    let mut shared = Range::default();
    for name in ["start", "end", "count", "stride", "format"] {
        if let Some(value) = call.options.key(name) {
            set(&mut shared, name, &str(&value))?;
        }
    }
    if call.terms.is_empty() {
        return numbers(shared);
    }
    for term in &call.terms {
        items.extend(numbers(read(&str(term))?)?);
    }
    Ok(items)
}

fn number(name: &str, text: &str) -> Result<i64, Error> {
    let text = text.trim();
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None if text.len() > 1 && text.starts_with('0') => {
            i64::from_str_radix(text.trim_start_matches("0o"), 8)
        }
        None => text.parse(),
    };
    parsed.map_err(|_| {
        Error::other(format!(
            "Invalid type for configuration option plugin_type: lookup plugin: sequence setting: {name}: can't parse \
             {text} as integer"
        ))
    })
}

fn set(range: &mut Range, name: &str, value: &str) -> Result<(), Error> {
    match name {
        "start" => range.start = Some(number(name, value)?),
        "end" => range.end = Some(number(name, value)?),
        "count" => range.count = Some(number(name, value)?),
        "stride" => range.stride = Some(number(name, value)?),
        "format" => range.format = Some(value.to_owned()),
        other => return Err(Error::other(format!("unrecognized arguments to with_sequence: ['{other}']"))),
    }
    Ok(())
}

/// Reads `start=1 end=5 stride=2 format=x%d` or the short `1-5/2:x%d`.
fn read(term: &str) -> Result<Range, Error> {
    let mut range = Range::default();
    if term.contains('=') {
        for word in term.split_whitespace() {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                Error::other(format!("unknown error parsing with_sequence arguments: '{term}'"))
            })?;
            set(&mut range, name, value)?;
        }
        return Ok(range);
    }
    let (term, format) =
        term.split_once(':').map_or((term, None), |(term, format)| (term, Some(format.to_owned())));
    let (term, stride) = term.split_once('/').map_or((term, None), |(term, stride)| (term, Some(stride)));
    let (start, end) = term.split_once('-').map_or((None, term), |(start, end)| (Some(start), end));
    range.start = start.map(|start| number("start", start)).transpose()?;
    range.end = Some(number("end", end)?);
    range.stride = stride.map(|stride| number("stride", stride)).transpose()?;
    range.format = format;
    Ok(range)
}

fn numbers(range: Range) -> Result<Vec<Val>, Error> {
    let start = range.start.unwrap_or(1);
    let stride = range.stride.unwrap_or(1);
    let end = match (range.end, range.count) {
        (Some(_), Some(_)) => return Err(Error::other("can't specify both count and end in with_sequence")),
        (None, None) => return Err(Error::other("must specify count or end in with_sequence")),
        (_, Some(0)) => return Ok(Vec::new()),
        (_, Some(count)) => start.saturating_add(count.saturating_mul(stride)).saturating_sub(1),
        (Some(end), None) => end,
    };
    if stride > 0 && end < start {
        return Err(Error::other("to count backwards make stride negative"));
    }
    if stride < 0 && end > start {
        return Err(Error::other("to count forward don't make stride negative"));
    }
    let format = range.format.unwrap_or_else(|| "%d".into());
    if format.matches('%').count() != 1 {
        return Err(Error::other(format!("bad formatting string: {format}")));
    }
    if stride == 0 {
        return Ok(Vec::new());
    }
    if end.abs_diff(start) / stride.unsigned_abs() > 10_000_000 {
        return Err(Error::other("with_sequence has too many items"));
    }
    let mut items = Vec::new();
    let mut at = start;
    while if stride > 0 { at <= end } else { at >= end } {
        let text = percent(&format, &Val::Int(at));
        let text = text.map_err(|_| Error::other(format!("problem formatting {at} with '{format}'")));
        items.push(text?.into());
        at = at.saturating_add(stride);
    }
    Ok(items)
}
