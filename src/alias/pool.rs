//! Pools: make one, import numbers, count them, take numbers out of allocation.
//!
//! A pool is of its tenant's mode and hangs on one carrier, which must be one that this mode may use.

use serde::Serialize;

use super::Alias;
use super::error::AliasError;
use crate::access::{Permit, Pools};
use crate::event::{Mode, What};
use crate::guard::Label;
use crate::ids::{self, PoolId, TenantId};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasWrite, Change, Conflict, NumberFilter, NumberRow, PoolCounts, PoolRow, StoreError, Traits, Write,
};

/// A pool to be made.
pub struct NewPool {
    /// Its name, unique within the tenant, free of numbers.
    pub name: String,
    /// The carrier its numbers live at, unless a number says otherwise.
    pub carrier: String,
    /// Whether other tenants of the same mode may bind from it.
    pub shared: bool,
    /// Free numbers below which the owner is told.
    pub low_water: Option<u64>,
}

/// Numbers to be added to a pool.
pub struct Import {
    /// 1 to 10,000, each with what it can do: no capabilities mean `sms`.
    pub numbers: Vec<(VirtualNumber, Traits)>,
}

impl Import {
    /// Numbers that are all alike.
    pub fn alike(numbers: impl IntoIterator<Item = VirtualNumber>, traits: &Traits) -> Self {
        Self { numbers: numbers.into_iter().map(|number| (number, traits.clone())).collect() }
    }
}

/// How a number stands to a pool that it is to be imported into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in no pool.
    New,
    /// It is in this one already, as it is to be.
    Here,
    /// It cannot be imported so; why, without the number.
    Otherwise(String),
}

/// A pool as its owner sees it.
#[derive(Clone, Debug, Serialize)]
pub struct PoolView {
    /// `pol_…`.
    pub id: PoolId,
    /// Its name.
    pub name: String,
    /// The carrier its numbers live at.
    pub carrier: String,
    /// Whether other tenants of the same mode may bind from it.
    pub shared: bool,
    /// Free numbers below which the owner is told.
    pub low_water: Option<u64>,
    /// Its numbers by state.
    #[serde(flatten)]
    pub counts: PoolCounts,
}

