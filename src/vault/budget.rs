//! Daily budgets as they are spent: never beyond the limit, whatever crashes and however many processes count.
//!
//! What writes anyway (a reveal, a look-up) counts in its own transaction ([`Vault::commit_spending`]). What would not write for
//! each item counts against a reservation in memory ([`Vault::spend`]): a chunk that the store has counted in full before
//! the first item of it is used. A crash, or the end of the day, costs what was left of the chunk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::access::Permit;
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::CredentialId;
use crate::store::{BudgetKind, Change, Committed, Conflict, Spend, Store, StoreError, Write};
use crate::telemetry;

use super::{Vault, VaultError};

/// The largest chunk that is reserved at a time, a thousandth of the day's limit at the most.
const CHUNK: u64 = 10_000;

const DAY_SECS: i64 = 86_400;

/// What this process has reserved and not used.
#[derive(Default)]
pub(super) struct Purses {
    /// Grows with the number of credentials, and no further.
    slots: Mutex<HashMap<(CredentialId, BudgetKind), Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    purse: Mutex<Purse>,
    /// Held by whoever reserves, so that others wait for the same chunk.
    refill: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Purse {
    day: i64,
    left: u64,
    /// The last day whose end of budget was told here.
    told: Option<i64>,
}

impl Purse {
    /// Takes all of `count` from what is left of this day.
    fn take(&mut self, day: i64, count: u64) -> bool {
        if self.day != day {
            (self.day, self.left) = (day, 0);
        }
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

impl Slot {
    fn with<T>(&self, look: impl FnOnce(&mut Purse) -> T) -> T {
        // Each change of a purse is one assignment; a poisoned lock holds a sound one.
        look(&mut self.purse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes `spend.count` from the reservation in force, reserving more first where it has to.
    async fn take(&self, store: &dyn Store, spend: Spend) -> Result<bool, StoreError> {
        let day = spend.at.as_secs().div_euclid(DAY_SECS);
        if self.with(|purse| purse.take(day, spend.count)) {
            return Ok(true);
        }
        let _turn = self.refill.lock().await;
        if self.with(|purse| purse.take(day, spend.count)) {
            return Ok(true);
        }
        let missing = spend.count - self.with(|purse| purse.left).min(spend.count);
        let chunk = (spend.limit / 1_000).clamp(1, CHUNK).max(missing);
        let granted = store.reserve_budget(Spend { count: chunk, ..spend }).await?;
        Ok(self.with(|purse| {
            // A day later the chunk is of a day that is over.
            if purse.day == day {
                purse.left += granted;
            }
            purse.take(day, spend.count)
        }))
    }
}

impl Purses {
    fn slot(&self, credential: CredentialId, kind: BudgetKind) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((credential, kind)).or_default())
    }
}

impl Vault {
    /// Counts `count` items against the permit holder's budget of the day, before they are worked on: all of them or, if
    /// fewer are left, none. Counted durably, by chunks.
    ///
    /// # Errors
    /// [`VaultError::BudgetExhausted`]; [`VaultError::Store`].
    pub async fn spend<R>(&self, permit: &Permit<R>, kind: BudgetKind, count: u64) -> Result<(), VaultError> {
        if count == 0 {
            return Ok(());
        }
        let spend = self.cost(permit, kind, count)?;
        let slot = self.purses.slot(spend.credential, kind);
        if slot.take(self.store.as_ref(), spend).await? { Ok(()) } else { Err(self.exhausted(permit, kind).await) }
    }

    /// Commits a change that costs `count` items, and counts them with it.
    ///
    /// # Errors
    /// [`VaultError::BudgetExhausted`]; [`VaultError::Store`]; [`VaultError::Refused`] with `forbidden` for a permit without
    /// a credential, which has no budget. Then nothing of it is written.
    pub(super) async fn commit_spending<R>(
        &self,
        permit: &Permit<R>,
        change: Change,
        kind: BudgetKind,
        count: u64,
    ) -> Result<Committed, VaultError> {
        let spend = Write::Spend(self.cost(permit, kind, count)?);
        match self.store.commit(change.with(spend)).await {
            Err(StoreError::Conflict(Conflict::BudgetExhausted)) => Err(self.exhausted(permit, kind).await),
            done => Ok(done?),
        }
    }

    fn cost<R>(&self, permit: &Permit<R>, kind: BudgetKind, count: u64) -> Result<Spend, VaultError> {
        let credential = permit.credential().ok_or(VaultError::Refused("forbidden"))?;
        Ok(Spend { credential, kind, at: self.store.now(), count, limit: permit.allowance().of(kind) })
    }

    /// Tells the log, once a day, and gives the refusal.
    async fn exhausted<R>(&self, permit: &Permit<R>, kind: BudgetKind) -> VaultError {
        telemetry::metrics().budget_refusals.with_label_values(&[kind.as_str()]).inc();
        let at = self.store.now();
        let day = at.as_secs().div_euclid(DAY_SECS);
        if let Some(credential) = permit.credential() {
            let slot = self.purses.slot(credential, kind);
            if slot.with(|purse| purse.told) != Some(day) {
                let told = self.tell_exhausted(permit, credential, kind, at).await;
                match told {
                    Ok(()) => slot.with(|purse| purse.told = Some(day)),
                    Err(error) => tracing::warn!(%error, "an exhausted budget is not in the log yet"),
                }
            }
        }
        VaultError::BudgetExhausted { retry_after: until_midnight(at) }
    }

    async fn tell_exhausted<R>(
        &self,
        permit: &Permit<R>,
        credential: CredentialId,
        kind: BudgetKind,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let limit = permit.allowance().of(kind);
        let told = What::BudgetExhausted { credential, budget: kind.as_str().to_owned(), limit };
        let change = Change::telling(permit.event(at, told)).with(Write::TellExhausted { credential, kind, at });
        match self.store.commit(change).await {
            // Another process was first.
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How long until every budget starts anew.
pub fn until_midnight(at: Timestamp) -> Duration {
    let into_day = at.as_millis().rem_euclid(DAY_SECS * 1_000);
    Duration::from_millis(u64::try_from(DAY_SECS * 1_000 - into_day).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_starts_anew_at_midnight_utc() {
        assert_eq!(until_midnight(Timestamp::from_millis(0)), Duration::from_secs(86_400));
        assert_eq!(until_midnight(Timestamp::from_millis(86_399_999)), Duration::from_millis(1));
    }

    #[test]
    fn a_purse_gives_all_or_nothing_and_only_of_its_day() {
        let mut purse = Purse { day: 7, left: 5, told: None };
        assert!(!purse.take(7, 6));
        assert!(purse.take(7, 5) && !purse.take(7, 1));
        purse.left = 5;
        assert!(!purse.take(8, 1), "what is left of yesterday is gone");
    }
}
