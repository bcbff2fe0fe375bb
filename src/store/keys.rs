//! The records of keys in use: how often, under which version, and how far re-encryption got.

use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId, RecordId, TenantId};
use crate::store::Sealed;

/// How often a key version may have been used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose.
    pub owner: String,
    /// For what.
    pub purpose: String,
    /// Which version.
    pub version: u16,
    /// At the utmost.
    pub uses: u64,
}

/// Where ciphertexts under tenants' `seal` keys lie, in the order of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Numbers of token records.
    Token,
    /// Numbers of strangers who can be answered.
    Sender,
    /// Bodies of messages, and strangers whom they go to.
    Message,
}

impl CellKind {
    /// The first kind of a pass.
    pub const FIRST: Self = Self::Token;

    /// What comes after it.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Token => Some(Self::Sender),
            Self::Sender => Some(Self::Message),
            Self::Message => None,
        }
    }

    /// Its name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "tokens",
            Self::Sender => "senders",
            Self::Message => "messages",
        }
    }
}

/// Where one ciphertext lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellAt {
    /// The number of a token record.
    Number(RecordId),
    /// The number of the sender with this tag at an alias.
    Sender(AliasId, u32),
    /// The body of a message.
    Body(MessageId),
    /// What a tenant may learn of a message.
    Disclosed(MessageId),
    /// The stranger whom a message of an alias goes to.
    Stranger(MessageId, AliasId),
}

/// One ciphertext under an older key version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Whose.
    pub tenant: TenantId,
    /// Where.
    pub at: CellAt,
    /// As it stands.
    pub sealed: Sealed,
}

/// A stretch of rows that was looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellPage {
    /// What stands under older versions.
    pub cells: Vec<Cell>,
    /// How many rows were looked at.
    pub looked: u64,
    /// Where to go on; none at the end of the kind.
    pub next: Option<Vec<u8>>,
}

/// A pass over all ciphertexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResealPass {
    /// When it began: a version that ended before is nowhere behind it.
    pub started_at: Timestamp,
    /// What it looks through.
    pub kind: CellKind,
    /// Behind which key of that kind.
    pub after: Vec<u8>,
    /// Rows looked at so far.
    pub looked: u64,
    /// Ciphertexts found under older versions.
    pub stale: u64,
    /// Of those, re-encrypted.
    pub resealed: u64,
}

impl ResealPass {
    /// One that begins now.
    pub fn starting(at: Timestamp) -> Self {
        Self { started_at: at, kind: CellKind::FIRST, after: Vec::new(), looked: 0, stale: 0, resealed: 0 }
    }
}
