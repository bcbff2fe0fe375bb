//! What a delivery leaves in the store: sent, put off, or given up; each with its event.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Deliver, Fate, LEASE};
use crate::access::{Delivery, Permit};
use crate::dispatch::{PATIENCE, Sent};
use crate::event::{Actor, Event, What};
use crate::ids::{self, AliasId, MessageId, SubjectId, VerificationId};
use crate::relay::settled_event;
use crate::store::{
    Change, DeliveryStatus, OutboxRow, Recipient, Settled, StoreError, Task, VerificationStatus, Write,
};
use crate::telemetry;
use crate::verify::VerifyError;

impl Deliver {
    /// Records what became of a row.
    pub(super) async fn record(&self, permit: &Permit<Delivery>, row: &OutboxRow, fate: Fate) {
        match (fate, row.task) {
            (Fate::Sent(sent), _) => self.sent(permit, row, sent).await,
            (Fate::Settled, _) => {}
            (Fate::Later { reason, wait }, _) => self.put_off(permit, row, reason, wait).await,
            (Fate::Never(reason), Task::Code(id, _)) => {
                let done = insist(|| self.rooms.verify.delivery_failed(row, permit, &reason)).await;
                self.or_take_away(permit, row, id, done).await;
            }
            (Fate::Never(reason), Task::Message(id) | Task::Ask(id)) => {
                let at = self.rooms.store.now();
                self.give_up(row, id, &reason, |what| permit.event(at, what)).await;
            }
            (Fate::Pointless, Task::Code(id, _)) => {
                let done = insist(|| self.rooms.verify.dropped(row, permit)).await;
                self.or_take_away(permit, row, id, done).await;
            }
            (Fate::Pointless, Task::Message(id) | Task::Ask(id)) => {
                let at = self.rooms.store.now();
                self.give_up(row, id, "gone", |what| permit.event(at, what)).await;
            }
        }
    }

    /// A row that may not be delivered: there is no permit to speak with.
    pub(super) async fn refuse(&self, row: &OutboxRow, reason: &'static str) {
        let policy = Some(row.policy.clone());
        let (at, tenant) = (self.rooms.store.now(), Some(row.tenant));
        let event = |what| Event { at, tenant, actor: Actor::Worker, policy: policy.clone(), what };
        match row.task {
            Task::Message(id) | Task::Ask(id) => self.give_up(row, id, reason, event).await,
            Task::Code(verification, _) => self.fail(row, verification, reason, event).await,
        }
    }

    /// Ends a verification whose code may not be sent; where it is over already, only its row goes.
    async fn fail(&self, row: &OutboxRow, id: VerificationId, reason: &str, event: impl Fn(What) -> Event) {
        let found = self.rooms.store.verification(row.tenant, id).await.ok().flatten();
        let keys = self.rooms.keyring.tenant(row.tenant).await.ok();
        let (tenant, task, status) = (row.tenant, row.task, DeliveryStatus::Rejected);
        if let (Some(found), Some(keys)) = (found, keys) {
            let subject = keys.subject(found.key.party);
            let told = event(What::VerificationFailed { verification: id, subject, reason: reason.to_owned() });
            let done = insist(|| {
                let change = Change::telling(told.clone())
                    .with(Write::Dequeue(row.id))
                    .with(Write::SetDelivery { tenant, task, status })
                    .with(Write::EndVerification { tenant, id, status: VerificationStatus::Failed });
                self.rooms.store.commit(change)
            });
            if done.await.is_some() {
                return;
            }
        }
        let what =
            What::VerificationDelivered { verification: id, status: status_word(status).to_owned(), failure: None };
        self.take_away(row, event(what), status).await;
    }

    /// A verification that is forgotten cannot end; its row must not outlive it.
    async fn or_take_away(
        &self,
        permit: &Permit<Delivery>,
        row: &OutboxRow,
        verification: VerificationId,
        done: Option<()>,
    ) {
        if done.is_none() {
            let what = What::VerificationDelivered { verification, status: "rejected".to_owned(), failure: None };
            self.take_away(row, permit.event(self.rooms.store.now(), what), DeliveryStatus::Rejected).await;
        }
    }

    async fn sent(&self, permit: &Permit<Delivery>, row: &OutboxRow, sent: Sent) {
        let settled = match row.task {
            Task::Code(..) => {
                insist(|| {
                    let (ids, counted) = (sent.ids.clone(), sent.counted.clone());
                    self.rooms.verify.sent(row, permit, &sent.carrier, ids, counted)
                })
                .await
            }
            Task::Message(id) | Task::Ask(id) => {
                insist(|| async {
                    let done = self.rooms.store.commit(self.sending(permit, row, id, &sent)).await?;
                    Ok::<_, StoreError>(done.settled)
                })
                .await
            }
        };
        self.tell(&sent.carrier, &settled.unwrap_or_default()).await;
        let waited = ids::made_at(&row.id).until(self.rooms.store.now()).as_secs_f64();
        telemetry::metrics().delivery.with_label_values(&[row.lane.as_str()]).observe(waited);
    }

    fn sending(&self, permit: &Permit<Delivery>, row: &OutboxRow, message: MessageId, sent: &Sent) -> Change {
        let (tenant, task, carrier) = (row.tenant, row.task, sent.carrier.clone());
        let parts = u64::try_from(sent.ids.len()).unwrap_or(u64::MAX);
        let what = What::MessageSent { message, subject: sent.subject, carrier: carrier.clone(), parts };
        Change::telling(permit.event(self.rooms.store.now(), what)).with(Write::Dequeue(row.id)).with(
            Write::RecordSubmission { carrier, tenant, task, ids: sent.ids.clone(), counted: sent.counted.clone() },
        )
    }

