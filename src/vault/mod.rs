//! Numbers against tokens: tokenize, look up, describe, exchange, reveal, resolve. The only room that opens stored numbers.
//!
//! Invariants: every function that serves a caller takes the caller's [`Permit`](crate::access::Permit) and works for
//! its tenant alone; every token that is not this tenant's, not of an audience the caller may see, expired, erased or
//! never made is one [`VaultError::NotFound`]; a number is revealed only after the entry that says so is durable; no
//! answer tells whether a number was known before. Called by the API, `verify`, `alias`, `relay` and `dispatch`.

mod alert;
mod audiences;
mod batch;
mod budget;
mod exchange;
mod fpe;
mod held;
mod look;
mod lookalike;
mod lookup;
mod person;
mod records;
mod reservation;
mod reveal;
mod rewrap;
mod tokenize;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::guard::Enumeration;
use crate::ids::{RecordId, SubjectId, TenantId};
use crate::keyring::{KeyError, Keyring, TenantKeys};
use crate::phone::{LineType, Masked, PhoneNumber};
use crate::store::{BlindIndex, Store, StoreError};
use crate::token::{Kind, Token};
use audiences::Audiences;
use budget::Purses;
use records::Records;
use reservation::Reservations;

pub use batch::{Answers, Group, ItemError, MAX_BATCH};
pub use budget::until_midnight;
pub use person::Person;
pub use reveal::{Revealed, RevealedSet};

/// Keeps numbers and gives tokens for them.
pub struct Vault {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    records: Records,
    audiences: Audiences,
    reservations: Reservations,
    enumeration: Enumeration,
    purses: Purses,
}

/// A number to be tokenized, as the parser read it.
pub struct NewToken {
    /// The number.
    pub number: PhoneNumber,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What kind of line.
    pub line_type: LineType,
    /// Which kind of token.
    pub kind: Kind,
    /// How long it is to live; none is for ever. Sealed tokens count in whole seconds.
    pub ttl: Option<Duration>,
    /// When it is to end, for many that are to end together; outweighs `ttl`.
    pub ends_at: Option<Timestamp>,
    /// A token that no other can be joined with, of this very number. Vaulted and lookalike only.
    pub fresh: bool,
    /// A JSON object to be kept with it, free of numbers. Vaulted and lookalike only.
    pub metadata: Option<String>,
    /// Whether an fpe text begins with the number's own country code. Of no meaning to other kinds.
    pub keep_country: bool,
}

/// What may be shown of a token.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// Its text.
    pub token: Token,
    /// Its kind.
    pub kind: Kind,
    /// The number's mask; absent for callers who may see none.
    pub masked: Option<Masked>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// What kind of line.
    pub line_type: LineType,
    /// When a token was asked for, in the answer to that; later when its record was made. Absent for sealed tokens,
    /// which keep none, and for callers who do not see all of the tenant, whom it would tell of others' doings.
    pub created_at: Option<Timestamp>,
    /// Until when it works.
    pub expires_at: Option<Timestamp>,
    /// What the tenant keeps with it.
    pub metadata: Option<String>,
}

/// A person as other services know them: without number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The token record.
    pub record: RecordId,
    /// The number under the tenant's index key.
    pub index: BlindIndex,
    /// The person in the log.
    pub subject: SubjectId,
}

/// Why the vault did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No such token for this caller; deliberately no more than that.
    #[error("no such token")]
    NotFound,
    /// The store cannot serve.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be had, or a record does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The credential's budget of the day has less left than was asked for; nothing was done.
    #[error("the budget of the day is exhausted")]
    BudgetExhausted {
        /// Until it starts anew.
        retry_after: Duration,
    },
    /// The request cannot be; a stable code for the caller.
    #[error("refused: {0}")]
    Refused(&'static str),
}

impl Vault {
    /// A vault over this store and these keys.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>) -> Self {
        Self {
            store,
            keyring,
            records: Records::none_yet(),
            audiences: Audiences::unread(),
            reservations: Reservations::none_yet(),
            enumeration: Enumeration::default(),
            purses: Purses::default(),
        }
    }

    /// The token of a record for an audience; none is the tenant's own. For answers about a person whom the caller
    /// named before in that audience.
    pub async fn token_of(
        &self,
        tenant: TenantId,
        record: RecordId,
        audience: Option<&str>,
    ) -> Result<Token, VaultError> {
        Ok(self.keys(tenant).await?.vaulted(record, audience))
    }

    /// The mask of a record's number, for answers to those who may see it.
    pub async fn masked(&self, tenant: TenantId, record: RecordId) -> Result<Masked, VaultError> {
        let keys = self.keys(tenant).await?;
        let row = self.live(tenant, record).await?;
        Ok(Masked::of(&keys.open_number(record, &row.number)?))
    }

    /// Settles what idle credentials have sealed. To be called every few seconds.
    pub async fn settle_idle(&self) -> Result<(), VaultError> {
        Ok(self.reservations.settle(self.store.as_ref(), IDLE).await?)
    }

    /// Settles what every credential has sealed. To be called at shutdown, after the last request.
    pub async fn settle(&self) -> Result<(), VaultError> {
        Ok(self.reservations.settle(self.store.as_ref(), Duration::ZERO).await?)
    }

    async fn keys(&self, tenant: TenantId) -> Result<Arc<TenantKeys>, VaultError> {
        Ok(self.keyring.tenant(tenant).await?)
    }
}

const IDLE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
