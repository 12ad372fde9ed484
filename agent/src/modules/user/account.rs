//! The account itself: what is there, what is asked for, and the programs that lead from one to the other.

use std::collections::BTreeSet;
use std::ffi::OsString;

use super::args::Args;
use super::command::{Changes, Command};
use super::home::home_of;
use super::plan::Plan;
use super::{libuser, password, ssh_key};
use crate::dates::civil_from_days;
use crate::failure::Failure;
use crate::system::{Group, Shadow, SystemView, User};

pub(super) fn gone(args: &Args) -> Changes {
    let mut changes = Changes::default();
    changes.note("state", "present", "absent");
    changes.note("name", &*args.name, &*args.name);
    changes
}

pub(super) fn remove(args: &Args, view: &SystemView) -> Result<Plan, Failure> {
    let mut command = Command::new("userdel", args, view)?;
    if args.force && !args.local {
        command.flag("-f");
    }
    if args.remove {
        command.flag("-r");
    }
    command.0.extend(["--".into(), args.name.as_str().into()]);
    Ok(Plan { programs: vec![command.0], ..Plan::default() })
}

/// Finds a group by number, then by name.
fn group(view: &SystemView, text: &str) -> Result<Group, Failure> {
    let by_number = text.parse().ok().and_then(|gid| view.group_by_id(gid));
    by_number.or_else(|| view.group(text)).ok_or_else(|| Failure::new(format!("Group {text} does not exist")))
}

/// Returns the other groups that are asked for, if they are.
fn other_groups(args: &Args, view: &SystemView) -> Result<Option<Vec<Group>>, Failure> {
    let Some(words) = &args.groups else { return Ok(None) };
    let words = words.iter().flat_map(|word| word.split(',')).map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| group(view, word)).collect::<Result<_, _>>().map(Some)
}

fn names(groups: &[Group]) -> BTreeSet<&str> {
    groups.iter().map(|group| group.name.as_str()).collect()
}

fn joined(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(",")
}

/// Returns the day on which the account shall end; `None`: never.
fn last_day(expires: f64) -> Option<i64> {
    (expires >= 0.0).then(|| (expires / 86_400.0).floor() as i64)
}

fn date(day: Option<i64>) -> String {
    day.map_or_else(String::new, |day| {
        let (year, month, day) = civil_from_days(day);
        format!("{year:04}-{month:02}-{day:02}")
    })
}

fn number_is_free(args: &Args, view: &SystemView) -> Result<(), Failure> {
    let Some(uid) = args.uid.filter(|_| !args.non_unique) else { return Ok(()) };
    let other = u32::try_from(uid).ok().and_then(|uid| view.user_by_id(uid));
    match other.filter(|other| other.name != args.name) {
        Some(other) => Err(Failure::new(format!("UID '{uid}' already exists with user '{}'", other.name))
            .with("name", &*args.name)),
        None => Ok(()),
    }
}

pub(super) fn create(args: &Args, view: &SystemView) -> Result<(Plan, Changes), Failure> {
    number_is_free(args, view)?;
    let mut command = Command::new("useradd", args, view)?;
    if let Some(uid) = args.uid {
        command.option("-u", uid.to_string());
        if args.non_unique {
            command.flag("-o");
        }
    }
    if let Some(seuser) = args.seuser.as_ref().filter(|_| view.has_selinux()) {
        command.option("-Z", seuser);
    }
    match &args.group {
        Some(text) => command.option("-g", group(view, text)?.name),
        // Else a group of the account's own would be made, which is there already.
        None if view.group(&args.name).is_some() => command.flag(if args.local { "-n" } else { "-N" }),
        None => {}
    }
    let groups = other_groups(args, view)?.unwrap_or_default();
    if !groups.is_empty() && !args.local {
        command.option("-G", joined(&names(&groups)));
    }
    describe(args, view, &mut command);
    let is_orphan = new_home(args, view, &mut command);
    if args.system {
        command.flag("-r");
    }
    for (key, limit) in [("UID_MIN", args.uid_min), ("UID_MAX", args.uid_max)] {
        if let Some(limit) = limit {
            command.option("-K", format!("{key}={limit}"));
        }
    }
    command.0.extend(["--".into(), args.name.as_str().into()]);
    let mut programs = vec![command.0];
    if args.local {
        programs.extend(libuser::ages(
            args,
            view,
            args.expires.map(last_day),
            args.password_expire_account_disable,
        )?);
        programs.extend(libuser::groups(args, view, names(&groups), BTreeSet::new())?);
    }
    let mut changes = Changes::default();
    changes.note("state", "absent", "present");
    changes.note("name", &*args.name, &*args.name);
    let plan = Plan {
        programs,
        password: args.password.as_ref().map(|hash| password::locked(hash, args)),
        home: is_orphan,
        key: args.generate_ssh_key,
        chage: ages(args, view, None)?,
        creates: true,
    };
    Ok((plan, changes))
}

