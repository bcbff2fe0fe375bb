//! Starting a verification: limits, then one commit that holds the verification, its outbox row and the event.

use super::wish::{CHANNEL, StartVerification, Wish};
use super::{VerificationView, Verify, VerifyError, standing};
use crate::access::{NewVerification, Permit, Resource};
use crate::clock::Timestamp;
use crate::crypto;
use crate::event::What;
use crate::ids::{self, CredentialId, SubjectId, TenantId, VerificationId};
use crate::store::{
    BlindIndex, Change, Conflict, DeliveryStatus, Lane, OutboxRow, PendingKey, SendRecord, StoreError, Task,
    VerificationRow, VerificationStatus, Write,
};

impl Verify {
    /// Starts a verification and queues its code. One that is pending for the same person, purpose and requester is
    /// canceled in the same change.
    pub async fn start(
        &self,
        permit: &Permit<NewVerification>,
        wish: StartVerification,
    ) -> Result<VerificationView, VerifyError> {
        let wish = Wish::read(wish)?;
        let purposes = &permit.profile().purposes;
        if !purposes.is_empty() && !purposes.contains(&wish.purpose) {
            return Err(VerifyError::Refused { field: "purpose", code: "purpose_unknown" });
        }
        let credential = permit.credential().ok_or(VerifyError::NotFound)?;
        let (party, subject) = (wish.to.index, wish.to.subject);
        self.guard.failures(permit.tenant(), party).await?;
        self.guard.sends(permit.tenant(), party).await?;
        let code_key = self.keyring.tenant(permit.tenant()).await?.code_version();
        let row = row(permit, credential, code_key, wish, self.store.now());
        // Shown before written, so that a view that cannot be made leaves nothing behind.
        let view = self.view(permit, row.clone()).await?;
        self.commit_start(permit, row, subject).await?;
        Ok(view)
    }

    /// Commits, each time in place of whatever is pending by then.
    async fn commit_start(
        &self,
        permit: &Permit<NewVerification>,
        row: VerificationRow,
        subject: SubjectId,
    ) -> Result<(), VerifyError> {
        for _ in 0..TRIES {
            let change = self.start_change(permit, &row, subject).await?;
            match self.store.commit(change).await {
                Ok(done) => {
                    self.tell_caps(permit, done.near).await;
                    return Ok(());
                }
                Err(StoreError::Conflict(Conflict::CapReached)) => return Err(self.cap_reached(permit).await),
                Err(StoreError::Conflict(Conflict::VerificationPending | Conflict::VerificationOver)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VerifyError::Busy)
    }

    async fn start_change(
        &self,
        permit: &Permit<NewVerification>,
        row: &VerificationRow,
        subject: SubjectId,
    ) -> Result<Change, VerifyError> {
        let now = row.created_at;
        let started = What::VerificationStarted {
            verification: row.id,
            subject,
            channel: row.channel.clone(),
            purpose: row.key.purpose.clone(),
        };
        let mut change = Change::telling(permit.event(now, started));
        let before = self.before(&row.key).await?;
        let supersedes = match before {
            Some((id, VerificationStatus::Pending)) => {
                let what = What::VerificationCanceled { verification: id, subject, superseded: true };
                change = change.and_telling(permit.event(now, what));
                Some(id)
            }
            // Its time ran out, which nobody wrote yet: it ends as what it is.
            Some((id, over)) => {
                let write = Write::EndVerification { tenant: row.key.tenant, id, status: over };
                change = change.and_telling(permit.event(now, ended(id, subject, over))).with(write);
                None
            }
            None => None,
        };
        let outbox = self.outbox(permit, row.id, row.key.party, 0, now);
        let spending = self.spending(permit, row.record).await?;
        change.writes.extend(spending);
        Ok(change
            .with(Write::StartVerification { row: Box::new(row.clone()), supersedes })
            .with(Write::Enqueue(outbox)))
    }

    /// The verification that stands in the way of `key`, if any, and how it stands.
    async fn before(&self, key: &PendingKey) -> Result<Option<(VerificationId, VerificationStatus)>, VerifyError> {
        let Some(id) = self.store.pending_verification(key).await? else { return Ok(None) };
        let row = self.store.verification(key.tenant, id).await?;
        Ok(row.map(|row| (id, standing(&row, self.store.now()))))
    }

    /// The outbox row for the `number`-th sending of a code.
    pub(super) fn outbox<R: Resource>(
        &self,
        permit: &Permit<R>,
        id: VerificationId,
        party: BlindIndex,
        number: u16,
        due: Timestamp,
    ) -> OutboxRow {
        OutboxRow {
            id: ids::fresh(),
            tenant: permit.tenant(),
            task: Task::Code(id, number),
            lane: Lane::Code,
            conversation: self.conversation(permit.tenant(), party),
            credential: permit.credential(),
            policy: permit.policy().to_owned(),
            due,
            attempts: 0,
        }
    }

    fn conversation(&self, tenant: TenantId, party: BlindIndex) -> BlindIndex {
        self.keyring.system().conversation(&[&ids::bytes(&tenant), &party.0])
    }
}

/// The event that tells how a verification ended without anybody's doing.
pub(super) fn ended(verification: VerificationId, subject: SubjectId, status: VerificationStatus) -> What {
    match status {
        VerificationStatus::Exhausted => What::VerificationExhausted { verification, subject },
        _ => What::VerificationExpired { verification, subject },
    }
}

fn row(
    permit: &Permit<NewVerification>,
    credential: CredentialId,
    code_key: u16,
    wish: Wish,
    now: Timestamp,
) -> VerificationRow {
    VerificationRow {
        id: ids::fresh(),
        key: PendingKey {
            tenant: permit.tenant(),
            party: wish.to.index,
            purpose: wish.purpose,
            requester: wish.requester,
        },
        credential,
        audience: permit.audience().map(str::to_owned),
        record: wish.to.record,
        status: VerificationStatus::Pending,
        salt: Some(crypto::random()),
        code_key,
        code_length: wish.code_length,
        alphanumeric: wish.alphanumeric,
        attempts_left: ATTEMPTS,
        channel: CHANNEL.to_owned(),
        locale: wish.locale,
        origin: wish.origin,
        app_hash: wish.app_hash,
        transaction: wish.transaction,
        sends: vec![SendRecord { channel: CHANNEL.to_owned(), status: DeliveryStatus::Queued, at: now }],
        created_at: now,
        expires_at: now.plus(wish.ttl),
    }
}

const TRIES: usize = 3;
const ATTEMPTS: u8 = 5;
