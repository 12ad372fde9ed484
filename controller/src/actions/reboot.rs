//! `reboot`: reboots the node and waits until it is back.

use std::time::{Duration, Instant};

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::{Map, Outcome, Status, Value, map};

use super::action::{Action, ActionOutcome, Run};
use super::session::{ActionError, NodeError, NodeSession, RetryError, seconds};

/// The action.
pub const ACTION: Action = Action::new(
    "reboot",
    DOC,
    Args::SPEC,
    Run::OnNode { run: |args, node| Box::pin(run(args, node)), repeatable: false },
);

const DOC: Doc = Doc {
    summary: "Reboots the node and waits until it is back",
    description: "The node is back when it is reachable, its boot id has changed, and a test command succeeds. Uses \
        `reboot` if there is no `shutdown`.",
    example: "- name: Boot the new kernel\n  reboot:\n    reboot_timeout: 900\n",
};

convoy_agent::arguments! {
    /// Arguments of `reboot`.
    pub struct Args {
        /// Seconds to wait before the shutdown, rounded down to whole minutes.
        pre_reboot_delay: i64 [default("0"), aliases("pre_reboot_delay_sec")],
        /// Seconds to wait before the first attempt to reach the node.
        post_reboot_delay: i64 [default("0"), aliases("post_reboot_delay_sec")],
        /// The timeout for the node, and again for the test command, in seconds.
        reboot_timeout: i64 [default("600"), aliases("reboot_timeout_sec")],
        /// The timeout of one connection attempt, in seconds; by default that of the run.
        connect_timeout: Option<i64> [aliases("connect_timeout_sec")],
        /// The command that must succeed after the reboot.
        test_command: String [default("whoami")],
        /// The message to logged-in users.
        msg: String [default("Reboot initiated by Ansible")],
        /// The directories to search for the reboot command.
        search_paths: Vec<String> [default("/sbin,/bin,/usr/sbin,/usr/bin,/usr/local/sbin")],
        /// The command whose output changes with each boot.
        boot_time_command: String [default("cat /proc/sys/kernel/random/boot_id")],
        /// The shell command that reboots the node, instead of `shutdown`.
        reboot_command: Option<String>,
    }
}

/// The delays between attempts to reach the node.
const DELAYS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

fn text<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    outcome.values.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

fn shell(line: &str) -> (&'static str, Map) {
    ("shell", map! { "_raw_params" => line })
}

async fn run(args: &Map, node: &dyn NodeSession) -> Result<ActionOutcome, ActionError> {
    let args = Args::read("reboot", args).map_err(Failure::new)?;
    if node.is_local() {
        let msg = "Running reboot with local connection would reboot the control node.";
        return Err(Failure::new(msg).with("elapsed", 0).with("rebooted", false).into());
    }
    let outcome = |elapsed: i64| ActionOutcome {
        values: map! { "elapsed" => elapsed, "rebooted" => true },
        changed: true,
        ..ActionOutcome::default()
    };
    if node.is_check_mode() {
        return Ok(outcome(0));
    }
    let boot = boot_id(&args, node).await?;
    let (module, call) = command(&args, node).await?;
    let start = Instant::now();
    let elapsed = || i64::try_from(start.elapsed().as_secs()).unwrap_or(i64::MAX);
    let timed =
        |failure: Failure, rebooted: bool| failure.with("elapsed", elapsed()).with("rebooted", rebooted);
    // The node may go down before the command's answer leaves it.
    match node.run_module(module, call).await {
        Err(NodeError::Unreachable(_)) => {}
        Err(refused @ NodeError::Refused(_)) => return Err(refused.into()),
        Ok(outcome) if outcome.status == Status::Failed => {
            let reason = match text(&outcome, "stderr") {
                "" => text(&outcome, "msg"),
                error => error,
            };
            let msg = format!("Reboot command failed. Error was: '{}, {reason}'", text(&outcome, "stdout"));
            return Err(timed(Failure::new(msg), false).into());
        }
        Ok(_) => {}
    }
    node.sleep(seconds(args.post_reboot_delay)).await.map_err(|failure| timed(failure, false))?;
    node.set_connect_timeout(args.connect_timeout.and_then(|seconds| u64::try_from(seconds).ok()));
    let back = wait_until_back(&args, &boot, node).await;
    node.set_connect_timeout(None);
    back.map_err(|(error, rebooted)| match error {
        ActionError::Failed(failure) => ActionError::Failed(timed(failure, rebooted)),
        ActionError::Node(error) => ActionError::Node(error),
    })?;
    Ok(outcome(elapsed()))
}

