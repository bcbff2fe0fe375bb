//! Dispatch: one message to one person, over a carrier that may carry it.
//!
//! Invariants: a number is opened here, on a [`Delivery`] permit, and moves into the submission; a test tenant's
//! message goes only to carriers that reach no device, a live one's only to those that do; a message from a pool
//! number leaves only by that pool's carrier. Called by `worker::deliver`.

mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::access::{Delivery, Permit};
use crate::carrier::{Address, Carrier, Submission, SubmitError};
use crate::ids::{self, AliasId, RecordId, SubjectId};
use crate::keyring::{KeyError, Keyring};
use crate::phone::{PhoneNumber, VirtualNumber};
use crate::store::{Sealed, Store, StoreError};
use crate::vault::{Vault, VaultError};

/// The ways out.
pub struct Dispatch {
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    carriers: Vec<Arc<dyn Carrier>>,
    homes: route::Homes,
}

/// Whom a message is for.
#[derive(Clone)]
pub enum To {
    /// The person behind a token record.
    Person(RecordId),
    /// A stranger who wrote to an alias, sealed for it.
    Stranger(AliasId, Sealed),
}

/// What the receiver sees as the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A number of a pool.
    Pool(VirtualNumber),
    /// Whatever the carrier shows for the house itself.
    House,
}

/// A message that a carrier took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The carrier's configured name.
    pub carrier: String,
    /// Its id of each part, in order.
    pub ids: Vec<String>,
    /// Whom it was for, as events name a person.
    pub subject: SubjectId,
}

/// Why a message was not handed over, as a decision: try again, or never.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// No carrier may carry it. Never.
    #[error("no route")]
    NoRoute,
    /// The carrier asks to slow down. Again, not before.
    #[error("the carrier asks to slow down")]
    Throttled {
        /// Not before.
        retry_after: Duration,
    },
    /// No carrier can be reached. Again.
    #[error("no carrier can be reached")]
    Unavailable,
    /// It may have been taken. Again, though that may repeat it.
    #[error("the carrier did not confirm")]
    Unconfirmed,
    /// The carrier will never take it.
    #[error("the carrier refused: {reason}")]
    Refused {
        /// A short class, free of numbers.
        reason: String,
    },
    /// The person cannot be reached any more: the record is erased, or its key is gone. Never.
    #[error("the number cannot be opened")]
    Gone,
    /// A store or key service failed before anything was sent. Again.
    #[error("not ready: {0}")]
    NotReady(String),
}

impl Dispatch {
    /// Over the rooms below and every configured carrier, in the order of preference.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        keyring: Arc<Keyring>,
        carriers: Vec<Arc<dyn Carrier>>,
    ) -> Self {
        Self { vault, keyring, carriers, homes: route::Homes::new(store) }
    }

    /// Whether any carrier could take a message now.
    pub fn is_up(&self) -> bool {
        self.carriers.iter().any(|carrier| carrier.is_up())
    }

    /// Hands one message to a carrier; returns once the carrier has taken every part. A carrier that took nothing is
    /// followed by the next one, where another may carry it.
    pub async fn send(
        &self,
        permit: &Permit<Delivery>,
        to: &To,
        from: From,
        text: &str,
    ) -> Result<Sent, DispatchError> {
        let home = match from {
            From::Pool(number) => Some(self.homes.carrier(number).await?.ok_or(DispatchError::NoRoute)?),
            From::House => None,
        };
        let end = Instant::now() + PATIENCE;
        let mut outcome = Err(DispatchError::NoRoute);
        for carrier in route::choose(&self.carriers, permit.mode(), home.as_deref()) {
            outcome = self.submit(permit, carrier.as_ref(), to, (from, text), end).await;
            if !matches!(outcome, Err(DispatchError::Unavailable | DispatchError::Throttled { .. })) {
                break;
            }
        }
        outcome
    }

    async fn submit(
        &self,
        permit: &Permit<Delivery>,
        carrier: &dyn Carrier,
        to: &To,
        (from, text): (From, &str),
        end: Instant,
    ) -> Result<Sent, DispatchError> {
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let number = self.open(permit, to).await?;
        let subject = keys.subject(keys.index(&number));
        let from = match from {
            From::Pool(number) => Address::Number(number),
            From::House => carrier.sender(),
        };
        let text = Zeroizing::new(text.to_owned());
        let submission = Submission { tenant: permit.tenant(), from, to: number, text };
        match timeout_at(end, carrier.submit(submission)).await {
            Ok(Ok(submitted)) => Ok(Sent { carrier: carrier.name().to_owned(), ids: submitted.ids, subject }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(DispatchError::Unconfirmed),
        }
    }

    async fn open(&self, permit: &Permit<Delivery>, to: &To) -> Result<PhoneNumber, DispatchError> {
        match to {
            To::Person(record) => Ok(self.vault.open(permit, *record).await?),
            To::Stranger(alias, sealed) => {
                let keys = self.keyring.tenant(permit.tenant()).await?;
                Ok(keys.open_stranger(&ids::bytes(alias), sealed)?)
            }
        }
    }
}

impl std::convert::From<SubmitError> for DispatchError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Throttled { retry_after } => Self::Throttled { retry_after },
            SubmitError::Unavailable => Self::Unavailable,
            SubmitError::Unconfirmed => Self::Unconfirmed,
            SubmitError::Refused { reason } => Self::Refused { reason },
        }
    }
}

impl std::convert::From<StoreError> for DispatchError {
    fn from(error: StoreError) -> Self {
        Self::NotReady(error.to_string())
    }
}

impl std::convert::From<KeyError> for DispatchError {
    fn from(error: KeyError) -> Self {
        match error {
            // What does not open now will not open later.
            KeyError::Unopened => Self::Gone,
            error => Self::NotReady(error.to_string()),
        }
    }
}

impl std::convert::From<VaultError> for DispatchError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            VaultError::Key(error) => error.into(),
            _ => Self::Gone,
        }
    }
}

/// How long all carriers together may take over one message. With the time to record it, shorter than the lease of an
/// outbox row.
pub const PATIENCE: Duration = Duration::from_secs(30);
