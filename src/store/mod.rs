//! Where state lives: the durable port with its adapter, and the short-lived port with its adapter.
//!
//! Services see only the traits [`Store`] and [`Scratch`]; which adapter stands behind them is decided in `app.rs`.

mod aliases;
mod approvals;
mod calls;
mod change;
mod crossing;
mod erasures;
mod holding;
mod keys;
mod lookalike;
mod memory;
mod outreach;
mod policies;
mod pools;
mod proofs;
mod rights;
mod routes;
mod rows;
mod scratch;
mod sqlite;
#[allow(clippy::module_inception, reason = "the port is the room's own name")]
mod store;
mod traffic;
mod webhooks;

pub use aliases::*;
pub use approvals::*;
pub use calls::{CallRow, CallStore, CallWrite};
pub use change::*;
pub use crossing::*;
pub use erasures::{Erasing, ErasureEntry, ErasureLog};
pub use holding::{Holding, Telling};
pub use keys::*;
pub use lookalike::{LookalikeMark, LookalikeRow};
pub use memory::MemoryScratch;
pub use outreach::*;
pub use policies::*;
pub use pools::*;
pub use proofs::{Proof, Proofs, SigningKey, With};
pub use rights::*;
pub use routes::*;
pub use rows::*;
pub use scratch::{Claim, Rate, Scratch, ScratchError, Verdict};
pub use sqlite::SqliteStore;
pub use store::*;
pub use traffic::*;
pub use webhooks::*;
