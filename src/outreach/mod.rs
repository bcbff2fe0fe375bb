//! Outreach: what a tenant sends to people in its own name, and what keeps it from being too much.
//!
//! Messages and batches, templates, what the tenant says about itself (brand, senders, settings), who asked to be spared
//! messages, complaints, and what it all came to. Invariants: a message is accepted in the one commit that holds its
//! sealed text, its place in the outbox, what it spends and its event; nothing is accepted for a person who asked to be
//! spared it, and `access` looks again before it is handed over; a text that names a phone number is accepted only where
//! the number is the tenant's own. Called by the API; what is accepted is sent by `worker`.

mod complain;
mod error;
mod numbers;
mod profile;
mod render;
mod send;
mod spare;
mod template;
mod usage;
mod view;
mod wish;

use std::sync::Arc;

pub use complain::{Complaint, Of};
pub use error::OutreachError;
pub use profile::{ProfileChange, contact};
pub use send::Answers;
pub use spare::{SpareWish, SparedPerson, scope_name};
pub use template::NewTemplate;
pub use usage::{Stats, Usage, UsageQuery};
pub use view::{Accepted, MessageView};
pub use wish::{NewMessage, Says, TemplateName};

use crate::guard::content::Repeats;
use crate::keyring::Keyring;
use crate::store::Store;
use crate::vault::Vault;

/// The label under which bodies of messages are sealed, with the message's id: the same as `relay`'s, since one worker
/// opens both.
pub(crate) const BODY: &str = "message";

/// The service. One for the process.
pub struct Outreach {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    repeats: Repeats,
}

impl Outreach {
    /// Over the rooms below.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, keyring: Arc<Keyring>) -> Self {
        Self { store, vault, keyring, repeats: Repeats::default() }
    }
}
