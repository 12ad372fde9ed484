//! `group`: a group of users.

use std::ffi::OsString;

use convoy_protocol::{Diff, Map, map};

use crate::args::State;
use crate::failure::Failure;
use crate::files::difference;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Group, Process, System, SystemView};

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that there is a group, or is not",
    description: "Uses `groupadd`, `groupmod` and `groupdel`; with `local`, libuser's `lgroupadd`, `lgroupmod` and \
        `lgroupdel`.",
    example: "- name: Make the group that owns the product\n  group:\n    name: wso2\n    gid: 802\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes accounts"),
    ..Behavior::new(Access::Write)
};

crate::arguments! {
    /// Arguments of `group`.
    pub struct Args {
        /// Its name.
        name: String [required],
        /// Whether it shall be there.
        state: State [default("present")],
        /// Its number.
        gid: Option<i64>,
        /// Whether a new one gets a number of the range for the system.
        system: bool [default("false")],
        /// Whether it is removed though it is some user's first group.
        force: bool [default("false")],
        /// Whether only the node's own files count, and libuser's programs are used.
        local: bool [default("false")],
        /// Whether another group may have the same number.
        non_unique: bool [default("false")],
        /// The smallest number that a new one may get.
        gid_min: Option<i64>,
        /// The largest number that a new one may get.
        gid_max: Option<i64>,
    }
}

/// The program to run, with its arguments.
#[derive(Debug)]
pub struct Plan(Vec<OsString>);

fn validate(args: &Args) -> Result<(), Failure> {
    let refused = if args.non_unique && args.gid.is_none() {
        "non_unique is True but all of the following are missing: gid"
    } else if args.force && args.local {
        "force is not a valid option for local, force=True and local=True are mutually exclusive"
    } else if args.local && args.gid_min.is_some() {
        "'gid_min' can not be used with 'local'"
    } else if args.local && args.gid_max.is_some() {
        "'gid_max' can not be used with 'local'"
    } else {
        return Ok(());
    };
    Err(Failure::new(refused))
}

fn existing(args: &Args, view: &SystemView) -> Option<Group> {
    if args.local {
        return view.local_groups().into_iter().find(|group| group.name == args.name);
    }
    view.group(&args.name)
}

/// Compares the group with what is asked for.
///
/// # Errors
/// If the arguments contradict each other, the number is another group's, or a program is missing.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    validate(args)?;
    let group = existing(args, view);
    let verb = match (args.state, &group) {
        (State::Absent, None) => return Ok(Checked::Same(values(args, None))),
        (State::Absent, Some(_)) => "del",
        (State::Present, None) => "add",
        (State::Present, Some(group)) if args.gid.is_some_and(|gid| gid != i64::from(group.gid)) => "mod",
        (State::Present, Some(_)) => return Ok(Checked::Same(values(args, group.as_ref()))),
    };
    if args.state == State::Present {
        number_is_free(args, view)?;
    }
    let plan = Plan(command(args, verb, view)?);
    let diff = if view.wants_diff() { vec![diff(args, group.as_ref())] } else { Vec::new() };
    Ok(Checked::Differs { plan, diff, values: values(args, group.as_ref()) })
}

fn number_is_free(args: &Args, view: &SystemView) -> Result<(), Failure> {
    let Some(gid) = args.gid else { return Ok(()) };
    let number =
        u32::try_from(gid).map_err(|_| Failure::new(format!("gid is {gid}, not a number of a group")))?;
    match view.group_by_id(number) {
        Some(other) if other.name != args.name && !args.non_unique => {
            Err(Failure::new(format!("GID '{gid}' already exists with group '{}'", other.name))
                .with("name", &*args.name))
        }
        _ => Ok(()),
    }
}

fn command(args: &Args, verb: &str, view: &SystemView) -> Result<Vec<OsString>, Failure> {
    let program = format!("{}group{verb}", if args.local { "l" } else { "" });
    let mut argv: Vec<OsString> = vec![view.require_program(&program)?.into()];
    match verb {
        "del" => argv.extend(args.force.then(|| "-f".into())),
        _ => {
            if let Some(gid) = args.gid {
                argv.extend(["-g".into(), gid.to_string().into()]);
                argv.extend(args.non_unique.then(|| "-o".into()));
            }
        }
    }
    if verb == "add" {
        argv.extend(args.system.then(|| "-r".into()));
        for (key, limit) in [("GID_MIN", args.gid_min), ("GID_MAX", args.gid_max)] {
            argv.extend(limit.into_iter().flat_map(|limit| ["-K".into(), format!("{key}={limit}").into()]));
        }
    }
    argv.extend(["--".into(), args.name.as_str().into()]);
    Ok(argv)
}

fn diff(args: &Args, group: Option<&Group>) -> Diff {
    let side = |is_there: bool, gid: Option<i64>| {
        let mut side = map! { "name" => &*args.name, "state" => if is_there { "present" } else { "absent" } };
        side.extend(gid.map(|gid| ("gid".into(), gid.into())));
        side
    };
    let before = side(group.is_some(), group.map(|group| group.gid.into()));
    let is_there = args.state == State::Present;
    difference::of_maps(&before, &side(is_there, args.gid.filter(|_| is_there)))
}

fn values(args: &Args, group: Option<&Group>) -> Map {
    let state = if args.state == State::Present { "present" } else { "absent" };
    let mut values = map! { "name" => &*args.name, "state" => state };
    if let (Some(group), State::Present) = (group, args.state) {
        values.extend(map! { "system" => args.system, "gid" => group.gid });
    }
    values
}

/// Makes, changes or removes the group.
///
/// # Errors
/// If the program fails; with what it says.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let output =
        node.run_checked(&Process::new(plan.0)).map_err(|failure| failure.with("name", &*args.name))?;
    let mut values = values(args, existing(args, node).as_ref());
    values.extend(output.nonempty_values());
    Ok(Done { changed: true, values })
}
