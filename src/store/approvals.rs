//! The records of four eyes and of daily budgets, as services see them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ApprovalId, CredentialId, TenantId};

/// What somebody asked for that needs a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: ApprovalId,
    /// Whose.
    pub tenant: TenantId,
    /// The credential that asked.
    pub credential: CredentialId,
    /// The person that the credential was issued to.
    pub person: String,
    /// The name of the action.
    pub action: String,
    /// The stated purpose, for reveals.
    pub purpose: Option<String>,
    /// The requester's own note, free of numbers.
    pub reference: Option<String>,
    /// A keyed digest over requester, action, purpose, reference, what exactly is asked for, and policy version.
    pub binding: [u8; 32],
    /// The version of the policies that asked for a second person.
    pub policy: String,
    /// What the approver gets to see: a JSON object, masked.
    pub summary: String,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// Who decided.
    pub approver: Option<CredentialId>,
    /// The person that the approver's credential was issued to.
    pub approver_person: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// While pending: until when it may be decided. Once approved: until when it may be used.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalStatus {
    /// Nobody decided yet.
    Pending,
    /// It may be used, once.
    Approved,
    /// Somebody said no.
    Denied,
    /// Its time ran out before it was decided or used.
    Expired,
    /// What it allowed was done.
    Used,
}

/// A filter over a tenant's approvals.
#[derive(Clone, Debug)]
pub struct ApprovalFilter {
    /// Whose.
    pub tenant: TenantId,
    /// Only what this credential asked for.
    pub credential: Option<CredentialId>,
    /// Only of this status.
    pub status: Option<ApprovalStatus>,
    /// Older than this one.
    pub after: Option<ApprovalId>,
    /// At most so many.
    pub limit: u32,
}

/// What a second person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whose approval.
    pub tenant: TenantId,
    /// Which.
    pub id: ApprovalId,
    /// Whether it is allowed.
    pub approved: bool,
    /// Who says so.
    pub approver: CredentialId,
    /// The person behind that credential.
    pub person: String,
    /// Until when it may be used.
    pub use_by: Timestamp,
}

/// What a daily budget is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKind {
    /// Numbers shown to a custodian.
    Reveal,
    /// Numbers asked about.
    Lookup,
    /// Numbers made into tokens that come out the same again.
    Tokenize,
}

impl BudgetKind {
    /// Its name in settings, events and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Lookup => "lookup",
            Self::Tokenize => "tokenize",
        }
    }
}

/// Items to be counted against a credential's budget of the day (UTC) in which `at` lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Whose.
    pub credential: CredentialId,
    /// Which budget.
    pub kind: BudgetKind,
    /// When.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
    /// How many the day allows.
    pub limit: u64,
}

/// What a budget stands at after a spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the day (UTC).
    pub day: u64,
    /// In the hour; counted for reveals only.
    pub hour: u64,
}
