//! Lookups that read files, render templates and run commands on the workstation.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::call::Call;
use crate::template::glob::glob;
use crate::template::jinja::{Val, conversion, set_option, str};
use crate::template::template_vars::template_vars;
use crate::template::{Error, FileOptions, file};

pub(super) fn file(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let left = call.options.named_flag("lstrip", false)?;
    let right = call.options.named_flag("rstrip", true)?;
    call.terms
        .iter()
        .map(|term| {
            let name = str(term);
            let fault = |why: &str| {
                Error::other(format!("The 'file' lookup had an issue accessing the file '{name}'. {why}"))
            };
            let path = call.rendering.context.find(&name, "files");
            let path = path.ok_or_else(|| fault("file not found, use -vvvvv to see paths searched"))?;
            let bytes = call.rendering.read(&path).map_err(|why| fault(&why))?;
            let text = String::from_utf8(bytes).map_err(|_| fault("the file is not utf-8"))?;
            let text = if left { text.trim_start() } else { &text };
            Ok(if right { text.trim_end() } else { text }.into())
        })
        .collect()
}

pub(super) fn unvault(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    call.terms
        .iter()
        .map(|term| {
            let name = str(term);
            let fault =
                |why: String| Error::other(format!("Unable to read the file to be unvaulted, {name}: {why}"));
            let path = call.rendering.context.find(&name, "files");
            let path =
                path.ok_or_else(|| Error::other(format!("Unable to find file matching \"{name}\" ")))?;
            let bytes = call.rendering.read(&path).map_err(fault)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned().into())
        })
        .collect()
}

pub(super) fn fileglob(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut paths = Vec::new();
    for term in &call.terms {
        let pattern = PathBuf::from(str(term));
        let patterns: Vec<PathBuf> = if pattern.is_absolute() {
            vec![pattern]
        } else {
            call.rendering
                .context
                .search
                .iter()
                .flat_map(|base| [base.join("files").join(&pattern), base.join(&pattern)])
                .collect()
        };
        let mut matches = patterns.iter().map(|pattern| glob(&pattern.to_string_lossy()));
        let first = matches.find(|paths| !paths.is_empty()).unwrap_or_default();
        paths.extend(first.into_iter().filter(|path| Path::new(path).is_file()).map(Val::from));
    }
    Ok(paths)
}

pub(super) fn template(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    let mut options = FileOptions::default();
    for name in [
        "variable_start_string",
        "variable_end_string",
        "comment_start_string",
        "comment_end_string",
        "trim_blocks",
        "lstrip_blocks",
    ] {
        if let Some(value) = call.options.key(name) {
            set_option(&mut options, name, &value)?;
        }
    }
    let convert = call.options.named_flag("convert_data", true)?;
    let given: Vec<(Arc<str>, Val)> = match call.options.key("template_vars") {
        Some(Val::Dict(dict)) => {
            dict.items.borrow().iter().map(|(name, value)| (name.to_string().into(), value.clone())).collect()
        }
        _ => Vec::new(),
    };
    let mut results = Vec::new();
    for term in &call.terms {
        let name = str(term);
        let path = call.rendering.context.find(&name, "templates");
        let path = path.ok_or_else(|| {
            Error::other(format!("the template file {name} could not be found for the lookup"))
        })?;
        let text = call.rendering.template_text(&path)?;
        let managed = &call.rendering.environment.options.managed;
        let mut extra = template_vars(managed, &name, &path, None);
        extra.extend(given.iter().cloned());
        let text = file::render(call.rendering, &path, &text, &options, &extra)?;
        results.push(if convert { conversion::from_text(text, false) } else { text.into() });
    }
    Ok(results)
}

/// Runs a command in a shell and returns its standard output.
fn shell(command: &str) -> Result<String, Error> {
    let output =
        Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output
        .map_err(|e| Error::other(format!("lookup_plugin.pipe({command}) could not be started: {e}")))?;
    if !output.status.success() {
        let code = output.status.code().unwrap_or(-1);
        return Err(Error::other(format!("lookup_plugin.pipe({command}) returned {code}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn pipe(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    call.rendering.require_impure("the lookup pipe")?;
    call.terms.iter().map(|term| Ok(shell(&str(term))?.trim_end().into())).collect()
}

pub(super) fn lines(call: &mut Call<'_, '_>) -> Result<Vec<Val>, Error> {
    call.rendering.require_impure("the lookup lines")?;
    let mut lines = Vec::new();
    for term in &call.terms {
        lines.extend(shell(&str(term))?.lines().map(|line| Val::from(line.trim_end())));
    }
    Ok(lines)
}
