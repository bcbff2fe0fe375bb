//! What keys are for, whose they are and under which names they are wrapped and derived.

use std::fmt;
use std::time::Duration;

use crate::ids::TenantId;
use crate::store::WrappedKey;

/// Whose keys. Its text names the KEK in the KMS and the rows in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl std::str::FromStr for Owner {
    type Err = type_safe_id::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "system" { Ok(Self::System) } else { text.parse().map(Self::Tenant) }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What becomes of a key in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// New versions by age and count; what older ones sealed is sealed anew, or outlived, and they are retired.
    Rotates,
    /// New versions when somebody asks for one: tokens made from then on differ, older ones still open.
    Starts,
    /// New versions when somebody asks for one; the public halves of older ones are shown while proofs of theirs count.
    Signs,
    /// Never replaced, since everything that was derived with it would be lost: only wrapped anew.
    Stays,
}

impl Purpose {
    /// The purpose of this name, if `owner` has such a key.
    pub(super) fn named(owner: Owner, name: &str) -> Option<Self> {
        owner.purposes().iter().copied().find(|purpose| purpose.as_str() == name)
    }

    /// What becomes of it in time.
    pub(super) const fn turn(self) -> Turn {
        match self {
            Self::Seal | Self::Code => Turn::Rotates,
            Self::Siv => Turn::Starts,
            Self::Proof => Turn::Signs,
            Self::Token | Self::Index | Self::Subject | Self::Fpe => Turn::Stays,
            Self::Credential | Self::Pool | Self::Scratch => Turn::Stays,
        }
    }

    /// How long after it was made a new version begins: until every process, or every reader of the published keys, has
    /// it.
    pub(super) const fn lead(self) -> Duration {
        match self {
            Self::Proof => Duration::from_secs(300),
            _ => Duration::from_secs(2),
        }
    }

    /// Whether an owner that has no such key gets one when its keys are loaded: true only of purposes that came with a
    /// later version of the program. The absence of any other means a loss, and stops.
    pub(super) const fn is_addable(self) -> bool {
        matches!(self, Self::Fpe)
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
