//! Values of keywords: rendered, and of the type that the keyword asks for.

use convoy_agent::args::Arg;
use convoy_protocol::Value;

use super::view::View;
use crate::template::Error;

/// Renders a keyword that is a boolean.
///
/// # Errors
/// If it cannot be rendered or is none.
pub fn boolean(view: View<'_>, value: Option<&Value>, default: bool) -> Result<bool, Error> {
    let Some(value) = value else { return Ok(default) };
    let value = view.render(value)?;
    if value.is_null() || value.as_str() == Some(crate::template::omit_token()) {
        return Ok(default);
    }
    converted(&value)
}

/// Converts the value of a keyword.
fn converted<T: Arg>(value: &Value) -> Result<T, Error> {
    T::convert(value).map_err(|why| Error::other(why).tainted(value.deep_taint()))
}

/// Renders a keyword that is a number of seconds; none and 0 mean no limit.
///
/// # Errors
/// If it cannot be rendered or is no whole number.
pub fn seconds(view: View<'_>, value: Option<&Value>) -> Result<Option<u32>, Error> {
    let Some(value) = value else { return Ok(None) };
    let seconds: i64 = converted(&view.render(value)?)?;
    Ok(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0))
}

/// Reads a number, also from text or a percentage.
///
/// # Errors
/// If it is none.
pub fn number(value: &Value) -> Result<f64, String> {
    match value.as_str() {
        Some(text) => f64::convert(&text.trim_end_matches('%').into()),
        None => f64::convert(value),
    }
}
