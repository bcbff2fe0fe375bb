//! The worker's side: which text a queued code becomes, and what is written when it was sent, refused or too late.

use zeroize::Zeroizing;

use super::template::{self, Contents};
use super::{Verify, VerifyError, standing};
use crate::access::{Delivery, Permit};
use crate::event::What;
use crate::ids::{RecordId, SubjectId, VerificationId};
use crate::message;
use crate::store::{
    Change, Conflict, Counted, DeliveryStatus, OutboxRow, PartId, Settled, StoreError, Task, VerificationRow,
    VerificationStatus, Write,
};

/// A code on its way to a person.
pub struct CodeMessage {
    /// The person's token record; its number is opened by whoever sends.
    pub record: RecordId,
    /// The whole text.
    pub text: Zeroizing<String>,
    /// The tenant's name as the text shows it.
    pub brand: String,
    /// How long the code is of use.
    pub life: std::time::Duration,
}

impl Verify {
    /// The message of a queued code; none if the verification is over, which makes the row pointless.
    pub async fn code_message(
        &self,
        outbox: &OutboxRow,
        permit: &Permit<Delivery>,
    ) -> Result<Option<CodeMessage>, VerifyError> {
        let row = self.queued(permit, outbox).await?;
        let now = self.store.now();
        if standing(&row, now) != VerificationStatus::Pending {
            return Ok(None);
        }
        let salt = row.salt.as_ref().ok_or(StoreError::Corrupt("verification without salt"))?;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let code = keys.code(row.id, salt, row.code_key, row.code_length, row.alphanumeric)?;
        let (brand, life) = (template::brand(permit.brand()), now.until(row.expires_at));
        let text = template::compose(&Contents {
            brand: &brand,
            code: &code,
            minutes: minutes(life),
            locale: row.locale.as_deref().or(permit.profile().locales.first().map(String::as_str)),
            transaction: row.transaction.as_ref(),
            origin: row.origin.as_deref(),
            app_hash: row.app_hash.as_deref(),
        });
        let text = if permit.profile().settings.transliterate { message::thrifty(text) } else { text };
        Ok(Some(CodeMessage { record: row.record, text, brand, life }))
    }

    /// Records that a carrier took a code under these part ids. Returns what early receipts settled at once.
    pub async fn sent(
        &self,
        outbox: &OutboxRow,
        permit: &Permit<Delivery>,
        carrier: &str,
        ids: Vec<PartId>,
        counted: Counted,
    ) -> Result<Vec<Settled>, VerifyError> {
        let row = self.queued(permit, outbox).await?;
        let subject = self.subject(permit, &row).await?;
        let (tenant, task) = (permit.tenant(), outbox.task);
        let parts = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let what = What::VerificationSent { verification: row.id, subject, carrier: carrier.to_owned(), parts };
        let change = Change::telling(permit.event(self.store.now(), what))
            .with(Write::Dequeue(outbox.id))
            .with(Write::RecordSubmission { carrier: carrier.to_owned(), tenant, task, ids, counted });
        match self.store.commit(change).await {
            Ok(done) => Ok(done.settled),
            Err(StoreError::Conflict(Conflict::Taken)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Records that a code will never be taken, for a `reason` that is a short class. The verification fails with it,
    /// unless another send of the same code is under way or arrived.
    pub async fn delivery_failed(
        &self,
        outbox: &OutboxRow,
        permit: &Permit<Delivery>,
        reason: &str,
    ) -> Result<(), VerifyError> {
        let row = self.queued(permit, outbox).await?;
        let alive = standing(&row, self.store.now()) == VerificationStatus::Pending;
        if !alive || has_other_hope(&row, outbox.task) {
            return self.dropped(outbox, permit).await;
        }
        let (verification, subject) = (row.id, self.subject(permit, &row).await?);
        let what = What::VerificationFailed { verification, subject, reason: reason.to_owned() };
        let status = VerificationStatus::Failed;
        let change = rejected(Change::telling(permit.event(self.store.now(), what)), outbox)
            .with(Write::EndVerification { tenant: permit.tenant(), id: verification, status });
        match self.store.commit(change).await {
            // It ended otherwise meanwhile: only the row is left to take away.
            Err(StoreError::Conflict(Conflict::VerificationOver)) => self.dropped(outbox, permit).await,
            other => done(other),
        }
    }

    /// Takes a row away whose verification is over, or whose code another send carries.
    pub async fn dropped(&self, outbox: &OutboxRow, permit: &Permit<Delivery>) -> Result<(), VerifyError> {
        let what =
            What::VerificationDelivered { verification: code(outbox)?, status: REJECTED.to_owned(), failure: None };
        let change = rejected(Change::telling(permit.event(self.store.now(), what)), outbox);
        done(self.store.commit(change).await)
    }

    async fn queued(&self, permit: &Permit<Delivery>, outbox: &OutboxRow) -> Result<VerificationRow, VerifyError> {
        // The permit is for one row; a row of anybody else's is as good as none.
        if permit.resource().row.id != outbox.id || permit.tenant() != outbox.tenant {
            return Err(VerifyError::NotFound);
        }
        self.store.verification(permit.tenant(), code(outbox)?).await?.ok_or(VerifyError::NotFound)
    }

    async fn subject(&self, permit: &Permit<Delivery>, row: &VerificationRow) -> Result<SubjectId, VerifyError> {
        Ok(self.keyring.tenant(permit.tenant()).await?.subject(row.key.party))
    }
}

fn code(outbox: &OutboxRow) -> Result<VerificationId, VerifyError> {
    match outbox.task {
        Task::Code(id, _) => Ok(id),
        Task::Message(_) | Task::Ask(_) => Err(VerifyError::NotFound),
    }
}

/// Adds what takes a row away for good.
fn rejected(change: Change, outbox: &OutboxRow) -> Change {
    let (tenant, task, status) = (outbox.tenant, outbox.task, DeliveryStatus::Rejected);
    change.with(Write::Dequeue(outbox.id)).with(Write::SetDelivery { tenant, task, status })
}

/// A row that is gone was taken away by another process: there is nothing left to do.
fn done<T>(result: Result<T, StoreError>) -> Result<(), VerifyError> {
    match result {
        Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether another send of the same code may still reach the person, or did.
fn has_other_hope(row: &VerificationRow, task: Task) -> bool {
    let Task::Code(_, this) = task else { return false };
    row.sends.iter().enumerate().filter(|(number, _)| *number != usize::from(this)).any(|(_, send)| {
        matches!(send.status, DeliveryStatus::Queued | DeliveryStatus::Submitted | DeliveryStatus::Delivered)
    })
}

/// The minutes that a code has left, rounded up: what a person reads as its life.
fn minutes(left: std::time::Duration) -> u64 {
    u64::try_from(left.as_millis().div_ceil(60_000)).unwrap_or(u64::MAX)
}

const REJECTED: &str = "rejected";