/// Adds what is said of a new account besides its numbers and groups.
fn describe(args: &Args, view: &SystemView, command: &mut Command) {
    if let Some(comment) = &args.comment {
        command.option("-c", comment);
    }
    if let Some(home) = &args.home {
        command.option("-d", view.expand(home));
    }
    if let Some(shell) = &args.shell {
        command.option("-s", view.expand(shell));
    }
    if let (Some(expires), false) = (args.expires, args.local) {
        command.option("-e", date(last_day(expires)));
    }
    if let (Some(days), false) = (args.password_expire_account_disable, args.local) {
        command.option("-f", days.to_string());
    }
}

/// Adds what is said of a new home directory. Returns whether the program cannot make it, for want of the directory that
/// it is to be in.
fn new_home(args: &Args, view: &SystemView, command: &mut Command) -> bool {
    let parent = args.home.as_ref().and_then(|home| view.expand(home).parent().map(ToOwned::to_owned));
    let is_orphan = args.create_home && parent.is_some_and(|parent| !parent.is_dir());
    if !args.create_home || is_orphan {
        command.flag("-M");
        return is_orphan;
    }
    if !args.local {
        command.flag("-m");
    }
    if let Some(skeleton) = &args.skeleton {
        command.option("-k", skeleton);
    }
    if let Some(umask) = &args.umask {
        command.option("-K", format!("UMASK={umask}"));
    }
    false
}

pub(super) fn modify(args: &Args, view: &SystemView, user: &User) -> Result<(Plan, Changes), Failure> {
    let mut command = Command::new("usermod", args, view)?;
    let mut changes = Changes::default();
    let mut programs = Vec::new();
    identity(args, view, user, &mut command, &mut changes)?;
    membership(args, view, &mut command, &mut changes, &mut programs)?;
    places(args, view, user, &mut command, &mut changes);
    let shadow = view.shadow(&user.name);
    validity(args, view, shadow.as_ref(), &mut command, &mut changes, &mut programs)?;
    let password = password::wanted(args, shadow.as_ref(), &mut command, &mut changes);
    programs.splice(0..0, command.of(&args.name));
    let home = home_of(args, view, user);
    // What is moved will be there.
    let moves =
        args.move_home && changes.after.contains_key("home") && view.stat(user.home.as_ref())?.is_some();
    let makes_home = args.create_home && !moves && view.stat(&home)?.is_none();
    if makes_home {
        changes.note("home_exists", false, true);
    }
    let key = args.generate_ssh_key && ssh_key::is_wanted(args, view, &home)?;
    if key {
        changes.note("ssh_key", ssh_key::path(args, view, &home).is_file(), "generated");
    }
    let chage = ages(args, view, Some((shadow.unwrap_or_default(), &mut changes)))?;
    Ok((Plan { programs, password, home: makes_home, key, chage, creates: false }, changes))
}

fn identity(
    args: &Args,
    view: &SystemView,
    user: &User,
    command: &mut Command,
    changes: &mut Changes,
) -> Result<(), Failure> {
    if let Some(uid) = args.uid.filter(|uid| *uid != i64::from(user.uid)) {
        number_is_free(args, view)?;
        changes.note("uid", user.uid, uid);
        command.option("-u", uid.to_string());
        if args.non_unique {
            command.flag("-o");
        }
    }
    if let Some(text) = &args.group {
        let group = group(view, text)?;
        if group.gid != user.gid {
            changes.note("group", user.gid, group.gid);
            command.option("-g", group.gid.to_string());
        }
    }
    if let Some(comment) = args.comment.as_ref().filter(|comment| **comment != user.gecos) {
        changes.note("comment", &*user.gecos, &**comment);
        command.option("-c", comment);
    }
    Ok(())
}

