//! Aliases: bind a virtual number X to people, extend and release the binding; pools, the stock of X.
//!
//! Invariants: a (X, person) is unique over all tenants that share a pool, and a number that takes messages from
//! anyone carries one alias only; both are constraints of the store, never looked up first. A partner sees only what
//! credentials of its audience bound. No view holds a number of a person. Called by `api`, `relay` and `worker`.

mod bind;
mod change;
mod error;
mod ground;
pub mod leg;
mod life;
mod notice;
mod people;
mod pool;
mod send;
mod view;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use bind::Bind;
pub use change::Alter;
pub use error::AliasError;
pub use life::AliasQuery;
pub use people::{Known, People, PeopleError, Seen};
pub use pool::{Import, NewPool, PoolView, Standing};
pub use send::{Addressee, Posted};
pub use view::{AliasView, LegView, MessageView};

use crate::access::{Access, Permit};
use crate::carrier::Carrier;
use crate::keyring::Keyring;
use crate::store::{AliasRow, Store};
use crate::vault::Vault;

/// The rules of aliases and pools.
pub struct Alias {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    access: Arc<Access>,
    keyring: Arc<Keyring>,
    people: Arc<People>,
    carriers: Vec<Arc<dyn Carrier>>,
}

impl Alias {
    /// Over the rooms below; `carriers` are those that pools may name.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        carriers: Vec<Arc<dyn Carrier>>,
    ) -> Self {
        let people = Arc::new(People::new(Arc::clone(&store), Arc::clone(&keyring)));
        Self { store, vault, access, keyring, people, carriers }
    }

    /// The people lookups, shared with `relay` and `worker`.
    pub fn people(&self) -> Arc<People> {
        Arc::clone(&self.people)
    }
}

/// Whether the caller may see this alias: the tenant's own credentials all, a partner those of its audience.
fn is_visible<R>(permit: &Permit<R>, row: &AliasRow) -> bool {
    row.tenant == permit.tenant()
        && (permit.sees_all() || (row.audience.is_some() && row.audience.as_deref() == permit.audience()))
}

/// How long a released (X, person) may be bound again only to the same counterpart.
const COOLING: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a number that took messages from anyone rests before another owner has it.
const REST: Duration = Duration::from_secs(90 * 24 * 3600);
