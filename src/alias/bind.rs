//! Binding: choose a pool and a number, and write alias, legs and event in one commit.

use std::time::Duration;

use super::error::AliasError;
use super::leg::{self, Parties};
use super::view::AliasView;
use super::{Alias, life};
use crate::access::{NewAlias, Permit};
use crate::clock::Timestamp;
use crate::event::What;
use crate::ids::{self, PoolId};
use crate::phone::{self, VirtualNumber};
use crate::store::{
    AliasMode, AliasRow, AliasStatus, Allocation, Change, Conflict, LegRow, PoolRow, StoreError, Write,
};
use crate::vault::Holder;

/// What is to be bound.
pub struct Bind {
    /// The mode's name.
    pub mode: String,
    /// The first person.
    pub a: Holder,
    /// The second person, in modes that have one.
    pub b: Option<Holder>,
    /// This number and no other; own, unshared pools only.
    pub number: Option<VirtualNumber>,
    /// From this pool and no other.
    pub pool: Option<PoolId>,
    /// ISO 3166-1 alpha-2, if it matters.
    pub region: Option<String>,
    /// How long it lasts; none is until released.
    pub ttl: Option<Duration>,
    /// A JSON object, free of numbers.
    pub metadata: Option<String>,
}

impl Alias {
    /// Binds a number of a pool to people. Refuses with a code of [`AliasError`].
    pub async fn bind(&self, permit: &Permit<NewAlias>, wish: Bind) -> Result<AliasView, AliasError> {
        let mode = check(&wish)?;
        for pool in self.candidates(permit, &wish).await? {
            let parties = self.parties(permit, mode, &wish, &pool).await?;
            match self.bind_in(permit, &wish, &pool, parties).await {
                Err(AliasError::PoolExhausted) => {}
                settled => return settled,
            }
        }
        Err(AliasError::PoolExhausted)
    }

    /// The pools to try: the chosen number's, the named one, or the tenant's own before shared ones.
    async fn candidates(&self, permit: &Permit<NewAlias>, wish: &Bind) -> Result<Vec<PoolRow>, AliasError> {
        let mut pools = self.store.pools(permit.tenant()).await?;
        pools.retain(|pool| pool.mode == permit.mode() && (pool.shared || pool.tenant == permit.tenant()));
        if let Some(named) = wish.pool {
            pools.retain(|pool| pool.id == named);
            if pools.is_empty() {
                return Err(AliasError::PoolUnknown);
            }
        }
        if let Some(number) = wish.number {
            let home = self.store.number(number).await?.map(|row| row.pool);
            pools.retain(|pool| Some(pool.id) == home && pool.tenant == permit.tenant() && !pool.shared);
            if pools.is_empty() {
                return Err(AliasError::Unroutable);
            }
        }
        pools.sort_by_key(|pool| pool.tenant != permit.tenant());
        pools.truncate(MAX_POOLS);
        Ok(pools)
    }

    async fn parties(
        &self,
        permit: &Permit<NewAlias>,
        mode: AliasMode,
        wish: &Bind,
        pool: &PoolRow,
    ) -> Result<Parties, AliasError> {
        let a = self.people.seen_by(pool, permit.tenant(), wish.a.record).await?;
        let b = match (&wish.b, mode) {
            (Some(b), AliasMode::Axb) => Some(self.people.seen_by(pool, permit.tenant(), b.record).await?),
            _ => None,
        };
        if a.in_pool || b.as_ref().is_some_and(|b| b.in_pool) {
            return Err(AliasError::NumberInPool);
        }
        Ok(b.map_or(Parties::One(a.party), |b| Parties::Two(a.party, b.party)))
    }

