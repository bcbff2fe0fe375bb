//! bauta: a privacy boundary for phone numbers.
//!
//! Real numbers go in, tokens and virtual numbers come out, codes and messages reach the real device, and an auditor can
//! prove it from a masked, tamper-evident log. One idea carries the design: **a real number exists only as a
//! [`phone::PhoneNumber`], and leaves by a named door** ([`phone::Door`]).
//!
//! # The house
//!
//! Each module is a room; read from its first line it says what it owns. Arrows only point down, and a test reads every
//! `use crate::` line to keep it so.
//!
//! | floor | rooms |
//! |---|---|
//! | command line | [`cli`]: one file per subcommand |
//! | wiring | [`app`]: the only file that names concrete stores, carriers and key holders |
//! | edges | [`api`]: HTTP, one file per resource · [`pages`]: the sandbox's handsets · [`worker`]: deliver, notify, expire |
//! | services | [`rights`]: erase, export, change a number · [`webhook`]: tenants are told · [`outreach`]: a tenant's own messages · [`relay`]: a message across · [`verify`]: one-time codes · [`alias`]: legs and pools · [`dispatch`]: to a carrier · [`vault`]: numbers against tokens · [`keyring`]: keys and the KMS · [`access`]: who may · [`guard`]: limits · [`audit`]: reading the log |
//! | ports | [`store`]: durable and short-lived, with their adapters · [`carrier`]: SMPP, Twilio, Vonage, gateways by settings, sandbox · [`tls`]: certificates of the public listener and of its clients |
//! | | [`telemetry`]: scrubbed log lines, counters · [`process`]: memory that stays private |
//! | core, pure | [`event`] · [`token`] · [`phone`] · [`crypto`] · [`message`] · [`signing`] · [`ids`] · [`config`] · [`clock`] |
//!
//! # Follow one number
//!
//! 1. [`api`] parses it ([`phone::parse`]) into a `PhoneNumber`. Our copy of the text is wiped; so is
//!    whatever the libraries free, by the allocator of the binary, and `api` makes them let go of the rest.
//! 2. [`vault`] asks [`keyring`] for its blind index, finds or makes the record, seals the number
//!    (XAES-256-GCM) and answers with a token. One commit writes record and event ([`store::Change`]).
//! 3. A verification or an alias names the record. Nothing between here and the carrier holds the number.
//! 4. [`worker`] claims what is to be sent, [`access`] looks again and mints a permit, [`dispatch`] opens the number
//!    and hands it to a [`carrier`]: the first door.
//! 5. A custodian's reveal writes its entry, waits until that is durable, and answers: the second door.
//!
//! # What the compiler keeps
//!
//! - `PhoneNumber` has no `Debug`, `Display`, `Serialize` or `Clone`.
//! - No service function works without a [`access::Permit`]; only [`access`] makes one, and it cannot be copied.
//! - No [`store::Change`] can be made without the [`event::Event`] that tells of it.

pub mod access;
pub mod alias;
pub mod api;
pub mod app;
pub mod audit;
pub mod carrier;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod dispatch;
pub mod event;
pub mod guard;
pub mod ids;
pub mod keyring;
pub mod message;
pub mod outreach;
pub mod pages;
pub mod phone;
pub mod process;
pub mod relay;
pub mod rights;
pub mod signing;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod token;
pub mod vault;
pub mod verify;
pub mod webhook;
pub mod worker;
