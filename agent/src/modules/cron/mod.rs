//! `cron`: jobs and variables in the table of a user, or in a file of cron.d.

mod table;

use std::path::{Path, PathBuf};

use convoy_protocol::{Diff, DiffSide, Map, Value, map};

use crate::args::{NodePath, State};
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::stat::Meta;
use crate::system::{Attributes, Bytes, Process, System, SystemView};

use table::{Place, Table};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that cron runs a job, or has a variable",
    description: "A job is known by its name, which stands in the line before it: another `name` is another job. \
        Without `cron_file` it is in the table of `user`, which the program `crontab` reads and writes. A file of \
        cron.d is written whole or not at all; one that has nothing left is removed.",
    example: "- name: Rotate the logs at night\n  cron:\n    name: rotate\n    hour: '3'\n    minute: '15'\n    \
        job: /usr/local/bin/rotate >/dev/null\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::ByArguments(|args| match args.get("cron_file") {
        Some(file) if !file.is_null() => Reversibility::Reversible,
        _ => Reversibility::Irreversible("it changes a user's crontab"),
    }),
    ..Behavior::new(Access::Write)
};

crate::choices! {
    /// A time that cron has a word for.
    pub enum SpecialTime {
        /// Once a year.
        Annually = "annually",
        /// Once a day.
        Daily = "daily",
        /// Once an hour.
        Hourly = "hourly",
        /// Once a month.
        Monthly = "monthly",
        /// When the node starts.
        Reboot = "reboot",
        /// Once a week.
        Weekly = "weekly",
        /// Once a year.
        Yearly = "yearly",
    }
}

crate::arguments! {
    /// Arguments of `cron`.
    pub struct Args {
        /// The name of the job; with `env`, of the variable.
        name: String [required],
        /// Whose table it is in; in a file, as whom the job runs.
        user: Option<String>,
        /// What is run; with `env`, the value. `%` must be written `\%`.
        job: Option<String> [aliases("value")],
        /// A file to be used in place of a user's table; relative ones are in /etc/cron.d.
        cron_file: Option<NodePath>,
        /// Whether it shall be there.
        state: State [default("present")],
        /// Whether the old table is copied to a temporary file before it is changed.
        backup: bool [default("false")],
        /// In which minutes.
        minute: String [default("*")],
        /// In which hours.
        hour: String [default("*")],
        /// On which days of the month.
        day: String [default("*"), aliases("dom")],
        /// In which months.
        month: String [default("*")],
        /// On which days of the week.
        weekday: String [default("*"), aliases("dow")],
        /// A word for the time, in place of the five above.
        special_time: Option<SpecialTime>,
        /// Whether the job is written as a comment.
        disabled: bool [default("false")],
        /// Whether it is a variable.
        env: bool [default("false")],
        /// A new variable is put behind this one.
        insertafter: Option<String>,
        /// A new variable is put before this one.
        insertbefore: Option<String>,
    }
    mutually_exclusive ["insertafter", "insertbefore"]
}

/// Where the table is.
#[derive(Debug)]
enum Source {
    /// With the program `crontab`, called with these words.
    Program(Vec<String>),
    /// In a file, which is this now.
    File(PathBuf, Option<Meta>),
}

/// What is to be written.
#[derive(Debug)]
pub struct Plan {
    source: Source,
    old: String,
    /// `None`: the file is removed.
    new: Option<String>,
}

