//! `pause`: pauses the run, for a time or until the user continues.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::Map;

use super::action::{Action, ActionContext, ActionOutcome, Pause, Run};

/// The action.
pub const ACTION: Action = Action {
    once_for_all: true,
    pauses_run: true,
    ..Action::new("pause", DOC, Args::SPEC, Run::OnController(run))
};

const DOC: Doc = Doc {
    summary: "Pauses the run, for a time or until the user continues",
    description: "Runs once for all hosts. With `seconds` or `minutes` the run continues after that time, otherwise when \
        the user presses Enter. Ctrl-C followed by C continues at once; Ctrl-C followed by A fails the task. Without a \
        terminal, the task does not wait for the user.",
    example: "- name: Let the caches drain\n  pause:\n    seconds: 30\n- name: Ask the operator\n  pause:\n    prompt: Is the load balancer drained?\n",
};

convoy_agent::arguments! {
    /// Arguments of `pause`.
    pub struct Args {
        /// Whether to echo the user's input.
        echo: bool [default("true")],
        /// The length of the pause in minutes.
        minutes: Option<i64>,
        /// The length of the pause in seconds.
        seconds: Option<i64>,
        /// The question to the user.
        prompt: Option<String>,
    }
    mutually_exclusive ["minutes", "seconds"]
}

fn run(args: &Map, _: &ActionContext<'_>) -> Result<ActionOutcome, Failure> {
    let args = Args::read("pause", args).map_err(Failure::new)?;
    let seconds = args.seconds.or_else(|| args.minutes.map(|minutes| minutes.saturating_mul(60)));
    let pause = Pause {
        prompt: args.prompt,
        echo: args.echo,
        // Ansible waits at least one second.
        seconds: seconds.map(|seconds| u64::try_from(seconds).unwrap_or(1).max(1)),
        minutes: args.seconds.is_none(),
    };
    Ok(ActionOutcome { pause: Some(pause), ..ActionOutcome::default() })
}
