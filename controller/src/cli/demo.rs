//! `convoy demo`: the upgrade of a small cluster, twice, on this machine alone.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use tempfile::TempDir;

use super::{Cli, Command, apply};
use crate::demo::Site;
use crate::diagnostic::{Diagnostic, Diagnostics, Kind};
use crate::events::{Reporter, RunEvent, Stats};
use crate::settings::{self, Journal, Settings};
use crate::sync::lock;

/// The numbers of each host at the end of a run.
type Recap = Vec<(Arc<str>, Stats)>;

/// Arguments of `convoy demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave the folder for a look at it
    #[arg(long)]
    keep: bool,
    /// Make the demo in this folder and leave it; or run the one that is there again
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Makes the cluster, upgrades it, and checks that a second run changes nothing. Returns the exit code.
///
/// # Errors
/// If the cluster cannot be made, or the second run has changed something.
pub fn run(args: &Args) -> Result<u8, Diagnostics> {
    let (folder, mut temporary) = match &args.dir {
        Some(folder) => (folder.clone(), None),
        None => {
            let made = temporary_folder()?;
            (made.path().to_owned(), Some(made))
        }
    };
    let site = Site::open(&folder)?;
    let outcome = twice(&site);
    let stays = args.keep || args.dir.is_some() || worth_a_look(&outcome);
    if let Some(temporary) = &mut temporary {
        temporary.disable_cleanup(stays);
    }
    say(&where_to_look(&site, stays));
    // The nodes' commands end before their folder goes.
    drop(site);
    drop(temporary);
    outcome
}

/// Returns whether the folder shows why the demo has failed; an interrupted one has not.
fn worth_a_look(outcome: &Result<u8, Diagnostics>) -> bool {
    !matches!(outcome, Ok(0 | 130))
}

fn temporary_folder() -> Result<TempDir, Diagnostic> {
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("convoy-demo-").permissions(private).tempdir().map_err(|error| {
        Diagnostic::user(format!("cannot make a folder for the demo: {error}"))
            .hint("name one with --dir".to_owned())
    })
}

fn twice(site: &Site) -> Result<u8, Diagnostics> {
    let nodes: Vec<String> = site.nodes().map(|(name, port)| format!("{name} (port {port})")).collect();
    say(&format!(
        "A WSO2 API Manager cluster on 127.0.0.1, each node an SSH server with a folder of its own:\n  {}\n\n\
         First run: the upgrade.",
        nodes.join(", ")
    ));
    let (code, _) = once(site)?;
    if code != 0 {
        return Ok(code);
    }
    say("Second run: there is nothing left to change.");
    let (code, recap) = once(site)?;
    if code != 0 {
        return Ok(code);
    }
    let unsettled = unsettled(&recap, site.nodes().map(|(name, _)| name));
    if unsettled.is_empty() {
        return Ok(0);
    }
    let message = format!("the second run was to change nothing, but {}", unsettled.join(", "));
    Err(Diagnostic::user(message).kind(Kind::Internal).into())
}

/// Says of each node that was changed, or is missing from the recap, what is wrong.
fn unsettled<'n>(recap: &[(Arc<str>, Stats)], nodes: impl Iterator<Item = &'n str>) -> Vec<String> {
    nodes
        .filter_map(|node| match recap.iter().find(|(host, _)| **host == *node) {
            None => Some(format!("{node} took no part")),
            Some((_, stats)) if stats.changed > 0 => Some(format!("{node} has changed={}", stats.changed)),
            Some(_) => None,
        })
        .collect()
}

/// Runs the playbook as `convoy apply` does.
fn once(site: &Site) -> Result<(u8, Recap), Diagnostics> {
    let (playbook, inventory) = (site.playbook(), site.inventory());
    let words = ["convoy", "apply", "-i"].map(OsStr::new).into_iter();
    let words = words.chain([inventory.as_os_str(), playbook.as_os_str()]);
    let fault = |what: String| Diagnostic::user(what).kind(Kind::Internal);
    let cli = Cli::try_parse_from(words).map_err(|error| fault(error.to_string()))?;
    let Command::Apply(args) = cli.command else {
        return Err(fault("the demo's command line is not one of `apply`".to_owned()).into());
    };
    let recap = Arc::new(Mutex::default());
    let told = recap.clone();
    // What is left of the demo is removed with its folder.
    let settings = Settings { journal: Journal::Off, ..Settings::default() };
    let read = settings::LoadedSettings { settings, ..settings::LoadedSettings::default() };
    let code = apply::run_watched(*args, again(site), &read, None, |shown| {
        Box::new(Witness { shown, recap: told })
    })?;
    let recap = std::mem::take(&mut *lock(&recap));
    Ok((code, recap))
}

/// Returns the command that runs this demo again: its nodes end with this process, so that `apply` would not reach them.
fn again(site: &Site) -> Vec<String> {
    let folder = site.root().to_string_lossy().into_owned();
    vec!["convoy".to_owned(), "demo".to_owned(), "--dir".to_owned(), folder]
}

/// Shows a run as it would be shown, and remembers its recap.
#[derive(Debug)]
struct Witness {
    shown: Box<dyn Reporter>,
    recap: Arc<Mutex<Recap>>,
}

impl Reporter for Witness {
    fn event(&mut self, event: &RunEvent) {
        if let RunEvent::Recap { hosts, .. } = event {
            lock(&self.recap).clone_from(hosts);
        }
        self.shown.event(event);
    }

    fn hide(&mut self) {
        self.shown.hide();
    }

    fn fault(&self) -> Option<&io::Error> {
        self.shown.fault()
    }
}

fn where_to_look(site: &Site, stays: bool) -> String {
    if !stays {
        return "Nothing of this is left. To look at homes, playbook and templates: convoy demo --keep"
            .to_owned();
    }
    let show = |path: &Path| path.display().to_string();
    let root = site.root();
    format!(
        "Where to look:\n  \
         the nodes' homes, old and new   {}\n  \
         the playbook                    {}\n  \
         the templates                   {}\n  \
         the inventory                   {}\n\
         Change them and run the demo again: {}",
        show(&site.nodes_folder()),
        show(&site.playbook()),
        show(&root.join("templates")),
        show(&site.inventory()),
        again(site).join(" ")
    )
}

/// Tells the user on standard output. That nobody reads it any more is no fault.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_failed_is_worth_a_look() {
        let fault = Err(Diagnostic::user("x").into());
        for (outcome, expected) in
            [(Ok(0), false), (Ok(130), false), (Ok(2), true), (Ok(4), true), (fault, true)]
        {
            assert_eq!(worth_a_look(&outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn every_node_must_take_part_and_stay_as_it_is() {
        let stats = |changed| Stats { ok: 9, changed, ..Stats::default() };
        let recap = [("cp1".into(), stats(0)), ("gw1".into(), stats(2))];
        assert_eq!(
            unsettled(&recap, ["cp1", "gw1", "gw2"].into_iter()),
            ["gw1 has changed=2", "gw2 took no part"]
        );
        assert_eq!(unsettled(&recap, ["cp1"].into_iter()), Vec::<String>::new());
    }
}
