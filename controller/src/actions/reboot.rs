//! `reboot`: starts the node anew, and goes on when it is back.

use std::time::{Duration, Instant};

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::{Action, Done, Run};
use crate::run::lost::Lost;
use crate::run::node::{Node, Trouble};

/// The action.
pub const ACTION: Action = Action {
    name: "reboot",
    doc: Doc {
        summary: "Starts the node anew, and waits until it is back",
        description: "It is back when it can be reached, its boot id is another one, and a command succeeds there. \
            Where there is no `shutdown`, `reboot` is used.",
        example: "- name: Boot the new kernel\n  reboot:\n    reboot_timeout: 900\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: false,
    unrendered: &[],
    run: Run::Talk { talk: |args, node| Box::pin(talk(args, node)), harmless: false },
};

convoy_agent::arguments! {
    /// Arguments of `reboot`.
    pub struct Args {
        /// How many seconds before it goes down; whole minutes count.
        pre_reboot_delay: i64 [default("0"), aliases("pre_reboot_delay_sec")],
        /// How many seconds to wait before the first look whether it is back.
        post_reboot_delay: i64 [default("0"), aliases("post_reboot_delay_sec")],
        /// How many seconds to wait for it at most, and again for the command.
        reboot_timeout: i64 [default("600"), aliases("reboot_timeout_sec")],
        /// How many seconds one connection may take. Without it: as everywhere in the run.
        connect_timeout: Option<i64> [aliases("connect_timeout_sec")],
        /// The command that must succeed when it is back.
        test_command: String [default("whoami")],
        /// What its users are told.
        msg: String [default("Reboot initiated by Ansible")],
        /// Where the command that starts it anew is looked for.
        search_paths: Vec<String> [default("/sbin,/bin,/usr/sbin,/usr/bin,/usr/local/sbin")],
        /// The command whose output is another one after each start.
        boot_time_command: String [default("cat /proc/sys/kernel/random/boot_id")],
        /// The command that starts it anew, in place of the one found; a line for a shell.
        reboot_command: Option<String>,
    }
}

/// The pauses between two looks whether it is back, in seconds.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

fn text<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    outcome.values.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

fn shell(line: &str) -> (&'static str, Map) {
    ("shell", map! { "_raw_params" => line })
}

async fn talk(args: &Map, node: &Node<'_>) -> Result<Done, Trouble> {
    let args = Args::read("reboot", args).map_err(Failure::new)?;
    if node.is_local() {
        let msg = "Running reboot with local connection would reboot the control node.";
        return Err(Failure::new(msg).with("elapsed", 0).with("rebooted", false).into());
    }
    if node.is_check_mode() {
        return Ok(Done { values: map! { "elapsed" => 0, "rebooted" => true }, changed: true, ..Done::default() });
    }
    let boot = boot_id(&args, node).await?;
    let (module, call) = command(&args, node).await?;
    let start = Instant::now();
    let told = |failure: Failure, rebooted: bool| {
        let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
        failure.with("elapsed", elapsed).with("rebooted", rebooted)
    };
    // It may go down before it can say so.
    let asked = node.ask_one(module, call).await;
    if let Err(refused @ Lost::Refused(_)) = asked {
        return Err(Trouble::Lost(refused));
    }
    if let Ok(outcome) = asked
        && outcome.status == Status::Failed
    {
        let said = match text(&outcome, "stderr") {
            "" => text(&outcome, "msg"),
            error => error,
        };
        let msg = format!("Reboot command failed. Error was: '{}, {said}'", text(&outcome, "stdout"));
        return Err(told(Failure::new(msg), false).into());
    }
    node.pause(seconds(args.post_reboot_delay)).await.map_err(|failure| told(failure, false))?;
    node.set_patience(args.connect_timeout.and_then(|seconds| u64::try_from(seconds).ok()));
    let back = come_back(&args, &boot, node).await;
    node.set_patience(None);
    back.map_err(|(trouble, rebooted)| match trouble {
        Trouble::Failed(failure) => Trouble::Failed(told(failure, rebooted)),
        lost @ Trouble::Lost(_) => lost,
    })?;
    let elapsed = i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
    Ok(Done { values: map! { "elapsed" => elapsed, "rebooted" => true }, changed: true, ..Done::default() })
}

/// Waits until it has another boot id, then until the command succeeds. A failure says whether it was started anew.
async fn come_back(args: &Args, boot: &str, node: &Node<'_>) -> Result<(), (Trouble, bool)> {
    let limit = seconds(args.reboot_timeout);
    let late = |what: &str, last: String| {
        let msg = format!("Timed out waiting for {what} (timeout={})", args.reboot_timeout);
        Trouble::Failed(Failure::new(msg).with("last_error", last))
    };
    let another = async || match boot_id(args, node).await {
        Ok(now) if now.is_empty() || now == boot => {
            Err(Lost::Unreachable("boot time has not changed".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(Trouble::Failed(failure)) => Err(Lost::Unreachable(failure.msg)),
        Err(Trouble::Lost(lost)) => Err(lost),
    };
    match node.until(limit, &PAUSES, another).await {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => return Err((late("last boot time check", reason.last), false)),
        Err(trouble) => return Err((trouble, false)),
    }
    let works = async || {
        let (module, call) = shell(&args.test_command);
        let outcome = node.ask_one(module, call).await?;
        if outcome.status != Status::Failed {
            return Ok(());
        }
        let said = format!("Test command failed: {} {}", text(&outcome, "stderr"), text(&outcome, "stdout"));
        Err(Lost::Unreachable(said))
    };
    match node.until(limit, &PAUSES, works).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err((late("post-reboot test command", reason.last), true)),
        Err(trouble) => Err((trouble, true)),
    }
}

/// Returns what tells one start of the node from another. A clock would not do: it may be set in between.
async fn boot_id(args: &Args, node: &Node<'_>) -> Result<String, Trouble> {
    let (module, call) = shell(&args.boot_time_command);
    let outcome = node.ask_one(module, call).await.map_err(Trouble::Lost)?;
    if outcome.status == Status::Failed {
        let rc = outcome.values.get("rc").and_then(Value::as_int).unwrap_or(-1);
        let (out, err) = (text(&outcome, "stdout"), text(&outcome, "stderr"));
        let msg = format!("reboot: failed to get host boot time info, rc: {rc}, stdout: {out}, stderr: {err}");
        return Err(Failure::new(msg).with("rebooted", false).into());
    }
    Ok(text(&outcome, "stdout").to_owned())
}

/// Returns the call that starts the node anew.
async fn command(args: &Args, node: &Node<'_>) -> Result<(&'static str, Map), Trouble> {
    if let Some(line) = &args.reboot_command {
        let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
        if program.starts_with('/') {
            return Ok(shell(line));
        }
        let path = find(program, args, node).await?.ok_or_else(|| not_found(program, args))?;
        return Ok(shell(&format!("{path} {rest}")));
    }
    let argv = match find("shutdown", args, node).await? {
        Some(path) => {
            // At once needs nothing but the first process; a time needs what keeps appointments.
            let when = match args.pre_reboot_delay.max(0) / 60 {
                0 => "now".to_owned(),
                minutes => format!("+{minutes}"),
            };
            vec![path, "-r".to_owned(), when, args.msg.clone()]
        }
        None => vec![find("reboot", args, node).await?.ok_or_else(|| not_found("shutdown", args))?],
    };
    let argv: Value = argv.into_iter().map(Value::from).collect();
    Ok(("command", map! { "argv" => argv, "expand_argument_vars" => false }))
}

fn not_found(program: &str, args: &Args) -> Failure {
    let paths: Value = args.search_paths.iter().map(|path| Value::from(path.as_str())).collect();
    let paths = crate::python::str(&paths);
    Failure::new(format!("Unable to find command \"{program}\" in search paths: {paths}")).with("rebooted", false)
}

/// Returns where a program is.
async fn find(program: &str, args: &Args, node: &Node<'_>) -> Result<Option<String>, Trouble> {
    let paths: Vec<String> =
        args.search_paths.iter().map(|path| format!("{}/{program}", path.trim_end_matches('/'))).collect();
    let calls = paths.iter().map(|path| ("stat", map! { "path" => path.as_str(), "get_checksum" => false }));
    let outcomes = node.ask(calls.collect()).await.map_err(Trouble::Lost)?;
    let exists = |outcome: &Outcome| {
        let stat = outcome.values.get("stat").and_then(Value::as_map);
        stat.and_then(|stat| stat.get("exists")).and_then(Value::as_bool) == Some(true)
    };
    Ok(paths.into_iter().zip(outcomes).find(|(_, outcome)| exists(outcome)).map(|(path, _)| path))
}
