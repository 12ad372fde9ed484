//! What fits.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use convoy_protocol::{Kind, Value};

use super::args::{AgeStamp, Args, FileType};
use crate::failure::Failure;
use crate::files::encoding::{self, EncodingError};
use crate::files::glob;
use crate::files::mode::{self, Base};
use crate::pattern::Pattern;
use crate::stat::Meta;
use crate::system::SystemView;

/// What a name is compared with.
enum Name<'a> {
    Glob(&'a str),
    Regex(Pattern),
}

impl Name<'_> {
    fn fits(&self, name: &str) -> Result<bool, String> {
        match self {
            Self::Glob(pattern) => Ok(glob::matches(pattern, name)),
            Self::Regex(pattern) => pattern.matches_start(name).map_err(|failure| failure.msg),
        }
    }
}

/// All that something found must be.
pub(super) struct Filter<'a> {
    args: &'a Args,
    patterns: Vec<Name<'a>>,
    excludes: Vec<Name<'a>>,
    contains: Option<Pattern>,
    age: Option<i64>,
    size: Option<i64>,
    mode: Option<u32>,
    now: f64,
}

impl<'a> Filter<'a> {
    pub(super) fn new(args: &'a Args, view: &SystemView) -> Result<Self, Failure> {
        let name = |pattern: &'a String| match args.use_regex {
            true => Pattern::new(pattern).map(Name::Regex),
            false => Ok(Name::Glob(pattern)),
        };
        let names = |patterns: &'a [String]| patterns.iter().map(name).collect::<Result<Vec<_>, _>>();
        let seconds = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];
        let bytes = [("b", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("t", 1 << 40)];
        Ok(Self {
            args,
            patterns: names(&args.patterns)?,
            excludes: names(&args.excludes)?,
            contains: args.contains.as_deref().map(Pattern::new).transpose()?,
            age: quantity("age", args.age.as_deref(), &seconds)?,
            size: quantity("size", args.size.as_deref(), &bytes)?,
            mode: args.mode.as_ref().map(wanted_mode).transpose()?.flatten(),
            now: view.now().as_secs_f64(),
        })
    }

    pub(super) fn fits(
        &self,
        path: &Path,
        name: &str,
        meta: &Meta,
        view: &SystemView,
    ) -> Result<bool, String> {
        let is_file = self.args.file_type == FileType::File;
        let kind = match self.args.file_type {
            FileType::Any => true,
            FileType::Directory => meta.is_dir(),
            FileType::File => meta.is_file(),
            FileType::Link => meta.is_link(),
        };
        Ok(kind
            && self.name_fits(name)?
            && within(self.age, self.now - self.stamp(meta))
            && (!meta.is_file() || within(self.size, meta.size as f64))
            && self.mode_fits(meta)
            && (!is_file || self.content_fits(path, view)?))
    }

    fn name_fits(&self, name: &str) -> Result<bool, String> {
        let any = |names: &[Name<'_>]| {
            names.iter().try_fold(false, |found, pattern| Ok::<_, String>(found || pattern.fits(name)?))
        };
        Ok((self.patterns.is_empty() || any(&self.patterns)?) && !any(&self.excludes)?)
    }

    fn stamp(&self, meta: &Meta) -> f64 {
        match self.args.age_stamp {
            AgeStamp::Atime => meta.atime,
            AgeStamp::Ctime => meta.ctime,
            AgeStamp::Mtime => meta.mtime,
        }
        .as_f64()
    }

    fn mode_fits(&self, meta: &Meta) -> bool {
        match self.mode {
            None => true,
            Some(mode) if self.args.exact_mode => meta.mode == mode,
            Some(mode) => meta.mode & mode != 0,
        }
    }

    /// Looks into the file. One that cannot be read does not fit, as in Ansible; one in another encoding ends the search.
    fn content_fits(&self, path: &Path, view: &SystemView) -> Result<bool, String> {
        let Some(pattern) = &self.contains else { return Ok(true) };
        let Ok(mut file) = File::open(path) else { return Ok(false) };
        let gave_up = |failure: Failure| failure.msg;
        let encoding = self.args.encoding.as_deref();
        if self.args.read_whole_file || encoding.is_some() {
            let mut bytes = Vec::new();
            if file.read_to_end(&mut bytes).is_err() {
                return Ok(false);
            }
            let text = encoding::decode_strict(view, &bytes, encoding.unwrap_or("utf-8"));
            let text = text.map_err(|fault| self.no_text(path, fault))?;
            if self.args.read_whole_file {
                return pattern.search(&text).map(|found| found.is_some()).map_err(gave_up);
            }
            let fits = |line: &str| pattern.matches_start(line).map_err(gave_up);
            return text.split_inclusive('\n').try_fold(false, |found, line| Ok(found || fits(line)?));
        }
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = str::from_utf8(&line).map_err(|_| self.no_text(path, EncodingError::Malformed))?;
            if pattern.matches_start(text).map_err(gave_up)? {
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }

    fn no_text(&self, path: &Path, fault: EncodingError) -> String {
        let none = r#"None (default determined by the Python built-in function "open")"#;
        let encoding = self.args.encoding.as_deref().unwrap_or(none);
        match fault {
            EncodingError::Malformed => format!(
                "Failed to read the file {} due to an encoding error. current encoding: {encoding}",
                path.display()
            ),
            other => other.failure("", encoding).msg,
        }
    }
}

/// Returns whether `there` is at least `wanted`, or at most, if that is negative.
fn within(wanted: Option<i64>, there: f64) -> bool {
    match wanted {
        None => true,
        Some(least) if least >= 0 => there >= least as f64,
        Some(most) => there <= most.unsigned_abs() as f64,
    }
}

/// Reads a number with a unit.
fn quantity(name: &str, text: Option<&str>, units: &[(&str, i64)]) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let lower = text.to_lowercase();
    let unit = units.iter().find(|(unit, _)| lower.ends_with(unit));
    let digits = unit.map_or(lower.as_str(), |(unit, _)| &lower[..lower.len() - unit.len()]);
    let well_formed = digits.strip_prefix('-').unwrap_or(digits).bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse::<i64>().ok().filter(|_| well_formed);
    let number = number.and_then(|number| number.checked_mul(unit.map_or(1, |(_, factor)| *factor)));
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Failure::new(format!("failed to process {name}")).with(name, text)),
    }
}

fn wanted_mode(mode: &Value) -> Result<Option<u32>, Failure> {
    let text = match &mode.kind {
        Kind::Text(text) => text,
        Kind::Int(0) | Kind::Bool(false) => return Ok(None),
        _ => {
            let kind = match mode.kind {
                Kind::Int(_) => "int",
                Kind::Bool(_) => "bool",
                Kind::Float(_) => "float",
                Kind::Map(_) => "dict",
                _ => "list",
            };
            return Err(Failure::new(format!(
                "argument 'mode' is not a string and conversion is not allowed, value is of type {kind}"
            )));
        }
    };
    if text.is_empty() {
        return Ok(None);
    }
    mode::parse(text, Base { mode: 0, is_dir: false, umask: 0 }).map(Some)
}
