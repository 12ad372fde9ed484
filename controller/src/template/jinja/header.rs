//! The `#jinja2:` header of a template file.

use crate::template::error::Error;
use crate::template::jinja::python::literal;
use crate::template::jinja::python::value::Val;
use crate::template::options::FileOptions;

const HEADER: &str = "#jinja2:";

/// Removes a first line `#jinja2: key:value, …` from the text of a template file and applies it to the options.
///
/// # Errors
///
/// If a pair has no colon, an option is unknown, or a value is not a Python literal.
pub(crate) fn header(text: &str, options: &mut FileOptions) -> Result<String, Error> {
    let Some(after) = text.strip_prefix(HEADER) else {
        return Ok(text.to_owned());
    };
    let (line, body) = after.split_once('\n').unwrap_or((after, ""));
    for pair in line.split(',') {
        let (key, value) = pair.split_once(':').ok_or_else(|| {
            Error::other(format!(
                "failed to parse jinja2 override '{}'. Did you use something different from colon as key-value separator?",
                pair.trim()
            ))
        })?;
        let value = literal::read(value.trim(), false)
            .ok_or_else(|| Error::other(format!("invalid value in the template header: {}", pair.trim())))?;
        set_option(options, key.trim(), &value)?;
    }
    Ok(body.to_owned())
}

/// Sets an option by the name that it has in a header, and in the lookup `template`.
pub(crate) fn set_option(options: &mut FileOptions, key: &str, value: &Val) -> Result<(), Error> {
    let flag = || value.truth();
    let text = || {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| Error::other(format!("the template header option {key} must be text")))
    };
    match key {
        "trim_blocks" => options.trim_blocks = flag()?,
        "lstrip_blocks" => options.lstrip_blocks = flag()?,
        "keep_trailing_newline" => options.keep_trailing_newline = flag()?,
        "newline_sequence" => options.newline_sequence = text()?,
        "variable_start_string" => options.variable.0 = text()?,
        "variable_end_string" => options.variable.1 = text()?,
        "block_start_string" => options.block.0 = text()?,
        "block_end_string" => options.block.1 = text()?,
        "comment_start_string" => options.comment.0 = text()?,
        "comment_end_string" => options.comment.1 = text()?,
        _ => return Err(Error::other(format!("unknown option in the template header: {key}"))),
    }
    Ok(())
}
