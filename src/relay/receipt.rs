//! Receipts: the carrier's word on a part, recorded with the event that says what it made of the message.

use super::Relay;
use crate::carrier::Receipt;
use crate::event::{Actor, Event, What};
use crate::store::{
    Change, DeliveryStatus, Failure, PartId, ReceiptOutcome, ReceiptRow, Settled, StoreError, Task, Write,
};

impl Relay {
    /// Records a receipt. One commit, unless two parts' receipts crossed; then the message's state follows in another.
    pub(super) async fn record_receipt(&self, receipt: Receipt) -> Result<(), StoreError> {
        let row = self.row(receipt);
        let carrier = row.carrier.clone();
        let outcome = self.store.receipt_outcome(&row).await?;
        let (tenant, what) = told(&carrier, row.status, outcome.as_ref());
        let is_told = outcome.is_some_and(|outcome| outcome.status.is_some());
        let actor = Actor::Carrier { name: carrier.clone() };
        let event = Event { at: self.store.now(), tenant, actor, policy: None, what };
        let measured = self.health.as_ref().map(|health| (health, row.status, row.ids.clone()));
        let change = Change::telling(event).with(Write::RecordReceipt(row));
        let settled = self.store.commit(change).await?.settled;
        if let Some((health, status, parts)) = measured {
            health.receipt(&carrier, parts.iter().map(|part| part.id.as_str()), status, self.store.now());
        }
        if is_told { Ok(()) } else { self.tell_settled(&carrier, &settled).await }
    }

    /// A receipt as the store keeps it: of the device only what tells it from others under the same id.
    fn row(&self, receipt: Receipt) -> ReceiptRow {
        let Receipt { carrier, id, also, status, failure, to } = receipt;
        let device = to.map(|number| self.keyring.system().device(&carrier, &number));
        let part = |id: String| match &device {
            Some(device) => device.part(id),
            None => PartId { id, device: 0 },
        };
        // A bound on the work that one receipt may cause.
        let ids = std::iter::once(id).chain(also).take(SPELLINGS).map(part).collect();
        ReceiptRow { carrier, ids, status, failure: failure.filter(|_| status.is_final()) }
    }

    /// Tells of messages that a commit settled beyond what its own event says.
    pub(super) async fn tell_settled(&self, carrier: &str, settled: &[Settled]) -> Result<(), StoreError> {
        let now = self.store.now();
        let actor = || Actor::Carrier { name: carrier.to_owned() };
        let mut events = settled.iter().map(|settled| settled_event(settled, actor(), now));
        let Some(first) = events.next() else { return Ok(()) };
        let change = events.fold(Change::telling(first), Change::and_telling);
        self.store.commit(change).await.map(|_| ())
    }
}

/// The event that tells what became of a message or code.
pub fn settled_event(settled: &Settled, actor: Actor, at: crate::clock::Timestamp) -> Event {
    let what = reached(settled.task, settled.status, settled.failure);
    Event { at, tenant: Some(settled.tenant), actor, policy: None, what }
}

fn told(
    carrier: &str,
    status: DeliveryStatus,
    outcome: Option<&ReceiptOutcome>,
) -> (Option<crate::ids::TenantId>, What) {
    match outcome {
        None => (None, What::ReceiptUnmatched { carrier: carrier.to_owned() }),
        Some(ReceiptOutcome { tenant, task, status: Some(status), failure }) => {
            (Some(*tenant), reached(*task, *status, *failure))
        }
        Some(ReceiptOutcome { tenant, status: None, .. }) => {
            let status = word(status).to_owned();
            (Some(*tenant), What::ReceiptNoted { carrier: carrier.to_owned(), status })
        }
    }
}

fn reached(task: Task, status: DeliveryStatus, failure: Option<Failure>) -> What {
    let is_lost = matches!(status, DeliveryStatus::Undelivered | DeliveryStatus::Expired | DeliveryStatus::Rejected);
    let (status, failure) = (word(status).to_owned(), failure.map(|failure| failure.as_str().to_owned()));
    match task {
        Task::Code(verification, _) => What::VerificationDelivered { verification, status, failure },
        Task::Message(message) | Task::Ask(message) if is_lost => {
            What::MessageUndelivered { message, subject: None, reason: status, failure }
        }
        Task::Message(message) | Task::Ask(message) => What::MessageDelivered { message, status, failure },
    }
}

/// In how many ways an id may be spelled.
const SPELLINGS: usize = 6;

const fn word(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Queued => "queued",
        DeliveryStatus::Submitted => "submitted",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Undelivered => "undelivered",
        DeliveryStatus::Expired => "expired",
        DeliveryStatus::Rejected => "rejected",
        DeliveryStatus::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn a_receipt_tells_what_it_made_of_the_message_and_no_more() {
        let task = Task::Message(ids::fresh());
        let tenant = ids::fresh();
        let outcome = |status| ReceiptOutcome { tenant, task, status, failure: None };
        let name = |outcome: Option<&ReceiptOutcome>| told("main", DeliveryStatus::Delivered, outcome).1.action();
        assert_eq!(name(None), "receipt.unmatched");
        assert_eq!(name(Some(&outcome(None))), "receipt.noted", "other parts are out");
        assert_eq!(name(Some(&outcome(Some(DeliveryStatus::Delivered)))), "message.delivered");
        let worst = told("main", DeliveryStatus::Delivered, Some(&outcome(Some(DeliveryStatus::Undelivered))));
        assert!(matches!(worst.1, What::MessageUndelivered { reason, .. } if reason == "undelivered"));
    }
}