impl Alias {
    /// Makes an empty pool.
    pub async fn create_pool(&self, permit: &Permit<Pools>, new: NewPool) -> Result<PoolView, AliasError> {
        self.check_pool(permit.mode(), &new)?;
        let row = PoolRow {
            id: ids::fresh(),
            tenant: permit.tenant(),
            name: new.name,
            carrier: new.carrier,
            shared: new.shared,
            mode: permit.mode(),
            low_water: new.low_water,
            created_at: self.store.now(),
        };
        let what = What::PoolCreated { pool: row.id, carrier: row.carrier.clone(), shared: row.shared };
        let change = Change::telling(permit.event(row.created_at, what)).with(Write::Pool(row.clone()));
        match self.store.commit(change).await {
            Ok(_) => Ok(seen(row, PoolCounts::default())),
            Err(StoreError::Conflict(Conflict::Exists)) => Err(AliasError::PoolExists),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds numbers to one of the tenant's pools: all or none. Returns how many.
    pub async fn import(&self, permit: &Permit<Pools>, pool: PoolId, import: Import) -> Result<u64, AliasError> {
        if import.numbers.is_empty() || import.numbers.len() > MAX_IMPORT {
            return Err(AliasError::SizeInvalid);
        }
        let pool = self.own_pool(permit, pool).await?;
        let change = self.importing(permit, &pool, &import)?;
        match self.store.commit(change).await {
            Ok(_) => Ok(import.numbers.len() as u64),
            Err(StoreError::Conflict(Conflict::NumberInPool)) => Err(self.holder_of(permit, &import.numbers).await?),
            Err(StoreError::Conflict(Conflict::TooMany)) => Err(AliasError::TooManyLots),
            Err(error) => Err(error.into()),
        }
    }

    /// One of the tenant's pools, with its numbers by state.
    pub async fn counts(&self, permit: &Permit<Pools>, pool: PoolId) -> Result<PoolView, AliasError> {
        let row = self.own_pool(permit, pool).await?;
        let counts = self.store.pool_counts(row.id).await?;
        Ok(seen(row, counts))
    }

    /// Takes a number out of allocation; what is bound to it stays until it ends.
    pub async fn drain(&self, permit: &Permit<Pools>, pool: PoolId, number: VirtualNumber) -> Result<(), AliasError> {
        let pool = self.own_pool(permit, pool).await?;
        let event = permit.event(self.store.now(), What::PoolNumberDraining { pool: pool.id, number });
        let change = Change::telling(event).with(Write::DrainNumber { pool: pool.id, number });
        match self.store.commit(change).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(Conflict::Missing)) => Err(AliasError::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a number aside for a reason, or takes it back. Meanwhile it is given to nobody; what is bound to it stays.
    pub async fn set_aside(
        &self,
        permit: &Permit<Pools>,
        pool: PoolId,
        number: VirtualNumber,
        reason: Option<String>,
    ) -> Result<(), AliasError> {
        let pool = self.own_pool(permit, pool).await?;
        if let Some(reason) = &reason {
            Label::up_to(MAX_REASON).check(reason)?;
        }
        let what = match &reason {
            Some(reason) => What::PoolNumberQuarantined { pool: pool.id, number, reason: reason.clone() },
            None => What::PoolNumberRestored { pool: pool.id, number },
        };
        let write = AliasWrite::SetAside { pool: pool.id, number, reason };
        let change = Change::telling(permit.event(self.store.now(), what)).with(Write::Alias(write));
        match self.store.commit(change).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(Conflict::Missing)) => Err(AliasError::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the free numbers below which the owner is told; none is never.
    pub async fn set_low_water(
        &self,
        permit: &Permit<Pools>,
        pool: PoolId,
        low_water: Option<u64>,
    ) -> Result<PoolView, AliasError> {
        let pool = self.own_pool(permit, pool).await?;
        let what = What::PoolChanged { pool: pool.id, low_water };
        let write = AliasWrite::LowWater { pool: pool.id, low_water };
        let change = Change::telling(permit.event(self.store.now(), what)).with(Write::Alias(write));
        self.store.commit(change).await?;
        self.counts(permit, pool.id).await
    }

    /// The tenant's own pools, newest first.
    pub async fn pools(
        &self,
        permit: &Permit<Pools>,
        after: Option<PoolId>,
        limit: u32,
    ) -> Result<Vec<PoolView>, AliasError> {
        let mut views = Vec::new();
        for row in self.store.own_pools(permit.tenant(), after, limit.min(MAX_PAGE)).await? {
            let counts = self.store.pool_counts(row.id).await?;
            views.push(seen(row, counts));
        }
        Ok(views)
    }

    /// Numbers of one of the tenant's pools in order, all or those set aside.
    pub async fn numbers(
        &self,
        permit: &Permit<Pools>,
        mut filter: NumberFilter,
    ) -> Result<Vec<NumberRow>, AliasError> {
        self.own_pool(permit, filter.pool).await?;
        filter.limit = filter.limit.min(MAX_PAGE);
        Ok(self.store.numbers(&filter).await?)
    }

    /// How a number that is to be imported stands to one of the tenant's pools.
    pub async fn standing(
        &self,
        permit: &Permit<Pools>,
        pool: PoolId,
        number: VirtualNumber,
        traits: &Traits,
    ) -> Result<Standing, AliasError> {
        let kept = match self.traits(permit.mode(), traits) {
            Ok(kept) => kept,
            Err(error) => return Ok(Standing::Otherwise(error.to_string())),
        };
        Ok(match self.store.number(number).await? {
            None => Standing::New,
            Some(row) if row.pool != pool => Standing::Otherwise("number: it is in another pool".to_owned()),
            Some(row) if row.traits != kept => {
                Standing::Otherwise("number: it is in the pool already, with other columns".to_owned())
            }
            Some(_) => Standing::Here,
        })
    }

    /// Whose a pool is.
    pub async fn owner(&self, pool: PoolId) -> Result<Option<TenantId>, AliasError> {
        Ok(self.store.pool(pool).await?.map(|row| row.tenant))
    }

    /// One of the tenant's pools, with how many live or cooling places the busiest person has on its numbers.
    pub async fn busiest(&self, permit: &Permit<Pools>, pool: PoolId) -> Result<(PoolView, u64), AliasError> {
        let view = self.counts(permit, pool).await?;
        let busiest = self.store.busiest(view.id).await?;
        Ok((view, busiest))
    }

    fn check_pool(&self, mode: Mode, new: &NewPool) -> Result<(), AliasError> {
        Label::up_to(MAX_NAME).check(&new.name)?;
        if self.may_carry(mode, &new.carrier) { Ok(()) } else { Err(AliasError::Unroutable) }
    }

    /// Whether a carrier of this name may carry for tenants of this mode.
    fn may_carry(&self, mode: Mode, name: &str) -> bool {
        self.carriers.iter().any(|carrier| carrier.name() == name && carrier.is_live() == (mode == Mode::Live))
    }

    /// What numbers can do, in the one form in which it is kept.
    fn traits(&self, mode: Mode, given: &Traits) -> Result<Traits, AliasError> {
        let mut kept = given.clone();
        if kept.capabilities.is_empty() {
            kept.capabilities.push("sms".to_owned());
        }
        for words in [&mut kept.capabilities, &mut kept.reach, &mut kept.carriers] {
            words.sort_unstable();
            words.dedup();
        }
        kept.region = kept.region.map(|region| region.to_ascii_uppercase());
        if !kept.capabilities.iter().all(|ability| ["sms", "voice"].contains(&ability.as_str())) {
            return Err(AliasError::Unexpected("capabilities"));
        }
        if kept.region.as_deref().is_some_and(|it| it.len() != 2 || !it.bytes().all(|b| b.is_ascii_uppercase())) {
            return Err(AliasError::Unexpected("region"));
        }
        if kept.reach.len() > MAX_REACH || !kept.reach.iter().all(|prefix| is_prefix(prefix)) {
            return Err(AliasError::Unexpected("reach"));
        }
        if kept.carriers.len() > MAX_CARRIERS || !kept.carriers.iter().all(|name| self.may_carry(mode, name)) {
            return Err(AliasError::Unroutable);
        }
        Ok(kept)
    }

    async fn own_pool(&self, permit: &Permit<Pools>, pool: PoolId) -> Result<PoolRow, AliasError> {
        let row = self.store.pool(pool).await?;
        row.filter(|row| row.tenant == permit.tenant()).ok_or(AliasError::NotFound)
    }

    fn importing(&self, permit: &Permit<Pools>, pool: &PoolRow, import: &Import) -> Result<Change, AliasError> {
        let now = self.store.now();
        let count = import.numbers.len() as u64;
        let mut change = Change::telling(permit.event(now, What::PoolNumbersImported { pool: pool.id, count }));
        for (number, given) in &import.numbers {
            change.writes.push(Write::Number(NumberRow {
                number: *number,
                pool: pool.id,
                traits: self.traits(pool.mode, given)?,
                draining: false,
                aside: None,
                created_at: now,
            }));
        }
        Ok(change)
    }

    /// Whether a number that could not be imported is in a pool of this tenant or of somebody else.
    async fn holder_of(
        &self,
        permit: &Permit<Pools>,
        numbers: &[(VirtualNumber, Traits)],
    ) -> Result<AliasError, StoreError> {
        for (number, _) in numbers {
            let Some(row) = self.store.number(*number).await? else { continue };
            let pool = self.store.pool(row.pool).await?;
            if pool.is_some_and(|pool| pool.tenant != permit.tenant()) {
                return Ok(AliasError::NumberOccupied);
            }
        }
        Ok(AliasError::NumberInPool)
    }
}

/// A plus and 1 to 8 digits, the first of them no zero.
fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=8).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn seen(row: PoolRow, counts: PoolCounts) -> PoolView {
    let PoolRow { id, name, carrier, shared, low_water, .. } = row;
    PoolView { id, name, carrier, shared, low_water, counts }
}

/// Prefixes of one number's reach.
const MAX_REACH: usize = 64;
/// Carriers of one number.
const MAX_CARRIERS: usize = 8;
/// Characters of a reason.
const MAX_REASON: usize = 200;
/// The longest list page.
const MAX_PAGE: u32 = 200;
/// Numbers of one import.
const MAX_IMPORT: usize = 10_000;
/// Bytes of a pool's name.
const MAX_NAME: usize = 64;
