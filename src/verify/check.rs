//! Checking an answer: spend an attempt durably, then derive and compare, then approve or count the failure.

use subtle::ConstantTimeEq;

use super::fold::fold;
use super::{Verify, VerifyError};
use crate::access::{Permit, VerificationRef};
use crate::event::What;
use crate::guard;
use crate::ids::SubjectId;
use crate::keyring::TenantKeys;
use crate::store::{Change, Conflict, StoreError, VerificationRow, VerificationStatus, Write};

/// What an answer was worth.
pub struct Checked {
    /// Where the verification stands now.
    pub status: VerificationStatus,
    /// Whether the answer was right.
    pub valid: bool,
    /// Guesses left.
    pub attempts_left: u8,
    /// The signed proof, for a right answer.
    pub proof: Option<String>,
}

impl Verify {
    /// Checks what a person typed. Whatever comes of it, an attempt is spent first, except on what cannot be a code.
    pub async fn check(&self, permit: &Permit<VerificationRef>, answer: &str) -> Result<Checked, VerifyError> {
        let answer = fold(answer).ok_or(VerifyError::Malformed)?;
        let row = self.pending(permit, permit.resource().id).await?;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let subject = keys.subject(row.key.party);
        let left = self.spend(permit, &row, subject).await?;
        if is_right(&keys, &row, &answer)? {
            return self.approve(permit, &row, subject, left).await;
        }
        self.count_failure(permit, &row, subject, left).await
    }

    async fn spend(
        &self,
        permit: &Permit<VerificationRef>,
        row: &VerificationRow,
        subject: SubjectId,
    ) -> Result<u8, VerifyError> {
        let what = What::VerificationAttempted { verification: row.id, subject };
        let spend = Write::SpendAttempt { tenant: permit.tenant(), id: row.id };
        match self.store.commit(Change::telling(permit.event(self.store.now(), what)).with(spend)).await {
            Ok(done) => done.attempts_left.ok_or(VerifyError::Store(StoreError::Corrupt("count of attempts"))),
            Err(error) => Err(self.how_it_ended(permit, row.id, error).await),
        }
    }

    async fn approve(
        &self,
        permit: &Permit<VerificationRef>,
        row: &VerificationRow,
        subject: SubjectId,
        attempts_left: u8,
    ) -> Result<Checked, VerifyError> {
        // Signed before the commit, shown only after it: a proof that cannot be made must not consume the code.
        let proof = self.prove(permit, row).await?;
        let what = What::VerificationApproved { verification: row.id, subject };
        let status = VerificationStatus::Approved;
        let end = Write::EndVerification { tenant: permit.tenant(), id: row.id, status };
        match self.store.commit(Change::telling(permit.event(self.store.now(), what)).with(end)).await {
            Ok(_) => Ok(Checked { status, valid: true, attempts_left, proof: Some(proof) }),
            Err(error) => Err(self.how_it_ended(permit, row.id, error).await),
        }
    }

    /// Counts a wrong answer against the number, durably before it is answered, and ends the verification with the
    /// last attempt. A crash between spending and counting costs an attempt without a count, never the reverse.
    async fn count_failure(
        &self,
        permit: &Permit<VerificationRef>,
        row: &VerificationRow,
        subject: SubjectId,
        attempts_left: u8,
    ) -> Result<Checked, VerifyError> {
        let failure = || self.failure(permit, row, subject);
        if attempts_left > 0 {
            self.store.commit(failure()).await?;
            return Ok(Checked { status: VerificationStatus::Pending, valid: false, attempts_left, proof: None });
        }
        let (status, verification) = (VerificationStatus::Exhausted, row.id);
        let exhausted = What::VerificationExhausted { verification, subject };
        let last = failure().and_telling(permit.event(self.store.now(), exhausted)).with(Write::EndVerification {
            tenant: permit.tenant(),
            id: verification,
            status,
        });
        let Err(error) = self.store.commit(last).await else {
            return Ok(Checked { status, valid: false, attempts_left, proof: None });
        };
        if matches!(error, StoreError::Conflict(Conflict::VerificationOver)) {
            // It ended otherwise meanwhile; the wrong answer counts all the same.
            self.store.commit(failure()).await?;
        }
        Err(self.how_it_ended(permit, row.id, error).await)
    }

    fn failure(&self, permit: &Permit<VerificationRef>, row: &VerificationRow, subject: SubjectId) -> Change {
        let now = self.store.now();
        let mismatched = What::VerificationMismatched { verification: row.id, subject };
        Change::telling(permit.event(now, mismatched)).with(Write::CountFailure {
            tenant: permit.tenant(),
            party: row.key.party,
            day: guard::day(now),
        })
    }
}

/// Derives the code anew and compares; takes the same time for every answer of the code's length.
fn is_right(keys: &TenantKeys, row: &VerificationRow, answer: &str) -> Result<bool, VerifyError> {
    let salt = row.salt.as_ref().ok_or(VerifyError::Store(StoreError::Corrupt("verification without salt")))?;
    let code = keys.code(row.id, salt, row.code_key, row.code_length, row.alphanumeric)?;
    Ok(code.as_bytes().ct_eq(answer.as_bytes()).into())
}
