//! `convoy apply`: runs playbooks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ArgAction;
use convoy_protocol::Value;

use super::folder_of;
use super::listing::{self, View, Wanted};
use super::run_options::RunOptions;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::events::{Reporter, RunEvent};
use crate::inventory::Inventory;
use crate::journal::Runs;
use crate::playbook::ast::Play;
use crate::playbook::{LoadedPlaybooks, walk};
use crate::report;
use crate::schedule::{step, vars_prompt};
use crate::services::options::{Options, Tags};
use crate::settings;
use crate::start::{self, Journal, Launch, Resumption};
use crate::template::{Context, Templar};
use crate::terminal::Terminal;
use crate::vars::TaskScope;

/// Arguments of `convoy apply`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Playbooks, run in order
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) run: RunOptions,
    /// Run only tasks with one of these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',', action = ArgAction::Append)]
    tags: Vec<String>,
    /// Skip tasks with one of these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',', action = ArgAction::Append)]
    skip_tags: Vec<String>,
    /// Run notified handlers even on hosts that failed
    #[arg(long)]
    force_handlers: bool,
    /// Ask before each task whether to run it
    #[arg(long)]
    step: bool,
    /// Start at the task with this name, or whose name matches this pattern
    #[arg(long, value_name = "TASK")]
    start_at_task: Option<String>,
    /// List the hosts of each play and do nothing
    #[arg(long)]
    list_hosts: bool,
    /// List the tasks of each play and do nothing
    #[arg(long)]
    list_tasks: bool,
    /// List the tags of each play and do nothing
    #[arg(long)]
    list_tags: bool,
    /// Read the playbooks and do nothing
    #[arg(long)]
    syntax_check: bool,
}

/// Runs the playbooks and returns the exit code.
///
/// # Errors
/// All that is wrong in what the user wrote; then nothing was touched.
pub fn run(args: Args, line: Vec<String>) -> Result<u8, Diagnostics> {
    run_watched(args, line, &settings::read()?, None, |reporter| reporter)
}

impl Args {
    /// Sets how many `-v` there are.
    pub(super) fn set_verbosity(&mut self, verbosity: u8) {
        self.run.verbose = verbosity;
    }
}

/// Runs the playbooks with a reporter that `watch` makes of the one that the arguments ask for.
///
/// # Errors
/// As [`run`].
pub(super) fn run_watched(
    args: Args,
    line: Vec<String>,
    read: &settings::LoadedSettings,
    resumption: Option<Resumption>,
    watch: impl FnOnce(Box<dyn Reporter>) -> Box<dyn Reporter>,
) -> Result<u8, Diagnostics> {
    let settings = &read.settings;
    let or = |given: &[String], set: &[String]| if given.is_empty() { set.to_vec() } else { given.to_vec() };
    let tags =
        Tags { run: or(&args.tags, &settings.run_tags), skip: or(&args.skip_tags, &settings.skip_tags) };
    let playbook_dir = args.playbooks.first().map(|playbook| folder_of(playbook));
    let mut options = args.run.engine(settings, tags, playbook_dir, line)?;
    options.force_handlers |= args.force_handlers;
    options.step = args.step;
    options.start_at_task.clone_from(&args.start_at_task);
    let loader = start::loader(&options);
    let loaded = start::load_playbooks(&loader, &args.playbooks, &options)?;
    let (inventory, inventory_warnings) =
        Inventory::load(&args.run.sources(settings), &args.run.inventory_options(&options))?;
    check_limit(&inventory, options.limit.as_deref())?;
    check_tags(&loaded, &options.tags)?;
    if let Some(wanted) = &options.start_at_task {
        step::check_start(wanted, loaded.plays())?;
    }
    let mut reporter =
        report::open(&args.run.report(settings), Box::new(std::io::stdout()), Box::new(std::io::stderr()));
    let wanted = Wanted { hosts: args.list_hosts, tasks: args.list_tasks, tags: args.list_tags };
    if args.syntax_check || wanted.hosts || wanted.tasks || wanted.tags {
        return list(&loaded, &inventory, wanted, &options, &mut |text| {
            reporter.event(&RunEvent::Warning(text));
        });
    }
    check_terminal(&args, &loaded, &options)?;
    let journal = match resumption {
        Some(resumption) => Some(Journal::Resumed(resumption)),
        None => Runs::of(settings).map(|runs| {
            let playbooks = args.playbooks.iter().map(|playbook| playbook.display().to_string()).collect();
            let (inventory, shown) = (args.run.sources(settings), args.run.report(settings));
            let header = start::header(&options, &runs, playbooks, inventory, shown);
            Journal::New { header, runs, takes_over: true }
        }),
    };
    let launch = Launch { options, loader, inventory, reporter: watch(reporter), journal, read };
    let mut scheduler = launch.scheduler()?;
    scheduler.record_sources();
    for warning in loaded.warnings.iter().chain(&inventory_warnings) {
        scheduler.warn(warning.warning());
    }
    start::run(scheduler, async |scheduler| {
        let plays: Vec<Arc<Play>> = loaded.plays().cloned().collect();
        scheduler.confirm_host_keys(&plays).await?;
        for playbook in &loaded.playbooks {
            let path = playbook.path.display().to_string().into();
            scheduler.emit(RunEvent::PlaybookStart { path, plays: playbook.plays.len() });
            scheduler.run(&playbook.plays).await?;
        }
        scheduler.finish().await;
        Ok(scheduler.ending())
    })
}

