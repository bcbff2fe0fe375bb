//! What the durable store keeps of lookalike tokens: which record each names, and for whom; never its digits.

use crate::ids::{RecordId, TenantId};

/// A 16-byte HMAC of a lookalike's digits under a key of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookalikeMark(pub [u8; 16]);

/// One lookalike. The row outlives its record, so that its digits are never given to anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookalikeRow {
    /// By which it is found.
    pub mark: LookalikeMark,
    /// Whose.
    pub tenant: TenantId,
    /// The record that it names.
    pub record: RecordId,
    /// The tag of the audience that it is for.
    pub tag: [u8; 8],
}
