//! Arguments of `apt`.

use crate::args::NodePath;

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
    pub(super) fn has_work(&self) -> bool {
        !self.package.is_empty()
            || self.upgrade != Upgrade::No
            || self.deb.is_some()
            || self.autoremove
            || self.autoclean
    }
}
