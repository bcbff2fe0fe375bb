//! The `bauta` command: parses arguments and hands over.

fn main() {}