/// Waits until the boot id is another one, then until the test command succeeds. An error says whether the node has
/// rebooted.
async fn wait_until_back(args: &Args, boot: &str, node: &dyn NodeSession) -> Result<(), (ActionError, bool)> {
    let limit = seconds(args.reboot_timeout);
    let error = |error: RetryError, what: &str| match error {
        RetryError::Aborted(error) => error,
        RetryError::TimedOut(last) => {
            let msg = format!("Timed out waiting for {what} (timeout={})", args.reboot_timeout);
            Failure::new(msg).with("last_error", last).into()
        }
    };
    let booted = async || match boot_id(args, node).await {
        Ok(now) if now.is_empty() || now == boot => {
            Err(NodeError::Unreachable("boot time has not changed".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(ActionError::Failed(failure)) => Err(NodeError::Unreachable(failure.msg)),
        Err(ActionError::Node(error)) => Err(error),
    };
    let result = node.retry(limit, &DELAYS, booted).await;
    result.map_err(|reason| (error(reason, "last boot time check"), false))?;
    let responds = async || {
        let (module, call) = shell(&args.test_command);
        let outcome = node.run_module(module, call).await?;
        if outcome.status != Status::Failed {
            return Ok(());
        }
        let (err, out) = (text(&outcome, "stderr"), text(&outcome, "stdout"));
        Err(NodeError::Unreachable(format!("Test command failed: {err} {out}")))
    };
    let result = node.retry(limit, &DELAYS, responds).await;
    result.map_err(|reason| (error(reason, "post-reboot test command"), true))
}

/// Returns the output that identifies a boot of the node. A time would not do, because the clock may be set.
async fn boot_id(args: &Args, node: &dyn NodeSession) -> Result<String, ActionError> {
    let (module, call) = shell(&args.boot_time_command);
    let outcome = node.run_module(module, call).await?;
    if outcome.status == Status::Failed {
        let rc = outcome.values.get("rc").and_then(Value::as_int).unwrap_or(-1);
        let (out, err) = (text(&outcome, "stdout"), text(&outcome, "stderr"));
        let msg =
            format!("reboot: failed to get host boot time info, rc: {rc}, stdout: {out}, stderr: {err}");
        return Err(Failure::new(msg).with("rebooted", false).into());
    }
    Ok(text(&outcome, "stdout").to_owned())
}

/// Returns the module and arguments that reboot the node.
async fn command(args: &Args, node: &dyn NodeSession) -> Result<(&'static str, Map), ActionError> {
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
            // `now` works without the daemon that schedules a later shutdown.
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
    let paths = crate::text::python::str(&paths);
    Failure::new(format!("Unable to find command \"{program}\" in search paths: {paths}"))
        .with("rebooted", false)
}

/// Returns the path of a program on the node.
async fn find(program: &str, args: &Args, node: &dyn NodeSession) -> Result<Option<String>, ActionError> {
    let paths: Vec<String> =
        args.search_paths.iter().map(|path| format!("{}/{program}", path.trim_end_matches('/'))).collect();
    let calls = paths.iter().map(|path| ("stat", map! { "path" => path.as_str(), "get_checksum" => false }));
    let outcomes = node.run_modules(calls.collect()).await?;
    let exists = |outcome: &Outcome| {
        let stat = outcome.values.get("stat").and_then(Value::as_map);
        stat.and_then(|stat| stat.get("exists")).and_then(Value::as_bool) == Some(true)
    };
    Ok(paths.into_iter().zip(outcomes).find(|(_, outcome)| exists(outcome)).map(|(path, _)| path))
}
