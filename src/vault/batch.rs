//! Making many tokens at once: one look-up, one commit, one entry, each item its own answer.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{NewFpe, NewTokens, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::RecordId;
use crate::keyring::{AudienceTag, TenantKeys};
use crate::store::{BlindIndex, BudgetKind, Change, Conflict, LAST_EPOCH, StoreError, TokenRow, Write};
use crate::token::{Kind, Token};

use super::tokenize::{ROUNDS, audience_of, check, expiry, is_canonical, is_repeatable, shaped, view};
use super::{NewToken, TokenView, Vault, VaultError, fpe};

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

/// The items of a batch that are for one audience. All groups of a batch are one caller's.
pub struct Group<'a, E> {
    /// For whom.
    pub permit: &'a Permit<NewTokens>,
    /// For the same audience, where fpe texts may be made.
    pub fpe: Option<&'a Permit<NewFpe>>,
    /// In order; what was refused before it came here stays refused.
    pub items: Vec<Result<NewToken, E>>,
}

/// What became of each item of a group, in order.
pub type Answers<E> = Vec<Result<TokenView, ItemError<E>>>;

/// One item on its way.
struct Line<'a, E> {
    item: Result<NewToken, ItemError<E>>,
    audience: Option<&'a str>,
    tag: AudienceTag,
    /// Its text, once there is one.
    token: Option<Token>,
}

/// An item that needs a record.
pub(super) struct Stored<'l> {
    pub(super) new: &'l NewToken,
    pub(super) index: BlindIndex,
    pub(super) audience: Option<&'l str>,
    pub(super) tag: AudienceTag,
}

/// What a batch comes to before it is written.
struct Plan {
    /// The canonical record of each index that the batch names, and whether the batch makes it.
    canonical: HashMap<BlindIndex, RecordId>,
    /// The record of each stored item, in order.
    records: Vec<RecordId>,
    rows: Vec<TokenRow>,
    known: u64,
}

/// How many items the entry tells of beside the stored ones.
pub(super) struct Counts {
    pub(super) fpe: u64,
    pub(super) refused: u64,
}

