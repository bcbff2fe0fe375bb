//! Versions of the policies, as the store keeps them: content-addressed, at most one in force.

use crate::clock::Timestamp;

/// How a version of the policies stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyStatus {
    /// Somebody wants it; nothing follows it.
    Proposed,
    /// In force. One version is.
    Active,
    /// Was in force once.
    Superseded,
    /// Its proposer or another thought better of it.
    Withdrawn,
}

impl PolicyStatus {
    /// As answers and the command line show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Where a version came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// The program carries it: where nobody ever chose policies, a new program's follow.
    Program,
    /// The folder of the settings, at the first start.
    Folder,
    /// Somebody proposed it.
    Proposal,
}

/// One version, without what it consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// 16 hex digits over its files.
    pub version: String,
    /// How it stands.
    pub status: PolicyStatus,
    /// Where it came from.
    pub source: PolicySource,
    /// The version in force when it was proposed: only over that one it may come into force.
    pub base: Option<String>,
    /// Who proposed it last.
    pub proposer: String,
    /// Who put it into force last.
    pub approver: Option<String>,
    /// When it was proposed last.
    pub proposed_at: Timestamp,
    /// When it last came into force.
    pub activated_at: Option<Timestamp>,
    /// When it last ceased to be in force, or was withdrawn.
    pub ended_at: Option<Timestamp>,
}

/// Proposals that wait at a time, over the whole deployment.
pub const MAX_PROPOSALS: u32 = 20;
