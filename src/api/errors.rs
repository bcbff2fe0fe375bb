//! How the refusals of each service read at the edge. Each service's errors are decided there and only named here.

use super::code::Code;
use super::problem::Problem;
use crate::access::{AccessError, Denied};
use crate::alias::AliasError;
use crate::audit::LogError;
use crate::guard::GuardError;
use crate::keyring::KeyError;
use crate::outreach::OutreachError;
use crate::rights::RightsError;
use crate::store::VerificationStatus;
use crate::vault::VaultError;
use crate::verify::VerifyError;
use crate::webhook::WebhookError;

/// How long to wait when starts of one verification race each other.
const RACE_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated | Denied::AddressNotAllowed | Denied::OtherCertificate => {
                Self::new(Code::Unauthenticated)
            }
            Denied::Lacking(_) | Denied::SignatureInvalid | Denied::SignatureStale => Self::refused(denied.code()),
            Denied::Forbidden | Denied::Suppressed => Self::new(Code::Forbidden),
            Denied::Frozen => Self::new(Code::Frozen),
            Denied::Store(error) => error.into(),
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Denied(denied) => denied.into(),
            AccessError::NotFound => Self::new(Code::NotFound),
            AccessError::NameTaken => Self::new(Code::AlreadyExists),
            AccessError::Invalid { field, .. } => Self::at(Code::InvalidField, field),
            AccessError::NumberInText(field) => Self::at(Code::NumberInText, field),
            AccessError::Approval(error) => Self::refused(error.code()),
            AccessError::PolicyConflict => Self::new(Code::PolicyConflict),
            AccessError::TooManyProposals => Self::new(Code::TooManyProposals),
            AccessError::Policy(error) => error.into(),
            AccessError::Store(error) => error.into(),
            AccessError::Key(error) => error.into(),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => error.into(),
            LogError::Output(error) => Self::internal(error),
        }
    }
}

impl From<GuardError> for Problem {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Limited { retry_after } => Self::limited(retry_after),
            GuardError::Scratch(error) => error.into(),
            GuardError::Store(error) => error.into(),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::Kms(error) if error.is_away() => Self::kms_unavailable(error),
            KeyError::Kms(error) => Self::unavailable(error),
            error => Self::internal(error),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotFound => Self::new(Code::NotFound),
            VaultError::Store(error) => error.into(),
            VaultError::Key(error) => error.into(),
            VaultError::BudgetExhausted { retry_after } => Self::exhausted(retry_after),
            VaultError::Refused(code) => refused(code),
        }
    }
}

/// What the vault refuses by name; those that are no code of ours are rules about one field.
pub(super) fn refused(code: &'static str) -> Problem {
    match code {
        "purpose_required" => Problem::at(Code::MissingField, "purpose"),
        "fresh_not_supported_for_sealed" | "fresh_not_supported_for_fpe" => {
            Problem::at(Code::UnsupportedValue, "fresh")
        }
        "metadata_not_supported_for_sealed" | "metadata_not_supported_for_fpe" => {
            Problem::at(Code::UnsupportedValue, "metadata")
        }
        "ttl_not_supported_for_fpe" => Problem::at(Code::UnsupportedValue, "ttl_s"),
        "too_many_audiences" => Problem::at(Code::InvalidField, "audience"),
        code => Problem::refused(code),
    }
}

impl From<OutreachError> for Problem {
    fn from(error: OutreachError) -> Self {
        match error {
            OutreachError::NotFound => Self::new(Code::NotFound),
            OutreachError::Suppressed => Self::new(Code::Suppressed),
            OutreachError::Content(_) => Self::new(Code::ContentRefused),
            OutreachError::CapReached { retry_after } => Self::capped(retry_after),
            OutreachError::Sender => Self::at(Code::SenderNotRegistered, "sender"),
            OutreachError::Mismatch => Self::at(Code::TemplateMismatch, "variables"),
            OutreachError::NumberInText(field) => Self::at(Code::NumberInText, field),
            OutreachError::TooLong => Self::at(Code::TextTooLong, "text"),
            OutreachError::Invalid(field) => Self::at(Code::InvalidField, field),
            OutreachError::Missing(field) => Self::at(Code::MissingField, field),
            OutreachError::Exists => Self::new(Code::AlreadyExists),
            OutreachError::TooMany => Self::new(Code::BatchTooLarge),
            OutreachError::Store(error) => error.into(),
            OutreachError::Key(error) => error.into(),
            OutreachError::Vault(error) => error.into(),
        }
    }
}

