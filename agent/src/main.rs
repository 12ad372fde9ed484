//! The agent's program.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words = || std::env::args_os().skip(1);
    if let Some(code) = convoy_agent::enter_terminal(words()).or_else(|| convoy_agent::enter_job(words())) {
        return code;
    }
    // Bypasses the buffer of `Stdout`, which flushes at line ends: each message must be a single write.
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(output) => convoy_agent::serve::serve(io::stdin(), File::from(output)),
        Err(_) => ExitCode::FAILURE,
    }
}