    /// Tells what receipts settled that came before their submission was recorded.
    async fn tell(&self, carrier: &str, settled: &[Settled]) {
        let actor = || Actor::Carrier { name: carrier.to_owned() };
        let at = self.rooms.store.now();
        for settled in settled {
            insist(|| self.rooms.store.commit(Change::telling(settled_event(settled, actor(), at)))).await;
        }
    }

    async fn put_off(&self, permit: &Permit<Delivery>, row: &OutboxRow, reason: &'static str, wait: Duration) {
        let (now, attempts) = (self.rooms.store.now(), row.attempts.saturating_add(1));
        let what = What::DeliveryPutOff { reason: reason.to_owned(), attempts: attempts.into() };
        let write = Write::PutOff { id: row.id, until: now.plus(wait), attempts };
        let done = self.rooms.store.commit(Change::telling(permit.event(now, what)).with(write)).await;
        if let Err(error) = done {
            tracing::warn!(%error, "left to its lease");
        }
    }

    /// Ends a message that will not be sent.
    async fn give_up(&self, row: &OutboxRow, message: MessageId, reason: &str, event: impl FnOnce(What) -> Event) {
        let status = if reason == "expired" { DeliveryStatus::Expired } else { DeliveryStatus::Rejected };
        let subject = match self.rooms.store.message(row.tenant, message).await {
            Ok(Some(found)) => {
                self.subject(row, found.alias.unwrap_or(ids::from_bytes(ids::bytes(&message))), found.to).await
            }
            _ => None,
        };
        let what = match subject {
            Some(_) => What::MessageUndelivered { message, subject, reason: reason.to_owned(), failure: None },
            // The person is erased: nobody is left to be named.
            None => What::MessageDelivered { message, status: status_word(status).to_owned(), failure: None },
        };
        let noted = Noted { message, failure: reason.to_owned() };
        self.take_away_with(row, event(what), status, Some(noted)).await;
    }

    async fn subject(&self, row: &OutboxRow, alias: AliasId, to: Recipient) -> Option<SubjectId> {
        match to {
            Recipient::Person(record) => self.rooms.alias.people().subject(row.tenant, record).await.ok(),
            Recipient::Stranger(sealed) => self.rooms.alias.people().stranger(row.tenant, alias, &sealed).await.ok(),
        }
    }

    async fn take_away(&self, row: &OutboxRow, event: Event, status: DeliveryStatus) {
        self.take_away_with(row, event, status, None).await;
    }

    async fn take_away_with(&self, row: &OutboxRow, event: Event, status: DeliveryStatus, noted: Option<Noted>) {
        let (tenant, task) = (row.tenant, row.task);
        let dequeue = || Change::telling(event.clone()).with(Write::Dequeue(row.id));
        let change = || {
            let change = dequeue().with(Write::SetDelivery { tenant, task, status });
            match &noted {
                Some(Noted { message, failure }) => {
                    change.with(Write::NoteFailure { tenant, message: *message, failure: failure.clone() })
                }
                None => change,
            }
        };
        if insist(|| self.rooms.store.commit(change())).await.is_none() {
            // What the row is about may be forgotten already; the row must not outlive it.
            insist(|| self.rooms.store.commit(dequeue())).await;
        }
    }
}

/// Why a message is given up.
struct Noted {
    message: MessageId,
    failure: String,
}

/// Whether a failure may pass by itself.
trait Passing: std::fmt::Display {
    fn is_passing(&self) -> bool;
}

impl Passing for StoreError {
    fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl Passing for VerifyError {
    fn is_passing(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_passing())
    }
}

/// Tries until it is durable, somebody else was first, or the lease is about to lapse.
async fn insist<T, E: Passing, F: Future<Output = Result<T, E>>>(mut attempt: impl FnMut() -> F) -> Option<T> {
    insist_for(LEASE.saturating_sub(PATIENCE) * 3 / 4, &mut attempt).await
}

async fn insist_for<T, E: Passing, F: Future<Output = Result<T, E>>>(
    patience: Duration,
    mut attempt: impl FnMut() -> F,
) -> Option<T> {
    let end = Instant::now() + patience;
    let mut pause = Duration::from_millis(20);
    loop {
        match attempt().await {
            Ok(done) => return Some(done),
            Err(error) if error.is_passing() && Instant::now() < end => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            Err(error) => {
                tracing::warn!(%error, "a delivery could not be recorded");
                return None;
            }
        }
    }
}

const fn status_word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Expired => "expired",
        _ => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::store::Conflict;

    #[tokio::test]
    async fn what_a_carrier_took_is_recorded_until_it_is_durable() {
        let tries = AtomicU32::new(0);
        let done = insist(|| async {
            if tries.fetch_add(1, Ordering::SeqCst) < 3 { Err(StoreError::Unavailable("full".into())) } else { Ok(7) }
        })
        .await;
        assert_eq!(done, Some(7));
    }

    #[tokio::test]
    async fn a_row_that_somebody_else_took_is_not_fought_over() {
        let tries = AtomicU32::new(0);
        let done: Option<()> = insist(|| async {
            tries.fetch_add(1, Ordering::SeqCst);
            Err(StoreError::Conflict(Conflict::Taken))
        })
        .await;
        assert_eq!((done, tries.load(Ordering::SeqCst)), (None, 1));
    }

    #[tokio::test]
    async fn insisting_ends_when_its_time_is_up() {
        let start = Instant::now();
        let patience = Duration::from_millis(50);
        let down = || async { Err(StoreError::Unavailable("down".into())) };
        let done: Option<()> = insist_for(patience, down).await;
        assert_eq!(done, None);
        assert!(start.elapsed() >= patience && start.elapsed() < patience * 10);
    }
}
