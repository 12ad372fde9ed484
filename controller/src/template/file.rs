//! Renders a template file with the engine that its name selects: Handlebars for `.hbs`, Jinja for all others.

use std::path::Path;
use std::sync::Arc;

use super::error::{Error, Position};
use super::handlebars;
use super::jinja::{Rendering, Val, header, parse_template_file, trailing_newlines};
use super::options::FileOptions;

/// Renders the text of the file at `path`, with `extra` names that take precedence over the variables. A Jinja template
/// ends in as many newlines as its text.
pub(super) fn render(
    rendering: &Rendering<'_>,
    path: &Path,
    text: &str,
    options: &FileOptions,
    extra: &[(Arc<str>, Val)],
) -> Result<String, Error> {
    if path.extension().is_some_and(|extension| extension == "hbs") {
        return handlebars::render(rendering, path, text, extra);
    }
    let mut options = options.clone();
    let body = header(text, &mut options)?;
    let file: Arc<str> = path.to_string_lossy().into();
    // The header is removed before parsing, so positions after it are one line too low.
    let header_lines = u32::from(body.len() != text.len());
    let shifted = |mut error: Error| {
        if let Some(Position { line, file: at, .. }) = &mut error.position
            && *at == file
        {
            *line += header_lines;
        }
        error
    };
    let unix = body.replace("\r\n", "\n").replace('\r', "\n");
    let template = parse_template_file(&unix, Some(file.clone()), &options)
        .map_err(|error| shifted(error.with_template(text)))?;
    let result =
        rendering.render_template(&template, extra).map_err(|error| shifted(error.with_template(text)))?;
    let missing = trailing_newlines(&unix).saturating_sub(trailing_newlines(&result));
    Ok((result + &"\n".repeat(missing)).replace('\n', &options.newline_sequence))
}
