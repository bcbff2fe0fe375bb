//! What dispatch is given, what it gives back, and why not.

use std::time::Duration;

use crate::carrier::SubmitError;
use crate::ids::{AliasId, RecordId, SubjectId};
use crate::keyring::KeyError;
use crate::phone::VirtualNumber;
use crate::store::{Class, Counted, PartId, Registration, Sealed, StoreError};
use crate::vault::VaultError;

/// One message to one person.
pub struct Parcel<'a> {
    /// Whom it is for.
    pub to: To,
    /// What the receiver sees as the sender.
    pub from: From,
    /// The whole text.
    pub text: &'a str,
    /// How long it is of use, if that is known.
    pub life: Option<Duration>,
    /// What kind of message it is: routes are chosen by it.
    pub class: Class,
    /// Under what sender and text are registered, where that is asked for.
    pub registration: Option<&'a Registration>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A number of a pool.
    Pool(VirtualNumber),
    /// Whatever the route, or else the carrier, shows for the house itself.
    House,
    /// A short code (digits) or a name that the tenant has registered.
    Sender(String),
}

/// A message that a carrier took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The carrier's configured name.
    pub carrier: String,
    /// Its id of each part, in order.
    pub ids: Vec<PartId>,
    /// Whom it was for, as events name a person.
    pub subject: SubjectId,
    /// What it counts as.
    pub counted: Counted,
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