/// Compares the table with what is asked for.
///
/// # Errors
/// If the arguments contradict each other, or the table cannot be read.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    let file = args.cron_file.as_ref().map(|path| Path::new("/etc/cron.d").join(view.expand(path)));
    refuse(args, file.as_deref())?;
    let source = source(args, file.as_deref(), view)?;
    let old = read(&source, view)?;
    let before = Table::parse(&old);
    let mut table = before.clone();
    edit(args, &mut table, file.is_some())?;
    let shown = file.as_deref().map_or_else(
        || {
            args.user
                .as_ref()
                .map_or_else(|| "crontab".to_owned(), |user| format!("crontab for user \"{user}\""))
        },
        |file| file.display().to_string(),
    );
    let goes = file.is_some() && args.state == State::Absent && table != before && table.is_blank();
    let new = (!goes).then(|| table.text());
    let values = values(args, &table, goes);
    let unended = !old.is_empty() && !old.ends_with(['\r', '\n']);
    if table == before && !unended {
        return Ok(Checked::Same(values));
    }
    let diff = if view.wants_diff() { vec![difference(shown, &old, new.as_deref())] } else { Vec::new() };
    Ok(Checked::Differs { plan: Plan { source, old, new }, diff, values })
}

fn refuse(args: &Args, file: Option<&Path>) -> Result<(), Failure> {
    let times = [&args.minute, &args.hour, &args.day, &args.month, &args.weekday];
    let why = if file == Some(Path::new("/etc/crontab")) {
        "Will not manage /etc/crontab via cron_file, see documentation."
    } else if args.special_time.is_some() && times.iter().any(|time| *time != "*") {
        "You must specify time and date fields or special time."
    } else if args.env && args.name.contains(' ') {
        "Invalid name for environment variable"
    } else if args.state == State::Absent {
        return Ok(());
    } else if file.is_some() && args.user.is_none() {
        "To use cron_file=... parameter you must specify user=... as well"
    } else if args.job.is_none() {
        "You must specify 'job' to install a new cron job or variable"
    } else if !args.env && command(args).contains(['\r', '\n']) {
        "Job should not contain line breaks: cron would take each line for an entry"
    } else if !args.env && (args.insertafter.is_some() || args.insertbefore.is_some()) {
        "Insertafter and insertbefore parameters are valid only with env=yes"
    } else {
        return Ok(());
    };
    Err(Failure::new(why))
}

fn source(args: &Args, file: Option<&Path>, view: &SystemView) -> Result<Source, Failure> {
    if let Some(file) = file {
        let path = view.real_path(file);
        let there = view.lstat(&path)?;
        return Ok(Source::File(path, there));
    }
    let mut words = vec![view.require_program("crontab")?.to_string_lossy().into_owned()];
    let own = view.user_by_id(view.uid()).map(|user| user.name);
    if let Some(user) = args.user.as_ref().filter(|user| Some(*user) != own.as_ref()) {
        words.extend(["-u".to_owned(), user.clone()]);
    }
    Ok(Source::Program(words))
}

fn read(source: &Source, view: &SystemView) -> Result<String, Failure> {
    let text = |bytes: Vec<u8>, of: &str| {
        String::from_utf8(bytes).map_err(|_| Failure::new(format!("{of} is not UTF-8: it is left as it is")))
    };
    match source {
        Source::File(_, None) => Ok(String::new()),
        Source::File(path, Some(_)) => text(view.read(path)?, &path.display().to_string()),
        Source::Program(words) => {
            let output = view.query(&Process::new(words.iter().map(String::as_str).chain(["-l"])))?;
            match output.rc {
                0 => Ok(table::without_heading(&text(output.stdout, "the crontab")?)),
                // There is none yet.
                1 => Ok(String::new()),
                _ => Err(output.failure(format!("Unable to read crontab: {}", output.error_output()))),
            }
        }
    }
}

fn edit(args: &Args, table: &mut Table, in_file: bool) -> Result<(), Failure> {
    match (args.env, args.state) {
        (true, State::Present) => {
            let place = match (&args.insertafter, &args.insertbefore) {
                (Some(name), _) => Place::After(name),
                (None, Some(name)) => Place::Before(name),
                (None, None) => Place::First,
            };
            let line = format!("{}=\"{}\"", args.name, args.job.as_deref().unwrap_or_default());
            let declared = table.set_variable(&args.name, &line, place);
            return declared.map_err(|name| Failure::new(format!("Variable named '{name}' not found.")));
        }
        (true, State::Absent) => table.remove_variable(&args.name),
        (false, State::Present) => table.set_job(&args.name, &line(args, in_file)),
        (false, State::Absent) => {
            table.remove_job(&args.name);
        }
    }
    Ok(())
}

