//! Reservations for sealed tokens: one durable log entry allows a credential its next `N` of them.
//!
//! Sealing needs no store, but the log must know of it first. Invariant: a sealed token is answered only against a
//! reservation that is durable. A reservation is settled with its true count when it is used up, when it has been idle,
//! or at shutdown; one that a crash leaves unsettled counts as wholly used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Timestamp;
use crate::event::{Event, What};
use crate::ids::CredentialId;
use crate::store::{Change, Store, StoreError, Write};

/// Every credential's reservation.
pub(super) struct Reservations {
    /// Grows with the number of credentials, and no further.
    slots: RwLock<HashMap<CredentialId, Arc<Slot>>>,
}

struct Slot {
    /// What may still be sealed without another entry.
    left: AtomicU64,
    /// When it was last used, in Unix milliseconds.
    used_at: AtomicI64,
    /// Held by whoever reserves or settles.
    ledger: Mutex<Ledger>,
}

/// What the log has been told.
#[derive(Default)]
struct Ledger {
    /// The size of the reservation in force.
    granted: u64,
    /// A count that is known but not yet in the log, since a commit failed.
    unsettled: Option<u64>,
    /// Who holds the reservation, as its entry said.
    told: Option<Event>,
}

impl Slot {
    /// Takes `count` from the reservation in force, if it has them.
    fn take(&self, count: u64) -> bool {
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(count)).is_ok()
    }

    /// Closes the reservation in force. What it was used for waits in the ledger until the log has it.
    fn close(&self, ledger: &mut Ledger) {
        let unused = self.left.swap(0, Ordering::AcqRel);
        if ledger.granted > 0 {
            // A reservation is granted only by a commit that settled the one before: nothing is overwritten.
            ledger.unsettled = Some(ledger.granted.saturating_sub(unused));
            ledger.granted = 0;
        }
    }
}

impl Ledger {
    /// The entry that says how much of the closed reservations was used.
    fn settlement(&self, credential: CredentialId, at: Timestamp) -> Option<Event> {
        let what = What::SealSettled { credential, sealed: self.unsettled? };
        Some(Event { at, what, ..self.told.clone()? })
    }
}

impl Reservations {
    pub(super) fn none_yet() -> Self {
        Self { slots: RwLock::default() }
    }

    /// Counts `count` sealed tokens against the credential's reservation, reserving more first where it has to. Callers
    /// that wait for the same reservation share it. `telling` makes the entry; `remember` is written with it, and where
    /// there is one a new reservation is made in any case.
    pub(super) async fn take(
        &self,
        store: &dyn Store,
        credential: CredentialId,
        count: u64,
        telling: impl FnOnce(What) -> Event,
        remember: Option<Write>,
    ) -> Result<(), StoreError> {
        let slot = self.slot(credential);
        slot.used_at.store(store.now().as_millis(), Ordering::Relaxed);
        if remember.is_none() && slot.take(count) {
            return Ok(());
        }
        let mut ledger = slot.ledger.lock().await;
        if remember.is_none() && slot.take(count) {
            return Ok(());
        }
        slot.close(&mut ledger);
        let up_to = SIZE.max(count);
        let event = telling(What::SealReserved { credential, up_to });
        let settlement = ledger.settlement(credential, event.at);
        let events = settlement.into_iter().chain([event.clone()]).collect();
        store.commit(Change { events, writes: remember.into_iter().collect() }).await?;
        *ledger = Ledger { granted: up_to, unsettled: None, told: Some(event) };
        slot.left.store(up_to - count, Ordering::Release);
        Ok(())
    }

    /// Settles every reservation that was not used for `idle`.
    pub(super) async fn settle(&self, store: &dyn Store, idle: Duration) -> Result<(), StoreError> {
        let slots: Vec<_> = {
            let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
            slots.iter().map(|(credential, slot)| (*credential, Arc::clone(slot))).collect()
        };
        for (credential, slot) in slots {
            let now = store.now();
            let used_at = Timestamp::from_millis(slot.used_at.load(Ordering::Relaxed));
            if now >= used_at.plus(idle) {
                slot.settle(store, credential, now).await?;
            }
        }
        Ok(())
    }

    fn slot(&self, credential: CredentialId) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(&credential) {
            return Arc::clone(slot);
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Slot { left: AtomicU64::new(0), used_at: AtomicI64::new(0), ledger: Mutex::default() });
        Arc::clone(slots.entry(credential).or_insert_with(fresh))
    }
}

impl Slot {
    async fn settle(&self, store: &dyn Store, credential: CredentialId, now: Timestamp) -> Result<(), StoreError> {
        let mut ledger = self.ledger.lock().await;
        self.close(&mut ledger);
        if let Some(event) = ledger.settlement(credential, now) {
            store.commit(Change::telling(event)).await?;
            ledger.unsettled = None;
        }
        Ok(())
    }
}

/// Sealed tokens per entry: few entries under load, little doubt after a crash.
const SIZE: u64 = 10_000;