/// A limit that leaves no host is a mistake, as in Ansible.
fn check_limit(inventory: &Inventory, limit: Option<&str>) -> Result<(), Diagnostics> {
    let selection = inventory.select("all", limit)?;
    if limit.is_none() || !selection.hosts.is_empty() || inventory.hosts().next().is_none() {
        return Ok(());
    }
    let what = "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.";
    let none = Diagnostic {
        notes: selection.warnings.iter().map(Diagnostic::warning).collect(),
        ..Diagnostic::user(what)
    };
    Err(none.into())
}

/// A tag that no task has is a mistake: nothing would be run, and it would look like success.
fn check_tags(loaded: &LoadedPlaybooks, tags: &Tags) -> Result<(), Diagnostics> {
    let special = ["all", "tagged", "untagged", "always", "never"];
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut dynamic = false;
    for play in loaded.plays() {
        known.extend(play.keywords.tags.iter().cloned());
        for (_, task) in walk::tasks(play) {
            known.extend(task.keywords.tags.iter().cloned());
            dynamic |= task.inherited.is_some();
        }
    }
    let unknown = |tag: &&String| !special.contains(&tag.as_str()) && !known.contains(tag.as_str());
    // What is included while the run goes on may have further tags.
    let problems: Diagnostics = tags
        .run
        .iter()
        .filter(|_| !dynamic)
        .filter(unknown)
        .map(|tag| {
            Diagnostic::user(format!("no task has the tag `{tag}`"))
                .hint(did_you_mean(tag, known.iter().map(|tag| &**tag)))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What must be asked while the run goes on needs a user: better to know before anything is done.
fn check_terminal(args: &Args, loaded: &LoadedPlaybooks, options: &Options) -> Result<(), Diagnostics> {
    if Terminal::Standard.is_interactive() {
        return Ok(());
    }
    let mut problems = vars_prompt::unanswered(loaded.plays(), &options.extra_vars);
    if args.step {
        problems.push(Diagnostic::user("--step asks before each task, and there is no terminal"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into_iter().collect()) }
}

fn list(
    loaded: &LoadedPlaybooks,
    inventory: &Inventory,
    wanted: Wanted,
    options: &Options,
    warn: &mut dyn FnMut(String),
) -> Result<u8, Diagnostics> {
    let templar = Templar::new(options.template.clone(), options.vault.clone());
    let render = |value: &Value, play: &Play| {
        let mut vars = play.vars.clone();
        vars.extend(options.extra_vars.clone());
        templar.render(value, &TaskScope::of_map(vars), &Context::default()).unwrap_or_else(|_| value.clone())
    };
    let select = |play: &Play| {
        let pattern = render(&play.hosts, play);
        let pattern = match pattern.as_list() {
            Some(list) => list.iter().map(crate::text::python::str).collect::<Vec<_>>().join(","),
            None => crate::text::python::str(&pattern),
        };
        inventory.select(&pattern, options.limit.as_deref())
    };
    if wanted.hosts {
        for play in loaded.plays() {
            let selection = select(play).map_err(|problem| problem.or_at(play.hosts.origin.clone()))?;
            selection.warnings.iter().for_each(|warning| warn(warning.warning()));
        }
    }
    let hosts = |play: &Play| select(play).map(|selection| selection.hosts).unwrap_or_default();
    let selected = |tags: &[Arc<str>]| options.tags.matches(tags);
    let view = View { render: &render, hosts: &hosts, selected: &selected };
    listing::list(&loaded.playbooks, wanted, &view, &mut std::io::stdout().lock())
        .map_err(|error| Diagnostic::user(format!("cannot write the list: {error}")))?;
    Ok(0)
}
