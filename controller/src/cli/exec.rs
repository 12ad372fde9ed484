//! `convoy exec`: runs one module on the hosts of a pattern.

use std::path::PathBuf;
use std::sync::Arc;

use convoy_protocol::{Map, Value, map};

use super::run_options::RunOptions;
use crate::diagnostic::Diagnostics;
use crate::inventory::Inventory;
use crate::playbook::Loader;
use crate::playbook::ast::Play;
use crate::report;
use crate::services::options::Tags;
use crate::settings;
use crate::start::{self, Launch};
use crate::text::json;
use crate::yaml;

/// Arguments of `convoy exec`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which hosts
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// The module
    #[arg(short, long, value_name = "MODULE", default_value = "command")]
    module_name: String,
    /// Its arguments: `key=value`, JSON, or free text
    #[arg(short, long, value_name = "ARGS", default_value = "")]
    args: String,
    /// Run it as a job that outlives the connection, for this many seconds at most
    #[arg(short = 'B', long, value_name = "SECONDS")]
    background: Option<u32>,
    /// How often to poll the job, in seconds; 0 does not wait for it
    #[arg(short = 'P', long, value_name = "SECONDS", requires = "background")]
    poll: Option<u32>,
    /// List the hosts and do nothing
    #[arg(long)]
    list_hosts: bool,
    #[command(flatten)]
    run: RunOptions,
}

/// Runs the module and returns the exit code.
///
/// # Errors
/// All that is wrong in what the user typed; then nothing was touched.
pub fn run(args: Args, line: Vec<String>) -> Result<u8, Diagnostics> {
    let read = settings::read()?;
    let settings = &read.settings;
    let options = args.run.engine(settings, Tags::default(), std::env::current_dir().ok(), line)?;
    let (inventory, warnings) =
        Inventory::load(&args.run.sources(settings), &args.run.inventory_options(&options))?;
    if args.list_hosts {
        return list(&args, &inventory);
    }
    let loader = start::loader(&options);
    let loaded = play(&loader, &args)?;
    let reporter =
        report::ad_hoc(&args.run.report(settings), Box::new(std::io::stdout()), Box::new(std::io::stderr()));
    let launch = Launch { options, loader, inventory, reporter, journal: None, read: &read };
    let mut scheduler = launch.scheduler()?;
    warnings.iter().for_each(|warning| scheduler.warn(warning.warning()));
    start::run(scheduler, async |scheduler| {
        scheduler.confirm_host_keys(&loaded).await?;
        scheduler.run(&loaded).await?;
        scheduler.finish().await;
        Ok(scheduler.ending())
    })
}

/// Reads a play with one task, as if it stood in a file: so what is wrong in it is told in the same way.
fn play(loader: &Loader, args: &Args) -> Result<Vec<Arc<Play>>, Diagnostics> {
    let name = args.module_name.as_str();
    let action = match yaml::read("<command line>", &args.args).ok().flatten().map(|node| node.to_value()) {
        Some(Ok(value)) if value.as_map().is_some() && args.args.trim_start().starts_with('{') => {
            let mut action = value.as_map().cloned().unwrap_or_default();
            action.insert("module".into(), name.into());
            Value::from(action)
        }
        _ => format!("{name} {}", args.args).into(),
    };
    let mut task = map! { "action" => action };
    task.extend(args.background.map(|seconds| ("async".into(), seconds.into())));
    task.extend(args.poll.map(|seconds| ("poll".into(), seconds.into())));
    let play = map! { "hosts" => args.pattern.as_str(), "gather_facts" => false, "tasks" => vec![Value::from(task)] };
    let text = json::to_string(&vec![Value::from(play)].into(), json::Style::default());
    let path = PathBuf::from("<command line>");
    loader.provide(&path, yaml::read("<command line>", &text)?);
    let unrendered = |value: &Value, _: &Map| Ok(value.clone());
    let loaded = loader.playbooks(&[path], &unrendered)?;
    Ok(loaded.plays().cloned().collect())
}

fn list(args: &Args, inventory: &Inventory) -> Result<u8, Diagnostics> {
    let hosts = inventory.select(&args.pattern, args.run.limit.as_deref())?.hosts;
    let mut text = format!("  hosts ({}):\n", hosts.len());
    hosts.iter().for_each(|host| text.push_str(&format!("    {host}\n")));
    super::print(&text)?;
    Ok(0)
}
