//! Verification by one-time code: start, check, resend, cancel, get, and the signed proof.
//!
//! Invariants: the code is derived (HMAC over tenant, verification and a random salt), never stored; an attempt is
//! spent durably before anything is compared, and the comparison takes the same time whatever was typed; of any number
//! of racing right guesses exactly one is approved; a resend repeats the code, extends nothing and resets no counter;
//! a foreign verification is told from an unknown one by nothing. Every change carries its event.
//! Called by the API (a person's five verbs) and by `worker` (what to send, what became of it, what lapsed).

mod check;
mod deliver;
mod finish;
mod fold;
mod proof;
mod spend;
mod start;
mod template;
mod view;
mod wish;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::access::{Permit, Resource};
use crate::clock::Timestamp;
use crate::guard::{Guard, GuardError};
use crate::ids::VerificationId;
use crate::keyring::{KeyError, Keyring};
use crate::store::{Conflict, Store, StoreError, VerificationRow, VerificationStatus};
use crate::vault::{Vault, VaultError};

pub use check::Checked;
pub use deliver::CodeMessage;
pub use proof::{Claims, PROOF_LIFE, PROOF_TYPE, ProofError};
pub use view::VerificationView;
pub use wish::StartVerification;

/// The service. One for the process.
pub struct Verify {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keyring: Arc<Keyring>,
    guard: Arc<Guard>,
    issuer: String,
}

/// Why a verification did not go on.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no such verification for this caller.
    #[error("no such verification")]
    NotFound,
    /// It ended, and how.
    #[error("the verification is over")]
    Over(VerificationStatus),
    /// What was asked for is not possible; nothing was counted.
    #[error("{field}: {code}")]
    Refused {
        /// The field of the request.
        field: &'static str,
        /// The stable code.
        code: &'static str,
    },
    /// What was typed cannot be any code; no attempt was spent.
    #[error("not a code")]
    Malformed,
    /// Too many sends or failures; nothing was started.
    #[error("limit reached")]
    Limited {
        /// Not before.
        retry_after: Duration,
    },
    /// The tenant's cap of the day has less left; nothing was started.
    #[error("a cap is reached")]
    CapReached {
        /// Not before.
        retry_after: Duration,
    },
    /// Another start for the same person kept winning the race.
    #[error("another verification of this person is being started")]
    Busy,
    /// A store cannot be used; nothing happened that was not told.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The short-lived store cannot be used.
    #[error(transparent)]
    Scratch(#[from] crate::store::ScratchError),
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token record cannot be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The proof cannot be signed.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl From<GuardError> for VerifyError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Limited { retry_after } => Self::Limited { retry_after },
            GuardError::Scratch(error) => Self::Scratch(error),
            GuardError::Store(error) => Self::Store(error),
        }
    }
}

impl Verify {
    /// The service over its ports; `issuer` is the public URL that proofs name as `iss`.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        keyring: Arc<Keyring>,
        guard: Arc<Guard>,
        issuer: impl Into<String>,
    ) -> Self {
        Self { store, vault, keyring, guard, issuer: issuer.into() }
    }

    /// The verification, if this caller may know of it: partners see only those of their own audience.
    async fn visible<R: Resource>(
        &self,
        permit: &Permit<R>,
        id: VerificationId,
    ) -> Result<VerificationRow, VerifyError> {
        let row = self.store.verification(permit.tenant(), id).await?.ok_or(VerifyError::NotFound)?;
        if permit.sees_all() || row.audience.as_deref() == permit.audience() {
            Ok(row)
        } else {
            Err(VerifyError::NotFound)
        }
    }

    /// As [`Self::visible`], if the code may still be entered.
    async fn pending<R: Resource>(
        &self,
        permit: &Permit<R>,
        id: VerificationId,
    ) -> Result<VerificationRow, VerifyError> {
        let row = self.visible(permit, id).await?;
        match standing(&row, self.store.now()) {
            VerificationStatus::Pending => Ok(row),
            over => Err(VerifyError::Over(over)),
        }
    }

    /// Turns a conflict that says "over" into how it ended, by reading again.
    async fn how_it_ended<R: Resource>(
        &self,
        permit: &Permit<R>,
        id: VerificationId,
        error: StoreError,
    ) -> VerifyError {
        if !matches!(error, StoreError::Conflict(Conflict::VerificationOver)) {
            return error.into();
        }
        match self.pending(permit, id).await {
            // Pending again can only mean that the store's clock and its own check differ by a moment.
            Ok(_) => VerifyError::Over(VerificationStatus::Expired),
            Err(reason) => reason,
        }
    }
}

/// Where a verification stands at a moment: one whose time ran out is over, whether or not that was written yet.
fn standing(row: &VerificationRow, now: Timestamp) -> VerificationStatus {
    match row.status {
        VerificationStatus::Pending if row.attempts_left == 0 => VerificationStatus::Exhausted,
        VerificationStatus::Pending if row.expires_at <= now => VerificationStatus::Expired,
        status => status,
    }
}
