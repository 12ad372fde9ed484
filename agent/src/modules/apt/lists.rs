//! The lists of packages that can be had: how old they are, and reading them again.

use std::path::Path;
use std::time::Duration;

use convoy_protocol::{Map, map};

use super::args::Args;
use super::get::AptGet;
use crate::failure::Failure;
use crate::stat::Time;
use crate::system::{System, SystemView};

/// When the lists were read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lists(Option<Time>);

impl Lists {
    /// Reads from their dates when that was.
    pub(super) fn read(view: &SystemView) -> Result<Self, Failure> {
        for path in ["/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"] {
            if let Some(meta) = view.stat(Path::new(path))? {
                return Ok(Self(Some(meta.mtime)));
            }
        }
        Ok(Self(None))
    }

    /// Returns whether they are to be read again.
    pub(super) fn are_due(self, args: &Args, view: &SystemView) -> bool {
        let is_wanted = args.update_cache == Some(true) || args.cache_valid_time != 0;
        let now = view.now().as_secs_f64();
        is_wanted && self.0.is_none_or(|time| time.as_f64() + args.cache_valid_time as f64 <= now)
    }

    pub(super) fn values(self, updated: bool) -> Map {
        age(self.0.map_or(0, |time| time.seconds), updated)
    }
}

/// Reads the lists again; returns warnings about tries that failed. Lists that are read in part are a failure, too:
/// what they lack would not be found later.
pub(super) fn update(args: &Args, get: &AptGet, node: &mut System) -> Result<Vec<String>, Failure> {
    let tries = args.update_cache_retries.max(1);
    let mut warnings = Vec::new();
    let mut delay = 1;
    for attempt in 1..=tries {
        let Err(failure) = get.run(&["update", "-o", "APT::Update::Error-Mode=any"], node) else {
            return Ok(warnings);
        };
        let said = failure
            .values
            .get("stderr")
            .and_then(convoy_protocol::Value::as_str)
            .unwrap_or(&failure.msg)
            .to_owned();
        if attempt == tries {
            return Err(Failure {
                msg: format!("Failed to update apt cache after {tries} retries: {said}"),
                values: failure.values,
            });
        }
        warnings.push(format!("Failed to update cache after {attempt} retries due to {said}, retrying"));
        let wait = delay.min(u64::try_from(args.update_cache_retry_max_delay).unwrap_or_default());
        node.sleep(Duration::from_secs(wait))?;
        delay *= 2;
    }
    Ok(warnings)
}

/// Returns whether there are files of packages that were fetched.
pub(super) fn has_archives(view: &SystemView) -> Result<bool, Failure> {
    let directory = Path::new("/var/cache/apt/archives");
    if view.stat(directory)?.is_none() {
        return Ok(false);
    }
    Ok(view.list(directory)?.iter().any(|path| path.extension().is_some_and(|ending| ending == "deb")))
}

/// Returns the values that say how old the lists are.
fn age(seconds: i64, updated: bool) -> Map {
    map! { "cache_updated" => updated, "cache_update_time" => seconds }
}
