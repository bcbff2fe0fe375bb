//! What keys are for, whose they are and under which names they are wrapped and derived.

use std::fmt;

use crate::ids::TenantId;
use crate::store::WrappedKey;

/// Whose keys. Its text names the KEK in the KMS and the rows in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The deployment itself.
    System,
    /// One tenant.
    Tenant(TenantId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Tenant(id) => id.fmt(f),
        }
    }
}

impl Owner {
    /// Every purpose that this owner has a key for.
    pub(super) fn purposes(self) -> &'static [Purpose] {
        match self {
            Self::System => &[Purpose::Credential, Purpose::Pool, Purpose::Scratch, Purpose::Seal, Purpose::Proof],
            Self::Tenant(_) => &[
                Purpose::Token,
                Purpose::Seal,
                Purpose::Index,
                Purpose::Siv,
                Purpose::Fpe,
                Purpose::Code,
                Purpose::Subject,
            ],
        }
    }
}

/// What a key is for. One key, one algorithm, one kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Vaulted tokens from record ids (AES-256), lookalikes, and the tags of audiences.
    Token,
    /// Numbers, bodies and parts at rest (XAES-256-GCM).
    Seal,
    /// Blind indexes of numbers (HMAC).
    Index,
    /// Sealed tokens (AEAD_AES_SIV_CMAC_512).
    Siv,
    /// Numbers in the form of numbers (FF1): test data.
    Fpe,
    /// One-time codes (HMAC).
    Code,
    /// Subjects and record references in the log (HMAC).
    Subject,
    /// API keys (HMAC).
    Credential,
    /// Parties of pool numbers (HMAC), comparable over tenants.
    Pool,
    /// Keys of short-lived state (HMAC).
    Scratch,
    /// Verification proofs (Ed25519 seed).
    Proof,
}

impl Purpose {
    /// The name in the store, in events and in derivation.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Seal => "seal",
            Self::Index => "index",
            Self::Siv => "siv",
            Self::Fpe => "fpe",
            Self::Code => "code",
            Self::Subject => "subject",
            Self::Credential => "credential",
            Self::Pool => "pool",
            Self::Scratch => "scratch",
            Self::Proof => "proof",
        }
    }
}

/// The associated data of a wrapped key. No owner or purpose contains the separator.
pub(super) fn wrapping_aad(key: &WrappedKey) -> Vec<u8> {
    format!("bauta/1|wrapped|{}|{}|{}", key.owner, key.purpose, key.version).into_bytes()
}

/// What a used key is derived under, by HKDF-SHA-256 (RFC 5869): owner, purpose and version.
pub(super) fn derivation(owner: Owner, purpose: Purpose, version: u16) -> String {
    format!("bauta/1|{owner}|{}|{version}", purpose.as_str())
}
