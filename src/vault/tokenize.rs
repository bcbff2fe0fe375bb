//! Making tokens, one at a time, and finding the record that stands for a number.

use std::sync::Arc;

use crate::access::{NewTokens, Permit, Resource};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::{RecordId, TenantId};
use crate::keyring::TenantKeys;
use crate::phone::{self, Masked, PhoneNumber};
use crate::store::{BlindIndex, BudgetKind, Change, Conflict, Sealed, StoreError, TokenRow, Write};
use crate::token::{Kind, Token};

use super::{Holder, NewToken, TokenView, Vault, VaultError};

impl Vault {
    /// The token of a number for the permit's audience. A plain vaulted or lookalike token is the same for the same
    /// number and audience; one that is `fresh`, or has a life or metadata of its own, is new. Sealed tokens are not
    /// stored.
    ///
    /// # Errors
    /// [`VaultError::BudgetExhausted`]; [`VaultError::Refused`] with `number_in_text`, `…_not_supported_for_sealed` or `…_for_fpe`, `too_many_audiences`,
    /// or `fpe_not_allowed`: such texts have [a permit of their own](Vault::fpe).
    pub async fn tokenize(&self, permit: &Permit<NewTokens>, new: NewToken) -> Result<TokenView, VaultError> {
        check(&new).map_err(VaultError::Refused)?;
        self.spend(permit, BudgetKind::Tokenize, u64::from(is_repeatable(&new))).await?;
        let keys = self.keys(permit.tenant()).await?;
        let audience = audience_of(permit);
        let now = self.store.now();
        let token = match new.kind {
            Kind::Fpe => return Err(VaultError::Refused("fpe_not_allowed")),
            Kind::Sealed => {
                let epoch = self.sealing_epoch(permit, &keys, &new.number).await?;
                self.reserve(permit, audience, 1).await?;
                keys.sealed(&new.number, audience, expiry(&new, now), epoch)
            }
            Kind::Vaulted | Kind::Lookalike => {
                let own = (!is_canonical(&new)).then_some(&new);
                self.issue(permit, &keys, &new.number, audience, new.kind, own).await?.1
            }
        };
        self.watch_tokenized(permit, std::iter::once(&new)).await;
        Ok(view(token, new, now))
    }

    /// The person behind a number, with a record made where there was none.
    pub async fn hold<R: Resource>(&self, permit: &Permit<R>, number: &PhoneNumber) -> Result<Holder, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        Ok(self.issue(permit, &keys, number, permit.audience(), Kind::Vaulted, None).await?.0)
    }

    /// Finds or makes the record of a number, and its token: the record that stands for the number, or one of its
    /// `own`. One entry is written either way, so that neither the time it takes nor the log a partner may see tells a
    /// known number from a new one.
    async fn issue<R>(
        &self,
        permit: &Permit<R>,
        keys: &Arc<TenantKeys>,
        number: &PhoneNumber,
        audience: Option<&str>,
        kind: Kind,
        own: Option<&NewToken>,
    ) -> Result<(Holder, Token), VaultError> {
        if kind == Kind::Vaulted {
            let holder = self.hold_one(permit, keys, number, audience, own).await?;
            return Ok((holder, keys.vaulted(holder.record, audience)));
        }
        let index = keys.index(number);
        let mut known = match own {
            Some(_) => None,
            None => self.known(permit, &[index]).await?.first().copied().flatten(),
        };
        for _ in 0..ROUNDS {
            let record = match known {
                Some(record) => record,
                None => self.records.one(self.store.as_ref()).await?,
            };
            let mut change = self.issued(permit, keys, record, index, audience, own.is_some()).await?;
            if known.is_none() {
                let row = self.row(permit, keys, record, index, number);
                change.writes.push(Write::Token(shaped(row, own)));
            }
            let (token, naming) = self.naming(permit.tenant(), keys, record, audience, kind).await?;
            change.writes.extend(naming);
            match self.store.commit(change).await {
                Ok(_) => {
                    self.remembered(permit, audience);
                    return Ok((Holder { record, index, subject: keys.subject(index) }, token));
                }
                Err(StoreError::TokenExists(other)) => known = Some(other),
                Err(StoreError::Conflict(Conflict::Taken)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Unavailable("the number's record changed under every attempt".into()).into())
    }

    /// The text that names a record for an audience, and what has to be written so that it is found again.
    pub(super) async fn naming(
        &self,
        tenant: TenantId,
        keys: &TenantKeys,
        record: RecordId,
        audience: Option<&str>,
        kind: Kind,
    ) -> Result<(Token, Vec<Write>), VaultError> {
        if kind != Kind::Lookalike {
            return Ok((keys.vaulted(record, audience), Vec::new()));
        }
        let chosen = self.choose(tenant, keys, &[(record, keys.audience_tag(audience))]).await?;
        let token = chosen.tokens.into_iter().next().ok_or(VaultError::NotFound)?;
        Ok((token, chosen.rows.into_iter().map(Write::Lookalike).collect()))
    }

    /// The change that tells of a token given out for a record, remembering an audience that is new.
    async fn issued<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        record: RecordId,
        index: BlindIndex,
        audience: Option<&str>,
        fresh: bool,
    ) -> Result<Change, VaultError> {
        let what = What::TokenCreated {
            record: keys.record_ref(record),
            subject: keys.subject(index),
            audience: audience.map(str::to_owned),
            fresh,
        };
        let mut change = Change::telling(permit.event(self.store.now(), what));
        change.writes.extend(self.remembering(permit, audience).await?);
        Ok(change)
    }

    /// The row of a canonical record; callers adapt it for others.
    pub(super) fn row<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        record: RecordId,
        index: BlindIndex,
        number: &PhoneNumber,
    ) -> TokenRow {
        let number: Sealed = keys.seal_number(record, number);
        let created_at = self.store.now();
        let tenant = permit.tenant();
        TokenRow { id: record, tenant, index, canonical: true, number, created_at, expires_at: None, metadata: None }
    }

    /// The canonical records of numbers, in order.
    pub(super) async fn known<R>(
        &self,
        permit: &Permit<R>,
        indexes: &[BlindIndex],
    ) -> Result<Vec<Option<RecordId>>, VaultError> {
        let rows = self.store.tokens_by_index(permit.tenant(), indexes).await?;
        Ok(rows.into_iter().map(|row| row.map(|row| row.id)).collect())
    }

    /// Makes sure that the log knows of `count` more sealed tokens of this credential.
    pub(super) async fn reserve(
        &self,
        permit: &Permit<NewTokens>,
        audience: Option<&str>,
        count: u64,
    ) -> Result<(), VaultError> {
        let credential = permit.credential().ok_or(VaultError::Refused("credential_required"))?;
        let remember = self.remembering(permit, audience).await?;
        let now = self.store.now();
        let telling = |what| permit.event(now, what);
        self.reservations.take(self.store.as_ref(), credential, count, telling, remember).await?;
        self.remembered(permit, audience);
        Ok(())
    }

    /// The write that remembers an audience, if it is a new one.
    pub(super) async fn remembering<R>(
        &self,
        permit: &Permit<R>,
        audience: Option<&str>,
    ) -> Result<Option<Write>, VaultError> {
        let tenant = permit.tenant();
        let Some(name) = audience.filter(|_| !self.audiences.has(tenant, audience)) else { return Ok(None) };
        self.audiences.renew(self.store.as_ref()).await?;
        if self.audiences.has(tenant, audience) {
            return Ok(None);
        }
        if self.audiences.of(tenant).count() >= MAX_AUDIENCES {
            return Err(VaultError::Refused("too_many_audiences"));
        }
        Ok(Some(Write::Audience { tenant, audience: name.to_owned() }))
    }

    /// To be called once the change with [`Self::remembering`]'s write is durable.
    pub(super) fn remembered<R>(&self, permit: &Permit<R>, audience: Option<&str>) {
        if let Some(name) = audience
            && !self.audiences.has(permit.tenant(), audience)
        {
            self.audiences.add(permit.tenant(), name);
        }
    }
}

