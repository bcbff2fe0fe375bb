//! Why a right was not served. Each variant is a decision that the caller can take.

use crate::keyring::KeyError;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Why an erasure, an export or a change of number was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// No such token or tenant for this caller.
    #[error("not found")]
    NotFound,
    /// The person keeps being given new tokens or aliases meanwhile.
    #[error("the person's tokens change under every attempt")]
    Busy,
    /// A proof is not ours, too old, or of somebody else.
    #[error("the proofs do not prove both numbers")]
    ProofInvalid,
    /// A proof was used for this before.
    #[error("a proof was used already")]
    ProofUsed,
    /// Both tokens stand for one number, or the new one stands across an alias already.
    #[error("the numbers are the same party")]
    SameParty,
    /// The new number has a place on one of the aliases' numbers already.
    #[error("the new number is taken on one of the aliases' numbers")]
    AliasConflict,
    /// The durable store, or the list of erasures, failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be had or destroyed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(VaultError),
}

impl From<VaultError> for RightsError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotFound => Self::NotFound,
            other => Self::Vault(other),
        }
    }
}
