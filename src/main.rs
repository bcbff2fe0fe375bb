//! The `bauta` command: an allocator that leaves nothing behind, then parses arguments and hands over.

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is freed: what HTTP, JSON and number crates leave on the heap as well as our own.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    bauta::cli::run(bauta::cli::Arguments::parse())
}
