//! Why an alias or pool was not done as asked. Each variant is a decision that the caller can take.

use std::time::Duration;

use super::people::PeopleError;
use crate::guard::LabelError;
use crate::keyring::KeyError;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Why an alias or a pool operation was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// A mode that is not offered.
    #[error("this mode is not offered")]
    ModeUnsupported,
    /// The mode needs a second person.
    #[error("this mode needs a second party")]
    PartyMissing,
    /// The mode has no second person.
    #[error("this mode has no second party")]
    PartyUnexpected,
    /// The mode needs a team.
    #[error("this mode needs members")]
    MembersMissing,
    /// A field that the mode has no use for, or too much in it.
    #[error("{0}: this cannot stand there")]
    Unexpected(&'static str),
    /// No content policy of this name.
    #[error("no such content policy")]
    ContentUnknown,
    /// Both tokens stand for one number.
    #[error("both tokens stand for the same number")]
    SameParty,
    /// A party's number, or a number to import, is in a pool.
    #[error("the number is in a pool")]
    NumberInPool,
    /// No such pool for this tenant.
    #[error("no such pool")]
    PoolUnknown,
    /// No number of the pool can carry these people now.
    #[error("no number is free for these parties")]
    PoolExhausted,
    /// The chosen number carries one of these people already.
    #[error("the number already carries one of these parties")]
    AliasConflict,
    /// The chosen number is in another kind of use, resting, or in somebody's pool.
    #[error("the number is in use")]
    NumberOccupied,
    /// The chosen number or carrier cannot be used by this tenant.
    #[error("the number or carrier cannot be used by this tenant")]
    Unroutable,
    /// A life shorter than 60 s or longer than ten years.
    #[error("the life must be from 60 seconds to ten years")]
    TtlInvalid,
    /// A client's text that holds a phone number.
    #[error("the text holds a phone number")]
    NumberInText,
    /// A name, a list or a text that is empty or too long.
    #[error("empty or too long")]
    SizeInvalid,
    /// A pool's numbers are of too many kinds.
    #[error("the numbers of the pool are of too many kinds")]
    TooManyLots,
    /// A pool of this name exists.
    #[error("a pool of this name exists")]
    PoolExists,
    /// The person asked to be spared messages from that number.
    #[error("the person asked to be spared this")]
    Suppressed,
    /// The text breaks a rule of a content policy.
    #[error("the text breaks a rule")]
    ContentRefused,
    /// The text needs too many parts.
    #[error("the text is too long")]
    TextTooLong,
    /// The day's cap has less left.
    #[error("a cap is reached")]
    CapReached {
        /// Not before.
        retry_after: Duration,
    },
    /// The alias, or the credential that bound it, is frozen.
    #[error("the alias is frozen")]
    Frozen,
    /// The alias is no longer active.
    #[error("the alias is over")]
    Over,
    /// No such alias, token or number for this caller.
    #[error("not found")]
    NotFound,
    /// The durable store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be had, or does not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl AliasError {
    /// The stable code of a refusal; none for a failure of ours or of another room, which has its own.
    pub const fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::ModeUnsupported => "mode_unsupported",
            Self::PartyMissing => "party_missing",
            Self::PartyUnexpected => "party_unexpected",
            Self::MembersMissing => "members_missing",
            Self::Unexpected(_) => "unexpected",
            Self::ContentUnknown => "content_unknown",
            Self::SameParty => "same_party",
            Self::NumberInPool => "number_in_pool",
            Self::PoolUnknown => "pool_unknown",
            Self::PoolExhausted => "pool_exhausted",
            Self::AliasConflict => "alias_conflict",
            Self::NumberOccupied => "number_occupied",
            Self::Unroutable => "unroutable",
            Self::TtlInvalid => "ttl_invalid",
            Self::NumberInText => "number_in_text",
            Self::SizeInvalid => "size_invalid",
            Self::TooManyLots => "too_many_kinds",
            Self::PoolExists => "pool_exists",
            Self::Suppressed => "suppressed",
            Self::ContentRefused => "content_refused",
            Self::TextTooLong => "text_too_long",
            Self::CapReached { .. } => "spend_cap_reached",
            Self::Frozen => "frozen",
            Self::Over => "alias_expired",
            Self::NotFound => "not_found",
            Self::Store(_) | Self::Key(_) | Self::Vault(_) => return None,
        })
    }
}

impl From<PeopleError> for AliasError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Missing => Self::NotFound,
            PeopleError::Store(error) => Self::Store(error),
            PeopleError::Key(error) => Self::Key(error),
        }
    }
}

impl From<LabelError> for AliasError {
    fn from(error: LabelError) -> Self {
        match error {
            LabelError::Number => Self::NumberInText,
            LabelError::Empty | LabelError::TooLong | LabelError::Unprintable => Self::SizeInvalid,
        }
    }
}
