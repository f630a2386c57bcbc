//! The `logsmith` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    logsmith::cli::main()
}
