//! Pools: make one, import numbers, count them, take numbers out of allocation.
//!
//! A pool is of its tenant's mode and hangs on one carrier, which must be one that this mode may use.

use serde::Serialize;

use super::Alias;
use super::error::AliasError;
use crate::access::{Permit, Pools};
use crate::event::{Mode, What};
use crate::ids::{self, PoolId};
use crate::phone::{self, VirtualNumber};
use crate::store::{Change, Conflict, NumberRow, PoolCounts, PoolRow, StoreError, Write};

/// A pool to be made.
pub struct NewPool {
    /// Its name, unique within the tenant, free of numbers.
    pub name: String,
    /// The carrier its numbers live at.
    pub carrier: String,
    /// Whether other tenants of the same mode may bind from it.
    pub shared: bool,
}

/// Numbers to be added to a pool.
pub struct Import {
    /// 1 to 10,000.
    pub numbers: Vec<VirtualNumber>,
    /// `sms`, `voice`; empty means `sms`.
    pub capabilities: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub region: Option<String>,
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
        match self.store.commit(self.importing(permit, &pool, &import)).await {
            Ok(_) => Ok(import.numbers.len() as u64),
            Err(StoreError::Conflict(Conflict::NumberInPool)) => Err(self.holder_of(permit, &import.numbers).await?),
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

    fn check_pool(&self, mode: Mode, new: &NewPool) -> Result<(), AliasError> {
        if new.name.trim().is_empty() || new.name.len() > MAX_NAME {
            return Err(AliasError::SizeInvalid);
        }
        if phone::contains_number(&new.name) {
            return Err(AliasError::NumberInText);
        }
        let usable = |carrier: &str, live: bool| carrier == new.carrier && live == (mode == Mode::Live);
        if self.carriers.iter().any(|carrier| usable(carrier.name(), carrier.is_live())) {
            Ok(())
        } else {
            Err(AliasError::Unroutable)
        }
    }

    async fn own_pool(&self, permit: &Permit<Pools>, pool: PoolId) -> Result<PoolRow, AliasError> {
        let row = self.store.pool(pool).await?;
        row.filter(|row| row.tenant == permit.tenant()).ok_or(AliasError::NotFound)
    }

    fn importing(&self, permit: &Permit<Pools>, pool: &PoolRow, import: &Import) -> Change {
        let now = self.store.now();
        let capabilities =
            if import.capabilities.is_empty() { vec!["sms".to_owned()] } else { import.capabilities.clone() };
        let count = import.numbers.len() as u64;
        let mut change = Change::telling(permit.event(now, What::PoolNumbersImported { pool: pool.id, count }));
        change.writes.extend(import.numbers.iter().map(|number| {
            Write::Number(NumberRow {
                number: *number,
                pool: pool.id,
                region: import.region.clone(),
                capabilities: capabilities.clone(),
                draining: false,
                created_at: now,
            })
        }));
        change
    }

    /// Whether a number that could not be imported is in a pool of this tenant or of somebody else.
    async fn holder_of(&self, permit: &Permit<Pools>, numbers: &[VirtualNumber]) -> Result<AliasError, StoreError> {
        for number in numbers {
            let Some(row) = self.store.number(*number).await? else { continue };
            let pool = self.store.pool(row.pool).await?;
            if pool.is_some_and(|pool| pool.tenant != permit.tenant()) {
                return Ok(AliasError::NumberOccupied);
            }
        }
        Ok(AliasError::NumberInPool)
    }
}

fn seen(row: PoolRow, counts: PoolCounts) -> PoolView {
    PoolView { id: row.id, name: row.name, carrier: row.carrier, shared: row.shared, counts }
}

/// Numbers of one import.
const MAX_IMPORT: usize = 10_000;
/// Bytes of a pool's name.
const MAX_NAME: usize = 64;
