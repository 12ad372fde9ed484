//! The command `convoy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(convoy::cli::main(std::env::args_os()))
}
