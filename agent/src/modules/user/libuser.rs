//! What `local` needs besides libuser's forms of `useradd` and `usermod`, which know less.

use std::collections::BTreeSet;
use std::ffi::OsString;

use super::args::Args;
use super::command::Command;
use crate::failure::Failure;
use crate::system::SystemView;

/// Returns libuser's call that sets when the account ends.
pub(super) fn ages(
    args: &Args,
    view: &SystemView,
    day: Option<Option<i64>>,
    inactive: Option<i64>,
) -> Result<Option<Vec<OsString>>, Failure> {
    let mut command = Command(vec!["lchage".into()]);
    if let Some(day) = day {
        command.option("-E", day.unwrap_or(-1).to_string());
    }
    if let Some(days) = inactive {
        command.option("-I", days.to_string());
    }
    let Some(mut argv) = command.of(&args.name) else { return Ok(None) };
    argv[0] = view.require_program("lchage")?.into();
    Ok(Some(argv))
}

/// Returns libuser's calls that enter the account in groups, and take it out of others.
pub(super) fn groups(
    args: &Args,
    view: &SystemView,
    add: BTreeSet<&str>,
    remove: BTreeSet<&str>,
) -> Result<Vec<Vec<OsString>>, Failure> {
    if add.is_empty() && remove.is_empty() {
        return Ok(Vec::new());
    }
    let program = view.require_program("lgroupmod")?;
    let call = |flag: &str, group: &str| {
        vec![program.clone().into(), flag.into(), args.name.as_str().into(), "--".into(), group.into()]
    };
    let added = add.into_iter().map(|group| call("-M", group));
    Ok(added.chain(remove.into_iter().map(|group| call("-m", group))).collect())
}
