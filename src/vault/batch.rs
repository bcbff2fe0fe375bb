//! Making many tokens at once: one look-up, one commit, one entry, each item its own answer.

use std::collections::HashMap;

use crate::access::{NewTokens, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::RecordId;
use crate::keyring::TenantKeys;
use crate::store::{BlindIndex, Change, StoreError, TokenRow, Write};
use crate::token::Kind;

use super::tokenize::{ROUNDS, audience_of, check, expiry, is_canonical, view};
use super::{NewToken, TokenView, Vault, VaultError};

/// The most items of one batch.
pub const MAX_BATCH: usize = 10_000;

/// Why one item of a batch has no token.
#[derive(Debug, PartialEq, Eq)]
pub enum ItemError<E> {
    /// It was refused before it came here.
    Given(E),
    /// The vault refuses it; a stable code.
    Refused(&'static str),
}

type Item<E> = Result<NewToken, ItemError<E>>;

/// What a batch comes to before it is written.
struct Plan {
    /// The canonical record of each index that the batch names, and whether the batch makes it.
    canonical: HashMap<BlindIndex, RecordId>,
    /// The record of each vaulted item, in order.
    records: Vec<RecordId>,
    rows: Vec<TokenRow>,
    known: u64,
}

impl Vault {
    /// The tokens of up to [`MAX_BATCH`] numbers, in order. Refused items stay refused, the others succeed together.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with `batch_too_large`; [`VaultError::Store`] if none could be written.
    pub async fn tokenize_batch<E>(
        &self,
        permit: &Permit<NewTokens>,
        items: Vec<Result<NewToken, E>>,
    ) -> Result<Vec<Result<TokenView, ItemError<E>>>, VaultError> {
        if items.len() > MAX_BATCH {
            return Err(VaultError::Refused("batch_too_large"));
        }
        let items: Vec<Item<E>> = items
            .into_iter()
            .map(|item| {
                let new = item.map_err(ItemError::Given)?;
                check(&new).map(|()| new).map_err(ItemError::Refused)
            })
            .collect();
        let keys = self.keys(permit.tenant()).await?;
        let sealed = items.iter().flatten().filter(|new| new.kind == Kind::Sealed).count();
        if sealed > 0 {
            self.reserve(permit, audience_of(permit), sealed as u64).await?;
        }
        let now = self.store.now();
        let records = self.write_batch(permit, &keys, &items, now).await?;
        Ok(answer(&keys, audience_of(permit), items, records, now))
    }

    /// Writes the records that the vaulted items need, and returns the record of each, in order.
    async fn write_batch<E>(
        &self,
        permit: &Permit<NewTokens>,
        keys: &TenantKeys,
        items: &[Item<E>],
        now: Timestamp,
    ) -> Result<Vec<RecordId>, VaultError> {
        let vaulted: Vec<(&NewToken, BlindIndex)> = items
            .iter()
            .flatten()
            .filter(|new| new.kind == Kind::Vaulted)
            .map(|new| (new, keys.index(&new.number)))
            .collect();
        let refused = items.iter().filter(|item| item.is_err()).count() as u64;
        if vaulted.is_empty() && refused == 0 {
            return Ok(Vec::new());
        }
        let audience = audience_of(permit);
        for _ in 0..ROUNDS {
            let plan = self.plan(permit, keys, &vaulted, now).await?;
            let created = plan.rows.len() as u64;
            let what = What::TokenBatchCreated { created, known: plan.known, refused };
            let mut change = Change::telling(permit.event(now, what));
            change.writes.extend(self.remembering(permit, audience).await?);
            change.writes.extend(plan.rows.into_iter().map(Write::Token));
            match self.store.commit(change).await {
                Ok(_) => {
                    self.remembered(permit, audience);
                    return Ok(plan.records);
                }
                // Somebody else was first with one of the numbers: look all of them up again.
                Err(StoreError::TokenExists(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Unavailable("records of the batch changed under every attempt".into()).into())
    }

    /// Finds what is known, and makes rows for the rest; a number that comes twice gets one row.
    async fn plan(
        &self,
        permit: &Permit<NewTokens>,
        keys: &TenantKeys,
        vaulted: &[(&NewToken, BlindIndex)],
        now: Timestamp,
    ) -> Result<Plan, VaultError> {
        let mut indexes: Vec<BlindIndex> =
            vaulted.iter().filter(|(new, _)| is_canonical(new)).map(|(_, index)| *index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let found = self.known(permit, &indexes).await?;
        let canonical = indexes.into_iter().zip(found).filter_map(|(index, id)| Some((index, id?))).collect();
        let mut plan = Plan { canonical, records: Vec::with_capacity(vaulted.len()), rows: Vec::new(), known: 0 };
        // At most so many are needed; what is left over is never used.
        let mut next = self.records.row(self.store.as_ref(), vaulted.len() as u64).await?;
        for (new, index) in vaulted {
            if is_canonical(new)
                && let Some(record) = plan.canonical.get(index)
            {
                plan.records.push(*record);
                plan.known += 1;
                continue;
            }
            let record = RecordId(next);
            next += 1;
            plan.rows.push(self.row_of(permit, keys, new, (record, *index), now));
            plan.records.push(record);
            if is_canonical(new) {
                plan.canonical.insert(*index, record);
            }
            if plan.rows.len().is_multiple_of(BREATH) {
                tokio::task::yield_now().await;
            }
        }
        Ok(plan)
    }

    fn row_of(
        &self,
        permit: &Permit<NewTokens>,
        keys: &TenantKeys,
        new: &NewToken,
        (record, index): (RecordId, BlindIndex),
        now: Timestamp,
    ) -> TokenRow {
        let mut row = self.row(permit, keys, record, index, &new.number);
        row.canonical = is_canonical(new);
        row.expires_at = expiry(new, now);
        row.metadata.clone_from(&new.metadata);
        row
    }
}

/// Puts each item's token in its place.
fn answer<E>(
    keys: &TenantKeys,
    audience: Option<&str>,
    items: Vec<Item<E>>,
    records: Vec<RecordId>,
    now: Timestamp,
) -> Vec<Result<TokenView, ItemError<E>>> {
    let mut records = records.into_iter();
    items
        .into_iter()
        .map(|item| {
            let new = item?;
            let token = match new.kind {
                Kind::Sealed => keys.sealed(&new.number, audience, expiry(&new, now)),
                Kind::Vaulted => {
                    // One record per vaulted item: `write_batch` went through the same items in the same order.
                    let record = records.next().ok_or(ItemError::Refused("internal"))?;
                    keys.vaulted(record, audience)
                }
            };
            Ok(view(token, new, now))
        })
        .collect()
}

/// Rows sealed before other tasks of the thread get a turn: about a millisecond's worth.
const BREATH: usize = 256;
