//! What a caller is shown of a verification, in the caller's own audience.

use super::{Verify, VerifyError, standing};
use crate::access::{Permit, Resource};
use crate::clock::Timestamp;
use crate::ids::VerificationId;
use crate::phone::Masked;
use crate::store::{SendRecord, VerificationRow, VerificationStatus};
use crate::token::Token;

/// A verification as its tenant, or its partner, sees it.
pub struct VerificationView {
    /// Its id.
    pub id: VerificationId,
    /// Where it stands now.
    pub status: VerificationStatus,
    /// The person, in the caller's audience.
    pub to: Token,
    /// The number's mask; none for callers who see none.
    pub masked: Option<Masked>,
    /// `sms`.
    pub channel: String,
    /// Guesses left.
    pub attempts_left: u8,
    /// Each send, in order.
    pub sends: Vec<SendRecord>,
    /// For what.
    pub purpose: String,
    /// Who asked, in the tenant's words.
    pub user_ref: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When its code lapses.
    pub expires_at: Timestamp,
}

impl Verify {
    pub(super) async fn view<R: Resource>(
        &self,
        permit: &Permit<R>,
        row: VerificationRow,
    ) -> Result<VerificationView, VerifyError> {
        let to = self.vault.token_of(permit.tenant(), row.record, permit.audience()).await?;
        let masked = match permit.sees_masks() {
            true => Some(self.vault.masked(permit.tenant(), row.record).await?),
            false => None,
        };
        Ok(VerificationView {
            id: row.id,
            status: standing(&row, self.store.now()),
            to,
            masked,
            user_ref: requester(&row),
            channel: row.channel,
            attempts_left: row.attempts_left,
            sends: row.sends,
            purpose: row.key.purpose,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// Who asked, if the tenant said.
pub(super) fn requester(row: &VerificationRow) -> Option<String> {
    (!row.key.requester.is_empty()).then(|| row.key.requester.clone())
}
