//! One binary for all integration tests: one file per journey, through the real ports, with real peers.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what is wrong by failing"
)]

mod arrows;
mod backup;
mod browser;
mod bulk;
mod carriers;
mod cli;
mod codes;
mod http;
mod keys;
mod leak;
mod load;
mod main_job;
mod memory;
mod model;
mod peer;
mod printed;
mod proofs;
mod service;
mod smpp;
#[path = "../peers/smsc.rs"]
mod smsc;
mod store;
mod webhooks;
