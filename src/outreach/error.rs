//! Why something was not done, as decisions of the caller.

use std::time::Duration;

use crate::guard::content::ContentRefusal;
use crate::keyring::KeyError;
use crate::store::{Conflict, StoreError};
use crate::vault::VaultError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OutreachError {
    /// There is no such thing for this caller.
    #[error("no such thing")]
    NotFound,
    /// The person asked to be spared it.
    #[error("the person asked to be spared this")]
    Suppressed,
    /// The text breaks a rule of the content policy.
    #[error("content refused: {0}")]
    Content(ContentRefusal),
    /// The day's cap has less left.
    #[error("a cap is reached")]
    CapReached {
        /// Not before.
        retry_after: Duration,
    },
    /// The sender is none of the tenant's.
    #[error("the sender is not registered")]
    Sender,
    /// The template and its variables do not fit.
    #[error("the variables do not fit")]
    Mismatch,
    /// The text names somebody's number.
    #[error("{0} holds a phone number")]
    NumberInText(&'static str),
    /// The text needs too many parts.
    #[error("too long")]
    TooLong,
    /// A field that cannot be so.
    #[error("{0} cannot be so")]
    Invalid(&'static str),
    /// A field that has to be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// There is one already.
    #[error("exists already")]
    Exists,
    /// There are too many.
    #[error("too many")]
    TooMany,
    /// The durable store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The person cannot be found or reached.
    #[error(transparent)]
    Vault(VaultError),
}

impl OutreachError {
    /// Why a message was refused, as events and metrics say.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::Content(rule) => rule.as_str(),
            Self::CapReached { .. } => "spend_cap_reached",
            Self::Sender => "sender_not_registered",
            Self::NumberInText(_) => "number_in_text",
            _ => "refused",
        }
    }
}

impl From<StoreError> for OutreachError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Conflict::Missing) => Self::NotFound,
            StoreError::Conflict(Conflict::Exists) => Self::Exists,
            StoreError::Conflict(Conflict::TooMany) => Self::TooMany,
            error => Self::Store(error),
        }
    }
}

impl From<VaultError> for OutreachError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotFound => Self::NotFound,
            error => Self::Vault(error),
        }
    }
}
