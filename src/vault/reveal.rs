//! The second door: numbers to a custodian, one or many, once the log says who has them and why.
//!
//! One commit holds the entries, what they cost of the day's budget and, where a second person had to approve, the use of
//! that approval; only when it is durable is a number exposed. A request beyond the budget is refused whole.

use zeroize::Zeroizing;

use crate::access::{Permit, TokenRef, TokenSet};
use crate::event::{Leaf, What};
use crate::ids::{RecordRef, SubjectId};
use crate::keyring::TenantKeys;
use crate::phone::{self, Door, Masked, PhoneNumber};
use crate::store::{BudgetKind, Spent, StoreError};

use super::{MAX_BATCH, Vault, VaultError};

/// Records that one entry names: 66 bytes each, and the whole below 60,000.
const NAMED: usize = 850;

/// Tokens opened before others get their turn.
const TURN: usize = 64;

/// A number on its way to whoever was allowed it, and the leaf of the entry that says so.
pub struct Revealed {
    /// `+` and digits.
    pub number: Zeroizing<String>,
    /// The entry's leaf, durable before this exists.
    pub leaf: Leaf,
    /// What the day's budget has left.
    pub left: u64,
}

/// Numbers on their way to whoever was allowed them.
pub struct RevealedSet {
    /// For each token in order its number, or none: no such token for this caller.
    pub numbers: Vec<Option<Zeroizing<String>>>,
    /// The leaves of the entries that name them all, durable before this exists.
    pub leaves: Vec<Leaf>,
    /// What the day's budget has left.
    pub left: u64,
}

/// A number that is to be revealed, and how the log names it.
struct Held {
    number: PhoneNumber,
    record: RecordRef,
    subject: SubjectId,
}

impl Vault {
    /// The number behind a token, once the entry that says who had it and why is durable. `reference` is the caller's
    /// own note for that entry.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Refused`] with `purpose_required` or `number_in_text`;
    /// [`VaultError::BudgetExhausted`]; [`VaultError::Store`] if the entry could not be written, or the approval was used
    /// meanwhile: then nothing is revealed.
    pub async fn reveal(&self, permit: &Permit<TokenRef>, reference: Option<String>) -> Result<Revealed, VaultError> {
        let TokenRef { token, purpose } = permit.resource();
        let purpose = stated(purpose.as_deref(), reference.as_deref())?;
        let keys = self.keys(permit.tenant()).await?;
        let found = self.find(permit, &keys, token).await?;
        let what = What::Revealed {
            record: found.reference,
            subject: keys.subject(keys.index(&found.number)),
            purpose: purpose.to_owned(),
            reference,
        };
        let (leaves, left) = self.tell(permit, vec![what], 1).await?;
        let leaf = leaves.first().copied().ok_or(StoreError::Corrupt("commit without leaf"))?;
        Ok(Revealed { number: found.number.expose(Door::Reveal), leaf, left })
    }

    /// The numbers behind up to [`MAX_BATCH`] tokens, once the entries that name every one of them are durable. Tokens
    /// that are not the caller's to see have none, and cost nothing.
    ///
    /// # Errors
    /// As [`Self::reveal`], and `batch_too_large`.
    pub async fn reveal_batch(
        &self,
        permit: &Permit<TokenSet>,
        reference: Option<String>,
    ) -> Result<RevealedSet, VaultError> {
        let TokenSet { tokens, purpose } = permit.resource();
        let purpose = stated(purpose.as_deref(), reference.as_deref())?;
        if tokens.len() > MAX_BATCH {
            return Err(VaultError::Refused("batch_too_large"));
        }
        let keys = self.keys(permit.tenant()).await?;
        let held = self.held(permit, &keys).await?;
        let entries = entries(&held, purpose, reference.as_deref());
        let count = held.iter().flatten().count() as u64;
        let (leaves, left) = self.tell(permit, entries, count).await?;
        let numbers = held.into_iter().map(|held| Some(held?.number.expose(Door::Reveal))).collect();
        Ok(RevealedSet { numbers, leaves, left })
    }

    /// The masks of these tokens, for whoever is asked to approve that they be revealed. Tokens that are not the caller's
    /// to see have none.
    ///
    /// # Errors
    /// [`VaultError::Store`] and [`VaultError::Key`].
    pub async fn masks(&self, permit: &Permit<TokenSet>) -> Result<Vec<Option<Masked>>, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let held = self.held(permit, &keys).await?;
        Ok(held.iter().map(|held| Some(Masked::of(&held.as_ref()?.number))).collect())
    }

    async fn held(&self, permit: &Permit<TokenSet>, keys: &TenantKeys) -> Result<Vec<Option<Held>>, VaultError> {
        let tokens = &permit.resource().tokens;
        let mut held = Vec::with_capacity(tokens.len());
        for (place, token) in tokens.iter().enumerate() {
            if place % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            held.push(match self.find(permit, keys, token).await {
                Ok(found) => {
                    let subject = keys.subject(keys.index(&found.number));
                    Some(Held { number: found.number, record: found.reference, subject })
                }
                Err(VaultError::NotFound) => None,
                Err(error) => return Err(error),
            });
        }
        Ok(held)
    }

    /// Commits the entries with what they cost. Gives their leaves and what the budget has left.
    pub(super) async fn tell<R>(
        &self,
        permit: &Permit<R>,
        entries: Vec<What>,
        count: u64,
    ) -> Result<(Vec<Leaf>, u64), VaultError> {
        let now = self.store.now();
        let mut entries = entries.into_iter();
        let first = entries.next().ok_or(VaultError::NotFound)?;
        let mut change = permit.change(now, first);
        let beside = change.events.len() - 1;
        for what in entries {
            change = change.and_telling(permit.event(now, what));
        }
        let committed = self.commit_spending(permit, change, BudgetKind::Reveal, count).await?;
        let Spent { day, hour } = committed.spent.unwrap_or_default();
        self.watch_volume(permit, count, hour).await;
        let mut leaves = committed.leaves;
        // The use of an approval has an entry of its own, right after the first.
        leaves.drain(1.min(leaves.len())..(1 + beside).min(leaves.len()));
        Ok((leaves, permit.allowance().of(BudgetKind::Reveal).saturating_sub(day)))
    }
}

/// The purpose, if there is one; neither it nor the note may hold a number.
fn stated<'a>(purpose: Option<&'a str>, reference: Option<&str>) -> Result<&'a str, VaultError> {
    let purpose = purpose.filter(|text| !text.trim().is_empty());
    let purpose = purpose.ok_or(VaultError::Refused("purpose_required"))?;
    if phone::contains_number(purpose) || reference.is_some_and(phone::contains_number) {
        return Err(VaultError::Refused("number_in_text"));
    }
    Ok(purpose)
}

/// The entries that name all that is held: one, or as many as it takes to keep each below 60,000 bytes.
fn entries(held: &[Option<Held>], purpose: &str, reference: Option<&str>) -> Vec<What> {
    let held: Vec<&Held> = held.iter().flatten().collect();
    let count = held.len() as u64;
    let parts: Vec<&[&Held]> = if held.is_empty() { vec![&[]] } else { held.chunks(NAMED).collect() };
    let of = parts.len() as u64;
    let entry = |(part, held): (u64, &[&Held])| What::BatchRevealed {
        part,
        parts: of,
        count,
        records: held.iter().map(|held| held.record).collect(),
        subjects: held.iter().map(|held| held.subject).collect(),
        purpose: purpose.to_owned(),
        reference: reference.map(str::to_owned),
    };
    (1..).zip(parts).map(entry).collect()
}
