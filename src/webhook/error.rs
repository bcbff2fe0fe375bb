//! Why something about webhooks was not done. Each variant is a decision that the caller can take.

use crate::keyring::KeyError;
use crate::store::{Conflict, StoreError};

/// Why a webhook operation was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No such endpoint or delivery for this caller.
    #[error("no such webhook or delivery")]
    NotFound,
    /// The URL is none that may be called: its form, scheme, port or address.
    #[error("the URL may not be called")]
    UrlRefused,
    /// The URL holds a phone number.
    #[error("the URL holds a phone number")]
    NumberInUrl,
    /// What is to be told of is nothing that can be told of.
    #[error("no such event: number {0} of the list")]
    EventUnknown(usize),
    /// None, or too many.
    #[error("a webhook is told of 1 to 32 kinds of events")]
    EventsInvalid,
    /// The tenant has as many as it may.
    #[error("too many webhooks")]
    TooMany,
    /// It is disabled, so that it cannot be tried.
    #[error("the webhook is disabled")]
    Disabled,
    /// The durable store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A key could not be had.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Conflict::Missing) => Self::NotFound,
            StoreError::Conflict(Conflict::TooMany) => Self::TooMany,
            other => Self::Store(other),
        }
    }
}