impl From<RightsError> for Problem {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::NotFound => Self::new(Code::NotFound),
            RightsError::Busy => Self::new(Code::ErasureBusy),
            RightsError::ProofInvalid => Self::at(Code::ProofInvalid, "proofs"),
            RightsError::ProofUsed => Self::at(Code::ProofUsed, "proofs"),
            RightsError::SameParty => Self::new(Code::SameParty),
            RightsError::AliasConflict => Self::new(Code::AliasConflict),
            RightsError::Store(error) => error.into(),
            RightsError::Key(error) => error.into(),
            RightsError::Vault(error) => error.into(),
        }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::NotFound => Self::new(Code::NotFound),
            VerifyError::Over(status) => Self::new(over(status)),
            VerifyError::Refused { field, code: "channel_unavailable" } => Self::at(Code::UnsupportedValue, field),
            VerifyError::Refused { field, code: "number_in_text" } => Self::at(Code::NumberInText, field),
            VerifyError::Refused { field, .. } => Self::at(Code::InvalidField, field),
            VerifyError::Malformed => Self::at(Code::InvalidField, "code"),
            VerifyError::Limited { retry_after } => Self::limited(retry_after),
            VerifyError::CapReached { retry_after } => Self::capped(retry_after),
            VerifyError::Busy => Self::limited(RACE_RETRY),
            VerifyError::Store(error) => error.into(),
            VerifyError::Scratch(error) => error.into(),
            VerifyError::Key(error) => error.into(),
            VerifyError::Vault(error) => error.into(),
            VerifyError::Proof(error) => Self::internal(error),
        }
    }
}

/// The code that says how a verification ended.
const fn over(status: VerificationStatus) -> Code {
    match status {
        VerificationStatus::Approved => Code::VerificationApproved,
        VerificationStatus::Canceled => Code::VerificationCanceled,
        VerificationStatus::Exhausted => Code::VerificationExhausted,
        VerificationStatus::Failed => Code::VerificationFailed,
        VerificationStatus::Pending | VerificationStatus::Expired => Code::VerificationExpired,
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotFound => Self::new(Code::NotFound),
            WebhookError::UrlRefused => Self::at(Code::UrlRefused, "url"),
            WebhookError::NumberInUrl => Self::at(Code::NumberInText, "url"),
            WebhookError::EventUnknown(place) => Self::at(Code::InvalidField, format!("events[{place}]")),
            WebhookError::EventsInvalid => Self::at(Code::InvalidField, "events"),
            WebhookError::TooMany => Self::new(Code::TooManyWebhooks),
            WebhookError::Disabled => Self::new(Code::WebhookDisabled),
            WebhookError::Store(error) => error.into(),
            WebhookError::Key(error) => error.into(),
        }
    }
}

impl From<AliasError> for Problem {
    fn from(error: AliasError) -> Self {
        match error {
            AliasError::ModeUnsupported => Self::at(Code::UnsupportedValue, "mode"),
            AliasError::PartyMissing => Self::at(Code::MissingField, "b"),
            AliasError::PartyUnexpected => Self::at(Code::InvalidField, "b"),
            AliasError::MembersMissing => Self::at(Code::MissingField, "members"),
            AliasError::Unexpected(field) => Self::at(Code::InvalidField, field),
            AliasError::ContentUnknown => Self::at(Code::InvalidField, "content"),
            AliasError::SameParty => Self::new(Code::SameParty),
            AliasError::NumberInPool => Self::new(Code::NumberInPool),
            AliasError::PoolUnknown | AliasError::NotFound => Self::new(Code::NotFound),
            AliasError::PoolExhausted => Self::new(Code::PoolExhausted),
            AliasError::AliasConflict => Self::new(Code::AliasConflict),
            AliasError::NumberOccupied => Self::new(Code::NumberOccupied),
            AliasError::Unroutable => Self::new(Code::Unroutable),
            AliasError::TtlInvalid => Self::at(Code::InvalidField, "ttl_s"),
            AliasError::NumberInText => Self::new(Code::NumberInText),
            AliasError::SizeInvalid => Self::new(Code::InvalidField),
            AliasError::TooManyLots => Self::new(Code::InvalidField),
            AliasError::PoolExists => Self::new(Code::AlreadyExists),
            AliasError::Suppressed => Self::new(Code::Suppressed),
            AliasError::ContentRefused => Self::new(Code::ContentRefused),
            AliasError::TextTooLong => Self::at(Code::TextTooLong, "text"),
            AliasError::CapReached { retry_after } => Self::capped(retry_after),
            AliasError::Frozen => Self::new(Code::Frozen),
            AliasError::Over => Self::new(Code::AliasExpired),
            AliasError::Store(error) => error.into(),
            AliasError::Key(error) => error.into(),
            AliasError::Vault(error) => error.into(),
        }
    }
}
