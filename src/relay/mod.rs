//! Relay: what comes in by a carrier, carried across an alias to whoever its leg reaches.
//!
//! Invariants: nothing is acknowledged before it is durable; the tenant comes from the leg alone; a sender is never
//! shown, the receiver sees X; every message that is not carried leaves an event with the reason. [`accept`] is the
//! only file group here that meets a real number, and turns it into an index at once. Called by carriers through
//! [`crate::carrier::Inbox`], and by `worker` for what waited too long.

pub mod accept;
mod answer;
mod dialled;
mod disclose;
mod keyword;
mod lately;
mod parked;
mod phrases;
mod pools;
mod receipt;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

pub use parked::Verdict;
pub use receipt::settled_event;

use crate::access::Access;
use crate::alias::{Alias, People};
use crate::dispatch::Health;
use crate::guard::content::Repeats;
use crate::keyring::Keyring;
use crate::store::Store;
use crate::vault::Vault;

/// The label under which bodies of messages are sealed, with the message's id.
pub const BODY: &str = "message";

/// The inbox of the house.
pub struct Relay {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    access: Arc<Access>,
    people: Arc<People>,
    pools: pools::Pools,
    vault: Arc<Vault>,
    echoes: lately::Echoes,
    misses: lately::Misses,
    replies: lately::Replies,
    repeats: Repeats,
    malformed: tally::Tally,
    order: accept::Turns,
    tags: accept::Turns,
    /// What receipts are measured into, if anybody measures.
    health: Option<Arc<Health>>,
}

impl Relay {
    /// Over the rooms below.
    pub fn new(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        vault: Arc<Vault>,
        alias: &Alias,
    ) -> Self {
        Self {
            pools: pools::Pools::new(Arc::clone(&store)),
            store,
            keyring,
            access,
            people: alias.people(),
            vault,
            echoes: lately::Echoes::new(),
            misses: lately::Misses::new(),
            replies: lately::Replies::new(),
            repeats: Repeats::default(),
            malformed: tally::Tally::default(),
            order: accept::Turns::default(),
            tags: accept::Turns::default(),
            health: None,
        }
    }

    /// The same, telling `health` what receipts say of carriers.
    #[must_use]
    pub fn measuring(self, health: Arc<Health>) -> Self {
        Self { health: Some(health), ..self }
    }
}