fn membership(
    args: &Args,
    view: &SystemView,
    command: &mut Command,
    changes: &mut Changes,
    programs: &mut Vec<Vec<OsString>>,
) -> Result<(), Failure> {
    let Some(wanted) = other_groups(args, view)? else { return Ok(()) };
    // Those of the node's own file can be left; what a directory says is asked of the groups that are wanted.
    let local = view.local_groups();
    let has = |group: &&Group| group.members.contains(&args.name);
    let current: BTreeSet<&str> =
        local.iter().chain(&wanted).filter(has).map(|group| group.name.as_str()).collect();
    let wanted = names(&wanted);
    let missing: BTreeSet<&str> = wanted.difference(&current).copied().collect();
    let surplus: BTreeSet<&str> =
        if args.append { BTreeSet::new() } else { current.difference(&wanted).copied().collect() };
    if missing.is_empty() && surplus.is_empty() {
        return Ok(());
    }
    let after = if args.append { current.union(&wanted).copied().collect() } else { wanted.clone() };
    changes.note("groups", joined(&current), joined(&after));
    if args.local {
        programs.extend(libuser::groups(args, view, missing, surplus)?);
        return Ok(());
    }
    if args.append {
        command.flag("-a");
    }
    command.option("-G", joined(&wanted));
    Ok(())
}

fn places(args: &Args, view: &SystemView, user: &User, command: &mut Command, changes: &mut Changes) {
    if let Some(home) =
        args.home.as_ref().map(|home| view.expand(home)).filter(|home| home.as_os_str() != &*user.home)
    {
        changes.note("home", &*user.home, home.to_string_lossy().as_ref());
        command.option("-d", home);
        if args.move_home {
            command.flag("-m");
        }
    }
    if let Some(shell) =
        args.shell.as_ref().map(|shell| view.expand(shell)).filter(|s| s.as_os_str() != &*user.shell)
    {
        changes.note("shell", &*user.shell, shell.to_string_lossy().as_ref());
        command.option("-s", shell);
    }
}

fn validity(
    args: &Args,
    view: &SystemView,
    shadow: Option<&Shadow>,
    command: &mut Command,
    changes: &mut Changes,
    programs: &mut Vec<Vec<OsString>>,
) -> Result<(), Failure> {
    // Without an entry there is no "never": the entry is made by setting it.
    let current = shadow.map_or(Some(0), |shadow| shadow.expires);
    let day = args.expires.map(last_day).filter(|day| *day != current);
    if let Some(day) = day {
        changes.note("expires", date(current), date(day));
    }
    let inactive = shadow.and_then(|shadow| shadow.inactive).unwrap_or(-1);
    let days = args.password_expire_account_disable.filter(|days| *days != inactive);
    if let Some(days) = days {
        changes.note("password_expire_account_disable", inactive, days);
    }
    if args.local {
        programs.extend(libuser::ages(args, view, day, days)?);
        return Ok(());
    }
    if let Some(day) = day {
        command.option("-e", date(day));
    }
    if let Some(days) = days {
        command.option("-f", days.to_string());
    }
    Ok(())
}

/// Returns the call that sets the ages of the password.
fn ages(
    args: &Args,
    view: &SystemView,
    current: Option<(Shadow, &mut Changes)>,
) -> Result<Option<Vec<OsString>>, Failure> {
    let wanted = [
        ("-m", "password_expire_min", args.password_expire_min),
        ("-M", "password_expire_max", args.password_expire_max),
        ("-W", "password_expire_warn", args.password_expire_warn),
    ];
    let mut command = Command(vec!["chage".into()]);
    let (shadow, mut changes) =
        current.map_or((None, None), |(shadow, changes)| (Some(shadow), Some(changes)));
    for (flag, name, days) in wanted {
        let Some(days) = days else { continue };
        let now = shadow.as_ref().map(|shadow| {
            let now = match flag {
                "-m" => shadow.min,
                "-M" => shadow.max,
                _ => shadow.warn,
            };
            now.unwrap_or(-1)
        });
        if now == Some(days) {
            continue;
        }
        if let (Some(now), Some(changes)) = (now, &mut changes) {
            changes.note(name, now, days);
        }
        command.option(flag, days.to_string());
    }
    let Some(mut argv) = command.of(&args.name) else { return Ok(None) };
    argv[0] = view.require_program("chage")?.into();
    Ok(Some(argv))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_on_which_accounts_end() {
        for (expires, day, text) in
            [(1_529_881_200.0, Some(17_706), "2018-06-24"), (0.0, Some(0), "1970-01-01"), (-1.0, None, "")]
        {
            assert_eq!((last_day(expires), date(last_day(expires)).as_str()), (day, text));
        }
    }
}
