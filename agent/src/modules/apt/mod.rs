//! `apt`: packages of Debian and its kin.

mod get;
mod lists;
mod packages;
mod work;

use convoy_protocol::{Diff, Map, Value, map};

use crate::args::NodePath;
use crate::execute;
use crate::failure::Failure;
use crate::metadata::{Access, Behavior, Doc, Reversibility};
use crate::module::{Checked, Done};
use crate::system::{Look, System};

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

crate::choices! {
    /// How the packages shall be.
    pub enum State {
        /// Not installed.
        Absent = "absent",
        /// What is needed to build them is installed.
        BuildDep = "build-dep",
        /// Installed, and what is broken is mended.
        Fixed = "fixed",
        /// Installed, in the newest version.
        Latest = "latest",
        /// Installed.
        Present = "present",
    }
}

crate::choices! {
    /// How all packages are upgraded.
    pub enum Upgrade {
        /// As `full`.
        Dist = "dist",
        /// Others are removed if need be.
        Full = "full",
        /// Not at all.
        No = "no",
        /// As `yes`.
        Safe = "safe",
        /// None is removed.
        Yes = "yes",
    }
}

crate::arguments! {
    /// Arguments of `apt`.
    pub struct Args {
        /// The packages: a name, a name and a version (`name=1.2*`, `name>=1.2`), or a pattern.
        package: Vec<String> [aliases("name", "pkg")],
        /// How they shall be.
        state: State [default("present")],
        /// Whether the lists of packages are read again first.
        update_cache: Option<bool> [aliases("update-cache")],
        /// How many seconds the lists are good for.
        cache_valid_time: i64 [default("0")],
        /// How often reading them is tried.
        update_cache_retries: i64 [default("5")],
        /// How many seconds are between two tries at most.
        update_cache_retry_max_delay: i64 [default("12")],
        /// Whether configuration goes with what is removed.
        purge: bool [default("false")],
        /// The file of a package on the node.
        deb: Option<NodePath>,
        /// The release that packages come from.
        default_release: Option<String> [aliases("default-release")],
        /// Whether recommended packages come along. Without it: as the node is set up.
        install_recommends: Option<bool> [aliases("install-recommends")],
        /// Whether `apt-get` is given `--force-yes`: dangerous.
        force: bool [default("false")],
        /// How all packages are upgraded.
        upgrade: Upgrade [default("no")],
        /// Options of dpkg, without their dashes, with commas between them.
        dpkg_options: String [default("force-confdef,force-confold")],
        /// Whether what is no longer needed is removed.
        autoremove: bool [default("false")],
        /// Whether files of packages that can no longer be had are removed.
        autoclean: bool [default("false")],
        /// Whether it is a failure if something had to be removed.
        fail_on_autoremove: bool [default("false")],
        /// Not supported: it would stay in force if convoy was stopped in between.
        policy_rc_d: Option<i64>,
        /// Whether only what is installed already is brought up to date.
        only_upgrade: bool [default("false")],
        /// Means nothing here: it is always `apt-get`.
        force_apt_get: bool [default("false")],
        /// Whether the files of packages that were fetched are removed.
        clean: bool [default("false")],
        /// Whether packages without a signature are installed.
        allow_unauthenticated: bool [default("false"), aliases("allow-unauthenticated")],
        /// Whether an older version takes the place of a newer one.
        allow_downgrade: bool [default("false"), aliases("allow-downgrade", "allow_downgrades", "allow-downgrades")],
        /// Whether packages that are held are changed.
        allow_change_held_packages: bool [default("false")],
        /// How many seconds to wait for someone else who is at work on the packages.
        lock_timeout: i64 [default("60")],
    }
    mutually_exclusive ["deb", "package", "upgrade"]
    required_one_of ["autoremove", "deb", "package", "update_cache", "upgrade", "clean", "autoclean"]
}

impl Args {
    /// Returns whether there is something to do besides the lists.
    fn has_work(&self) -> bool {
        !self.package.is_empty()
            || self.upgrade != Upgrade::No
            || self.deb.is_some()
            || self.autoremove
            || self.autoclean
    }
}

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
pub fn check(args: &Args, look: &Look) -> Result<Checked<Plan>, Failure> {
    validate(args)?;
    let get = AptGet::new(args, look)?;
    let lists = Lists::look(look)?;
    let update = lists.are_due(args, look);
    let clean = args.clean && lists::has_archives(look)?;
    let work = match work::decide(args, &get, look) {
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
        values.extend(execute::said(&work.simulated));
        if look.wants_diff() && work.changes() {
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
        said = execute::said(&get.run(&["clean"], node)?);
    }
    let before = Lists::look(node)?;
    let mut work = plan.work;
    let mut warnings = Vec::new();
    if plan.update {
        warnings = lists::update(args, &get, node)?;
        work = work::decide(args, &get, node)?;
    }
    let lists = Lists::look(node)?;
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

/// Returns the values that say how old the lists are.
fn age(seconds: i64, updated: bool) -> Map {
    map! { "cache_updated" => updated, "cache_update_time" => seconds }
}
