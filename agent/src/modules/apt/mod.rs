//! `apt`: packages of Debian and its kin.

mod args;
mod get;
mod lists;
mod packages;
mod work;

use convoy_protocol::{Diff, Map, Value};

pub use args::{Args, State, Upgrade};

use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{System, SystemView};

use get::AptGet;
use lists::Lists;
use work::Work;

/// Documentation.
pub const DOC: Doc = Doc {
    summary: "Sees to it that packages are installed, or are not",
    description: "By `apt-get`, never `aptitude`. Whether there is anything to do is known from dpkg's own records; \
        what `apt-get` would do is simulated first, so that check mode finds what is missing. Needs no Python on the node.",
    example: "- name: Install a JDK and the tools\n  apt:\n    name: [openjdk-17-jdk-headless, unzip]\n    update_cache: true\n    cache_valid_time: 3600\n",
};

/// How it behaves.
pub const BEHAVIOR: Behavior = Behavior {
    reversibility: Reversibility::Irreversible("it changes packages"),
    ..Behavior::new(Access::WriteTree)
};

/// What is to be done, in this order.
#[derive(Debug)]
pub struct Plan {
    clean: bool,
    update: bool,
    work: Option<Work>,
}

fn validate(args: &Args) -> Result<(), Failure> {
    if args.policy_rc_d.is_some() {
        return Err(Failure::new(
            "policy_rc_d is not supported by convoy: it would stay in force if the run was stopped in between",
        ));
    }
    if args.deb.is_some() && args.state != State::Present {
        return Err(Failure::new("deb only supports state=present"));
    }
    if args.deb.as_ref().is_some_and(|path| path.0.to_string_lossy().contains("://")) {
        return Err(Failure::new(
            "deb: an address is not supported by convoy: fetch the file by get_url first",
        ));
    }
    Ok(())
}

/// Compares what is installed with what is asked for.
///
/// # Errors
/// If a package cannot be had, or `apt-get` says that it could not do it.
pub fn check(args: &Args, view: &SystemView) -> Result<Checked<Plan>, Failure> {
    validate(args)?;
    let get = AptGet::new(args, view)?;
    let lists = Lists::read(view)?;
    let update = lists.are_due(args, view);
    let clean = args.clean && lists::has_archives(view)?;
    let work = match work::decide(args, &get, view) {
        // What cannot be had now may be there when the lists have been read again.
        Err(_) if update => None,
        work => work?,
    };
    let mut values = lists.values(false);
    let changes = clean || work.as_ref().is_some_and(Work::changes) || update && !args.has_work();
    if !changes && !update && work.is_none() {
        return Ok(Checked::Same(values));
    }
    let mut diff = Vec::new();
    if let Some(work) = &work {
        values.extend(work.simulated.nonempty_values());
        if view.wants_diff() && work.changes() {
            diff.push(Diff::Prepared(work.summary()));
        }
    }
    let plan = Plan { clean, update, work };
    if changes {
        return Ok(Checked::Differs { plan, diff, values });
    }
    let why = if update {
        "what there is to do is known when the lists of packages have been read again"
    } else {
        "packages are only marked as wanted for themselves"
    };
    Ok(Checked::Unknown { plan, why, values })
}

/// Installs, removes or upgrades.
///
/// # Errors
/// If `apt-get` fails; with what it says.
pub fn apply(args: &Args, plan: Plan, node: &mut System) -> Result<Done, Failure> {
    let get = AptGet::new(args, node)?;
    let mut changed = plan.clean;
    let mut said = Map::new();
    if plan.clean {
        said = get.run(&["clean"], node)?.nonempty_values();
    }
    let before = Lists::read(node)?;
    let mut work = plan.work;
    let mut warnings = Vec::new();
    if plan.update {
        warnings = lists::update(args, &get, node)?;
        work = work::decide(args, &get, node)?;
    }
    let lists = Lists::read(node)?;
    let updated = plan.update && lists != before;
    changed |= updated && !args.has_work();
    if let Some(work) = work {
        changed |= work.changes();
        said.extend(work.carry_out(&get, node)?);
    }
    let mut values = lists.values(updated);
    values.extend(said);
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into_iter().map(Value::from).collect());
    }
    Ok(Done { changed, values })
}