/// Returns what is run, without line ends around it.
fn command(args: &Args) -> &str {
    args.job.as_deref().unwrap_or_default().trim_matches(['\r', '\n'])
}

/// Returns a job as it stands in the table; only files name the user.
fn line(args: &Args, in_file: bool) -> String {
    let off = if args.disabled { "#" } else { "" };
    let time = match args.special_time {
        Some(time) => format!("@{}", word(time)),
        None => {
            [&args.minute, &args.hour, &args.day, &args.month, &args.weekday].map(String::as_str).join(" ")
        }
    };
    let job = command(args);
    match args.user.as_ref().filter(|_| in_file) {
        Some(user) => format!("{off}{time} {user} {job}"),
        None => format!("{off}{time} {job}"),
    }
}

fn word(time: SpecialTime) -> &'static str {
    match time {
        SpecialTime::Annually => "annually",
        SpecialTime::Daily => "daily",
        SpecialTime::Hourly => "hourly",
        SpecialTime::Monthly => "monthly",
        SpecialTime::Reboot => "reboot",
        SpecialTime::Weekly => "weekly",
        SpecialTime::Yearly => "yearly",
    }
}

fn values(args: &Args, table: &Table, goes: bool) -> Map {
    let texts = |names: Vec<&str>| names.into_iter().map(Value::from).collect::<Value>();
    let mut values = if goes {
        map! { "state" => "absent" }
    } else {
        map! { "jobs" => texts(table.jobs()), "envs" => texts(table.variables()) }
    };
    if let Some(file) = &args.cron_file {
        values.insert("cron_file".into(), file.0.to_string_lossy().as_ref().into());
    }
    let warnings = warnings(args);
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into_iter().map(Value::from).collect());
    }
    values
}

fn warnings(args: &Args) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = args.cron_file.as_ref().and_then(|path| path.0.file_name()).map(|name| name.to_string_lossy());
    if let Some(name) = name
        && !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    {
        warnings.push(format!(
            "Filename portion of cron_file (\"{name}\") should consist solely of upper- and lower-case letters, \
             digits, underscores, and hyphens"
        ));
    }
    warnings
}

fn difference(header: String, old: &str, new: Option<&str>) -> Diff {
    let after = new.map_or_else(
        || DiffSide { header: "/dev/null".to_owned(), text: String::new() },
        |text| DiffSide { header: header.clone(), text: text.to_owned() },
    );
    Diff::Text { before: DiffSide { header, text: old.to_owned() }, after }
}

/// Writes the table.
///
/// # Errors
/// If it cannot be written, or cron refuses it; the old one is untouched then.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let mut values = Map::new();
    if args.backup {
        let path = node.make_temporary_file(&node.temporary_directory(), "crontab", "")?;
        let there = node.lstat(&path)?;
        node.replace(&path, there.as_ref(), Bytes::Memory(plan.old.as_bytes()), Attributes::default())?;
        values.insert("backup_file".into(), path.to_string_lossy().as_ref().into());
    }
    match (plan.source, plan.new) {
        (Source::File(path, expected), None) => {
            node.expect_unchanged(&path, expected.as_ref())?;
            node.remove(&path)?;
        }
        (Source::File(path, expected), Some(text)) => {
            let mode = expected.is_none().then_some(0o644);
            let attributes = Attributes { mode, ..Attributes::default() };
            node.replace(&path, expected.as_ref(), Bytes::Memory(text.as_bytes()), attributes)?;
        }
        (Source::Program(words), text) => {
            let process = Process::new(words.iter().map(String::as_str).chain(["-"]));
            node.run_checked(&process.stdin(text.unwrap_or_default().into_bytes()))?;
        }
    }
    Ok(Done { changed: true, values })
}
