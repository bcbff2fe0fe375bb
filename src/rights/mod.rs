//! What people and tenants have a right to: a token, a person or a whole tenant erased, everything exported, a number
//! changed.
//!
//! Invariants: what is erased stands in the list of erasures ([`ErasureLog`]), on disk, before it is answered, so that a
//! restored backup brings nobody back; everything of one person goes in one commit with the events that tell of it; what
//! came in while it was read makes the reading start again. Called by the API, the command line and the worker.

mod change;
mod error;
mod export;
mod gather;
mod replay;
mod subject;
mod tenant;
mod token;

use std::sync::Arc;
use std::time::Duration;

pub use change::{ChangeNumber, NumberChange};
pub use error::RightsError;
pub use export::{Export, MAX_LISTED};

use crate::access::Access;
use crate::keyring::Keyring;
use crate::store::{ErasureLog, Store};
use crate::vault::Vault;
use crate::verify::Verify;

/// The service. One for the process.
pub struct Rights {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    verify: Arc<Verify>,
    keyring: Arc<Keyring>,
    access: Arc<Access>,
    list: ErasureLog,
}

impl Rights {
    /// Over the rooms below; `list` is kept elsewhere than the store.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        verify: Arc<Verify>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        list: ErasureLog,
    ) -> Self {
        Self { store, vault, verify, keyring, access, list }
    }
}

/// How often what is held is read again when more of it came in.
const ROUNDS: u32 = 5;
/// How long the other party's place on an alias of somebody who is gone is kept free of others, as after a release.
const COOLING: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a number that took messages from anyone for somebody who is gone rests, as after a release.
const REST: Duration = Duration::from_secs(90 * 24 * 3600);
