//! Vaulted tokens in one transaction each: the store finds or makes the records and tells of them at once.
//!
//! Known and new numbers go the same way and cost the same: each gets an id and is sealed before anybody knows whether
//! a record stands for it already.

use std::sync::Arc;

use crate::access::{NewTokens, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::RecordId;
use crate::keyring::TenantKeys;
use crate::phone::PhoneNumber;
use crate::store::{Holding, StoreError, Telling, Write};
use crate::token::Token;

use super::batch::{BREATH, Counts, Stored};
use super::tokenize::{is_canonical, shaped};
use super::{Holder, NewToken, Vault, VaultError};

impl Vault {
    /// The record that stands for a number, or one of its `own`, and the entry that it was asked for.
    pub(super) async fn hold_one<R>(
        &self,
        permit: &Permit<R>,
        keys: &Arc<TenantKeys>,
        number: &PhoneNumber,
        audience: Option<&str>,
        own: Option<&NewToken>,
    ) -> Result<Holder, VaultError> {
        let index = keys.index(number);
        let subject = keys.subject(index);
        let record = self.records.one(self.store.as_ref()).await?;
        let row = shaped(self.row(permit, keys, record, index, number), own);
        let (event, keys) = (permit.telling(self.store.now()), Arc::clone(keys));
        let (told_audience, fresh) = (audience.map(str::to_owned), own.is_some());
        let telling: Telling = Box::new(move |records| {
            let record = keys.record_ref(records.first().copied().unwrap_or(record));
            event(What::TokenCreated { record, subject, audience: told_audience.clone(), fresh })
        });
        let audiences = self.audience_to_remember(permit, audience).await?.into_iter().collect();
        let holding = Holding { tenant: permit.tenant(), rows: vec![row], audiences, telling };
        let held = self.store.hold(holding).await?;
        self.remembered(permit, audience);
        let record = held.first().copied().ok_or(StoreError::Corrupt("answer to holding"))?;
        Ok(Holder { record, index, subject })
    }

    /// The tokens of many numbers, in order: one transaction, one entry that counts them.
    pub(super) async fn hold_many(
        &self,
        permit: &Permit<NewTokens>,
        keys: &Arc<TenantKeys>,
        stored: &[Stored<'_>],
        counts: &Counts,
        now: Timestamp,
    ) -> Result<Vec<Token>, VaultError> {
        let first = self.records.row(self.store.as_ref(), stored.len() as u64).await?;
        // Ids and indexes grow together, which spares the store half of its searching.
        let mut sorted: Vec<(usize, &Stored<'_>)> = stored.iter().enumerate().collect();
        sorted.sort_unstable_by_key(|(_, item)| item.index);
        let mut rows = Vec::with_capacity(sorted.len());
        for (record, (_, item)) in (first..).zip(&sorted) {
            let own = (!is_canonical(item.new)).then_some(item.new);
            rows.push(shaped(self.row(permit, keys, RecordId(record), item.index, &item.new.number), own));
            if rows.len().is_multiple_of(BREATH) {
                tokio::task::yield_now().await;
            }
        }
        let (event, fpe, refused) = (permit.telling(now), counts.fpe, counts.refused);
        let telling: Telling = Box::new(move |records| {
            let created = records.iter().zip(first..).filter(|(record, own)| record.0 == *own).count() as u64;
            let known = records.len() as u64 - created;
            event(What::TokenBatchCreated { created, known, fpe, refused })
        });
        let audiences = self.audiences_to_remember(permit, stored).await?;
        let records = self.store.hold(Holding { tenant: permit.tenant(), rows, audiences, telling }).await?;
        stored.iter().for_each(|item| self.remembered(permit, item.audience));
        let mut tokens: Vec<Option<Token>> = vec![None; stored.len()];
        for ((place, item), record) in sorted.iter().zip(records) {
            if let Some(token) = tokens.get_mut(*place) {
                *token = Some(keys.vaulted_for(record, item.tag));
            }
        }
        Ok(tokens.into_iter().collect::<Option<_>>().ok_or(StoreError::Corrupt("answer to holding"))?)
    }

    async fn audiences_to_remember(
        &self,
        permit: &Permit<NewTokens>,
        stored: &[Stored<'_>],
    ) -> Result<Vec<String>, VaultError> {
        let mut named: Vec<Option<&str>> = stored.iter().map(|item| item.audience).collect();
        named.sort_unstable();
        named.dedup();
        let mut new = Vec::new();
        for audience in named {
            new.extend(self.audience_to_remember(permit, audience).await?);
        }
        Ok(new)
    }

    /// The audience, if it is a new one.
    async fn audience_to_remember<R>(
        &self,
        permit: &Permit<R>,
        audience: Option<&str>,
    ) -> Result<Option<String>, VaultError> {
        Ok(match self.remembering(permit, audience).await? {
            Some(Write::Audience { audience, .. }) => Some(audience),
            _ => None,
        })
    }
}
