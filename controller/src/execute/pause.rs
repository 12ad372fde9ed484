//! `pause`: the task waits, for a time or for the user.

use std::io;
use std::time::{Duration, Instant};

use convoy_protocol::{Map, map};

use super::Executor;
use crate::actions::Pause;
use crate::events::{RunEvent, Screen as _};
use crate::terminal::{Echo, Terminal};

const CONTROLS: &str = "(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)\r";

/// How a wait ended.
enum End {
    /// By itself.
    Over,
    /// The user typed this.
    Typed(String),
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// Waits as a task asks; returns its result.
///
/// # Errors
/// What to say if the user gave it up.
pub(super) async fn pause(executor: &Executor<'_>, title: &str, pause: &Pause) -> Result<Map, String> {
    let say = |text: &str| {
        executor.requests.emit(RunEvent::Verbose { level: 0, host: None, text: text.to_owned() });
    };
    let hidden = if pause.echo { "" } else { " (output is hidden)" };
    let asked = pause.prompt.as_deref().unwrap_or("Press enter to continue, Ctrl+C to interrupt");
    let mut question = format!("[{title}]\n{asked}{hidden}:");
    if let Some(seconds) = pause.seconds {
        say(&format!("Pausing for {seconds} seconds{hidden}"));
        if pause.prompt.is_some() {
            say(CONTROLS);
        } else {
            question = CONTROLS.to_owned();
        }
    }
    let (began, start) = (Instant::now(), now());
    executor.services.interrupts.start_pausing();
    let ended = wait(executor, pause, &question, &say).await;
    let ended = match ended {
        Ok(End::Interrupted) => {
            say("Press 'C' to continue the play or 'A' to abort \r");
            executor.requests.hide().await;
            match blocking(|| Terminal::Standard.wait_for_key(&['a', 'c'])).await {
                Ok('c') => Ok(String::new()),
                _ => Err("user requested abort!".to_owned()),
            }
        }
        Ok(End::Typed(text)) => Ok(text),
        Ok(End::Over) => Ok(String::new()),
        Err(error) => Err(format!("cannot read the terminal: {error}")),
    };
    executor.services.interrupts.stop_pausing();
    let took = began.elapsed().as_secs_f64();
    let (duration, unit) = if pause.minutes { (took / 60.0, "minutes") } else { (took, "seconds") };
    let duration = convoy_protocol::Value::from((duration * 100.0).round() / 100.0);
    Ok(map! {
        "changed" => false,
        "rc" => 0,
        "stderr" => "",
        "stdout" => format!("Paused for {} {unit}", crate::text::python::str(&duration)),
        "start" => start,
        "stop" => now(),
        "delta" => took as i64,
        "echo" => pause.echo,
        "user_input" => ended?,
    })
}

async fn wait(
    executor: &Executor<'_>,
    pause: &Pause,
    question: &str,
    say: &impl Fn(&str),
) -> io::Result<End> {
    let Some(seconds) = pause.seconds else {
        if !Terminal::Standard.is_interactive() {
            executor.requests.warn("Not waiting for response to prompt as stdin is not interactive");
            return Ok(End::Over);
        }
        let question = format!("{question}\r\n");
        let echo = if pause.echo { Echo::On } else { Echo::Off };
        // All that was emitted before is shown before the question.
        executor.requests.hide().await;
        return match blocking(move || Terminal::Standard.ask(&question, echo)).await {
            Ok(typed) => Ok(End::Typed(typed)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(End::Interrupted),
            Err(error) => Err(error),
        };
    };
    say(question);
    let interactive = Terminal::Standard.is_interactive();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => Ok(End::Over),
        () = executor.services.interrupts.pressed() => {
            // Without a terminal nobody can be asked what the signal meant.
            if !interactive {
                executor.services.interrupts.interrupt();
                return Ok(End::Over);
            }
            Ok(End::Interrupted)
        }
    }
}

/// Reads the terminal without holding up what else goes on.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

/// The time as Python writes it.
fn now() -> String {
    jiff::Zoned::now().datetime().strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
