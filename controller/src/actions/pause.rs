//! `pause`: waits, for a time or for the user.

use convoy_agent::args::Arguments;
use convoy_agent::failure::Failure;
use convoy_agent::metadata::Doc;
use convoy_protocol::Map;

use super::{Action, Done, Run, Scene};

/// The action.
pub const ACTION: Action = Action {
    name: "pause",
    doc: Doc {
        summary: "Waits, for a time or for the user",
        description: "Done once for all hosts. With `seconds` or `minutes` it goes on by itself; without them when the \
            user presses Enter. Ctrl-C, then C goes on at once, then A fails the task. Without a terminal only a time is \
            waited for.",
        example: "- name: Let the caches drain\n  pause:\n    seconds: 30\n- name: Ask the operator\n  pause:\n    prompt: Is the load balancer drained?\n",
    },
    spec: Args::SPEC,
    any_argument: false,
    sets_unknown_names: false,
    changes_inventory: false,
    once_for_all: true,
    unrendered: &[],
    run: Run::Here(run),
};

convoy_agent::arguments! {
    /// Arguments of `pause`.
    pub struct Args {
        /// Whether what the user types is shown.
        echo: bool [default("true")],
        /// How many minutes to wait.
        minutes: Option<i64>,
        /// How many seconds to wait.
        seconds: Option<i64>,
        /// What to ask the user.
        prompt: Option<String>,
    }
    mutually_exclusive ["minutes", "seconds"]
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// What to ask.
    pub prompt: Option<String>,
    /// Whether what is typed is shown.
    pub echo: bool,
    /// For how long; without it until the user goes on.
    pub seconds: Option<u64>,
    /// Whether the time is told in minutes.
    pub minutes: bool,
}

fn run(args: &Map, _scene: &Scene<'_>) -> Result<Done, Failure> {
    let args = Args::read("pause", args).map_err(Failure::new)?;
    let given = args.seconds.or_else(|| args.minutes.map(|minutes| minutes.saturating_mul(60)));
    let pause = Pause {
        prompt: args.prompt,
        echo: args.echo,
        // Ansible waits a second at least.
        seconds: given.map(|seconds| u64::try_from(seconds).unwrap_or(1).max(1)),
        minutes: args.seconds.is_none(),
    };
    Ok(Done { pause: Some(pause), ..Done::default() })
}