    /// Takes a number of `pool` and binds it, again with another one where somebody was faster.
    async fn bind_in(
        &self,
        permit: &Permit<NewAlias>,
        wish: &Bind,
        pool: &PoolRow,
        parties: Parties,
    ) -> Result<AliasView, AliasError> {
        for _ in 0..MAX_TRIES {
            let Some(number) = self.store.allocate(&allocation(permit, wish, pool, parties)).await? else { break };
            let row = self.row(permit, wish, pool, parties, number)?;
            match self.store.commit(binding(permit, wish, &row, parties)).await {
                Ok(_) => return self.view(permit, &row).await,
                Err(StoreError::Conflict(Conflict::LegTaken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.shortage(wish, parties).await?)
    }

    /// Why no number was had: on an own number that the caller chose, what stands in the way; else only that.
    async fn shortage(&self, wish: &Bind, parties: Parties) -> Result<AliasError, StoreError> {
        let Some(number) = wish.number else { return Ok(AliasError::PoolExhausted) };
        for (party, _) in parties.counterparts() {
            if self.store.leg(number, Some(party)).await?.is_some_and(|leg| leg.from == Some(party)) {
                return Ok(AliasError::AliasConflict);
            }
        }
        Ok(AliasError::NumberOccupied)
    }

    fn row(
        &self,
        permit: &Permit<NewAlias>,
        wish: &Bind,
        pool: &PoolRow,
        parties: Parties,
        number: VirtualNumber,
    ) -> Result<AliasRow, AliasError> {
        let now = self.store.now();
        Ok(AliasRow {
            id: ids::fresh(),
            tenant: permit.tenant(),
            mode: parties.mode(),
            number,
            pool: pool.id,
            a: parties.a(),
            b: parties.b(),
            audience: permit.audience().map(str::to_owned),
            credential: permit.credential().ok_or(AliasError::NotFound)?,
            status: AliasStatus::Active,
            metadata: wish.metadata.clone(),
            created_at: now,
            expires_at: wish.ttl.map(|ttl| now.plus(ttl)),
        })
    }
}

/// What can be refused without looking anything up.
fn check(wish: &Bind) -> Result<AliasMode, AliasError> {
    let mode = leg::mode(&wish.mode).ok_or(AliasError::ModeUnsupported)?;
    life::check_ttl(wish.ttl)?;
    if wish.metadata.as_deref().is_some_and(|text| text.len() > MAX_METADATA) {
        return Err(AliasError::SizeInvalid);
    }
    if wish.metadata.as_deref().is_some_and(phone::contains_number) {
        return Err(AliasError::NumberInText);
    }
    match (mode, &wish.b) {
        (AliasMode::Axb, None) => Err(AliasError::PartyMissing),
        (AliasMode::Ax, Some(_)) => Err(AliasError::PartyUnexpected),
        (AliasMode::Axb, Some(b)) if b.index == wish.a.index => Err(AliasError::SameParty),
        _ => Ok(mode),
    }
}

fn allocation(permit: &Permit<NewAlias>, wish: &Bind, pool: &PoolRow, parties: Parties) -> Allocation {
    Allocation {
        pool: pool.id,
        number: wish.number,
        region: wish.region.clone(),
        star: parties.is_star(),
        parties: parties.counterparts(),
        tenant: permit.tenant(),
        spread: u64::from_be_bytes(crate::crypto::random()),
    }
}

fn binding(permit: &Permit<NewAlias>, wish: &Bind, row: &AliasRow, parties: Parties) -> Change {
    let subjects = [Some(wish.a.subject), wish.b.as_ref().map(|b| b.subject)].into_iter().flatten().collect();
    let what = What::AliasBound { alias: row.id, mode: leg::name(row.mode).to_owned(), number: row.number, subjects };
    let legs = parties.legs().into_iter().map(|rule| leg_row(row, rule, row.expires_at)).collect();
    Change::telling(permit.event(row.created_at, what)).with(Write::BindAlias { alias: Box::new(row.clone()), legs })
}

fn leg_row(row: &AliasRow, rule: leg::Rule, expires_at: Option<Timestamp>) -> LegRow {
    LegRow { number: row.number, from: rule.from, alias: row.id, tenant: row.tenant, to: rule.to, expires_at }
}

/// How often another number is tried when somebody else was faster.
const MAX_TRIES: usize = 8;
/// How many pools one call looks into.
const MAX_POOLS: usize = 16;
/// Bytes of `metadata`.
const MAX_METADATA: usize = 4_096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;
    use crate::ids::RecordId;
    use crate::store::BlindIndex;

    fn holder(n: u8) -> Holder {
        Holder { record: RecordId(n.into()), index: BlindIndex([n; 16]), subject: ids::from_bytes([n; 16]) }
    }

    fn wish(mode: &str, b: Option<Holder>) -> Bind {
        Bind { mode: mode.into(), a: holder(1), b, number: None, pool: None, region: None, ttl: None, metadata: None }
    }

    fn code(wish: &Bind) -> &'static str {
        check(wish).err().and_then(|error| error.code()).unwrap_or("accepted")
    }

    #[test]
    fn modes_without_a_table_are_refused() {
        assert_eq!(code(&wish("axe", None)), "mode_unsupported");
        assert_eq!(code(&wish("ax", None)), "accepted");
        assert_eq!(code(&wish("axb", Some(holder(2)))), "accepted");
    }

    #[test]
    fn each_mode_has_exactly_its_parties() {
        assert_eq!(code(&wish("axb", None)), "party_missing");
        assert_eq!(code(&wish("ax", Some(holder(2)))), "party_unexpected");
    }

    #[test]
    fn two_tokens_of_one_number_are_one_party() {
        let mut twin = holder(1);
        twin.record = RecordId(9);
        assert_eq!(code(&wish("axb", Some(twin))), "same_party");
    }

    #[test]
    fn a_life_has_bounds_and_metadata_holds_no_number() {
        let mut short = wish("ax", None);
        short.ttl = Some(Duration::from_secs(59));
        assert_eq!(code(&short), "ttl_invalid");
        short.ttl = Some(Duration::from_secs(60));
        assert_eq!(code(&short), "accepted");
        short.metadata = Some(r#"{"call":"+1 212 555 0123"}"#.into());
        assert_eq!(code(&short), "number_in_text");
    }
}