/// For whom: the audience that the permit was asked for, else the caller's own.
pub(super) fn audience_of(permit: &Permit<NewTokens>) -> Option<&str> {
    permit.resource().audience.as_deref().or(permit.audience())
}

/// Refuses, with its code, what a kind of token cannot keep and texts that hold a number.
pub(super) fn check(new: &NewToken) -> Result<(), &'static str> {
    match (new.kind, &new.metadata) {
        (Kind::Sealed, Some(_)) => Err("metadata_not_supported_for_sealed"),
        (Kind::Sealed, None) if new.fresh => Err("fresh_not_supported_for_sealed"),
        (Kind::Fpe, Some(_)) => Err("metadata_not_supported_for_fpe"),
        (Kind::Fpe, None) if new.fresh => Err("fresh_not_supported_for_fpe"),
        (Kind::Fpe, None) if new.ttl.is_some() || new.ends_at.is_some() => Err("ttl_not_supported_for_fpe"),
        (_, Some(text)) if phone::contains_number(text) => Err("number_in_text"),
        _ => Ok(()),
    }
}

/// The row as a token of its own wants it, where it is for one.
pub(super) fn shaped(row: TokenRow, own: Option<&NewToken>) -> TokenRow {
    let Some(new) = own else { return row };
    let expires_at = expiry(new, row.created_at);
    TokenRow { canonical: false, expires_at, metadata: new.metadata.clone(), ..row }
}

/// Whether asking again gives the same text, so that it tells whoever has two lists which numbers are on both.
pub(super) fn is_repeatable(new: &NewToken) -> bool {
    matches!(new.kind, Kind::Sealed | Kind::Fpe) || is_canonical(new)
}

/// Whether the record that stands for the number will do.
pub(super) fn is_canonical(new: &NewToken) -> bool {
    !new.fresh && new.ttl.is_none() && new.ends_at.is_none() && new.metadata.is_none()
}

/// When the token ends, in whole seconds for a sealed one, whose expiry has no more room.
pub(super) fn expiry(new: &NewToken, now: Timestamp) -> Option<Timestamp> {
    let at = new.ends_at.or_else(|| Some(now.plus(new.ttl?)))?;
    Some(match new.kind {
        Kind::Sealed => Timestamp::from_millis(at.as_secs().saturating_mul(1_000)),
        Kind::Vaulted | Kind::Lookalike | Kind::Fpe => at,
    })
}

/// The answer to whoever typed the number in: mask included, and the moment of asking as the token's beginning.
pub(super) fn view(token: Token, new: NewToken, now: Timestamp) -> TokenView {
    TokenView {
        kind: new.kind,
        masked: Some(Masked::of(&new.number)),
        created_at: Some(now),
        expires_at: expiry(&new, now),
        token,
        country: new.country,
        line_type: new.line_type,
        metadata: new.metadata,
    }
}

/// How often a lost race for a number's record is run again: the second attempt meets the winner.
pub(super) const ROUNDS: u32 = 4;

/// Opening a sealed token may have to try each audience, so that their number is bounded.
const MAX_AUDIENCES: usize = 4_096;