impl Vault {
    /// The tokens of up to [`MAX_BATCH`] numbers for one audience; as [`Self::tokenize_groups`].
    ///
    /// # Errors
    /// As [`Self::tokenize_groups`].
    pub async fn tokenize_batch<E>(
        &self,
        permit: &Permit<NewTokens>,
        items: Vec<Result<NewToken, E>>,
    ) -> Result<Answers<E>, VaultError> {
        let answers = self.tokenize_groups(vec![Group { permit, fpe: None, items }]).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    /// The tokens of up to [`MAX_BATCH`] numbers in all, in order. Refused items stay refused, the others succeed
    /// together: one change, one entry that counts them.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with `batch_too_large`; [`VaultError::BudgetExhausted`] if the items that come out the same
    /// again are more than the day has left; [`VaultError::Store`] if none could be written.
    pub async fn tokenize_groups<E>(&self, groups: Vec<Group<'_, E>>) -> Result<Vec<Answers<E>>, VaultError> {
        let sizes: Vec<usize> = groups.iter().map(|group| group.items.len()).collect();
        if sizes.iter().sum::<usize>() > MAX_BATCH {
            return Err(VaultError::Refused("batch_too_large"));
        }
        let Some(first) = groups.first().map(|group| group.permit) else { return Ok(Vec::new()) };
        let repeatable = groups.iter().flat_map(|group| group.items.iter().flatten()).filter(|new| is_repeatable(new));
        self.spend(first, BudgetKind::Tokenize, repeatable.count() as u64).await?;
        let keys = self.keys(first.tenant()).await?;
        let now = self.store.now();
        let mut lines = Vec::with_capacity(sizes.iter().sum());
        for group in groups {
            self.reserve_sealed(&group).await?;
            lines.extend(read(&keys, group)?);
        }
        let items = lines.iter().filter_map(|line| line.item.as_ref().ok());
        let epochs = self.sealing_epochs(first, &keys, items).await?;
        write_storeless(&keys, &mut lines, epochs, now).await?;
        let tokens = self.write_batch(first, &keys, &lines, now).await?;
        self.watch_tokenized(first, lines.iter().flat_map(|line| &line.item)).await;
        let mut stored = tokens.into_iter();
        let mut answers = lines.into_iter().map(|line| {
            let new = line.item?;
            // One text per stored item: `write_batch` went through the same lines in the same order.
            let token = line.token.or_else(|| stored.next()).ok_or(ItemError::Refused("internal"))?;
            Ok(view(token, new, now))
        });
        Ok(sizes.into_iter().map(|size| answers.by_ref().take(size).collect()).collect())
    }

    /// Makes sure that the log knows of a group's sealed tokens.
    async fn reserve_sealed<E>(&self, group: &Group<'_, E>) -> Result<(), VaultError> {
        let sealed = |new: &&NewToken| new.kind == Kind::Sealed && check(new).is_ok();
        match group.items.iter().flatten().filter(sealed).count() {
            0 => Ok(()),
            count => self.reserve(group.permit, audience_of(group.permit), count as u64).await,
        }
    }

    /// Writes the records that the stored items need, and returns the text of each, in order.
    async fn write_batch<E>(
        &self,
        permit: &Permit<NewTokens>,
        keys: &Arc<TenantKeys>,
        lines: &[Line<'_, E>],
        now: Timestamp,
    ) -> Result<Vec<Token>, VaultError> {
        let stored = stored(keys, lines);
        let of_kind = |kind| lines.iter().flat_map(|line| &line.item).filter(|new| new.kind == kind).count() as u64;
        let refused = lines.iter().filter(|line| line.item.is_err()).count() as u64;
        let counts = Counts { fpe: of_kind(Kind::Fpe), refused };
        if stored.is_empty() && counts.fpe + counts.refused == 0 {
            return Ok(Vec::new());
        }
        if stored.iter().all(|item| item.new.kind == Kind::Vaulted) {
            return self.hold_many(permit, keys, &stored, &counts, now).await;
        }
        for _ in 0..ROUNDS {
            let plan = self.plan(permit, keys, &stored).await?;
            let (change, tokens) = self.batch_change(permit, keys, &stored, plan, &counts, now).await?;
            match self.store.commit(change).await {
                Ok(_) => {
                    stored.iter().for_each(|item| self.remembered(permit, item.audience));
                    return Ok(tokens);
                }
                // Somebody else was first with one of the numbers or digits: look all of them up again.
                Err(StoreError::TokenExists(_) | StoreError::Conflict(Conflict::Taken)) => {}
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
        stored: &[Stored<'_>],
    ) -> Result<Plan, VaultError> {
        let mut indexes: Vec<BlindIndex> =
            stored.iter().filter(|item| is_canonical(item.new)).map(|item| item.index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let found = self.known(permit, &indexes).await?;
        let canonical = indexes.into_iter().zip(found).filter_map(|(index, id)| Some((index, id?))).collect();
        let mut plan = Plan { canonical, records: Vec::with_capacity(stored.len()), rows: Vec::new(), known: 0 };
        // At most so many are needed; what is left over is never used.
        let mut next = self.records.row(self.store.as_ref(), stored.len() as u64).await?;
        for item in stored {
            let own = (!is_canonical(item.new)).then_some(item.new);
            if own.is_none()
                && let Some(record) = plan.canonical.get(&item.index)
            {
                plan.records.push(*record);
                plan.known += 1;
                continue;
            }
            let record = RecordId(next);
            next += 1;
            let row = self.row(permit, keys, record, item.index, &item.new.number);
            plan.rows.push(shaped(row, own));
            plan.records.push(record);
            if own.is_none() {
                plan.canonical.insert(item.index, record);
            }
            if plan.rows.len().is_multiple_of(BREATH) {
                tokio::task::yield_now().await;
            }
        }
        Ok(plan)
    }

    /// The change that a plan comes to, and the text of each stored item.
    async fn batch_change(
        &self,
        permit: &Permit<NewTokens>,
        keys: &TenantKeys,
        stored: &[Stored<'_>],
        plan: Plan,
        counts: &Counts,
        now: Timestamp,
    ) -> Result<(Change, Vec<Token>), VaultError> {
        let (created, known) = (plan.rows.len() as u64, plan.known);
        let what = What::TokenBatchCreated { created, known, fpe: counts.fpe, refused: counts.refused };
        let mut change = Change::telling(permit.event(now, what));
        let mut audiences: Vec<Option<&str>> = stored.iter().map(|item| item.audience).collect();
        audiences.sort_unstable();
        audiences.dedup();
        for audience in audiences {
            change.writes.extend(self.remembering(permit, audience).await?);
        }
        change.writes.extend(plan.rows.into_iter().map(Write::Token));
        let named = || stored.iter().zip(&plan.records);
        let lookalikes = named().filter(|(item, _)| item.new.kind == Kind::Lookalike);
        let wanted: Vec<_> = lookalikes.map(|(item, record)| (*record, item.tag)).collect();
        let chosen = self.choose(permit.tenant(), keys, &wanted).await?;
        change.writes.extend(chosen.rows.into_iter().map(Write::Lookalike));
        let mut chosen = chosen.tokens.into_iter();
        let token = |(item, record): (&Stored<'_>, &RecordId)| match item.new.kind {
            Kind::Lookalike => chosen.next(),
            _ => Some(keys.vaulted_for(*record, item.tag)),
        };
        let tokens = named().map(token).collect::<Option<Vec<_>>>();
        Ok((change, tokens.ok_or(VaultError::NotFound)?))
    }
}

/// The lines of a group, each judged by itself.
fn read<'a, E>(keys: &TenantKeys, group: Group<'a, E>) -> Result<Vec<Line<'a, E>>, VaultError> {
    let audience = audience_of(group.permit);
    let tag = keys.audience_tag(audience);
    let fpe = fpe::allowed(group.fpe);
    let judged = |item: Result<NewToken, E>| {
        let new = item.map_err(ItemError::Given)?;
        check(&new).map_err(ItemError::Refused)?;
        if new.kind == Kind::Fpe {
            fpe.map_err(ItemError::Refused)?;
        }
        Ok(new)
    };
    let line = |item| Line { item: judged(item), audience, tag, token: None };
    Ok(group.items.into_iter().map(line).collect())
}

/// Writes the texts of those items that need no store.
async fn write_storeless<E>(
    keys: &TenantKeys,
    lines: &mut [Line<'_, E>],
    epochs: Vec<u8>,
    now: Timestamp,
) -> Result<(), VaultError> {
    // None at all where nothing of the tenant was erased.
    let mut epochs = epochs.into_iter();
    for (place, line) in lines.iter_mut().enumerate() {
        let Ok(new) = &line.item else { continue };
        match new.kind {
            Kind::Sealed => match epochs.next().unwrap_or_default() {
                LAST_EPOCH.. => line.item = Err(ItemError::Refused("sealed_exhausted")),
                epoch => line.token = Some(keys.sealed(&new.number, line.audience, expiry(new, now), epoch)),
            },
            Kind::Fpe => match fpe::text(keys, new, line.audience)? {
                Ok(token) => line.token = Some(token),
                Err(code) => line.item = Err(ItemError::Refused(code)),
            },
            Kind::Vaulted | Kind::Lookalike => continue,
        }
        if place % BREATH == BREATH - 1 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

fn stored<'l, E>(keys: &TenantKeys, lines: &'l [Line<'_, E>]) -> Vec<Stored<'l>> {
    lines
        .iter()
        .filter_map(|line| {
            let new = line.item.as_ref().ok().filter(|new| matches!(new.kind, Kind::Vaulted | Kind::Lookalike))?;
            Some(Stored { new, index: keys.index(&new.number), audience: line.audience, tag: line.tag })
        })
        .collect()
}

/// Rows sealed before other tasks of the thread get a turn: about a millisecond's worth.
pub(super) const BREATH: usize = 256;
