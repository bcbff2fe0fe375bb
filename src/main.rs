//! The `bauta` command: parses arguments and hands over.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    bauta::cli::run(bauta::cli::Arguments::parse())
}
